/** A bridge that audits real hosts over the memory transport, honest ones and liars. */
import t, { type Test } from 'tap'
import { verifyTranscript } from '../../src/permits/audit.js'
import { Net, type NetHost, Uploader } from '../support/bridge-net.js'
import type { AuditLie } from '../support/lying-auditee.js'
import { until } from '../support/named.js'
import { scratchFolder } from '../support/scratch-folder.js'

const HOUR_MS = 3_600_000

/** Eight hosts, and somebody who stores on them. */
async function auditedNet(t: Test): Promise<{ net: Net; uploader: Uploader }> {
  const { folder, remove } = scratchFolder()
  const net = await Net.start(folder, 8)
  const uploader = new Uploader(net, await net.world.drive('a'))
  t.teardown(async () => {
    await uploader.stop()
    await net.stop()
    remove()
  })
  return { net, uploader }
}

t.test('honest hosts prove what they have, again and again', async (t) => {
  const { net, uploader } = await auditedNet(t)
  for (let at = 0; at < 3; at++) await uploader.push(await uploader.seal(300_000))
  for (let at = 0; at < 4; at++) {
    await net.world.bridge.pull.audit()
    await net.world.clock.advance((2 * HOUR_MS) / 3)
  }
  const [host] = net.hosts
  const standing = await net.clientOf(host!).standing(host!.id)
  t.equal(standing.verdicts.success, 48, JSON.stringify(standing))
  t.match(standing, { state: 'good', score: 1, verdicts: { fail: 0, offline: 0, timeout: 0, unknown: 0 } })
  t.match(await net.world.bridge.auditStatus(), { bursts: 24, freezes: 0, states: { good: 8 } })
})

/** What each lie comes to: found out at once and lost, or no answer, asked again. */
const lies: [AuditLie, 'lost' | 'timeout' | 'unknown'][] = [
  ['wrong-leaf', 'lost'],
  ['other-shard', 'lost'],
  ['garbage', 'lost'],
  ['forgetful', 'lost'],
  ['replayed', 'timeout'],
  ['other-key', 'timeout'],
  // The transport of an honest machine does not send it: the host hears its own error, and says that.
  ['huge', 'unknown'],
]

t.test('liars: what they sign is held against them, what they do not sign is no answer', async (t) => {
  const { net, uploader } = await auditedNet(t)
  for (let at = 0; at < 2; at++) await uploader.push(await uploader.seal(300_000))
  const audit = (host: NetHost) => net.world.bridge.pull.audit(host.id)
  const endRound = async () => {
    await net.world.clock.leap((2 * HOUR_MS) / 3)
    await net.world.bridge.pull.audit()
  }
  for (const [at, [lie, comesTo]] of lies.entries()) {
    const host = net.hosts[at] as NetHost
    await audit(host)
    host.auditee.lie = lie
    await audit(host)
    host.auditee.lie = 'none'
    await endRound()
    const standing = await net.clientOf(host).standing(host.id)
    t.equal(host.auditee.told, 1, lie)
    if (comesTo !== 'lost') {
      t.match(standing, { score: 1, shards: 2, verdicts: { fail: 0, [comesTo]: comesTo === 'timeout' ? 16 : 1 } }, lie)
      continue
    }
    t.ok(standing.score < 1 && standing.shards < 2 && standing.verdicts.fail > 0, `${lie}: ${JSON.stringify(standing)}`)
    const { transcript } = standing.notices[0] ?? {}
    const { findings } = await verifyTranscript(await net.clientOf(host).transcript(host.id, transcript as number))
    t.ok(
      findings?.some((one) => one === (lie === 'forgetful' ? 'not-found' : 'wrong')),
      `${lie}: ${findings}`,
    )
  }
  t.equal((await net.world.bridge.auditStatus()).freezes, 0)
})

t.test('a host that goes in the middle of an audit is asked again, one that is away is offline', async (t) => {
  const { net, uploader } = await auditedNet(t)
  await uploader.push(await uploader.seal(300_000))
  const host = net.hosts[0] as NetHost
  host.auditee.lie = 'silent'
  const asked = net.world.bridge.pull.audit(host.id)
  await until(() => host.auditee.told === 1)
  await host.kill()
  await asked
  await net.world.bridge.pull.audit(host.id)
  host.auditee.lie = 'none'
  await host.run()
  await net.world.clock.leap(6 * HOUR_MS)
  await net.world.bridge.pull.audit(host.id)
  t.match(await net.clientOf(host).standing(host.id), {
    ...{ score: 1, shards: 1, verdicts: { success: 16, timeout: 16, offline: 1, fail: 0 } },
  })
})
