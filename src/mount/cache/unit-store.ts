/**
 * Units in cache.db: looked up, put in batches, evicted by run when the budget or the free disk demands. Runs in the
 * cache's thread. Nothing here fails a read: what cannot be had is a miss, what cannot be kept is left out, and a file
 * that gives trouble is begun anew.
 */

import path from 'node:path'
import { AppError, codeOf, isCode } from '../../base/errors.js'
import { failpoint } from '../../base/failpoint.js'
import { openCached, SEALED_UNIT_BYTES_MAX, sealCached } from '../../crypto/at-rest.js'
import { idBytes, type SegmentId } from '../../model/ids.js'
import type { Database } from '../../sqlite/driver.js'
import { databaseFailure } from '../../sqlite/failures.js'
import { removeDatabase, transaction } from '../../sqlite/open.js'
import {
  loadRuns,
  openCacheDatabase,
  prepareStatements,
  rowOf,
  runOf,
  type Statements,
  UNITS_PER_RUN,
} from './cache-database.js'
import { DiskRoom } from './disk-room.js'
import { type CacheLook, lookAtUnits, NOTHING_LEFT } from './look.js'
import { RunList } from './run-list.js'
import { evict, type Shelf, save } from './shelf.js'
import type { FreshUnit, StoreOptions, StoreStats } from './store-types.js'

/** Bounds memory when segments are tiny: some 40 MB of this list. */
const RUNS_MAX = 262_144
/** Evicted at once beyond what is needed, so that a full cache does not evict for every unit. */
const SLACK_BYTES = 4 * 1_048_576
const SAVE_RUNS_MAX = 512
/** Given back to the disk in one step. */
const SHRINK_BYTES = 16 * 1_048_576
/** After a failure nothing is kept for so long. */
const PAUSE_MS = 30_000

export class UnitStore {
  private readonly options: StoreOptions
  private readonly runs = new RunList()
  /** Pinned bits of the round that is under way. */
  private readonly confirmed = new Map<number, number>()
  private readonly room: DiskRoom
  private db: Database | null = null
  private sql!: Statements
  private pageBytes = 0
  private budgetBytes: number
  private pausedUntilMs = Number.NEGATIVE_INFINITY
  private readonly count = { hits: 0, misses: 0, evictedRuns: 0, damaged: 0, restarts: 0 }
  private trouble: string | null = null
  private isPutting = false
  private failedBetween: Error | null = null
  private readonly sealRoom = Buffer.allocUnsafeSlow(SEALED_UNIT_BYTES_MAX)

  constructor(options: StoreOptions) {
    this.options = options
    this.budgetBytes = options.budgetBytes
    this.room = new DiskRoom({ ...options, folder: path.dirname(options.file) })
    this.open()
  }

  setBudget(bytes: number): void {
    this.budgetBytes = bytes
  }

  get(segment: SegmentId, units: readonly number[]): (Buffer | null)[] {
    const result = (this.db && this.attempt(() => this.load(segment, units))) ?? units.map(() => null)
    const hits = result.filter((one) => one !== null).length
    this.count.hits += hits
    this.count.misses += result.length - hits
    return result
  }

  /** One transaction. `between` is called between two units: waiting reads are served there. */
  put(units: readonly FreshUnit[], between: () => void = () => {}): void {
    if (this.options.nowMs() < this.pausedUntilMs) return
    if (this.db === null) this.open()
    if (this.db === null) return
    const bytes = units.reduce((sum, one) => sum + one.bytes.length + this.pageBytes, 0)
    if (!this.makeRoom(bytes)) return
    this.attempt(() => {
      this.keepAll(units, between)
      failpoint('mount.cache.put')
      this.room.wrote(bytes)
      this.trouble = null
    })
  }

  /** Keeps to the budget and the floor while nothing is put. `now`: there is more to do; `soon`: the disk is short. */
  tidy(): 'now' | 'soon' | 'later' {
    if (this.db === null) return 'later'
    this.makeRoom(0)
    if (this.attempt(() => this.shrink())) return 'now'
    return this.attempt(() => this.room.isShort()) ? 'soon' : 'later'
  }

  stats(): StoreStats {
    const { budgetBytes, trouble } = this
    const sizes = (this.db === null ? null : this.attempt(() => this.sizes())) ?? { fileBytes: 0, usedBytes: 0 }
    const allowedBytes = (this.db === null ? undefined : this.attempt(() => this.allowedBytes())) ?? 0
    return { ...sizes, allowedBytes, budgetBytes, runs: this.runs.size, ...this.count, trouble }
  }

  /** Other work on what is here; undefined when there is no file at the moment, or it failed. */
  use<T>(work: (shelf: Shelf) => T): T | undefined {
    if (this.db === null && this.options.nowMs() >= this.pausedUntilMs) this.open()
    return this.db === null ? undefined : this.attempt(() => work(this.shelf()))
  }

  private shelf(): Shelf {
    const { db, sql, runs, confirmed } = this
    return { db: db as Database, sql, runs, confirmed }
  }

  /** fsck, some units at a time; without `drops` it only looks. */
  look(after: number, drops: boolean): CacheLook {
    const { db } = this
    if (db === null) return NOTHING_LEFT
    const found = this.attempt(() => {
      const { look, spoilt } = lookAtUnits(db, this.options.key, after)
      if (drops)
        for (const { id, sealed } of spoilt) this.removeDamaged(Math.floor(id / UNITS_PER_RUN), id, sealed.length)
      return look
    })
    return found ?? { ...NOTHING_LEFT, isAnew: true }
  }

