/** A daemon that stands still, with no service manager to find it out: commands say so after ten seconds, and can end it. */
import t from 'tap'
import { Lab } from '../support/drive-process.js'
import { noMounts } from '../support/mounts.js'

t.setTimeout(300_000)

t.test(
  'all commands tell of it; unmount --force ends it, mount brings the drive back',
  { skip: noMounts() },
  async (t) => {
    const lab = new Lab(t)
    const mount = lab.made('mnt')
    const up = await lab.up({ mount })
    await lab.sh('echo kept > a; sync a', { cwd: mount })
    process.kill(Number(up.facts.mountPid), 'SIGSTOP')
    const silent = {
      status: 8,
      stderr: new RegExp(
        `the daemon of ${mount} does not answer in 10 s \\[daemon-silent\\][^]*unmount ${mount} --force`,
      ),
    }
    const [unmount, doctor, ...others] = await Promise.all(
      [
        ['unmount', mount],
        ['doctor', '--state', String(up.facts.state)],
        ...[['status'], ['status', `${mount}/a`], ['sync'], ['sync', mount], ['fsck'], ['pin', `${mount}/a`]],
      ].map((one) => lab.shardrive(one, 60_000)),
    )
    for (const one of others) t.match(one, silent)
    t.match(unmount, silent, 'an unmount alone ends nobody')
    t.match(doctor?.stdout, 'BAD  drive: the daemon of')
    t.match(await lab.shardrive(['unmount', mount, '--force'], 60_000), {
      status: 0,
      stdout: /the daemon was dead; its mount is cleared/,
    })
    t.same(lab.mounts(), [])
    await lab.facts('mount', mount, '--state', String(up.facts.state))
    t.equal(await lab.sh('cat a', { cwd: mount }), 'kept\n')
    await lab.facts('unmount', mount)
  },
)
