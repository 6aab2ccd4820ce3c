/**
 * The ledger's only writing connection and its group transaction. Steps run at once inside an open transaction; COMMIT
 * comes by time, by size or by sync(). Dirty pages stay in memory until then (cache_spill off), so a full disk shows
 * at COMMIT and nowhere else: SQLite then rolls the whole group back, and `replay` builds it again from the steps that
 * were kept, in memory, with the same ids. So nothing acknowledged is lost, and reads go on as before.
 */
import { assert } from '../../base/assert.js'
import { AppError } from '../../base/errors.js'
import type { Database, Statement } from '../../sqlite/driver.js'
import { sqliteFailure } from '../../sqlite/failures.js'
import { flushToDisk, openDatabase } from '../../sqlite/open.js'
import { LEDGER_KIND, LEDGER_MIGRATIONS } from './schema.js'

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
/** The log keeps this much of its file when it starts anew: growing a file costs more than overwriting it. */
const WAL_FILE_BYTES = 256 * 1024 * 1024
const CACHE_BYTES = 64 * 1024 * 1024
/** Steps kept for replay; more than this and the group commits. */
const STEPS_MAX = 20_000

export class LedgerDatabase {
  readonly db: Database
  readonly file: string
  private readonly writeBacks: WriteBack[] = []
  private steps: (() => void)[] = []
  private readonly statements = new Map<string, Statement>()
  /** Something is committed that a power loss may take back. */
  private unsynced = true

  constructor(file: string) {
    this.file = file
    this.db = openDatabase(file, {
      migrations: LEDGER_MIGRATIONS,
      kind: LEDGER_KIND,
      pageSizeBytes: PAGE_BYTES,
      incrementalVacuum: true,
      cacheBytes: CACHE_BYTES,
      walBytesMax: WAL_FILE_BYTES,
    })
    this.db.pragma('cache_spill = OFF')
    // Checkpoints are the service's to time: most run on another thread.
    this.db.pragma('wal_autocheckpoint = 0')
    this.db.defaultSafeIntegers(false)
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

  get groupFull(): boolean {
    return this.steps.length >= STEPS_MAX
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
      throw sqliteFailure(error)
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
    try {
      this.flush()
      this.db.exec('COMMIT')
    } catch (error) {
      const failure = sqliteFailure(error)
      this.rebuild()
      throw failure
    }
    this.unsynced ||= this.steps.length > 0
    this.steps = []
    this.tellCommitted()
  }

  /** COMMIT, then everything so far onto the disk. Costs nothing when nothing happened since the last time. */
  sync(): void {
    this.commit()
    if (!this.unsynced) return
    flushToDisk(this.db)
    this.unsynced = false
  }

  /** A transaction of its own, after everything before it. Nothing of it stays when it throws. */
  alone<T>(work: () => T, durable: boolean): T {
    this.commit()
    let result: T
    this.db.exec('BEGIN IMMEDIATE')
    try {
      result = work()
      this.flush()
      this.db.exec('COMMIT')
    } catch (error) {
      this.rollback()
      throw sqliteFailure(error)
    }
    this.tellCommitted()
    this.unsynced = true
    if (durable) this.sync()
    return result
  }

  /** Ends a transaction that others began by hand. */
  abandon(): void {
    this.rollback()
  }

  /** Commits a transaction that others began by hand, durably. */
  settle(): void {
    this.flush()
    this.db.exec('COMMIT')
    this.tellCommitted()
    this.unsynced = true
    this.sync()
  }

  private tellCommitted(): void {
    for (const one of this.writeBacks) one.committed?.()
  }

  private rollback(): void {
    if (this.db.inTransaction) this.db.exec('ROLLBACK')
    for (const one of this.writeBacks) one.drop()
  }

  private rebuild(): void {
    this.rollback()
    if (this.steps.length === 0) return
    this.db.exec('BEGIN IMMEDIATE')
    for (const work of this.steps) work()
  }

  /** Moves what is left in the log; the next commit starts it anew, when nobody reads from it. Between groups. `wait`: for a
   *  checkpoint of another thread. */
  checkpoint(wait: boolean): void {
    if (!this.db.inTransaction) this.db.pragma(`wal_checkpoint(${wait ? 'RESTART' : 'PASSIVE'})`)
  }

  close(): void {
    assert(!this.db.inTransaction, 'ledger closed with an open transaction')
    try {
      this.db.pragma('wal_checkpoint(TRUNCATE)')
    } catch {
      // The disk is full: everything is in the log, and the next open finds it there.
    }
    this.db.close()
  }

  freelistBytes(): number {
    return (this.db.pragma('freelist_count', { simple: true }) as number) * PAGE_BYTES
  }
}

export function damaged(message: string): AppError {
  return new AppError('database-damaged', `the local ledger is damaged: ${message}`, {
    hint: 'recover the drive from the network: shardrive recover',
  })
}
