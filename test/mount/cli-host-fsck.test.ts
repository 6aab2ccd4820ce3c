/** `host fsck` on the hosts of a real network: sound after a kill, damaged when a byte is, refused while the host runs. */
import fs from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { expectRefusal } from '../support/cli-refusals.js'
import { Lab } from '../support/drive-process.js'
import { isAlive, until } from '../support/programs.js'
import { rampBytes } from '../support/ramp.js'

t.test('a host that was killed is sound; a flipped byte is found, and nothing is written', async (t) => {
  const lab = new Lab(t)
  const mount = lab.made('mnt')
  const up = await lab.up({ mount })
  const [host] = up.facts.hosts
  const { dir, pid } = host!
  await expectRefusal(t, lab, ['host', 'fsck', '--dir', dir], {
    code: 'host-already-running',
    exitCode: 8,
    says: /runs/,
  })
  fs.writeFileSync(path.join(mount, 'file'), rampBytes(1, 3_000_000))
  await lab.sync(up.facts.state)
  process.kill(pid, 'SIGKILL')
  await until('the host is dead', () => !isAlive(pid))
  const sound = await lab.shardrive(['host', 'fsck', '--dir', dir, '--json'])
  t.equal(sound.status, 0, sound.stderr)
  const check = JSON.parse(sound.stdout)
  t.match(check, { findings: [], found: 0 })
  t.ok(check.shards > 0, `${check.shards} shards`)
  const [name] = fs.readdirSync(path.join(dir, 'volumes')).filter((one) => one.endsWith('.vol'))
  const volume = path.join(dir, 'volumes', name as string)
  const bytes = fs.readFileSync(volume)
  bytes[64 + 136] = (bytes[64 + 136] as number) ^ 1
  fs.writeFileSync(volume, bytes)
  const damaged = await lab.shardrive(['host', 'fsck', '--dir', dir, '--json'])
  t.equal(damaged.status, 7, damaged.stderr)
  t.match(JSON.parse(damaged.stdout), { found: 1, findings: [{ code: 'shard-damaged' }] })
  t.ok(fs.readFileSync(volume).equals(bytes))
  await up.stop()
})
