/**
 * The ledger's only writing connection and its group transaction. Steps run at once inside an open transaction; COMMIT
 * comes by time, by size or by sync(). Dirty pages stay in memory until then (cache_spill off), so a full disk shows
 * at COMMIT and nowhere else: SQLite then rolls the whole group back, and `replay` builds it again from the steps that
 * were kept, in memory, with the same ids. So nothing acknowledged is lost, and reads go on as before.
 */

import { assert } from '../../base/assert.js'
import { AppError, isCode } from '../../base/errors.js'
import { failpoint } from '../../base/failpoint.js'
import type { Database, Statement } from '../../sqlite/driver.js'
import { databaseFailure, isUnwritten } from '../../sqlite/failures.js'
import { flushLogToDisk, flushToDisk, openDatabase } from '../../sqlite/open.js'
import { LEDGER_KIND, LEDGER_MIGRATIONS } from './schema.js'
import { decodeSyncs, encodeSyncs, SYNCS_KEY, SyncCount } from './sync-count.js'

/** Keeps things in memory between statements: writes them before a COMMIT, drops them after a rollback. */
export interface WriteBack {
  flush(): void
  drop(): void
  /** What was flushed is committed: it cannot be dropped any more. */
  committed?(): void
}

/** Measured on 2 cores of Zen 4 (400 MiB in rows of 1 MiB, CPU: 4 KiB pages 1,050 ms, 16 KiB 680, 32 KiB 530, 64 KiB 420;
 *  an fsync of seven scattered rows: 0.57, 0.61 and 0.71 ms for the last three). */
export const PAGE_BYTES = 32_768
/** A page in the write-ahead log. */
export const FRAME_BYTES = PAGE_BYTES + 24
/** The log keeps this much of its file when it starts anew: growing a file costs more than overwriting it. */
export const LOG_BYTES_KEPT = 64 * 1024 * 1024
/** The pages of an open group, and as much again: trees stay here, staged rows pass through. */
const CACHE_BYTES = 32 * 1024 * 1024

export class LedgerDatabase {
  readonly db: Database
  readonly file: string
  private readonly writeBacks: WriteBack[] = []
  private steps: (() => void)[] = []
  private readonly statements = new Map<string, Statement>()
  private readonly syncs: SyncCount
  /** Something is committed that a power loss may take back. */
  private unsynced = true
  /** After each COMMIT, between two groups. */
  onCommitted: () => void = () => {}
  /** The disk is full, nothing is open: called before the same is tried once more. */
  makeRoom: () => void = () => {}

  constructor(file: string) {
    this.file = file
    this.db = openDatabase(file, {
      migrations: LEDGER_MIGRATIONS,
      kind: LEDGER_KIND,
      pageSizeBytes: PAGE_BYTES,
      incrementalVacuum: true,
      cacheBytes: CACHE_BYTES,
      walBytesMax: LOG_BYTES_KEPT,
    })
    this.db.pragma('cache_spill = OFF')
    // Checkpoints are the service's to time: most run on another thread.
    this.db.pragma('wal_autocheckpoint = 0')
    this.db.defaultSafeIntegers(false)
    const saved = this.sql<[string], { value: Buffer }>('SELECT value FROM meta WHERE key = ?').get(SYNCS_KEY)
    this.syncs = new SyncCount(file, decodeSyncs(saved?.value))
  }

  /** What was durable is not all here: see sync-count.ts. */
  get isBehind(): boolean {
    return this.syncs.isBehind
  }

  register(writeBack: WriteBack): void {
    this.writeBacks.push(writeBack)
  }

  /** Prepared once; `raw`-free, typed by the caller. */
  sql<P extends unknown[] = unknown[], R = unknown>(text: string): Statement<P, R> {
    let found = this.statements.get(text)
    if (found === undefined) {
      found = this.db.prepare(text) as Statement
      this.statements.set(text, found)
    }
    return found as Statement<P, R>
  }

  get groupOpen(): boolean {
    return this.steps.length > 0
  }

  /** Kept to be done again. */
  get groupSteps(): number {
    return this.steps.length
  }

  /**
   * Runs a step in the group. What cannot be done must be found out before the step changes anything, by an AppError:
   * any other failure takes the step back by building the group anew without it.
   */
  step<T>(work: () => T): T {
    if (!this.db.inTransaction) this.db.exec('BEGIN IMMEDIATE')
    let result: T
    try {
      result = work()
    } catch (error) {
      this.rebuild()
      throw databaseFailure(error, this.file)
    }
    this.steps.push(work)
    return result
  }

  /** Memory into tables, so that SQL sees everything. Inside of the group. */
  flush(): void {
    if (!this.db.inTransaction) return
    for (const one of this.writeBacks) one.flush()
  }

  /** Throws `no-space` and keeps everything when the disk is full: call again later. */
  commit(): void {
    if (!this.db.inTransaction) return
    this.twice(
      () => this.end(),
      () => this.replay(),
    )
    this.unsynced ||= this.steps.length > 0
    this.steps = []
    this.tellCommitted()
  }

