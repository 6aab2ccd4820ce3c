/**
 * The ledger on its own thread: takes calls in order, answers at once, commits in groups. Knows no messages: worker.ts
 * brings them, a test may call it directly.
 */
import { AppError, isCode } from '../../base/errors.js'
import type { Head } from '../../model/chain.js'
import { databaseFailure } from '../../sqlite/failures.js'
import { damaged } from './database.js'
import { DiskRoom, type LedgerRoom } from './disk-room.js'
import { cut, pendingRows } from './epochs.js'
import { LogKeeper } from './log-keeper.js'
import { reasonOf, refusalOf } from './refusal.js'
import { SnapshotViews } from './snapshot-export.js'
import { SnapshotImport } from './snapshot-import.js'
import type { Tables } from './tables.js'
import type { Progress } from './types.js'

const GROUP_MS = 1_000
const RETRY_MS = 1_000
/** What a cut must not exceed, so that its batch fits one chain record (16 MiB, 8 MiB packed) however many extents come of
 *  it: at most two for each row and one for each other operation, 66 bytes each. */
const CUT_OPERATION_BYTES_MAX = 5 * 1024 * 1024
const CUT_ROWS_MAX = 32_768
/** Between two steps of giving back what a flood of writes has left behind. */
const TIDY_MS = 100

export interface ServiceOptions {
  /** Freed memory back to the system, when a flood of writes is over. */
  readonly trim?: () => void
  /** Tests: instead of the size of the disk. */
  readonly diskBytes?: number
}

export class LedgerService {
  readonly tables: Tables
  readonly views: SnapshotViews
  private importing: SnapshotImport | null = null
  private timer: NodeJS.Timeout | null = null
  private tidyTimer: NodeJS.Timeout | null = null
  private manualReason: string | null = null
  private failure: string | null = null
  private readonly disk: DiskRoom
  private readonly keeper: LogKeeper
  private cutAgainMs = 0
  private pending = {
    ...{ epochs: 0, bytes: 0, published: 0, logTo: 0 },
    sinceMs: null as number | null,
    newest: null as number | null,
  }
  private readonly changedReason: (reason: string | null) => void

  constructor(tables: Tables, changedReason: (reason: string | null) => void, options: ServiceOptions = {}) {
    this.tables = tables
    this.changedReason = changedReason
    this.views = new SnapshotViews(tables)
    const { database } = tables
    this.disk = new DiskRoom(database, options.diskBytes)
    const { trim = () => {} } = options
    this.keeper = new LogKeeper({ database, room: this.disk, views: this.views, trim })
    database.onCommitted = () => this.keeper.committed()
    database.makeRoom = () => this.keeper.makeRoom()
    this.countPending()
  }

  get readOnlyReason(): string | null {
    return this.failure ?? this.manualReason
  }

  setReadOnly(reason: string | null): void {
    this.manualReason = reason
    this.changedReason(this.readOnlyReason)
  }

  /** Runs one call. `acknowledged`: bytes that a writer was promised already are taken while the disk is full. */
  run<T>(kind: 'read' | 'change' | 'acknowledged' | 'epoch', work: (t: Tables) => T): T {
    if (this.importing !== null) throw new AppError('busy', 'a snapshot is being imported', { retry: 'later' })
    const refused = kind === 'change' ? this.readOnlyReason : kind === 'acknowledged' ? this.manualReason : null
    if (refused !== null) throw refusalOf(refused)
    try {
      const result = work(this.tables)
      if (kind === 'epoch') this.countPending()
      return result
    } catch (error) {
      // Reads meet damage too, and speak to SQLite by themselves.
      const failure = databaseFailure(error, this.tables.database.file)
      if (isCode(failure, 'database-damaged')) this.noteFailure(failure)
      throw failure
    }
  }

  /** Between calls: commits what has become large, forgets what memory need not hold. */
  settle(): void {
    if (this.importing !== null) return
    this.tables.inodes.trim()
    this.cutWhenFull()
    const { database, staged } = this.tables
    const { groupBytes, groupSteps } = this.disk.log
    if (staged.freshBytes >= groupBytes || database.groupSteps >= groupSteps) this.tryCommit()
    else if (database.db.inTransaction && this.timer === null) this.wait(GROUP_MS)
    this.tidyLater()
  }

  /** What the disk has for more staged bytes. */
  room(): LedgerRoom {
    return this.disk.look(this.tables.staged.freshDiskBytes)
  }

