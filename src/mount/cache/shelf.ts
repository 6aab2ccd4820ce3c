/**
 * What is done to runs and units of cache.db beside looking them up and putting them: evicting, pinning, dropping, counting.
 * Each is one transaction, on the cache's thread.
 *
 * Pins of the cache are bits of units. Who owns the pins (mount/pins) says all of them again and again, in rounds: `begin`, any
 * number of `keep`, `end`; what the round did not name is pinned no more. So a cache that was lost, or that missed
 * something, is right again after one round.
 */
import { failpoint } from '../../base/failpoint.js'
import { idBytes, type SegmentId } from '../../model/ids.js'
import type { Database } from '../../sqlite/driver.js'
import { transaction } from '../../sqlite/open.js'
import { rowOf, runOf, type Statements, UNITS_PER_RUN } from './cache-database.js'
import type { Run, RunList } from './run-list.js'

export interface Shelf {
  readonly db: Database
  readonly sql: Statements
  readonly runs: RunList
  /** Of the round: pinned bits by run. */
  readonly confirmed: Map<number, number>
}

/** Evicted in one transaction: about 20 ms. */
const EVICT_RUNS_MAX = 256

/** Frees so many bytes and gives up so many runs, in the order of use; or less, in one step. Answers how many runs it took. */
export function evict(shelf: Shelf, bytes: number, count: number): number {
  let freed = 0
  let taken = 0
  transaction(shelf.db, () => {
    while ((freed < bytes || taken < count) && taken < EVICT_RUNS_MAX) {
      const oldest = shelf.runs.oldest()
      if (oldest === undefined) break
      freed += oldest.pinned === 0 ? dropRun(shelf, oldest) : strip(shelf, oldest)
      failpoint('mount.cache.dropped')
      taken++
    }
  })
  failpoint('mount.cache.evicted')
  return taken
}

function dropRun({ sql, runs }: Shelf, run: Run): number {
  sql.dropUnits.run(rowOf(run.id, 0), rowOf(run.id + 1, 0))
  sql.dropRun.run(run.id)
  runs.drop(run.id)
  return run.bytes
}

/** What is not pinned of it goes. */
function strip(shelf: Shelf, run: Run): number {
  const freed = dropSome(shelf, run, (unit) => (run.pinned & (1 << unit)) === 0)
  shelf.runs.setBare(run)
  return freed
}

/** `which` by number inside the run. */
function dropSome({ sql, runs }: Shelf, run: Run, which: (unit: number) => boolean): number {
  let freed = 0
  for (const { id, bytes } of sql.sizesOf.all(rowOf(run.id, 0), rowOf(run.id + 1, 0))) {
    if (!which(id % UNITS_PER_RUN)) continue
    sql.dropUnits.run(id, id + 1)
    freed += bytes
  }
  if (freed > 0) runs.grow(run, -freed)
  return freed
}

/** Pins units, whether they are here or not. */
export function keep(shelf: Shelf, segment: SegmentId, units: readonly number[]): void {
  const { db, sql, runs, confirmed } = shelf
  const name = idBytes(segment)
  transaction(db, () => {
    for (const [number, bits] of bitsOf(units)) {
      const id = sql.findRun.get(name, number) ?? Number(sql.addRun.run(name, number).lastInsertRowid)
      const run = runs.get(id) ?? runs.add(id)
      runs.pin(run, run.pinned | bits)
      confirmed.set(id, (confirmed.get(id) ?? 0) | bits)
    }
    save(shelf)
  })
}

/** What the round has not named is pinned no more. */
export function endRound(shelf: Shelf): void {
  const { db, runs, confirmed } = shelf
  transaction(db, () => {
    for (const run of [...runs.pinned()]) {
      runs.pin(run, run.pinned & (confirmed.get(run.id) ?? 0))
      if (run.pinned === 0 && run.bytes === 0) dropRun(shelf, run)
    }
    save(shelf)
  })
  confirmed.clear()
}

/** Those that are not here, in the order asked. */
export function missing({ sql }: Shelf, segment: SegmentId, units: readonly number[]): number[] {
  const name = idBytes(segment)
  const here = new Map<number, Set<number>>()
  for (const number of bitsOf(units).keys()) {
    const id = sql.findRun.get(name, number)
    const rows = id === undefined ? [] : sql.sizesOf.all(rowOf(id, 0), rowOf(id + 1, 0))
    here.set(number, new Set(rows.map((row) => row.id % UNITS_PER_RUN)))
  }
  return units.filter((unit) => !here.get(runOf(unit))?.has(unit % UNITS_PER_RUN))
}

/** Drops units that nothing pins. Answers the sealed bytes. */
export function drop(shelf: Shelf, segment: SegmentId, units: readonly number[]): number {
  const { db, sql, runs } = shelf
  const name = idBytes(segment)
  let freed = 0
  transaction(db, () => {
    for (const [number, bits] of bitsOf(units)) {
      const run = runs.get(sql.findRun.get(name, number) ?? 0)
      if (run === undefined) continue
      freed += dropSome(shelf, run, (unit) => (bits & ~run.pinned & (1 << unit)) !== 0)
      if (run.bytes === 0 && run.pinned === 0) dropRun(shelf, run)
    }
    save(shelf)
  })
  return freed
}

function bitsOf(units: readonly number[]): Map<number, number> {
  const bits = new Map<number, number>()
  for (const unit of units) {
    const number = runOf(unit)
    bits.set(number, (bits.get(number) ?? 0) | (1 << (unit % UNITS_PER_RUN)))
  }
  return bits
}

/** What the disk does not know yet; at most `countMax` runs of it. */
export function save({ sql, runs }: Pick<Shelf, 'sql' | 'runs'>, countMax = Number.POSITIVE_INFINITY): void {
  for (const { id, bytes, used, pinned } of runs.takeUnsaved(countMax)) sql.saveRun.run(bytes, used, pinned, id)
}
