import t from 'tap'
import { codecAddon } from '../../../../src/addon/codec.js'
import type { HostId } from '../../../../src/model/ids.js'
import { layoutOf } from '../../../../src/segment/layout.js'
import { unitPlace } from '../../../../src/segment/offsets.js'
import type { Lie } from '../../../support/lying-host.js'
import { rampBytes } from '../../../support/ramp.js'
import { awkwardLength, NEVER, ReaderWorld, until } from './support.js'

const FOUR_OF_EIGHT = { dataShards: 4, totalShards: 8 }
const idsOf = (world: ReaderWorld, from: number, to: number): HostId[] =>
  world.hosts.slice(from, to).map(({ id }) => id)

t.test('every unit of every scheme is the plain bytes of its place', async (t) => {
  const world = await ReaderWorld.start(t, 18)
  const schemes = [
    { dataShards: 1, totalShards: 3 },
    { dataShards: 3, totalShards: 8 },
    FOUR_OF_EIGHT,
    { dataShards: 6, totalShards: 18 },
  ]
  for (const scheme of schemes) {
    const { dataShards: k, totalShards: n } = scheme
    for (const length of [1, 1_025, 65_536, k * 65_536, awkwardLength(scheme, 2), awkwardLength(scheme, 6)]) {
      const info = await world.store(length, length, scheme, length % 18)
      const layout = layoutOf(info)
      const reading = world.reader()
      const units = Array.from({ length: layout.unitCount }, (_, unit) => unit)
      const found = await reading.units.read(info, units, NEVER)
      const padded = Buffer.concat([rampBytes(length, length), Buffer.alloc(layout.paddedLength - length)])
      const wrong = units.filter((unit) => {
        const { offsetInSegment, sealedLength } = unitPlace(layout, unit)
        return !found[unit]?.equals(padded.subarray(offsetInSegment, offsetInSegment + sealedLength))
      })
      t.same(wrong, [], `${k} of ${n}, ${length} bytes`)
    }
  }
})

t.test('when all hosts are well only hosts of wanted shards are asked, once each', async (t) => {
  const world = await ReaderWorld.start(t, 8)
  const info = await world.store(1, awkwardLength(FOUR_OF_EIGHT, 4), FOUR_OF_EIGHT)
  const reading = world.reader()
  await reading.units.read(info, [1], NEVER)
  t.same(reading.sent, new Map([[world.hosts[1]?.id, 1]]))
  await reading.units.read(info, [4, 5, 6, 7, 8, 9, 10, 11], NEVER)
  t.same(
    reading.sent,
    new Map(idsOf(world, 0, 4).map((host, at) => [host, at === 1 ? 2 : 1])),
    'two rows, one request each',
  )
  t.same(reading.evidence, [])
})

t.test('n - k hosts may be gone', async (t) => {
  const world = await ReaderWorld.start(t, 8)
  const info = await world.store(1, awkwardLength(FOUR_OF_EIGHT, 5), FOUR_OF_EIGHT)
  for (const at of [0, 2, 3, 6]) await world.hosts[at]?.stop()
  const reading = world.reader()
  t.ok((await reading.whole(info)).equals(rampBytes(1, info.plainLength)))
  t.same(reading.evidence, [], 'to be away is no offence')
})

t.test('one more, and the read fails: with the reason, soon, and again when they are back', async (t) => {
  const world = await ReaderWorld.start(t, 8)
  const info = await world.store(1, 300_000, FOUR_OF_EIGHT)
  for (const at of [0, 1, 2, 3, 6]) await world.hosts[at]?.stop()
  const reading = world.reader()
  const startedMs = Date.now()
  await t.rejects(reading.whole(info), { code: 'shards-unreachable', retry: 'later' })
  t.ok(Date.now() - startedMs < 10_000)
  t.ok(world.located >= 2, 'the bridge was asked whether they have moved')
  t.equal(reading.units.inFlight, 0)
})

t.test('hosts that vanish in the middle are found out', async (t) => {
  const world = await ReaderWorld.start(t, 8)
  const info = await world.store(1, 300_000, FOUR_OF_EIGHT)
  for (const at of [0, 1, 2]) world.hub.kill(world.hosts[at]?.id as HostId)
  const reading = world.reader()
  const startedMs = Date.now()
  t.ok((await reading.whole(info)).equals(rampBytes(1, info.plainLength)))
  t.ok(Date.now() - startedMs < 3_000, 'raced, not waited for')
})

