/**
 * Staged rows: bytes that are not stored on hosts yet. Append-only, sealed under the device's local key, keyed by an
 * id of their own. A row of the open group is in memory only and is sealed at the flush: what is overwritten or deleted
 * before that never reaches the disk. Steps of the open group may have to be done again, so memory of its rows is let go
 * of after the COMMIT only.
 *
 * A row lives while an extent points at it; a row that a cut has frozen lives until its epoch is published.
 */
import { failpoint } from '../../base/failpoint.js'
import type { RandomBytes } from '../../base/random.js'
import { AT_REST_OVERHEAD, openStaged, sealStaged } from '../../crypto/at-rest.js'
import type { SecretBytes } from '../../crypto/secret.js'
import type { Counters } from './counters.js'
import { damaged, type LedgerDatabase, type WriteBack } from './database.js'
import { rowDiskBytes } from './disk-room.js'
import { RecentRows } from './recent-rows.js'

export const STAGED_ROW_BYTES_MAX = 1024 * 1024

export interface StagedRowsParts {
  readonly database: LedgerDatabase
  readonly counters: Counters
  readonly key: SecretBytes
  readonly random: RandomBytes
  /** Nobody reads these bytes any more, which have memory of their own. */
  readonly release: (bytes: Buffer) => void
}

export class StagedRows implements WriteBack {
  private readonly database: LedgerDatabase
  private readonly counters: Counters
  private readonly key: SecretBytes
  private readonly random: RandomBytes
  private readonly releaseBytes: (bytes: Buffer) => void
  /** Rows that are in no table yet. */
  private readonly fresh = new Map<number, Buffer>()
  private freshSize = 0
  private freshDiskSize = 0
  /** Rows that are in a table and in no COMMIT yet. */
  private readonly flushed = new Map<number, Buffer>()
  private recent: RecentRows
  /** Where one row after the other is sealed on its way into the database, which copies it. */
  private room: Buffer | undefined
  /** Rows up to this id are frozen by a cut. */
  private frozenTo = 0
  /** Plain bytes appended since the last cut, also those that are gone again. */
  openBytes = 0

  constructor(parts: StagedRowsParts) {
    this.database = parts.database
    this.counters = parts.counters
    this.key = parts.key
    this.random = parts.random
    this.releaseBytes = parts.release
    this.recent = new RecentRows(parts.release)
    this.load()
  }

  /** Rows appended since the last cut. */
  get openRows(): number {
    return this.counters.peek('staged') - 1 - this.frozenTo
  }

  /** Plain bytes that the next COMMIT has to write. */
  get freshBytes(): number {
    return this.freshSize
  }

  /** What they will take inside the database. */
  get freshDiskBytes(): number {
    return this.freshDiskSize
  }

  /** `bytes` is kept. Inside a step. */
  append(bytes: Buffer): number {
    const id = this.counters.take('staged')
    this.fresh.set(id, bytes)
    this.freshSize += bytes.length
    this.freshDiskSize += rowDiskBytes(bytes.length)
    this.openBytes += bytes.length
    return id
  }

  /** A copy of part of a row. */
  read(id: number, from: number, length: number): Buffer {
    let plain = this.held(id)
    if (plain === undefined) {
      plain = this.open(id)
      this.recent.put(id, plain)
    }
    if (from + length > plain.length) throw damaged(`staged row ${id} is too short`)
    const copy = Buffer.allocUnsafeSlow(length)
    plain.copy(copy, 0, from, from + length)
    return copy
  }

  /** A whole row, for who stores it: the bytes are the caller's and have memory of their own. */
  takeWhole(id: number): Buffer {
    const uncommitted = this.fresh.get(id) ?? this.flushed.get(id)
    if (uncommitted === undefined) return this.recent.take(id) ?? this.open(id)
    const copy = Buffer.allocUnsafeSlow(uncommitted.length)
    uncommitted.copy(copy)
    return copy
  }

  /** Whether the row that is in the table opens: `database-damaged`. */
  proof(id: number): void {
    this.releaseBytes(this.open(id))
  }

  /** For rows of another ledger of this device; stays ours. */
  get sealKey(): SecretBytes {
    return this.key
  }

  /** A cut has said whose bytes these are: nobody else can name them before they are published. */
  isFrozen(id: number): boolean {
    return id <= this.frozenTo
  }

  /** An extent on this row has gone: frees the row when it was the last and no cut needs it. */
  release(id: number): void {
    if (id <= this.frozenTo) return
    if (this.database.sql('SELECT 1 FROM extent WHERE staged = ? LIMIT 1').get(id) !== undefined) return
    this.recent.drop(id)
    const fresh = this.fresh.get(id)
    if (fresh !== undefined) {
      this.fresh.delete(id)
      this.freshSize -= fresh.length
      this.freshDiskSize -= rowDiskBytes(fresh.length)
    } else {
      this.flushed.delete(id)
      this.database.sql('DELETE FROM staged WHERE id = ?').run(id)
    }
  }

  /** Rows up to `id` stay until thaw(), whatever happens to extents. */
  freeze(id: number): void {
    this.frozenTo = id
    this.openBytes = 0
  }

  /** The epoch that froze rows up to `id` is published and no extent points at them any more. */
  removeUpTo(id: number): void {
    this.database.sql('DELETE FROM staged WHERE id <= ?').run(id)
    this.recent.dropUpTo(id)
  }

  flush(): void {
    if (this.fresh.size === 0) return
    const put = this.database.sql('INSERT INTO staged (id, length, sealed) VALUES (?, ?, ?)')
    this.room ??= Buffer.allocUnsafeSlow(STAGED_ROW_BYTES_MAX + AT_REST_OVERHEAD)
    for (const [id, plain] of this.fresh) {
      put.run(id, plain.length, sealStaged(this.key, id, plain, this.random, this.room))
      failpoint('mount.staged.written')
      this.flushed.set(id, plain)
    }
    this.fresh.clear()
    this.freshSize = 0
    this.freshDiskSize = 0
  }

  committed(): void {
    for (const [id, plain] of this.flushed) this.recent.put(id, plain)
    this.flushed.clear()
  }

  /** What is not committed stays the steps', which append it again. */
  drop(): void {
    this.fresh.clear()
    this.freshSize = 0
    this.freshDiskSize = 0
    this.flushed.clear()
    this.recent = new RecentRows(this.releaseBytes)
    this.load()
  }

  private held(id: number): Buffer | undefined {
    return this.fresh.get(id) ?? this.flushed.get(id) ?? this.recent.get(id)
  }

  /** From the disk, into memory of its own. */
  private open(id: number): Buffer {
    const row = this.database
      .sql<[number], { length: number; sealed: Buffer }>('SELECT length, sealed FROM staged WHERE id = ?')
      .get(id)
    if (row === undefined || row.sealed.length !== row.length + AT_REST_OVERHEAD) {
      throw damaged(`staged row ${id} is missing`)
    }
    try {
      return openStaged(this.key, id, row.sealed)
    } catch {
      throw damaged(`staged row ${id} does not open`)
    } finally {
      this.releaseBytes(row.sealed)
    }
  }

  private load(): void {
    const frozen = this.database.sql<[], { top: number | null }>('SELECT max(staged_to) AS top FROM epoch').get()
    this.frozenTo = frozen?.top ?? 0
    const open = 'SELECT coalesce(sum(length), 0) AS bytes FROM staged WHERE id > ?'
    this.openBytes = this.database.sql<[number], { bytes: number }>(open).get(this.frozenTo)?.bytes ?? 0
  }
}
