/**
 * Keeps the write-ahead log short: moves it into the database file, on a thread of its own as long as that keeps up, and here when it
 * does not. After a flood of staged rows it gives log and free pages back to the disk, and then memory to the system.
 *
 * Promises: between two groups the log has room for the next one below its bound, as long as the database file may grow
 * (disk-room.ts counts that growth as taken). Exports of snapshots hold the log; they are given up before the disk gets short.
 */
import { Checkpointer } from './checkpointer.js'
import { FRAME_BYTES, type LedgerDatabase, LOG_BYTES_KEPT, PAGE_BYTES } from './database.js'
import { type DiskRoom, rowDiskBytes } from './disk-room.js'
import type { SnapshotViews } from './snapshot-export.js'
import { STAGED_ROW_BYTES_MAX } from './staged.js'

const MIB = 1_048_576
/** A checkpoint begins when so much of the log is not moved. */
const MOVE_BYTES = 32 * MIB
/** While a snapshot is exported the log may grow to so many times its bound. */
const VIEW_SHARE = 4
/** Free pages that a flood of writes has left behind are given back beyond this, a slice at a time: a cut of the next flood. */
const FREE_BYTES_KEPT = 64 * MIB
const VACUUM_PAGES = 256

export interface LogKeeperParts {
  readonly database: LedgerDatabase
  readonly room: DiskRoom
  readonly views: SnapshotViews
  /** Freed memory back to the system. */
  readonly trim: () => void
}

export class LogKeeper {
  private readonly parts: LogKeeperParts
  private readonly checkpointer: Checkpointer
  /** What a group may add to the log. */
  private readonly groupBytes: number
  /** There is something to give back. */
  untidy = true
  private gaveBack = false
  /** What had been moved when the last checkpoint of a tidying began. */
  private triedAtFrame = -1

  constructor(parts: LogKeeperParts) {
    this.parts = parts
    this.checkpointer = new Checkpointer(parts.database.file)
    // Staged rows, the one that is too much, and pages of trees.
    this.groupBytes = 2 * parts.room.log.groupBytes + rowDiskBytes(STAGED_ROW_BYTES_MAX)
  }

  /** After a COMMIT, before the next group: a log that is moved whole starts anew with that. */
  committed(): void {
    const { bytesMax } = this.parts.room.log
    const { all, moved } = this.parts.database.logFrames()
    const logBytes = all * FRAME_BYTES
    const unmovedBytes = (all - moved) * FRAME_BYTES
    this.untidy = true
    this.triedAtFrame = -1
    // Waits for a checkpoint of the other thread.
    if (logBytes + this.groupBytes > bytesMax && this.mayStartAnew(logBytes)) this.move('RESTART')
    else if (unmovedBytes > Math.min(MOVE_BYTES, bytesMax / 4)) this.checkpointer.begin()
    // What is left is little: nobody notices that it is moved here.
    else if (logBytes > Math.min(LOG_BYTES_KEPT, bytesMax / 2) && !this.checkpointer.running) this.move('PASSIVE')
  }

  /** The disk is full: whatever can be had from the log. */
  makeRoom(): void {
    this.parts.views.closeAll()
    this.move('RESTART')
  }

  /** Between groups, when nobody asks for anything: one step. */
  tidy(): void {
    try {
      this.untidy = this.giveBack()
    } catch {
      // A full or failing disk is told by the next commit, and tidied behind it.
      this.untidy = false
    }
    if (this.untidy || !this.gaveBack) return
    this.gaveBack = false
    this.parts.database.forgetPages()
    this.parts.trim()
  }

  /** Whether there is more to do. */
  private giveBack(): boolean {
    const { database, room, views } = this.parts
    if (database.pages().freePages * PAGE_BYTES > FREE_BYTES_KEPT) {
      database.vacuum(VACUUM_PAGES)
      this.gaveBack = true
      return true
    }
    if (this.checkpointer.running) return true
    const isLong = room.logFileBytes() > LOG_BYTES_KEPT
    if (views.any || !(isLong || room.surplusBytes() > 0)) return false
    const { all, moved } = database.logFrames()
    // One that moved nothing met a full disk: whoever commits next will be told.
    if (all > moved && moved !== this.triedAtFrame && this.checkpointer.begin()) {
      this.triedAtFrame = moved
      return true
    }
    if (isLong) this.move('TRUNCATE')
    this.gaveBack = true
    return false
  }

  async end(): Promise<void> {
    await this.checkpointer.end()
  }

  private mayStartAnew(logBytes: number): boolean {
    const { views, room } = this.parts
    if (!views.any) return true
    const { bytesMax } = room.log
    const { availableBytes, owedBytes } = room.look(0)
    if (logBytes < VIEW_SHARE * bytesMax && availableBytes - owedBytes > bytesMax) return false
    views.closeAll()
    return true
  }

  private move(mode: 'PASSIVE' | 'RESTART' | 'TRUNCATE'): void {
    try {
      this.parts.database.checkpoint(mode)
    } catch {
      // What was committed is safe in the log; a full or failing disk is told by the next commit.
    }
  }
}
