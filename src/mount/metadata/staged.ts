/**
 * Staged rows: bytes that are not stored on hosts yet. Append-only, sealed under the device's local key, keyed by an
 * id of their own. A row of the open group is in memory only and is sealed at the flush: what is overwritten or deleted
 * before that never reaches the disk.
 *
 * A row lives while an extent points at it; a row that a cut has frozen lives until its epoch is published.
 */
import type { RandomBytes } from '../../base/random.js'
import { AT_REST_OVERHEAD, openStaged, sealStaged } from '../../crypto/at-rest.js'
import type { SecretBytes } from '../../crypto/secret.js'
import type { Counters } from './counters.js'
import { damaged, type LedgerDatabase, type WriteBack } from './database.js'

export const STAGED_ROW_BYTES_MAX = 1024 * 1024
/** Plain bytes of rows read or written lately: most reads of staged bytes come right after the write. */
const RECENT_BYTES_MAX = 64 * 1024 * 1024

export class StagedRows implements WriteBack {
  private readonly database: LedgerDatabase
  private readonly counters: Counters
  private readonly key: SecretBytes
  private readonly random: RandomBytes
  /** Rows that are in no table yet. */
  private readonly fresh = new Map<number, Buffer>()
  private freshSize = 0
  private readonly recent = new Map<number, Buffer>()
  private recentSize = 0
  /** Where one row after the other is sealed on its way into the database, which copies it. */
  private room: Buffer | undefined
  /** Rows up to this id are frozen by a cut. */
  private frozenTo = 0
  /** Plain bytes appended since the last cut, also those that are gone again. */
  openBytes = 0

  constructor(database: LedgerDatabase, counters: Counters, key: SecretBytes, random: RandomBytes) {
    this.database = database
    this.counters = counters
    this.key = key
    this.random = random
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

  /** `bytes` is kept. Inside a step. */
  append(bytes: Buffer): number {
    const id = this.counters.take('staged')
    this.fresh.set(id, bytes)
    this.freshSize += bytes.length
    this.openBytes += bytes.length
    return id
  }

  /** A copy of part of a row. */
  read(id: number, from: number, length: number): Buffer {
    const plain = this.open(id)
    if (from + length > plain.length) throw damaged(`staged row ${id} is too short`)
    const copy = Buffer.allocUnsafeSlow(length)
    plain.copy(copy, 0, from, from + length)
    return copy
  }

  /** A copy of a whole row. */
  readWhole(id: number): Buffer {
    return this.read(id, 0, this.open(id).length)
  }

  /** An extent on this row has gone: frees the row when it was the last and no cut needs it. */
  release(id: number): void {
    if (id <= this.frozenTo) return
    if (this.database.sql('SELECT 1 FROM extent WHERE staged = ? LIMIT 1').get(id) !== undefined) return
    this.forget(id)
    const fresh = this.fresh.get(id)
    if (fresh !== undefined) {
      this.fresh.delete(id)
      this.freshSize -= fresh.length
    } else {
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
    for (const one of [...this.recent.keys()]) if (one <= id) this.forget(one)
  }

  flush(): void {
    if (this.fresh.size === 0) return
    const put = this.database.sql('INSERT INTO staged (id, length, sealed) VALUES (?, ?, ?)')
    this.room ??= Buffer.allocUnsafeSlow(STAGED_ROW_BYTES_MAX + AT_REST_OVERHEAD)
    for (const [id, plain] of this.fresh) {
      put.run(id, plain.length, sealStaged(this.key, id, plain, this.random, this.room))
      this.remember(id, plain)
    }
    this.fresh.clear()
    this.freshSize = 0
  }

  drop(): void {
    this.fresh.clear()
    this.freshSize = 0
    this.recent.clear()
    this.recentSize = 0
    this.load()
  }

  private open(id: number): Buffer {
    const known = this.fresh.get(id) ?? this.recent.get(id)
    if (known !== undefined) return known
    const row = this.database
      .sql<[number], { length: number; sealed: Buffer }>('SELECT length, sealed FROM staged WHERE id = ?')
      .get(id)
    if (row === undefined || row.sealed.length !== row.length + AT_REST_OVERHEAD) {
      throw damaged(`staged row ${id} is missing`)
    }
    let plain: Buffer
    try {
      plain = openStaged(this.key, id, row.sealed)
    } catch {
      throw damaged(`staged row ${id} does not open`)
    }
    this.remember(id, plain)
    return plain
  }

  private remember(id: number, plain: Buffer): void {
    this.forget(id)
    this.recent.set(id, plain)
    this.recentSize += plain.length
    for (const one of this.recent.keys()) {
      if (this.recentSize <= RECENT_BYTES_MAX) return
      this.forget(one)
    }
  }

  private forget(id: number): void {
    const known = this.recent.get(id)
    if (known === undefined) return
    this.recent.delete(id)
    this.recentSize -= known.length
  }

  private load(): void {
    const frozen = this.database.sql<[], { top: number | null }>('SELECT max(staged_to) AS top FROM epoch').get()
    this.frozenTo = frozen?.top ?? 0
    const open = 'SELECT coalesce(sum(length), 0) AS bytes FROM staged WHERE id > ?'
    this.openBytes = this.database.sql<[number], { bytes: number }>(open).get(this.frozenTo)?.bytes ?? 0
  }
}