t.test('a silent host is raced after its time, avoided then, and reported', async (t) => {
  const world = await ReaderWorld.start(t, 8)
  const info = await world.store(1, awkwardLength(FOUR_OF_EIGHT, 8), FOUR_OF_EIGHT)
  const silent = world.hosts[2]
  if (!silent) return
  silent.liar.lie = 'silent'
  const reading = world.reader({ shards: { deadlineMs: 1_000 } })
  const first = await timed(() => reading.units.read(info, [2], NEVER))
  t.ok(first.ms > 140 && first.ms < 900, `${first.ms} ms`)
  const second = await timed(() => reading.units.read(info, [6], NEVER))
  t.ok(second.ms < 900, `${second.ms} ms`)
  t.equal(reading.sent.get(silent.id), 1, 'left alone')
  await until(() => reading.evidence.length > 0)
  t.match(reading.evidence, [{ host: silent.id, segment: info.segment, index: 2, kind: 'silent' }])
})

t.test('all hosts are silent: the read ends at its own deadline', async (t) => {
  const world = await ReaderWorld.start(t, 8)
  const info = await world.store(1, 300_000, FOUR_OF_EIGHT)
  for (const host of world.hosts) host.liar.lie = 'silent'
  const reading = world.reader({ files: { deadlineMs: 700 } })
  const read = await timed(() => reading.files.readRange(info, 0, 1_000, NEVER).catch((error: unknown) => error))
  t.match(read.value, { code: 'offline', retry: 'later' })
  t.ok(read.ms < 1_000)
  t.equal(reading.units.inFlight, 0)
})

t.test('no lie becomes a byte, and each is told once', async (t) => {
  const lies: [Lie, string | null][] = [
    ['flip-bits', 'wrong-bytes'],
    ['wrong-proof', 'wrong-bytes'],
    ['other-shard', 'wrong-bytes'],
    ['truncate', 'truncated'],
    ['forgetful', null],
  ]
  const world = await ReaderWorld.start(t, 8)
  await world.store(9, 300_000, FOUR_OF_EIGHT)
  for (const [lie, kind] of lies) {
    const info = await world.store(1, awkwardLength(FOUR_OF_EIGHT, 12), FOUR_OF_EIGHT)
    const liars = [world.hosts[0], world.hosts[3], world.hosts[5], world.hosts[7]]
    for (const host of liars) if (host) host.liar.lie = lie
    const reading = world.reader()
    const layout = layoutOf(info)
    for (let unit = 0; unit < layout.unitCount; unit += 3) {
      const { offsetInSegment, sealedLength } = unitPlace(layout, unit)
      const [bytes] = await reading.units.read(info, [unit], NEVER)
      const plain = Buffer.concat([rampBytes(1, info.plainLength), Buffer.alloc(info.paddedLength - info.plainLength)])
      if (!bytes?.equals(plain.subarray(offsetInSegment, offsetInSegment + sealedLength)))
        t.fail(`${lie}, unit ${unit}`)
    }
    t.ok((await reading.whole(info)).equals(rampBytes(1, info.plainLength)), lie)
    const kinds = reading.evidence.map((one) => `${one.host} ${one.kind}`)
    t.equal(new Set(kinds).size, kinds.length, 'once each')
    if (kind === null) t.same(kinds, [])
    else {
      t.ok(kinds.length >= 2)
      for (const one of reading.evidence)
        t.match(one, { segment: info.segment, kind: lie === 'other-shard' ? OTHER : kind })
    }
    for (const host of liars) if (host) host.liar.lie = 'none'
  }
})

t.test('more liars than the code bears: an error, never a byte', async (t) => {
  const world = await ReaderWorld.start(t, 8)
  const info = await world.store(1, 300_000, FOUR_OF_EIGHT)
  for (const host of world.hosts.slice(0, 5)) host.liar.lie = 'flip-bits'
  await t.rejects(world.reader().whole(info), { code: 'shards-unreachable' })
})

t.test('a shard that has moved is found where it is now', async (t) => {
  const world = await ReaderWorld.start(t, 12)
  const info = await world.store(1, 300_000, FOUR_OF_EIGHT, 0)
  const reading = world.reader()
  await reading.units.read(info, [0], NEVER)
  // The same shards elsewhere: the old hosts deny having them.
  const placement = world.placements.get(info.segment)
  if (!placement) return
  const wrong = placement.shards.map((one) => ({ ...one, host: world.hosts[8 + (one.index % 4)]?.id as HostId }))
  const stale = world.reader()
  await stale.placements.learn(info, { ...placement, shards: wrong })
  t.ok((await stale.whole(info)).equals(rampBytes(1, info.plainLength)))
  t.equal(stale.evidence.length, 0, 'not to have a shard is no evidence')
  t.ok(world.located >= 1)
})

