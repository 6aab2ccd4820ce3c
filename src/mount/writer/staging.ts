/**
 * Bytes on their way from a write to the ledger. Copies them out of the caller's buffer before it returns, joins adjacent
 * writes of one file into rows of at most 1 MiB, and hands a row over when it is full, when another file is written, before
 * any other call to the ledger (so the order of operations is the order of calls), at fsync, or after 100 ms.
 *
 * Promises: space is reserved before a write is acknowledged (`no-space`, or what the quota hook says); at most 32 MiB
 * are handed over and not yet answered, then writes wait; what was acknowledged is in the ledger or reported by `written`.
 */

import { assert } from '../../base/assert.js'
import { AppError } from '../../base/errors.js'
import { failpoint } from '../../base/failpoint.js'
import { rowDiskBytes } from '../metadata/disk-room.js'
import type { WriteParts } from '../metadata/ledger.js'
import type { Changed, FileTime, Inode } from '../metadata/types.js'
import type { StagingSpace } from './staging-space.js'

const ROW_BYTES_MAX = 1024 * 1024
/** A first write of this size or more is likely one of many: its row gets room at once. */
const STREAM_BYTES_MIN = 64 * 1024
/** Two groups of the ledger: it never waits for the next bytes while a writer waits for it. */
export const POSTED_BYTES_MAX = 32 * 1024 * 1024
const IDLE_MS = 100

export interface StagingParts {
  readonly ledger: { write(parts: WriteParts): Promise<Changed> }
  readonly space: StagingSpace
  /** Takes bytes of the drive's plan; throws `quota-exceeded`. */
  readonly quota?: { take(bytes: number): void | Promise<void> }
  /** A row was taken by the ledger (or refused): it held the ends of `writes` calls of write(). */
  readonly written: (ino: number, writes: number, result: Inode | Error) => void
}

interface Row {
  readonly ino: number
  readonly offset: number
  room: Uint8Array<ArrayBuffer>
  length: number
  time: FileTime
  killSuidGid: boolean
  writes: number
}

export class Staging {
  private readonly parts: StagingParts
  private row: Row | null = null
  /** Room of a row that was handed over as a copy: for the next one. */
  private spare: Uint8Array<ArrayBuffer> | null = null
  private postedBytes = 0
  /** On the disk, of writes that are reserved and not added yet. */
  private reservedBytes = 0
  private readonly waiting: (() => void)[] = []
  private timer: NodeJS.Timeout | null = null

  constructor(parts: StagingParts) {
    this.parts = parts
    parts.space.watch(() => this.reservedBytes + (this.row === null ? 0 : rowDiskBytes(this.row.length)))
  }

  /**
   * Reserves what a write of `bytes` needs; a promise when that has to be looked up. Call it before the write is
   * visible anywhere, then add() or forgo().
   */
  reserve(bytes: number): void | Promise<void> {
    const quota = this.parts.quota?.take(bytes)
    if (quota === undefined && this.parts.space.take(bytes)) this.reservedBytes += rowDiskBytes(bytes)
    else return this.reserveSlowly(bytes, quota)
  }

  /** A write that was reserved does not come. */
  forgo(bytes: number): void {
    this.reservedBytes -= rowDiskBytes(bytes)
  }

  /** Takes the bytes (a copy is made before it returns) after reserve(). A promise: acknowledge when it resolves. */
  add(ino: number, offset: number, data: Uint8Array, time: FileTime, killSuidGid: boolean): void | Promise<void> {
    this.forgo(data.length)
    assert(data.length <= ROW_BYTES_MAX, 'a request has at most 1 MiB')
    const row = this.row
    // A request is in one row: a crash leaves all of it or nothing.
    const joins = row !== null && row.ino === ino && row.offset + row.length === offset
    if (row !== null && !(joins && row.length + data.length <= ROW_BYTES_MAX)) this.flush()
    const open = this.append(ino, offset, data, time, killSuidGid)
    open.writes++
    if (open.length === ROW_BYTES_MAX) this.flush()
    failpoint('mount.stage.taken')
    if (this.row !== null) this.timer ??= setTimeout(() => this.idle(), IDLE_MS)
    if (this.postedBytes > POSTED_BYTES_MAX) return new Promise((resolve) => this.waiting.push(resolve))
  }

  /** Hands over what is gathered. Answers nothing: later calls of the ledger come after it. */
  flush(): void {
    const row = this.row
    if (row === null) return
    this.row = null
    if (this.timer !== null) clearTimeout(this.timer)
    this.timer = null
    const { ino, offset, length, time, killSuidGid } = row
    const bytes = this.trimmed(row.room, length)
    this.postedBytes += length
    this.parts.ledger.write({ ino, offset, length, bytes, time, killSuidGid }).then(
      (changed) => this.answered(row, changed.inodes[0] as Inode),
      (error: unknown) => this.answered(row, error instanceof Error ? error : new Error(String(error))),
    )
    failpoint('mount.stage.handed')
  }

  private async reserveSlowly(bytes: number, quota: void | Promise<void>): Promise<void> {
    await quota
    if (quota === undefined || !this.parts.space.take(bytes)) {
      await this.parts.space.refresh()
      if (!this.parts.space.take(bytes)) {
        throw new AppError('no-space', 'the disk that holds what is not stored yet is full', {
          retry: 'later',
          hint: 'free some disk space where the state directory is',
        })
      }
    }
    this.reservedBytes += rowDiskBytes(bytes)
  }

  /** Behind what the open row has; there is room in it. */
  private append(ino: number, offset: number, data: Uint8Array, time: FileTime, killSuidGid: boolean): Row {
    this.row ??= {
      ...{ ino, offset, length: 0, time, killSuidGid, writes: 0 },
      room: data.length >= STREAM_BYTES_MIN ? this.wholeRoom() : new Uint8Array(data.length),
    }
    const row = this.row
    if (row.length + data.length > row.room.length) {
      const more = this.wholeRoom()
      more.set(row.room.subarray(0, row.length))
      row.room = more
    }
    row.room.set(data, row.length)
    row.length += data.length
    row.time = time
    row.killSuidGid ||= killSuidGid
    return row
  }

  private wholeRoom(): Uint8Array<ArrayBuffer> {
    const room = this.spare ?? new Uint8Array(ROW_BYTES_MAX)
    this.spare = null
    return room
  }

  /** The used part in a buffer of its own: a small write at the end of a stream must not carry a megabyte along. */
  private trimmed(room: Uint8Array<ArrayBuffer>, length: number): ArrayBuffer {
    if (length * 2 >= room.length) return room.buffer
    if (room.length === ROW_BYTES_MAX) this.spare = room
    return room.buffer.slice(0, length)
  }

  private idle(): void {
    this.timer = null
    this.flush()
  }

  private answered(row: Row, result: Inode | Error): void {
    this.postedBytes -= row.length
    this.parts.written(row.ino, row.writes, result)
    while (this.waiting.length > 0 && this.postedBytes <= POSTED_BYTES_MAX) this.waiting.shift()?.()
  }
}
