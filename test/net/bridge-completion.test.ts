import t from 'tap'
import { Net, Uploader } from '../support/bridge-net.js'
import { until } from '../support/named.js'

t.test('what two dead hosts missed is completed when they return, with the device gone', async (t) => {
  const net = await Net.start(t.testdir(), 8, { chores: true })
  t.teardown(() => net.stop())
  const drive = await net.world.drive('a')
  const uploader = new Uploader(net, drive)
  await drive.claim()
  await net.hosts[0]!.kill()
  await net.hosts[1]!.kill()
  const fresh = []
  for (const size of [1, 5_000, 300_000, 4 * 1_966_080]) fresh.push(await uploader.seal(size))
  for (const one of fresh) t.equal(await uploader.push(one), 6)
  await drive.append(drive.epoch({ confirm: fresh.map((one) => one.info.segment) }))
  t.match(await drive.client.health(drive.id), { segments: 4, full: 0, short: fresh.map(() => ({ stored: 6, n: 8 })) })
  await uploader.stop()
  await net.world.clock.advance(36_000)
  await net.hosts[0]!.run()
  await net.hosts[1]!.run()
  await until(async () => (await drive.client.health(drive.id)).full === 4, 20_000)
  t.match(await drive.client.health(drive.id), { short: [] })
  for (const host of net.hosts) t.equal(host.shards(), 4)
})

t.test('hundreds of small segments are completed in seconds', async (t) => {
  const net = await Net.start(t.testdir(), 8)
  t.teardown(() => net.stop())
  const drive = await net.world.drive('a')
  const uploader = new Uploader(net, drive)
  await drive.claim()
  await net.hosts[7]!.kill()
  const count = 300
  const fresh = []
  for (let at = 0; at < count; at++) fresh.push(await uploader.seal(2_000))
  for (let at = 0; at < count; at += 20) await Promise.all(fresh.slice(at, at + 20).map((one) => uploader.push(one)))
  await drive.append(drive.epoch({ confirm: fresh.map((one) => one.info.segment) }))
  await net.world.clock.advance(36_000)
  await net.hosts[7]!.run()
  const startedAt = performance.now()
  await net.world.bridge.pull.complete()
  const seconds = (performance.now() - startedAt) / 1_000
  t.equal((await drive.client.health(drive.id)).full, count)
  t.comment(`${count} segments in ${seconds.toFixed(2)} s`)
  t.ok(seconds < 30)
  await uploader.stop()
})

t.test('unconfirmed segments are left to the uploader for a minute, short ones below k for ever', async (t) => {
  const net = await Net.start(t.testdir(), 8)
  t.teardown(() => net.stop())
  const drive = await net.world.drive('a')
  const uploader = new Uploader(net, drive)
  const young = await uploader.seal(9_000)
  const hopeless = await uploader.seal(9_000)
  t.equal(await uploader.push(young, 5), 5)
  t.equal(await uploader.push(hopeless, 3), 3)
  await net.world.clock.advance(59_000)
  await net.world.bridge.pull.complete()
  const stored = async () => {
    const found = await drive.client.locate(drive.id, [young.info.segment, hopeless.info.segment])
    return found.map((one) => one.shards.filter((shard) => shard.stored).length)
  }
  t.same(await stored(), [5, 3])
  await net.world.clock.advance(1_000)
  await net.world.bridge.pull.complete()
  t.same(await stored(), [8, 3])
  await uploader.stop()
})

t.test('a host that stays away is replaced after its time, and forgets when it comes back', async (t) => {
  const net = await Net.start(t.testdir(), 9)
  t.teardown(() => net.stop())
  const drive = await net.world.drive('a')
  const uploader = new Uploader(net, drive)
  await drive.claim()
  const fresh = await uploader.seal(50_000)
  t.equal(await uploader.push(fresh, 7), 7)
  await drive.append(drive.epoch({ confirm: [fresh.info.segment] }))
  const [before] = await drive.client.locate(drive.id, [fresh.info.segment])
  const missing = before!.shards.find((shard) => !shard.stored)!
  await net.host(missing.host!).kill()
  await net.world.clock.leap(3 * 3_600_000)
  await net.world.bridge.pull.complete()
  t.same((await drive.client.health(drive.id)).short, [{ segment: fresh.info.segment, stored: 7, n: 8 }], 'waited for')
  await net.world.clock.leap(2 * 3_600_000)
  await net.world.bridge.pull.complete()
  const [after] = await drive.client.locate(drive.id, [fresh.info.segment])
  t.equal(after!.shards.filter((shard) => shard.stored).length, 8)
  t.not(after!.shards[missing.index]!.host, missing.host)
  t.equal(after!.generation, 2)
  t.equal(net.host(after!.shards[missing.index]!.host!).shards(), 1)
  await uploader.stop()
})

t.test('wrong bytes from a host become evidence and never a shard', async (t) => {
  const net = await Net.start(t.testdir(), 8)
  t.teardown(() => net.stop())
  const drive = await net.world.drive('a')
  const uploader = new Uploader(net, drive)
  await drive.claim()
  const fresh = await uploader.seal(200_000)
  t.equal(await uploader.push(fresh, 7), 7)
  await drive.append(drive.epoch({ confirm: [fresh.info.segment] }))
  const [located] = await drive.client.locate(drive.id, [fresh.info.segment])
  const liars = located!.shards
    .filter((shard) => shard.stored)
    .slice(0, 2)
    .map((shard) => shard.host)
  const { bridge } = net.world
  net.hub.alter = (from, to, frame) => {
    if (to !== (bridge.id as string) || !liars.includes(from as never) || frame.length < 20_000) return frame
    const changed = Buffer.from(frame)
    changed.writeUInt8(changed.readUInt8(frame.length - 9) ^ 1, frame.length - 9)
    return changed
  }
  await net.world.clock.advance(60_000)
  for (let round = 0; round < 5; round++) await bridge.pull.complete()
  t.equal((await drive.client.health(drive.id)).full, 1, 'completed from the honest five')
  await uploader.stop()
})

t.test('a silent host holds up its own segments once, and the rest not at all', async (t) => {
  const net = await Net.start(t.testdir(), 8)
  t.teardown(() => net.stop())
  const drive = await net.world.drive('a')
  const uploader = new Uploader(net, drive)
  await drive.claim()
  await net.hosts[7]!.kill()
  const fresh = []
  for (let at = 0; at < 40; at++) fresh.push(await uploader.seal(3_000))
  for (const one of fresh) t.equal(await uploader.push(one), 7)
  await drive.append(drive.epoch({ confirm: fresh.map((one) => one.info.segment) }))
  await net.world.clock.advance(36_000)
  await net.hosts[7]!.run()
  const silent = net.hosts[2]!
  net.hub.silence(silent.id, net.world.bridge.id)
  const startedAt = performance.now()
  await net.world.bridge.pull.complete()
  t.equal((await drive.client.health(drive.id)).full, 40)
  const seconds = (performance.now() - startedAt) / 1_000
  t.comment(`${seconds.toFixed(1)} s`)
  t.ok(seconds < 8, 'one dial that ends without an answer, not forty')
  await uploader.stop()
})
