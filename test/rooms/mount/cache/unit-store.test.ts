import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import t, { type Test } from 'tap'
import { systemRandom } from '../../../../src/base/random.js'
import { type SegmentId, segmentId } from '../../../../src/model/ids.js'
import { UNIT_BYTES } from '../../../../src/model/segment.js'
import { drop, endRound, keep, missing } from '../../../../src/mount/cache/shelf.js'
import type { StoreOptions } from '../../../../src/mount/cache/store-types.js'
import { UnitStore } from '../../../../src/mount/cache/unit-store.js'
import { noiseBytes } from '../../../support/noise.js'
import { rampBytes } from '../../../support/ramp.js'
import { secretOf } from '../../../support/secrets.js'

const MIB = 1_048_576
const segmentOf = (seed: number): SegmentId => segmentId(noiseBytes(seed, 32))

function folderOf(t: Test): string {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'shardrive-cache-'))
  t.teardown(() => fs.rmSync(dir, { recursive: true, force: true }))
  return dir
}

class Time {
  ms = 1_000
}

function open(dir: string, changes: Partial<StoreOptions> = {}, time = new Time()): UnitStore {
  return new UnitStore({
    file: path.join(dir, 'cache.db'),
    key: secretOf(noiseBytes(1, 32)),
    random: systemRandom,
    budgetBytes: 64 * MIB,
    floorBytes: 0,
    nowMs: () => time.ms,
    ...changes,
  })
}

/** So many whole units of a segment, from the first. */
function unitsOf(seed: number, count: number, first = 0) {
  const segment = segmentOf(seed)
  return Array.from({ length: count }, (_, at) => {
    return { segment, unit: first + at, bytes: rampBytes(seed * 1_000 + first + at, UNIT_BYTES) }
  })
}

function holds(store: UnitStore, seed: number, units: number[]): boolean[] {
  return store.get(segmentOf(seed), units).map((bytes, at) => {
    return bytes?.equals(rampBytes(seed * 1_000 + (units[at] as number), UNIT_BYTES)) ?? false
  })
}

t.test('what was put comes back, in the order asked, also after another start', async (t) => {
  const dir = folderOf(t)
  let store = open(dir)
  store.put([...unitsOf(1, 3, 14), ...unitsOf(2, 1)])
  store.put([{ segment: segmentOf(3), unit: 70_000, bytes: Buffer.from('short') }])
  const check = () => {
    t.same(holds(store, 1, [16, 14, 15]), [true, true, true], 'over the border of two runs')
    t.same(store.get(segmentOf(1), [13, 17]), [null, null])
    t.same(store.get(segmentOf(9), [0]), [null])
    t.same(store.get(segmentOf(3), [70_000])[0]?.toString(), 'short')
  }
  check()
  store.close()
  store = open(dir)
  check()
  t.match(store.stats(), { hits: 4, misses: 3, damaged: 0, restarts: 0, trouble: null, runs: 4 })
  store.close()
})

t.test('no byte of a unit stands on the disk', async (t) => {
  const dir = folderOf(t)
  const store = open(dir)
  store.put([{ segment: segmentOf(1), unit: 0, bytes: Buffer.alloc(UNIT_BYTES, 'plain text') }])
  store.close()
  for (const name of fs.readdirSync(dir)) {
    t.notOk(fs.readFileSync(path.join(dir, name)).includes('plain text'), name)
    t.equal(fs.statSync(path.join(dir, name)).mode & 0o077, 0, name)
  }
})

t.test('the budget holds, and what was used last stays', async (t) => {
  const dir = folderOf(t)
  const store = open(dir, { budgetBytes: 20 * MIB })
  for (let seed = 0; seed < 60; seed++) {
    store.put(unitsOf(seed, 16))
    holds(store, 0, [3])
    t.ok(store.stats().usedBytes <= 20 * MIB)
  }
  t.ok(store.stats().fileBytes <= 22 * MIB, 'pages are used again')
  t.same(holds(store, 0, [3]), [true], 'always in use')
  t.same(holds(store, 59, [0, 15]), [true, true])
  t.same(holds(store, 1, [0]), [false])
  t.ok(store.stats().evictedRuns >= 40)
  store.setBudget(5 * MIB)
  while (store.tidy() === 'now');
  t.ok(store.stats().fileBytes <= 6 * MIB, 'a smaller budget gives the disk its room back')
  t.same(holds(store, 59, [0]), [true])
  store.close()
})

