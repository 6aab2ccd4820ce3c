/** S-36, S-37: what is pinned comes here by itself, in order, within bounds, and stays. */
import fs from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { AppError } from '../../../../src/base/errors.js'
import type { SegmentId } from '../../../../src/model/ids.js'
import { ROOT, scratch } from '../metadata/support.js'
import { NEVER, PinWorld } from './support.js'

const MIB = 1_048_576
const AWAY = new AppError('shards-unreachable', 'no host answers', { retry: 'later' })

t.test('S-36 the newest pin is fetched first, two reads at a time', async (t) => {
  const world = await PinWorld.start(t)
  const { network, pins } = world
  const inos: number[] = []
  for (const name of ['a', 'b', 'c']) inos.push(await world.file(name, 2 * MIB))
  await world.store()
  network.hold()
  for (const ino of inos) await pins.pin(ino)
  const segments = await Promise.all([...inos].reverse().map((ino) => world.segmentsOf(ino)))
  const newest = () => network.asked.slice(-2).map((one) => one.segment)
  await world.until(() => network.running === 2 && String(newest()) === String(segments[0]))
  network.letGo()
  for (const ino of inos) await world.until(() => world.isHere(ino))
  t.same(
    network.asked.slice(-6).map((one) => one.segment),
    segments.flat(),
  )
  t.equal(network.runningMost, 2)
})

t.test('S-36 one read is of at most 64 units: 4 MiB', async (t) => {
  const world = await PinWorld.start(t)
  const ino = await world.file('a', 6 * MIB)
  await world.store(6)
  await world.pins.pin(ino)
  t.match(await world.whenHere(ino), { bytes: 6 * MIB })
  t.same(
    world.network.asked.map((one) => one.units.length),
    [64, 32],
  )
})

t.test('S-36 hosts that are away: three reads in vain, said to who waits, and again half a minute later', async (t) => {
  const world = await PinWorld.start(t)
  const { network, pins, clock } = world
  const ino = await world.stored('a', 12 * MIB)
  network.failure = AWAY
  await pins.pin(ino)
  const told: object[] = []
  const waiting = pins.whenHere([ino], { signal: NEVER, everyMs: 250, progress: (one) => void told.push(one) })
  waiting.catch(() => undefined)
  await world.until(() => told.some((one) => (one as { trouble: unknown }).trouble !== null))
  t.match(told.at(-1), { total: 12 * MIB, left: 12 * MIB, trouble: { code: 'shards-unreachable' } })
  const before = network.asked.length
  t.ok(before < 12, `${before} reads and not one for each segment`)
  await clock.advance(20_000)
  t.equal(network.asked.length, before, 'nobody is asked meanwhile')
  network.failure = null
  await world.until(() => world.isHere(ino))
  await world.until(() => told.some((one) => (one as { left: number }).left === 0))
  t.match(await waiting, { bytes: 12 * MIB })
})

t.test('S-36 a pinned folder that grows: what came is pinned, fetched, and not unpinned by itself', async (t) => {
  const world = await PinWorld.start(t)
  const { pins } = world
  const folder = await world.folder('folder')
  await world.stored('first', MIB, folder)
  await pins.pin(folder)
  t.match(await world.whenHere(folder), { bytes: MIB })
  const inner = await world.folder('inner', folder)
  const late = await world.stored('late', 300_000, inner)
  await world.until(() => world.isHere(late))
  t.ok(pins.isPinned(late))
  t.ok(pins.isPinned(inner))
  await t.rejects(pins.unpin(late), { code: 'not-permitted' })
  await t.rejects(pins.evict(late, NEVER), { code: 'pinned' })
  t.match(await world.whenHere(folder), { bytes: MIB + 300_000 })
  await pins.unpin(folder)
  await world.until(() => !pins.isPinned(late))
})

t.test(
  'S-37 a pin that does not fit is refused; what grows beyond the room is left out, the newest pin first',
  async (t) => {
    const world = await PinWorld.start(t, { budgetBytes: 8 * MIB })
    const { pins, ledger } = world
    const folder = await world.folder('folder')
    await world.stored('first', 2 * MIB, folder)
    const other = await world.stored('other', 3 * MIB)
    const large = await world.stored('large', 8 * MIB)
    await pins.pin(folder)
    await pins.pin(other)
    t.match(await world.whenHere(other), { bytes: 3 * MIB })
    await t.rejects(pins.pin(large), { code: 'no-space' })
    t.same(await ledger.pins(), [folder, other], 'and nothing has changed')
    t.notOk(pins.isPinned(large))
    const late = await world.stored('late', 3 * MIB, folder)
    await world.until(() => world.isHere(late))
    t.match(await world.whenHere(folder), { bytes: 5 * MIB }, 'the older pin has its room')
    t.match(await world.whenHere(other), { code: 'no-space' }, 'the newer one is told')
    const { allowedBytes, usedBytes } = await world.cache.stats()
    t.ok(usedBytes <= allowedBytes, `${usedBytes} of ${allowedBytes}`)
  },
)

