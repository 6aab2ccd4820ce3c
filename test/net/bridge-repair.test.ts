import path from 'node:path'
import t from 'tap'
import { NetHost } from '../support/bridge-net.js'
import {
  countBytes,
  HOUR_MS,
  hostsOf,
  repaired,
  standing,
  storedNet,
  THRESHOLD,
  vanish,
} from '../support/repair-net.js'

t.test('five of sixteen hosts vanish one after another, and every segment is back at n', async (t) => {
  const stored = await storedNet(t, 16, 24)
  const { net, segments, shardLength } = stored
  const { bridge } = net.world
  const counted = countBytes(net)
  let lost = 0
  for (const host of net.hosts.slice(0, 5)) {
    lost += host.shards() * shardLength
    await vanish(net, host)
    const before = await standing(stored)
    await bridge.pull.repair()
    t.same(await standing(stored), repaired(before), 'lazily: at six of eight, and then to n')
  }
  t.comment(`${(counted.bytes / lost).toFixed(2)} bytes were moved for each lost byte (k = 4, n = 8)`)
  t.ok(counted.bytes / lost < 4, 'less than the k + 1 that one at a time would cost')
  for (const segment of segments) {
    t.equal(new Set(await hostsOf(stored, segment)).size, 8, 'no host has two shards of a segment')
  }
})

t.test('a host that comes back in time is not replaced, one that comes back late forgets what was moved', async (t) => {
  const stored = await storedNet(t, 10, 6)
  const { net } = stored
  const { bridge, clock } = net.world
  const [early, late] = [net.hosts[0]!, net.hosts[1]!]
  const before = early.shards()
  await early.kill()
  await clock.leap(4 * HOUR_MS - 60_000)
  await bridge.pull.repair()
  await early.run()
  await bridge.pull.repair()
  t.equal(early.shards(), before)
  const held = late.shards()
  t.ok(held > 0)
  await vanish(net, net.hosts[2]!)
  await vanish(net, late)
  const short = await standing(stored)
  t.ok(short.includes(6))
  await bridge.pull.repair()
  t.same(await standing(stored), repaired(short))
  await late.run()
  await bridge.pull.repair()
  t.equal(late.shards(), held, 'its copies are there yet')
  await bridge.pull.forget()
  t.equal(late.shards(), held, 'and younger than 72 hours by its own clock')
  t.ok((await net.held(late)).shards < held, 'by the books they lie elsewhere')
})

t.test('a source that lies is found out, another is asked, and the lie is on record', async (t) => {
  const stored = await storedNet(t, 15, 12, { sizeBytes: 200_000 })
  const { net } = stored
  const { bridge } = net.world
  await vanish(net, net.hosts[14]!)
  await vanish(net, net.hosts[13]!)
  const before = await standing(stored)
  // Of six healthy shards four are honest at least.
  const liars = net.hosts.slice(0, 2).map((one) => one.id as string)
  net.hub.alter = (from, to, frame) => {
    if ((to as string) !== bridge.id || !liars.includes(from as string) || frame.length < 20_000) return frame
    const changed = Buffer.from(frame)
    changed.writeUInt8(changed.readUInt8(frame.length - 9) ^ 1, frame.length - 9)
    return changed
  }
  await bridge.pull.repair()
  t.same(await standing(stored), repaired(before))
  const evidence = await Promise.all(net.hosts.map((one) => net.world.rooms.store.hosts.evidenceOf(one.id, 100)))
  const accused = net.hosts.filter((_, at) => evidence[at]!.length > 0).map((one) => one.id as string)
  t.ok(accused.length > 0)
  t.same(
    accused.filter((one) => !liars.includes(one)),
    [],
    'nobody else',
  )
})