t.test('the order of use outlives a restart', async (t) => {
  const dir = folderOf(t)
  let store = open(dir)
  for (let seed = 0; seed < 8; seed++) store.put(unitsOf(seed, 16))
  holds(store, 0, [0])
  store.close()
  store = open(dir, { budgetBytes: 6 * MIB })
  store.tidy()
  t.same(holds(store, 0, [0]), [true])
  t.same(holds(store, 1, [0]), [false])
  store.close()
})

t.test('the floor of the disk comes before the budget: units go, and nothing is put', async (t) => {
  const dir = folderOf(t)
  const time = new Time()
  // Of the disk, for the cache and what is free.
  let disk = 110 * MIB
  const free = () => disk - fs.statSync(path.join(dir, 'cache.db')).size
  const store = open(dir, { floorBytes: 50 * MIB, freeBytes: free }, time)
  for (let seed = 0; seed < 10; seed++) store.put(unitsOf(seed, 16))
  disk = 56 * MIB
  time.ms += 1_000
  while (store.tidy() === 'now') time.ms += 1
  t.equal(store.tidy(), 'soon')
  t.ok(store.stats().usedBytes <= 7 * MIB, 'four too many')
  t.ok(store.stats().fileBytes <= 7 * MIB)
  t.same(holds(store, 9, [0]), [true])
  disk = 50 * MIB
  time.ms += 1_000
  store.put(unitsOf(20, 16))
  t.same(holds(store, 20, [0]), [false])
  t.equal(store.stats().runs, 0)
  disk = 100 * MIB
  time.ms += 1_000
  store.put(unitsOf(21, 16))
  t.same(holds(store, 21, [0]), [true], 'it goes on when there is room')
  store.close()
})

t.test('a damaged unit is a miss and can be put again', async (t) => {
  const dir = folderOf(t)
  let store = open(dir)
  store.put(unitsOf(1, 16))
  store.close()
  const file = path.join(dir, 'cache.db')
  const bytes = fs.readFileSync(file)
  // The middle of some overflow pages: payload, not structure.
  for (let at = 40 * 16_384 + 8_000; at < 44 * 16_384; at += 16_384) bytes.writeUInt8((bytes[at] as number) ^ 1, at)
  fs.writeFileSync(file, bytes)
  store = open(dir)
  const found = holds(
    store,
    1,
    Array.from({ length: 16 }, (_, at) => at),
  )
  const { damaged } = store.stats()
  t.ok(damaged >= 1 && damaged <= 4)
  t.equal(found.filter((one) => !one).length, damaged)
  store.put(unitsOf(1, 16))
  t.same(holds(store, 1, [found.indexOf(false)]), [true])
  store.close()
})

t.test('a file that is no cache of this version is begun anew', async (t) => {
  const dir = folderOf(t)
  const file = path.join(dir, 'cache.db')
  const spoil: ((file: string) => void)[] = [
    () => fs.writeFileSync(file, noiseBytes(1, 100_000)),
    () => {
      // user_version stands at byte 60.
      const bytes = fs.readFileSync(file)
      bytes.writeUInt32BE(99, 60)
      fs.writeFileSync(file, bytes)
    },
    () => {
      const bytes = fs.readFileSync(file)
      bytes.write('SDLE', 68)
      fs.writeFileSync(file, bytes)
    },
    () => fs.truncateSync(file, 40_000),
  ]
  for (const one of spoil) {
    const before = open(dir)
    before.put(unitsOf(1, 16))
    before.close()
    one(file)
    const time = new Time()
    const store = open(dir, {}, time)
    holds(store, 1, [0, 15])
    time.ms += 60_000
    store.put(unitsOf(2, 1))
    t.same(holds(store, 2, [0]), [true])
    store.close()
  }
})