t.test('S-36 unpinned while it is fetched: the fetch ends, who waits is told, the bytes may go', async (t) => {
  const world = await PinWorld.start(t)
  const { network, pins, cache } = world
  const kept = await world.stored('kept', MIB)
  const ino = await world.stored('a', 6 * MIB)
  await pins.pin(kept)
  await world.whenHere(kept)
  network.asked.length = 0
  network.hold()
  await pins.pin(ino)
  const waiting = world.whenHere(ino)
  await world.until(() => network.running === 2)
  const under = network.asked.map((one) => one.signal)
  await pins.unpin(ino)
  t.ok(
    under.every((signal) => signal.aborted),
    'hosts are not asked any longer',
  )
  network.letGo()
  t.match(await waiting, { code: 'unpinned' })
  const asked = network.asked.length
  await world.clock.advance(10_000)
  t.equal(network.asked.length, asked, 'nothing more of it is fetched')
  t.notOk(pins.isPinned(ino))
  t.ok(await world.isHere(kept), 'the other pin stays')
  const [segment] = await world.segmentsOf(ino)
  cache.put(segment as SegmentId, [{ unit: 0, bytes: Buffer.alloc(65_536, 1) }])
  t.match(await pins.evict(ino, NEVER), { files: 1 })
})

t.test('S-36 who pins or unpins does not wait for the rest that follows a change of the tree', async (t) => {
  const world = await PinWorld.start(t)
  const { pins, clock } = world
  const [ino, other] = [await world.stored('a', MIB), await world.stored('b', MIB)]
  await pins.pin(ino)
  await world.whenHere(ino)
  const rests: { untilMs: number; isOver: boolean }[] = []
  const sleep = clock.sleep.bind(clock)
  clock.sleep = async (delayMs, signal) => {
    // A round is followed by 300 s, a change by one second or twenty walks; this test's own waits are shorter.
    if (delayMs < 1_000 || delayMs >= 300_000) return sleep(delayMs, signal)
    const rest = { untilMs: clock.monotonicMs() + delayMs, isOver: false }
    rests.push(rest)
    const slept = await sleep(delayMs, signal)
    rest.isOver = true
    return slept
  }
  for (const change of [() => pins.pin(other), () => pins.unpin(ino)]) {
    await world.until(() => {
      if (rests.at(-1)?.isOver !== false) pins.treeChanged()
      return rests.at(-1)?.isOver === false
    })
    const rest = rests.at(-1)
    await change()
    await clock.advance(0)
    t.match(rest, { isOver: true })
    t.ok(clock.monotonicMs() < (rest?.untilMs ?? 0))
  }
})

t.test('S-36 a pin goes with its file, and is not remembered', async (t) => {
  const world = await PinWorld.start(t)
  const { pins, ledger } = world
  const ino = await world.stored('a', MIB)
  await pins.pin(ino)
  await world.whenHere(ino)
  await ledger.unlink(ROOT, Buffer.from('a'), { sec: 1_800_000_000, nsec: 0 }, 'file')
  await ledger.reap([ino])
  pins.treeChanged()
  await world.until(() => !pins.isPinned(ino))
  t.same(await ledger.pins(), [])
})

t.test('S-36 pins are there after a start, and the cache may have lost everything', async (t) => {
  const folder = scratch(t)
  const first = await PinWorld.start(t, { folder })
  const ino = await first.stored('a', MIB)
  await first.pins.pin(ino)
  await first.whenHere(ino)
  await first.end()
  const kept = await PinWorld.start(t, { folder, hosts: first.hosts })
  t.ok(kept.pins.isPinned(ino))
  t.match(await kept.whenHere(ino), { bytes: MIB })
  t.same(kept.network.asked, [], 'what is here is not fetched again')
  await kept.end()
  fs.rmSync(path.join(folder, 'cache.db'))
  const lost = await PinWorld.start(t, { folder, hosts: first.hosts })
  await lost.until(() => lost.isHere(ino))
  t.equal(lost.network.asked.length, 1)
})