  close(): void {
    const { db } = this
    if (db === null) return
    this.attempt(() => transaction(db, () => save(this.shelf())))
    this.db?.close()
    this.db = null
  }

  private open(): void {
    try {
      const db = openCacheDatabase(this.options.file, (code) => this.beginAnew(code))
      this.db = db
      this.pageBytes = db.pragma('page_size', { simple: true }) as number
      this.sql = prepareStatements(db)
      this.runs.fill(loadRuns(db))
    } catch (error) {
      this.giveUp(databaseFailure(error, this.options.file))
    }
  }

  private load(segment: SegmentId, units: readonly number[]): (Buffer | null)[] {
    const name = idBytes(segment)
    let number = -1
    let run: number | undefined
    return units.map((unit) => {
      if (runOf(unit) !== number) {
        number = runOf(unit)
        run = this.sql.findRun.get(name, number)
        if (run !== undefined) this.runs.touch(run)
      }
      const sealed = run === undefined ? undefined : this.sql.unit.get(rowOf(run, unit))
      if (run === undefined || sealed === undefined) return null
      try {
        return openCached(this.options.key, segment, unit, sealed)
      } catch (error) {
        if (!isCode(error, 'seal-broken')) throw error
        this.removeDamaged(run, unit, sealed.length)
        return null
      }
    })
  }

  private removeDamaged(run: number, unit: number, sealedBytes: number): void {
    this.count.damaged++
    const known = this.runs.get(run)
    if (known) this.runs.grow(known, -sealedBytes)
    this.sql.dropUnits.run(rowOf(run, unit), rowOf(run, unit) + 1)
  }

  private keepAll(units: readonly FreshUnit[], between: () => void): void {
    this.isPutting = true
    this.failedBetween = null
    try {
      transaction(this.db as Database, () => {
        for (const one of units) {
          this.keep(one)
          failpoint('mount.cache.kept')
          between()
          if (this.failedBetween !== null) throw this.failedBetween
        }
        save(this.shelf(), SAVE_RUNS_MAX)
      })
    } finally {
      this.isPutting = false
    }
  }

  private keep({ segment, unit, bytes }: FreshUnit): void {
    const { key, random } = this.options
    const name = idBytes(segment)
    const id = this.sql.findRun.get(name, runOf(unit)) ?? Number(this.sql.addRun.run(name, runOf(unit)).lastInsertRowid)
    const run = this.runs.get(id) ?? this.runs.add(id)
    const sealed = sealCached(key, segment, unit, bytes, random, this.sealRoom)
    if (this.sql.putUnit.run(rowOf(id, unit), sealed).changes > 0) this.runs.grow(run, sealed.length)
  }

  /** Evicts until so many bytes more fit. False when they cannot. */
  private makeRoom(bytes: number): boolean {
    for (;;) {
      const excess = this.attempt(() => this.sizes().usedBytes + bytes - this.allowedBytes())
      if (excess === undefined) return false
      const tooMany = this.runs.size - RUNS_MAX
      if (excess <= 0 && tooMany <= 0) return true
      if (this.runs.evictable === 0) return false
      const slack = Math.min(SLACK_BYTES, this.budgetBytes / 16)
      const evicted = this.attempt(() => evict(this.shelf(), excess + slack, tooMany))
      if (evicted === undefined) return false
      this.count.evictedRuns += evicted
    }
  }

  private sizes(): { fileBytes: number; usedBytes: number } {
    const pages = this.db?.pragma('page_count', { simple: true }) as number
    const spare = this.db?.pragma('freelist_count', { simple: true }) as number
    return { fileBytes: pages * this.pageBytes, usedBytes: (pages - spare) * this.pageBytes }
  }

  /** How much the used pages may be: the budget, or what leaves the floor free. */
  private allowedBytes(): number {
    return Math.min(this.budgetBytes, this.room.allowedBytes(this.sizes().fileBytes))
  }

  /** Spare pages go back to the disk while the file is larger than it may be. */
  private shrink(): boolean {
    const { fileBytes, usedBytes } = this.sizes()
    const surplus = Math.min(fileBytes - this.allowedBytes(), fileBytes - usedBytes)
    if (surplus < this.pageBytes) return false
    const pages = Math.ceil(Math.min(surplus, SHRINK_BYTES) / this.pageBytes)
    this.db?.pragma(`incremental_vacuum(${pages})`)
    failpoint('mount.cache.shrunk')
    this.room.forget()
    return true
  }

  /** Undefined after a failure of the disk or the file: the file is begun anew, later. A broken belief passes. */
  private attempt<T>(work: () => T): T | undefined {
    try {
      return work()
    } catch (error) {
      const failure = databaseFailure(error, this.options.file)
      const isDisk = failure instanceof AppError || (failure as NodeJS.ErrnoException).syscall !== undefined
      if (!isDisk) throw failure
      // A read between two units of a put: the put ends with it.
      if (this.isPutting) this.failedBetween = failure as Error
      else this.giveUp(failure)
      return undefined
    }
  }

  private beginAnew(code: string): void {
    this.count.restarts++
    this.options.anew?.(code)
  }

  /** A full disk gets all of the cache's room back; so does a disk that fails, as far as it can. */
  private giveUp(failure: unknown): void {
    this.trouble = codeOf(failure)
    this.pausedUntilMs = this.options.nowMs() + PAUSE_MS
    this.runs.clear()
    this.confirmed.clear()
    this.beginAnew(codeOf(failure))
    try {
      this.db?.close()
      if (!isCode(failure, 'database-busy')) removeDatabase(this.options.file)
    } catch {
      // Nothing of it is needed; opening it again says what is wrong.
    }
    this.db = null
  }
}
