import t from 'tap'
import { AppError } from '../../../../src/base/errors.js'
import { silentLog } from '../../../../src/base/log.js'
import type { SegmentInfo } from '../../../../src/model/segment.js'
import { FileReader } from '../../../../src/mount/reader/file-reader.js'
import { type UnitSink, UnitSource } from '../../../../src/mount/reader/unit-source.js'
import { Dice, testSeed } from '../../../support/dice.js'
import { rampBytes } from '../../../support/ramp.js'
import { awkwardLength, filePlan, NEVER, NO_CACHE, ReaderWorld, until } from './support.js'

const SCHEME = { dataShards: 4, totalShards: 8 }
const READ = 131_072
const seed = testSeed()

t.test('a file of segments, holes and staged bytes reads as one', async (t) => {
  const world = await ReaderWorld.start(t, 8)
  const info = await world.store(1, 200_000, SCHEME)
  const staged = rampBytes(2, 3_000)
  const plan = async () => ({
    pieces: [
      { kind: 'zeros' as const, length: 2_500_000 },
      { kind: 'segment' as const, segment: info, segmentOffset: 70_001, length: 100_000 },
      { kind: 'bytes' as const, length: 3_000, bytes: staged },
    ],
    size: 2_603_000,
  })
  const { files } = world.reader({ plan })
  const wanted = Buffer.concat([Buffer.alloc(2_500_000), rampBytes(1, 200_000).subarray(70_001, 170_001), staged])
  t.ok(Buffer.concat(await files.read(7, 0, 2_603_000, NEVER)).equals(wanted))
})

t.test(`random reads are the file’s bytes (SEED=${seed})`, async (t) => {
  const world = await ReaderWorld.start(t, 8)
  const dice = new Dice(seed)
  const infos: SegmentInfo[] = []
  const bytes: Buffer[] = []
  for (let at = 0; at < 4; at++) {
    const length = dice.roll(1, 1_500_000)
    infos.push(await world.store(at, length, SCHEME, at))
    bytes.push(rampBytes(at, length))
  }
  const whole = Buffer.concat(bytes)
  world.hosts[dice.roll(0, 7)]?.stop()
  const { files } = world.reader({ plan: filePlan(infos), units: { memoryBytes: 1_048_576 } })
  const reads = Array.from({ length: 200 }, () => {
    const offset = dice.roll(0, whole.length - 1)
    return { offset, size: Math.min(dice.roll(1, 300_000), whole.length - offset) }
  })
  for (let at = 0; at < reads.length; at += 8) {
    const found = await Promise.all(
      reads.slice(at, at + 8).map(async ({ offset, size }) => Buffer.concat(await files.read(1, offset, size, NEVER))),
    )
    for (const [index, one] of found.entries()) {
      const { offset, size } = reads[at + index] as (typeof reads)[number]
      if (!one.equals(whole.subarray(offset, offset + size))) t.fail(`${offset} + ${size}`)
    }
  }
  t.pass('all')
})

t.test('a cold file is read in order at the speed of all its hosts, not of one round trip', async (t) => {
  const world = await ReaderWorld.start(t, 8)
  const lengths = [4, 4].map(() => 4 * 1_966_080)
  const infos = await Promise.all(lengths.map((length, at) => world.store(at, length, SCHEME)))
  const plan = filePlan(infos)
  const whole = Buffer.concat(lengths.map((length, at) => rampBytes(at, length)))
  const size = whole.length
  world.hub.delayMs = 20
  const reading = world.reader({ plan })
  await reading.files.warm(1)
  const startedMs = performance.now()
  for (let offset = 0; offset < size; offset += READ) {
    const bytes = Buffer.concat(await reading.files.read(1, offset, Math.min(READ, size - offset), NEVER))
    if (!bytes.equals(whole.subarray(offset, offset + READ))) t.fail(`${offset}`)
  }
  const ms = performance.now() - startedMs
  const roundTrips = ms / 40
  // A read at a time would be 120 round trips; windows of 1, 2, 4 and 8 MiB are about 10.
  t.ok(roundTrips < 60, `${roundTrips.toFixed(0)} round trips, ${(size / 1e3 / ms).toFixed(0)} MB/s`)
  const asked = [...reading.sent.values()].reduce((sum, one) => sum + one, 0)
  t.ok(asked <= 130, `${asked} requests for ${size / 65_536} units`)
})

t.test('a program that stops waiting leaves nothing behind', async (t) => {
  const world = await ReaderWorld.start(t, 8)
  const info = await world.store(1, awkwardLength(SCHEME, 3), SCHEME)
  for (const host of world.hosts) host.liar.lie = 'silent'
  const reading = world.reader({ plan: filePlan([info]) })
  const stop = new AbortController()
  const read = reading.files.read(1, 100_000, READ, stop.signal)
  await until(() => reading.sent.size > 0)
  const reason = new AppError('interrupted', 'the program was stopped')
  stop.abort(reason)
  await t.rejects(read, reason)
  t.equal(reading.units.inFlight, 0)
  for (const host of world.hosts) host.liar.lie = 'none'
  t.ok(
    Buffer.concat(await reading.files.read(1, 0, READ, NEVER)).equals(rampBytes(1, READ)),
    'and it can be read again',
  )
})

t.test('a broken belief is no missing host', async (t) => {
  const units = new UnitSource({
    cache: NO_CACHE,
    network: {
      read: async () => {
        throw new TypeError('broken')
      },
    },
  })
  const files = new FileReader({ ledger: { plan: filePlan([]) }, units, log: silentLog })
  const info = { plainLength: 1_000, dataShards: 4 } as SegmentInfo
  await t.rejects(files.readRange(info, 0, 1_000, NEVER), TypeError)
  t.equal(units.inFlight, 0)
})

t.test('a unit that is shorter than its place is never served as the end of a file', async (t) => {
  const short = async (_info: SegmentInfo, units: readonly number[], sink: UnitSink) => {
    for (const unit of units) sink.unit(unit, Buffer.alloc(10))
  }
  const units = new UnitSource({ cache: NO_CACHE, network: { read: short } })
  const files = new FileReader({ ledger: { plan: filePlan([]) }, units, log: silentLog })
  const info = { plainLength: 1_000, dataShards: 4 } as SegmentInfo
  for (const from of ['the network', 'memory'])
    await t.rejects(files.readRange(info, 0, 100, NEVER), { message: /as long as its place/ }, from)
})

t.test('a stretch of any length is fetched in steps', async (t) => {
  const world = await ReaderWorld.start(t, 8)
  const info = await world.store(1, 4 * 1_966_080 - 777, SCHEME)
  const { files } = world.reader({ units: { memoryBytes: 1_048_576 } })
  const whole = rampBytes(1, info.plainLength)
  t.ok((await files.fetchSegmentRange(info, 0, info.plainLength, NEVER)).equals(whole))
  t.ok((await files.fetchSegmentRange(info, 70_000, 5_000_000, NEVER)).equals(whole.subarray(70_000, 5_070_000)))
  t.equal((await files.fetchSegmentRange(info, 5, 0, NEVER)).length, 0)
  for (const host of world.hosts) await host.stop()
  await t.rejects(world.reader().whole(info), { code: 'shards-unreachable' })
})