t.test('another key opens nothing', async (t) => {
  const dir = folderOf(t)
  const first = open(dir)
  first.put(unitsOf(1, 2))
  first.close()
  const store = open(dir, { key: secretOf(noiseBytes(2, 32)) })
  t.same(store.get(segmentOf(1), [0, 1]), [null, null])
  t.equal(store.stats().damaged, 2)
  store.close()
})

t.test('a place where no file can be is no cache, and no failure', async (t) => {
  const dir = folderOf(t)
  fs.writeFileSync(path.join(dir, 'file'), '')
  const time = new Time()
  const store = open(path.join(dir, 'file'), {}, time)
  t.same(holds(store, 1, [0]), [false])
  store.put(unitsOf(1, 1))
  t.same(holds(store, 1, [0]), [false])
  t.equal(store.stats().trouble, 'database-unwritable')
  fs.rmSync(path.join(dir, 'file'))
  time.ms += 60_000
  store.put(unitsOf(1, 1))
  t.same(holds(store, 1, [0]), [true], 'tried again later')
  store.close()
})

t.test('reads are served between two units of a put', async (t) => {
  const store = open(folderOf(t))
  store.put(unitsOf(1, 1))
  let served = 0
  store.put(unitsOf(2, 16), () => {
    served += holds(store, 1, [0])[0] ? 1 : 0
  })
  t.equal(served, 16)
  store.close()
})

t.test('pinned units stay when everything else is evicted, also after another start', async (t) => {
  const dir = folderOf(t)
  const small = { budgetBytes: 8 * MIB }
  let store = open(dir, small)
  store.put(unitsOf(1, 16))
  t.same(
    store.use((shelf) => missing(shelf, segmentOf(1), [0, 5, 40])),
    [40],
  )
  // A unit that comes later is pinned as well as one that is here.
  store.use((shelf) => keep(shelf, segmentOf(1), [3, 5, 40]))
  store.put(unitsOf(1, 1, 40))
  const flood = () => {
    for (let seed = 10; seed < 30; seed++) store.put(unitsOf(seed, 16))
  }
  flood()
  t.same(holds(store, 1, [3, 5, 40, 4, 41]), [true, true, true, false, false])
  t.ok(store.stats().usedBytes <= 8 * MIB)
  store.close()
  store = open(dir, small)
  flood()
  t.same(holds(store, 1, [3, 5, 40]), [true, true, true])
  t.equal(
    store.use((shelf) => drop(shelf, segmentOf(1), [3, 5, 40])),
    0,
    'nor can they be dropped',
  )
  store.use((shelf) => keep(shelf, segmentOf(1), [40]))
  store.use(endRound)
  flood()
  t.same(holds(store, 1, [3, 5, 40]), [false, false, true], 'a round that does not name them lets them go')
  store.use(endRound)
  t.ok((store.use((shelf) => drop(shelf, segmentOf(1), [40])) as number) > UNIT_BYTES)
  t.same(holds(store, 1, [40]), [false])
  store.close()
})

t.test('a cache that is full of pinned units takes no more, and serves them', async (t) => {
  const store = open(folderOf(t), { budgetBytes: 4 * MIB })
  const all = Array.from({ length: 100 }, (_, unit) => unit)
  store.use((shelf) => keep(shelf, segmentOf(1), all))
  for (let at = 0; at < 100; at += 10) store.put(unitsOf(1, 10, at))
  const kept = 100 - (store.use((shelf) => missing(shelf, segmentOf(1), all))?.length ?? 0)
  t.ok(kept > 45 && kept < 64, `${kept} units`)
  store.put(unitsOf(2, 16))
  t.same(holds(store, 2, [0]), [false])
  t.same(holds(store, 1, [0]), [true])
  t.equal(store.stats().trouble, null)
  store.close()
})