t.test('hosts that are away when a repair comes up take its shards as soon as they are back', async (t) => {
  const stored = await storedNet(t, 11, 6)
  const { net, segments } = stored
  const { bridge, clock } = net.world
  const used = new Set(await hostsOf(stored, segments[0]!))
  const spare = net.hosts.filter((one) => !used.has(one))
  t.equal(spare.length, 3)
  for (const gone of [...used].slice(0, 2)) await vanish(net, gone as NetHost)
  for (const host of spare) await host.kill()
  await bridge.pull.repair()
  const short = async () => (await standing({ ...stored, segments: segments.slice(0, 1) }))[0]
  t.equal(await short(), 6, 'nobody is there to take them')
  for (const host of spare) await host.run()
  await clock.leap(20_000)
  await bridge.pull.repair()
  t.equal(await short(), 8, 'not minutes later')
})

t.test('a target that is full is passed over', async (t) => {
  const stored = await storedNet(t, 14, 6)
  const { net, segments } = stored
  const { bridge, clock } = net.world
  const used = new Set((await Promise.all(segments.map((one) => hostsOf(stored, one)))).flat())
  const full = net.hosts.find((one) => used.has(one))!
  full.refuse('host-full')
  for (const gone of net.hosts.filter((one) => used.has(one) && one !== full).slice(0, 3)) await vanish(net, gone)
  const before = await standing(stored)
  for (let round = 0; round < 4; round++) {
    await bridge.pull.repair()
    await clock.leap(130_000)
  }
  t.ok(before.some((count) => count <= THRESHOLD))
  t.ok(
    (await standing(stored)).every((count) => count > THRESHOLD),
    'what one target refused others took, up to safety',
  )
})

t.test(
  'when more than a third vanishes at once only the most endangered are repaired, the rest after the wait',
  async (t) => {
    const stored = await storedNet(t, 16, 12)
    const { net, segments } = stored
    const { bridge, clock } = net.world
    for (const host of net.hosts.slice(0, 6)) await host.kill()
    await clock.leap(4 * HOUR_MS + 120_000)
    const before = await standing(stored)
    await bridge.pull.repair()
    const after = await standing(stored)
    for (const [at, count] of after.entries()) {
      const was = before[at]!
      t.equal(count, was <= 5 && was >= 4 ? 8 : was, `${was} healthy`)
    }
    await clock.leap(4 * HOUR_MS)
    await bridge.pull.repair()
    const last = await standing(stored)
    t.same(
      last,
      before.map((count) => (count >= 4 && count <= THRESHOLD ? 8 : count)),
    )
    t.equal(segments.length, 12)
  },
)

t.test(
  'a repair that finds no host for all of its shards goes on when one comes, also from above the threshold',
  async (t) => {
    const stored = await storedNet(t, 9, 4)
    const { net } = stored
    const { bridge, clock } = net.world
    const counts = async () => Math.min(...(await standing(stored)))
    for (const host of net.hosts.slice(0, 2)) await vanish(net, host)
    t.equal(await counts(), THRESHOLD)
    const short = await standing(stored)
    await bridge.pull.repair()
    t.equal(await counts(), THRESHOLD + 1, 'seven hosts are left')
    net.hosts.push(await NetHost.start(net, path.join(t.testdirName, 'one-more')))
    for (let round = 0; round < 4; round++) {
      await clock.leap(HOUR_MS / 2)
      await bridge.pull.repair()
    }
    t.same(await standing(stored), repaired(short))
  },
)

t.test('a segment that cannot be read waits, and is repaired when a host is back', async (t) => {
  const stored = await storedNet(t, 12, 1)
  const { net, segments } = stored
  const { bridge, clock } = net.world
  const hosts = (await hostsOf(stored, segments[0]!)).filter((one) => one !== null)
  const others = net.hosts.filter((one) => !hosts.includes(one))
  t.equal(others.length, 4)
  for (const host of hosts.slice(0, 5)) await host.kill()
  await clock.leap(9 * HOUR_MS)
  await bridge.pull.repair()
  t.same(await standing(stored), [3])
  await hosts[0]!.run()
  await clock.leap(61_000)
  await bridge.pull.repair()
  t.same(await standing(stored), [8])
})
