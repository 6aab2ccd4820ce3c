import t from 'tap'
import type { HostReport } from '../../src/wire/host-api.js'
import { countBytes, HOUR_MS, repaired, standing, storedNet } from '../support/repair-net.js'

t.test('a host that leaves hands over all that it has, shard by shard, and then has left', async (t) => {
  const stored = await storedNet(t, 11, 12)
  const { net, segments, shardLength } = stored
  const { bridge } = net.world
  const leaving = net.hosts[0]!
  const shards = leaving.shards()
  t.ok(shards > 3)
  const counted = countBytes(net)
  await net.setExit(leaving, 1)
  await bridge.pull.repair()
  t.same(
    await standing(stored),
    segments.map(() => 8),
  )
  t.comment(`${(counted.bytes / (shards * shardLength)).toFixed(2)} bytes were moved for each byte that left`)
  t.ok(counted.bytes < shards * shardLength * 2.4, 'one in, one out')
  t.not(net.known(leaving).leftAt, null)
  const located = await stored.drive.client.locate(stored.drive.id, segments)
  t.notOk(located.some((one) => one.shards.some((shard) => shard.host === leaving.id)))
})

t.test('an exit that is taken back leaves things as they are', async (t) => {
  const stored = await storedNet(t, 10, 6)
  const { net } = stored
  const { bridge } = net.world
  const host = net.hosts[0]!
  const shards = await net.held(host)
  await net.setExit(host, 1)
  await bridge.pull.count()
  await net.setExit(host, null)
  await bridge.pull.repair()
  t.same(await net.held(host), shards)
  t.equal(net.known(host).leftAt, null)
})

t.test('a leaving host that vanishes is rebuilt like any other', async (t) => {
  const stored = await storedNet(t, 11, 6)
  const { net, segments } = stored
  const host = net.hosts[0]!
  await net.setExit(host, 1)
  await host.kill()
  await net.world.bridge.pull.repair()
  t.same(
    await standing(stored),
    segments.map(() => 8),
  )
  t.not(net.known(host).leftAt, null)
})

t.test('what lies on suspended hosts is a source, does not count, and is replaced', async (t) => {
  const stored = await storedNet(t, 12, 8)
  const { net, segments, drive } = stored
  const { bridge } = net.world
  const suspended = net.hosts.slice(0, 3)
  const healthy = async () => {
    const located = await drive.client.locate(drive.id, segments)
    const good = (host: string | null) => !suspended.some((one) => one.id === host)
    return located.map((one) => one.shards.filter((shard) => shard.stored && good(shard.host)).length)
  }
  for (const host of suspended) await net.setState(host, 'suspended')
  const before = await healthy()
  t.ok(before.includes(6))
  await bridge.pull.repair()
  t.same(await healthy(), repaired(before))
})

t.test('a host that is off by its own hours is not away, and gets nothing outside of them', async (t) => {
  const stored = await storedNet(t, 10, 4)
  const { net } = stored
  const { bridge, clock } = net.world
  const host = net.hosts[0]!
  const held = await net.held(host)
  t.ok(held.shards > 0)
  const minute = Math.floor(clock.nowMs() / 60_000) % 1_440
  const report: HostReport = {
    ...{ usedBytes: 0, freeBytes: 2 ** 30, capacityBytes: 2 ** 31 },
    hours: { fromMinute: (minute + 1_430) % 1_440, toMinute: (minute + 10) % 1_440 },
  }
  await host.report(report)
  await host.kill()
  await clock.leap(20 * HOUR_MS)
  await bridge.pull.repair()
  t.same(await net.held(host), held)
  const presence = () => net.world.rooms.repairs.queue.viewOf(net.known(host).row).presence
  t.equal(presence(), 'good', 'its hours are over')
  await clock.leap(5 * HOUR_MS)
  t.equal(presence(), 'away', 'it missed the whole of its day')
})
