/** `up`, as a user starts and ends it. */
import fs from 'node:fs'
import path from 'node:path'
import t, { type Test } from 'tap'
import { Lab, type NetworkFacts, type Running } from '../support/drive-process.js'
import { sleep, until } from '../support/programs.js'

t.test('up says when a part of it ends, ends whole by SIGTERM, and brings everything back', async (t) => {
  const lab = new Lab(t)
  const mount = lab.made('mnt')
  const readyFile = lab.path('ready.json')
  const first = await lab.up({ mount, words: ['--ready-file', readyFile] })
  const facts: NetworkFacts = first.facts
  t.same(JSON.parse(fs.readFileSync(readyFile, 'utf8')), facts)
  t.equal(facts.hosts.length, 4)
  t.equal(fs.statSync(facts.phraseFile).mode & 0o777, 0o600)
  t.notMatch(fs.readdirSync(facts.state), ['phrase.txt'])
  await lab.sh(`mkdir a && echo hello > a/b && head -c 5000000 /dev/urandom > a/c && sha256sum a/c > a/sum`, {
    cwd: mount,
  })
  t.match(await lab.facts('status'), { mount })
  const says = (what: RegExp) => until(`up says ${what}`, () => what.test(first.log))
  await lab.sh(`umount ${mount}`)
  await says(/the drive has ended \(exit code 0\); to bring it back: shardrive mount /)
  process.kill(facts.hosts[0]?.pid as number, 'SIGKILL')
  await says(/host \d was killed; to bring it back: shardrive host run --dir /)
  await endsWhole(t, lab, first, 'SIGTERM')

  const again = await lab.up({ mount })
  t.equal(again.facts.bridge, facts.bridge)
  t.same(again.facts.hosts.map((host) => host.id).sort(), facts.hosts.map((host) => host.id).sort())
  t.equal(await lab.sh('cat a/b && sha256sum -c --quiet a/sum', { cwd: mount }), 'hello\n')
  t.same(await lab.findings(again.facts.state), [])
  const busy = lab
    .sh(`cd ${mount} && exec 3> open && for i in $(seq 1000); do echo $i >&3; sleep 0.05; done`)
    .catch((error: unknown) => error)
  await sleep(1_000)
  t.equal(await again.stop('SIGTERM'), 0, 'a program that works on the drive does not keep it from ending')
  t.match(await busy, /exit/)
  t.same(lab.mounts(), [])
  t.same(await lab.processes(), [])
  t.ok(fs.existsSync(mount), 'a mount point that was there before stays')
})

t.test('a drive that was killed is taken away with the rest, dead or brought back by hand', async (t) => {
  const lab = new Lab(t)
  const mount = lab.made('mnt')
  const first = await lab.up({ mount })
  const { state, mountPid } = first.facts as unknown as { state: string; mountPid: number }
  fs.writeFileSync(path.join(mount, 'a'), 'hello', { flush: true })
  const kill = async (up: Running, pid: number) => {
    process.kill(pid, 'SIGKILL')
    await until('up says so', () => /the drive was killed; to bring it back: /.test(up.log))
  }
  await kill(first, mountPid)
  t.equal((await lab.shardrive(['mount', mount, '--state', state])).status, 0)
  t.equal(fs.readFileSync(path.join(mount, 'a'), 'utf8'), 'hello')
  await endsWhole(t, lab, first, 'SIGTERM')
  const again = await lab.up({ mount })
  await kill(again, again.facts.mountPid as number)
  t.same(lab.mounts(), [mount])
  await endsWhole(t, lab, again, 'SIGTERM')
})

t.test('S-20 up says it when damage was met and healed, and is silent of what is well', async (t) => {
  const lab = new Lab(t)
  const mount = lab.made('mnt')
  const first = await lab.up({ mount })
  const { state, dir } = first.facts as unknown as { state: string; dir: string }
  fs.writeFileSync(path.join(mount, 'a'), 'hello')
  await lab.sync(state)
  t.notMatch(first.log, /damage|cache|tree/)
  t.equal(await first.stop('SIGTERM'), 0)
  fs.truncateSync(path.join(state, 'ledger.db'), 40_000)
  fs.writeFileSync(path.join(state, 'cache.db'), Buffer.alloc(100_000, 7))
  const mountLog = path.join(dir, 'log', 'mount.log')
  const logged = fs.statSync(mountLog).size
  const again = await lab.up({ mount })
  t.equal(fs.readFileSync(path.join(mount, 'a'), 'utf8'), 'hello')
  const lines = again.log.split('\n')
  const once = (what: RegExp) => t.equal(lines.filter((line) => what.test(line)).length, 1, `${what} of ${again.log}`)
  once(/the local database is damaged: /)
  once(/the drive (is healed|shows what)/)
  once(/the cache of read data is damaged and is begun anew: nothing is lost/)
  const records = fs.readFileSync(mountLog).subarray(logged).toString().split('\n')
  t.equal(records.filter((one) => /^\{.*the cache is given up/.test(one)).length, 1)
  t.equal(records.filter((one) => /^\{.*the drive was built again/.test(one)).length, 1)
  t.equal(await again.stop('SIGTERM'), 0)
})

t.test('eight hosts, as a user gets them; Ctrl-C ends all', async (t) => {
  const lab = new Lab(t)
  const mount = lab.path('mnt')
  const up = await lab.up({ mount, hosts: 8, ownGroup: true })
  t.equal(up.facts.hosts.length, 8)
  t.same(lab.mounts(), [mount])
  await lab.sh('echo hello > a', { cwd: mount })
  // As a terminal does: to each process of the group.
  process.kill(-up.pid, 'SIGINT')
  await endsWhole(t, lab, up, 'SIGINT')
  t.notOk(fs.existsSync(mount), 'a mount point that up made is gone')
})

async function endsWhole(t: Test, lab: Lab, up: Running, name: NodeJS.Signals): Promise<void> {
  t.equal(await up.stop(name), 0, `exit code after ${name}`)
  t.same(await lab.processes(), [], 'no process is left')
  t.same(lab.mounts(), [], 'no mount is left')
}
