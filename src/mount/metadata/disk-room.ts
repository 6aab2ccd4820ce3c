/**
 * What staged bytes cost on the disk of the state directory, and what the disk still has for them. Bytes go to the log first and
 * to the database file later, so a full disk would show long after a writer was told that all is well: everything that the
 * ledger has accepted is counted here as if it were written already.
 */
import fs from 'node:fs'
import path from 'node:path'
import { AT_REST_OVERHEAD } from '../../crypto/at-rest.js'
import { type LedgerDatabase, PAGE_BYTES } from './database.js'

export interface LedgerRoom {
  /** Of the disk. */
  readonly totalBytes: number
  /** Free on the disk now. */
  readonly availableBytes: number
  /** What the disk has to give for what was accepted: growth of the database file, and of the log to its bound. */
  readonly owedBytes: number
  /** Free pages inside the database, beyond what was accepted: more rows need no disk for these. */
  readonly spareBytes: number
}

export interface LogBounds {
  /** The log is never longer, except while a snapshot is exported and the disk is large enough. */
  readonly bytesMax: number
  /** Plain staged bytes after which a group commits without waiting for its second. */
  readonly groupBytes: number
  /** The same for steps: as much again in pages of trees. */
  readonly groupSteps: number
}

const MIB = 1_048_576
/** What a page of a long row holds: four bytes name the next page. */
const OVERFLOW_BYTES = PAGE_BYTES - 4
/** Extent, its two indexes, operation, cut and mapping of a row, in pages that are half full. */
const ROW_FACTS_BYTES = 1_024
/** A disk of 2 GiB or more bounds the log by what a slow disk takes long to move, a smaller one by an eighth of it. */
const LOG_SHARE = 1 / 8
const LOG_BYTES_MIN = 16 * MIB
const LOG_BYTES_MAX = 256 * MIB
const GROUP_BYTES_MAX = 16 * MIB
/** The log has room for a few groups: while one is written, others are moved. */
const GROUP_SHARE = 1 / 4
/** Of one step in pages of trees, about: inode, dentry, extent, operation and their indexes. */
const STEP_BYTES = 1_024

/** At most what a row of `length` plain bytes takes inside the database. */
export function rowDiskBytes(length: number): number {
  const sealed = length + AT_REST_OVERHEAD
  // Short rows share pages: the rest of a page that the next one does not fit is smaller than that one.
  if (sealed * 2 < PAGE_BYTES) return 2 * sealed + ROW_FACTS_BYTES
  return (Math.floor(sealed / OVERFLOW_BYTES) + 2) * PAGE_BYTES + ROW_FACTS_BYTES
}

export function logBoundsOf(totalBytes: number): LogBounds {
  const bytesMax = Math.min(LOG_BYTES_MAX, Math.max(LOG_BYTES_MIN, totalBytes * LOG_SHARE))
  const groupBytes = Math.min(GROUP_BYTES_MAX, bytesMax * GROUP_SHARE)
  return { bytesMax, groupBytes, groupSteps: groupBytes / STEP_BYTES }
}

export class DiskRoom {
  private readonly database: LedgerDatabase
  private readonly folder: string
  readonly log: LogBounds

  /** `totalBytes`: tests, instead of the size of the disk. */
  constructor(database: LedgerDatabase, totalBytes?: number) {
    this.database = database
    this.folder = path.dirname(database.file)
    this.log = logBoundsOf(totalBytes ?? this.disk().totalBytes)
  }

  /** `acceptedBytes`: what rows that are in memory only will take. */
  look(acceptedBytes: number): LedgerRoom {
    const { pages, freePages } = this.database.pages()
    const freeBytes = freePages * PAGE_BYTES
    const growth = Math.max(0, pages * PAGE_BYTES - sizeOf(this.database.file))
    const forRows = Math.max(0, acceptedBytes - freeBytes)
    const forLog = Math.max(0, this.log.bytesMax - this.logFileBytes())
    const owedBytes = growth + forRows + forLog
    return { ...this.disk(), owedBytes, spareBytes: Math.max(0, freeBytes - acceptedBytes) }
  }

  logFileBytes(): number {
    return sizeOf(`${this.database.file}-wal`)
  }

  /** Of the database file, beyond its last page: the next whole checkpoint gives it back. */
  surplusBytes(): number {
    return sizeOf(this.database.file) - this.database.pages().pages * PAGE_BYTES
  }

  private disk(): { totalBytes: number; availableBytes: number } {
    const { blocks, bavail, bsize } = fs.statfsSync(this.folder)
    return { totalBytes: blocks * bsize, availableBytes: bavail * bsize }
  }
}

function sizeOf(file: string): number {
  return fs.statSync(file, { throwIfNoEntry: false })?.size ?? 0
}