  /** Between two calls, so that what is cut is a state that existed. */
  private cutWhenFull(): void {
    const { log, staged } = this.tables
    if (log.openBytes < CUT_OPERATION_BYTES_MAX && staged.openRows < CUT_ROWS_MAX) return
    const nowMs = performance.now()
    if (nowMs < this.cutAgainMs) return
    try {
      this.run('epoch', (t) => cut(t, false))
    } catch {
      // A full disk: everything is kept, and tried again in a while.
      this.cutAgainMs = nowMs + RETRY_MS
    }
  }

  /** Everything so far is durable, or throws. */
  sync(): void {
    this.commitWith(() => this.tables.database.sync())
  }

  async close(): Promise<void> {
    await this.keeper.end()
    if (this.timer !== null) clearTimeout(this.timer)
    if (this.tidyTimer !== null) clearTimeout(this.tidyTimer)
    this.importing?.abort()
    this.views.closeAll()
    this.sync()
    this.tables.database.close()
  }

  progress(): Progress {
    const { log, staged, counters, inodes } = this.tables
    return {
      openBytes: staged.openBytes,
      openOperations: counters.peek('log') - 1 - this.pending.logTo,
      openOperationBytes: log.openBytes,
      pendingEpochs: this.pending.epochs,
      pendingBytes: this.pending.bytes,
      oldestUnpublishedMs: this.pending.sinceMs ?? log.openSinceMs,
      files: inodes.files,
      publishedEpoch: this.pending.published,
      newestPending: this.pending.newest,
    }
  }

  beginImport(epoch: number): void {
    this.run('epoch', () => {
      this.importing = new SnapshotImport(this.tables, epoch)
    })
  }

  importPiece(bytes: Buffer): void {
    this.openImport().piece(bytes)
  }

  finishImport(head: Head): void {
    this.openImport().finish(head)
    this.importing = null
    this.countPending()
  }

  abortImport(): void {
    this.importing?.abort()
    this.importing = null
  }

  private openImport(): SnapshotImport {
    if (this.importing === null) throw new AppError('invalid-argument', 'no snapshot is being imported')
    return this.importing
  }

  private wait(delayMs: number): void {
    this.timer = setTimeout(() => {
      this.timer = null
      if (this.importing === null) this.tryCommit()
    }, delayMs)
  }

  private tryCommit(): void {
    try {
      this.commitWith(() => this.tables.database.commit())
    } catch {
      // The reason is set, everything is kept; again in a while.
      if (this.timer === null) this.wait(RETRY_MS)
    }
    this.tidyLater()
  }

  private tidyLater(): void {
    if (!this.keeper.untidy || this.tidyTimer !== null) return
    this.tidyTimer = setTimeout(() => {
      this.tidyTimer = null
      if (this.importing === null && !this.tables.database.db.inTransaction) this.keeper.tidy()
      this.tidyLater()
    }, TIDY_MS)
  }

  private commitWith(commit: () => void): void {
    try {
      commit()
    } catch (error) {
      this.noteFailure(error)
      throw error
    }
    if (this.failure !== null && !this.damagedForGood) {
      this.failure = null
      this.changedReason(this.readOnlyReason)
    }
  }

  /** Found by somebody else: nothing is changed any more. */
  noteDamage(what: string): void {
    this.noteFailure(damaged(what))
  }

  private damagedForGood = false

  private noteFailure(error: unknown): void {
    // What was found first says where.
    if (this.damagedForGood) return
    this.damagedForGood = isCode(error, 'database-damaged')
    const reason = reasonOf(error)
    if (reason === this.failure) return
    this.failure = reason
    this.changedReason(this.readOnlyReason)
  }

  private countPending(): void {
    const rows = pendingRows(this.tables)
    const text = 'SELECT coalesce(max(log_to), 0) AS logTo FROM epoch'
    const last = this.tables.database.sql<[], { logTo: number }>(text).get()
    const published = `SELECT coalesce(max(epoch), 0) AS epoch FROM epoch WHERE stage = 'published'`
    this.pending = {
      epochs: rows.length,
      bytes: rows.reduce((sum, row) => sum + row.staged_bytes, 0),
      sinceMs: rows[0]?.first_ms ?? null,
      published: this.tables.database.sql<[], { epoch: number }>(published).get()?.epoch ?? 0,
      newest: rows.at(-1)?.epoch ?? null,
      logTo: last?.logTo ?? 0,
    }
  }
}