  private end(): void {
    failpoint('mount.commit.begun')
    this.flush()
    failpoint('mount.commit.written')
    this.db.exec('COMMIT')
    failpoint('mount.commit.done')
  }

  /** Once more when the disk is full and the log gave room. Before that, and after the last failure, everything is rolled back and
   *  then built again. */
  private twice(work: () => void, build: () => void): void {
    for (let left = 1; ; left--) {
      try {
        work()
        return
      } catch (error) {
        const failure = databaseFailure(error, this.file)
        this.rollback()
        const again = left > 0 && isCode(failure, 'no-space')
        if (again) this.makeRoom()
        build()
        if (!again) throw failure
      }
    }
  }

  /** COMMIT, then everything so far onto the disk. Costs nothing when nothing happened since the last time. */
  sync(): void {
    this.commit()
    if (!this.unsynced) return
    failpoint('mount.sync.begun')
    this.flushCommitted()
    this.unsynced = false
    failpoint('mount.sync.done')
  }

  private flushCommitted(): void {
    try {
      this.twice(
        // A number that stays would write nothing, and so sync nothing.
        () => flushToDisk(this.db, this.isBehind ? undefined : () => this.countSync()),
        () => {},
      )
      this.syncs.synced()
    } catch (error) {
      // Everything is in the log: nobody loses, or waits for, what is only not counted.
      if (!isUnwritten(error)) throw error
      flushLogToDisk(this.db)
    }
  }

  private countSync(): void {
    const put = this.sql('INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)')
    put.run(SYNCS_KEY, encodeSyncs(this.syncs.next))
  }

  /** A transaction of its own, after everything before it. Nothing of it stays when it throws. */
  alone<T>(work: () => T, durable: boolean): T {
    this.commit()
    let result: T | undefined
    const whole = () => {
      this.db.exec('BEGIN IMMEDIATE')
      result = work()
      failpoint('mount.alone.done')
      this.end()
    }
    this.twice(whole, () => {})
    this.unsynced = true
    this.tellCommitted()
    if (durable) this.sync()
    return result as T
  }

  /** Ends a transaction that others began by hand. */
  abandon(): void {
    this.rollback()
  }

  /** Commits a transaction that others began by hand, durably. */
  settle(): void {
    this.end()
    this.unsynced = true
    this.tellCommitted()
    this.sync()
  }

  private tellCommitted(): void {
    for (const one of this.writeBacks) one.committed?.()
    this.onCommitted()
  }

  private rollback(): void {
    if (this.db.inTransaction) this.db.exec('ROLLBACK')
    for (const one of this.writeBacks) one.drop()
  }

  private rebuild(): void {
    this.rollback()
    this.replay()
  }

  private replay(): void {
    if (this.steps.length === 0) return
    this.db.exec('BEGIN IMMEDIATE')
    for (const work of this.steps) work()
  }

  /** Moves what is left in the log; the next commit starts it anew, when nobody reads from it. Between groups. PASSIVE waits for
   *  nobody. */
  checkpoint(mode: 'PASSIVE' | 'RESTART' | 'TRUNCATE'): void {
    if (this.db.inTransaction) return
    failpoint('mount.checkpoint.begun')
    this.db.pragma(`wal_checkpoint(${mode})`)
    failpoint('mount.checkpoint.done')
  }

  /** Frames in the log since it began anew, and how many of them are in the database file. Between groups. */
  logFrames(): { all: number; moved: number } {
    const row = this.sql<[], { log: number; checkpointed: number }>('PRAGMA wal_checkpoint(NOOP)').get()
    return { all: Math.max(0, row?.log ?? 0), moved: Math.max(0, row?.checkpointed ?? 0) }
  }

  /** With what the open group has done. */
  pages(): { pages: number; freePages: number } {
    const count = (name: string) => this.db.pragma(name, { simple: true }) as number
    return { pages: count('page_count'), freePages: count('freelist_count') }
  }

  /** Free pages leave the end of the file, at most so many; between groups. */
  vacuum(pages: number): void {
    if (this.db.inTransaction) return
    this.db.pragma(`incremental_vacuum(${pages})`)
    failpoint('mount.vacuum.done')
  }

  /** Pages in memory: after a flood most of them are of rows that are gone. */
  forgetPages(): void {
    this.db.pragma('shrink_memory')
  }

  close(): void {
    assert(!this.db.inTransaction, 'ledger closed with an open transaction')
    try {
      this.db.pragma('wal_checkpoint(TRUNCATE)')
      failpoint('mount.close.moved')
    } catch {
      // The disk is full: everything is in the log, and the next open finds it there.
    }
    this.db.close()
  }
}

/** The way out of a damaged ledger: the start does it by itself. */
export const HEAL_HINT = 'shardrive unmount, then shardrive mount: the start heals the drive from the network'

export function damaged(message: string): AppError {
  return new AppError('database-damaged', `the local ledger is damaged: ${message}`, { hint: HEAL_HINT })
}