t.test('the right shards elsewhere are learnt in the background', async (t) => {
  const world = await ReaderWorld.start(t, 9)
  const info = await world.store(1, 300_000, FOUR_OF_EIGHT, 0)
  const placement = world.placements.get(info.segment)
  if (!placement) return
  const stale = world.reader()
  const shards = placement.shards.map((one) => (one.index === 0 ? { ...one, host: world.hosts[8]?.id as HostId } : one))
  await stale.placements.learn(info, { ...placement, shards })
  await stale.units.read(info, [0], NEVER)
  await until(() => world.located === 1)
  t.equal((await stale.placements.of(info)).shards[0]?.host, world.hosts[0]?.id)
})

t.test('a bridge that names other shards is not believed', async (t) => {
  const world = await ReaderWorld.start(t, 8)
  const info = await world.store(1, 300_000, FOUR_OF_EIGHT)
  const other = await world.store(2, 300_000, FOUR_OF_EIGHT)
  const theirs = world.placements.get(other.segment)
  if (!theirs) return
  world.placements.set(info.segment, { ...theirs, segment: info.segment })
  await t.rejects(world.reader().whole(info), { code: 'placement-wrong' })
  world.placements.set(info.segment, { ...theirs, segment: info.segment, shards: theirs.shards.slice(1) })
  await t.rejects(world.reader().whole(info), { code: 'placement-wrong' })
  world.placements.delete(info.segment)
  await t.rejects(world.reader().whole(info), { code: 'placement-unknown', retry: 'later' })
})

t.test('known placements need no bridge, also after another start', async (t) => {
  const world = await ReaderWorld.start(t, 8)
  const info = await world.store(1, 300_000, FOUR_OF_EIGHT)
  const first = world.reader()
  await first.whole(info)
  t.equal(world.located, 1)
  world.bridgeIsDown = true
  const second = world.reader()
  for (const [segment, bytes] of first.saved) second.saved.set(segment, bytes)
  t.ok((await second.whole(info)).equals(rampBytes(1, info.plainLength)))
  // What was damaged here is asked for again.
  world.bridgeIsDown = false
  const third = world.reader()
  third.saved.set(info.segment, Buffer.alloc(400, 1))
  t.ok((await third.whole(info)).equals(rampBytes(1, info.plainLength)))
  t.equal(world.located, 2)
})

t.test('segments that are looked for in one moment are located in one call', async (t) => {
  const world = await ReaderWorld.start(t, 8)
  const infos = await Promise.all([1, 2, 3].map((seed) => world.store(seed, 100_000, FOUR_OF_EIGHT)))
  const reading = world.reader()
  const found = await Promise.all([...infos, ...infos].map((info) => reading.whole(info)))
  t.same(
    found.map((bytes, at) => bytes.equals(rampBytes((at % 3) + 1, 100_000))),
    Array(6).fill(true),
  )
  t.equal(world.located, 1)
})

t.test('a used-up token is replaced, and that is nobody’s fault', async (t) => {
  const world = await ReaderWorld.start(t, 8)
  const info = await world.store(1, awkwardLength(FOUR_OF_EIGHT, 20), FOUR_OF_EIGHT)
  world.getBytes = 300_000
  const reading = world.reader()
  t.ok((await reading.whole(info)).equals(rampBytes(1, info.plainLength)))
  t.same(reading.evidence, [])
  t.ok(world.tokensGiven > 8)
})

t.test('the code path does not matter', async (t) => {
  const world = await ReaderWorld.start(t, 8)
  const info = await world.store(1, awkwardLength(FOUR_OF_EIGHT, 2), FOUR_OF_EIGHT)
  for (const at of [1, 2]) await world.hosts[at]?.stop()
  t.teardown(() => codecAddon().setPath('auto'))
  for (const path of codecAddon().capability().available) {
    codecAddon().setPath(path)
    t.ok((await world.reader().whole(info)).equals(rampBytes(1, info.plainLength)), path)
  }
})

/** Another shard may also have another length. */
const OTHER = /^(wrong-bytes|truncated)$/

async function timed<T>(work: () => Promise<T>): Promise<{ ms: number; value: T }> {
  const startedMs = performance.now()
  const value = await work()
  return { ms: Math.round(performance.now() - startedMs), value }
}
