/** What a host hears of itself, and what it may say: standing, exit, losses, transcripts. */
import t from 'tap'
import { pseudonymOf } from '../../../src/permits/pseudonym.js'
import { type TestDrive, type TestHost, World } from '../../support/bridge-world.js'
import { segmentNamed } from '../../support/named.js'
import { scratchFolder } from '../../support/scratch-folder.js'

const { folder, remove } = scratchFolder()
let world: World
let hosts: TestHost[]
let drive: TestDrive
const segment = segmentNamed('one')

t.before(async () => {
  world = await World.start(folder)
  hosts = await world.hosts(8)
  drive = await world.drive('a')
  await drive.claim()
  await drive.store(segment, hosts)
})
t.teardown(async () => {
  await world.stop()
  remove()
})

async function lossOf(host: TestHost) {
  const [located] = await drive.client.locate(drive.id, [segment.segment])
  const place = located?.shards.find((one) => one.host === host.id)
  const { index = 0, shard = '' } = place ?? {}
  const pseudonym = pseudonymOf(drive.id, host.id)
  return { pseudonym, segment: segment.segment, index, shard, generation: located?.generation ?? 0 }
}

t.test('a host sees what is stored on it, and that nothing is held against it', async (t) => {
  const [host] = hosts as [TestHost]
  const standing = await host.client.standing(host.id)
  t.match(standing, { state: 'good', vettedAt: null, score: 1, onlineShare: 1, shards: 1, notices: [] })
  t.equal(standing.bytes, segment.shardLength)
  t.same(standing.exit, { phase: 'none', shardsLeft: 0 })
})

t.test('nobody sees the standing, the transcripts or the exit of another', async (t) => {
  const [one, other] = hosts as [TestHost, TestHost]
  const asks: (() => Promise<unknown>)[] = [
    () => one.client.standing(other.id),
    () => one.client.exit(other.id, {}),
    () => one.client.transcript(other.id, 1),
    () => drive.client.standing(one.id),
  ]
  for (const ask of asks) await t.rejects(ask(), { code: 'not-yours' })
  await t.rejects(one.client.transcript(one.id, 1), { code: 'unknown-transcript' })
})

t.test('a host that asks to leave is leaving until its shards have moved, and may change its mind', async (t) => {
  const host = hosts[1] as TestHost
  t.same((await host.client.exit(host.id, {})).exit, { phase: 'leaving', shardsLeft: 1 })
  await world.restartBridge()
  const again = world.client(host.key)
  t.same((await again.standing(host.id)).exit, { phase: 'leaving', shardsLeft: 1 })
  t.same((await again.exit(host.id, { cancel: true })).exit, { phase: 'none', shardsLeft: 0 })
})

t.test('a shard that its host says is gone is lost at once, and saying so again changes nothing', async (t) => {
  const host = world.client((hosts[2] as TestHost).key)
  const { id } = hosts[2] as TestHost
  const loss = await lossOf(hosts[2] as TestHost)
  await host.reportLosses(id, { losses: [{ ...loss, generation: loss.generation + 1 }] })
  await host.reportLosses(id, { losses: [{ ...loss, pseudonym: '0'.repeat(32) }] })
  await host.reportLosses(id, { losses: [{ ...loss, index: (loss.index + 1) % 8 }] })
  t.equal((await host.standing(id)).shards, 1, 'what the books do not know is ignored')
  await host.reportLosses(id, { losses: [loss, loss] })
  await host.reportLosses(id, { losses: [loss] })
  t.match(await host.standing(id), { shards: 0, bytes: 0 })
  const [located] = await world.client(drive.device).locate(drive.id, [segment.segment])
  t.notOk(located?.shards[loss.index]?.stored)
  t.equal(located?.shards.filter((one) => one.stored).length, 7)
})
