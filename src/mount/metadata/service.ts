/**
 * The ledger on its own thread: takes calls in order, answers at once, commits in groups. Knows no messages: worker.ts
 * brings them, a test may call it directly.
 */
import { AppError, isCode } from '../../base/errors.js'
import type { Head } from '../../model/chain.js'
import { Checkpointer } from './checkpointer.js'
import { PAGE_BYTES } from './database.js'
import { cut, pendingRows } from './epochs.js'
import { reasonOf, refusalOf } from './refusal.js'
import { SnapshotViews } from './snapshot-export.js'
import { SnapshotImport } from './snapshot-import.js'
import type { Tables } from './tables.js'
import type { Progress } from './types.js'

/** Plain staged bytes after which a group commits without waiting for its second. */
const GROUP_BYTES = 16 * 1024 * 1024
const GROUP_MS = 1_000
const RETRY_MS = 1_000
/** A checkpoint begins after so many staged bytes or commits. */
const CHECKPOINT_BYTES = 32 * 1024 * 1024
const CHECKPOINT_COMMITS = 256
/** What is accepted goes to the log first, then to the database file. */
const LOG_COPIES = 2
/** What a commit writes besides staged bytes, about. */
const COMMIT_BYTES = 256 * 1024
/** A log this long is finished between two groups when no checkpoint runs, and starts anew. */
const LOG_BYTES = 64 * 1024 * 1024
/** Here the disk is too slow for both: writers wait until the log is in the database. */
const LOG_BYTES_MAX = 256 * 1024 * 1024
/** What a cut must not exceed, so that its batch fits one chain record (16 MiB, 8 MiB packed) however many extents come of
 *  it: at most two for each row and one for each other operation, 66 bytes each. */
const CUT_OPERATION_BYTES_MAX = 5 * 1024 * 1024
const CUT_ROWS_MAX = 32_768
/** Free pages are given back to the disk beyond this, a slice at a time. */
const REUSABLE_BYTES_KEPT = 256 * 1024 * 1024
const VACUUM_PAGES = 256

export class LedgerService {
  readonly tables: Tables
  readonly views: SnapshotViews
  private importing: SnapshotImport | null = null
  private timer: NodeJS.Timeout | null = null
  private manualReason: string | null = null
  private failure: string | null = null
  private reusableBytes = 0
  private readonly checkpointer: Checkpointer
  private cutAgainMs = 0
  private since = { bytes: 0, commits: 0 }
  /** In the log since it began anew, about. */
  private logBytes = 0
  /** In the log and not in the database file, about: what that file is still going to take from the disk. */
  private unmovedBytes = 0
  private pending = {
    ...{ epochs: 0, bytes: 0, published: 0, logTo: 0 },
    sinceMs: null as number | null,
    newest: null as number | null,
  }
  private readonly changedReason: (reason: string | null) => void

  constructor(tables: Tables, changedReason: (reason: string | null) => void) {
    this.tables = tables
    this.changedReason = changedReason
    this.checkpointer = new Checkpointer(tables.database.file)
    this.views = new SnapshotViews(tables)
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
      this.noteDamage(error)
      throw error
    }
  }

  /** Between calls: commits what has become large, forgets what memory need not hold. */
  settle(): void {
    if (this.importing !== null) return
    this.tables.inodes.trim()
    this.cutWhenFull()
    const { database, staged } = this.tables
    if (staged.freshBytes >= GROUP_BYTES || database.groupFull) this.tryCommit()
    else if (database.db.inTransaction && this.timer === null) this.wait(GROUP_MS)
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
    await this.checkpointer.end()
    if (this.timer !== null) clearTimeout(this.timer)
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
      reusableBytes: this.reusableBytes - this.unmovedBytes - LOG_COPIES * staged.freshBytes,
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
      this.giveBack()
    } catch {
      // The reason is set, everything is kept; again in a while.
      if (this.timer === null) this.wait(RETRY_MS)
    }
  }

  private commitWith(commit: () => void): void {
    const bytes = this.tables.staged.freshBytes
    try {
      commit()
    } catch (error) {
      this.noteFailure(error)
      if (isCode(error, 'no-space')) this.beginCheckpoint()
      throw error
    }
    if (this.failure !== null && !this.damagedForGood) {
      this.failure = null
      this.changedReason(this.readOnlyReason)
    }
    this.reusableBytes = this.tables.database.freelistBytes()
    this.checkpoint(bytes)
  }

  private checkpoint(bytes: number): void {
    const written = bytes + COMMIT_BYTES
    this.since.bytes += written
    this.since.commits++
    this.logBytes += written
    this.unmovedBytes += written
    const late = this.logBytes > LOG_BYTES_MAX && !this.views.any
    if (late || this.checkpointer.logFrames * PAGE_BYTES > LOG_BYTES) {
      this.moveLog(late)
    } else if (this.since.bytes > CHECKPOINT_BYTES || this.since.commits > CHECKPOINT_COMMITS) {
      this.beginCheckpoint()
    }
  }

  /** On a full disk too: a log that has been moved starts anew, and that is room for the commit that failed. */
  private beginCheckpoint(): void {
    this.since = { bytes: 0, commits: 0 }
    const moving = this.unmovedBytes
    this.checkpointer.begin(() => {
      this.unmovedBytes = Math.max(0, this.unmovedBytes - moving)
    })
  }

  private moveLog(wait: boolean): void {
    this.checkpointer.reset()
    this.logBytes = 0
    try {
      this.tables.database.checkpoint(wait)
      this.unmovedBytes = 0
    } catch {
      // What was committed is safe in the log; a full or failing disk is told by the next commit.
    }
  }

  private damagedForGood = false

  private noteDamage(error: unknown): void {
    if (!isCode(error, 'database-damaged')) return
    this.damagedForGood = true
    this.noteFailure(error)
  }

  private noteFailure(error: unknown): void {
    const reason = reasonOf(error)
    if (reason === this.failure) return
    this.failure = reason
    this.changedReason(this.readOnlyReason)
  }

  /** Returns pages that a stored flood of writes has left behind. */
  private giveBack(): void {
    if (this.reusableBytes <= REUSABLE_BYTES_KEPT) return
    const { db } = this.tables.database
    db.pragma(`incremental_vacuum(${VACUUM_PAGES})`)
    this.reusableBytes = this.tables.database.freelistBytes()
    if (this.timer === null && this.reusableBytes > REUSABLE_BYTES_KEPT) this.wait(GROUP_MS / 10)
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
