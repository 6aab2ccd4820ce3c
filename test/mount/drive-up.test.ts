/** `up`, as a user starts and ends it. */
import fs from 'node:fs'
import t from 'tap'
import { Lab, type NetworkFacts } from '../support/drive-process.js'
import { sleep, until } from '../support/programs.js'

/** Ready, used, ended by `name` sent to whom a terminal would send it: nothing is left, and the files come back. */
for (const [name, count] of [
  ['SIGTERM', 4],
  ['SIGINT', 8],
] as const) {
  t.test(`up ends whole by ${name}${name === 'SIGTERM' ? ', and brings everything back' : ''}`, async (t) => {
    const lab = new Lab(t)
    const mount = lab.path('mnt')
    const readyFile = lab.path('ready.json')
    const hosts = count === 4 ? {} : { hosts: count }
    const first = await lab.up({ mount, ...hosts, ownGroup: name === 'SIGINT', words: ['--ready-file', readyFile] })
    const facts: NetworkFacts = first.facts
    t.same(JSON.parse(fs.readFileSync(readyFile, 'utf8')), facts)
    t.equal(facts.hosts.length, count)
    t.equal(fs.statSync(facts.phraseFile).mode & 0o777, 0o600)
    t.notMatch(fs.readdirSync(facts.state), ['phrase.txt'])
    t.same(lab.mounts(), [mount])
    await lab.sh(`mkdir a && echo hello > a/b && head -c 5000000 /dev/urandom > a/c && sha256sum a/c > a/sum`, {
      cwd: mount,
    })
    t.match(await lab.facts('status'), { mount })
    if (name === 'SIGINT') process.kill(-first.pid, name)
    t.equal(await first.stop(name), 0, `exit code after ${name}`)
    t.same(await lab.processes(), [], 'no process is left')
    t.same(lab.mounts(), [], 'no mount is left')
    t.notOk(fs.existsSync(mount), 'a mount point that up made is gone')

    if (name === 'SIGINT') return
    const again = await lab.up({ mount, ...hosts })
    t.equal(again.facts.bridge, facts.bridge)
    t.same(again.facts.hosts.map((host) => host.id).sort(), facts.hosts.map((host) => host.id).sort())
    t.equal(await lab.sh('cat a/b && sha256sum -c --quiet a/sum', { cwd: mount }), 'hello\n')
    t.same(await lab.findings(again.facts.state), [])
    t.equal(await again.stop(), 0)
    t.same(await lab.processes(), [])
  })
}

t.test('a program that works on the drive does not keep up from ending', async (t) => {
  const lab = new Lab(t)
  const mount = lab.made('mnt')
  const up = await lab.up({ mount })
  const busy = lab
    .sh(`cd ${mount} && exec 3> open && for i in $(seq 1000); do echo $i >&3; sleep 0.05; done`)
    .catch((error: unknown) => error)
  await sleep(1_000)
  t.equal(await up.stop('SIGTERM'), 0)
  t.same(lab.mounts(), [])
  t.match(await busy, /exit/)
})

t.test('a part that ends by itself is told, with the command that brings it back', async (t) => {
  const lab = new Lab(t)
  const mount = lab.made('mnt')
  const up = await lab.up({ mount })
  const [host] = up.facts.hosts
  process.kill(host?.pid as number, 'SIGKILL')
  await lab.sh(`umount ${mount}`)
  const says = (what: RegExp) => until(`up says ${what}`, () => what.test(up.log))
  await says(/host \d was killed; to bring it back: shardrive host run --dir /)
  await says(/the drive has ended \(exit code 0\); to bring it back: shardrive mount /)
  t.equal(await up.stop(), 0)
})
