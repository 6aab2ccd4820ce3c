/**
 * The operation log: what happened here and is not published yet. Operations of one group are one row, written at its
 * COMMIT; a cut closes the group, so rows never straddle epochs.
 */

import { ByteWriter } from '../../base/byte-writer.js'
import { failpoint } from '../../base/failpoint.js'
import type { Counters } from './counters.js'
import type { LedgerDatabase, WriteBack } from './database.js'
import { decodeSome, encodeOperation } from './operation-codec.js'
import type { Operation } from './operations.js'

/** Memory of an open chunk; a bigger group is several rows. */
const CHUNK_BYTES_MAX = 1024 * 1024

export class OperationLog implements WriteBack {
  private readonly database: LedgerDatabase
  private readonly counters: Counters
  private readonly nowMs: () => number
  private chunk = new ByteWriter(4_096)
  private first = 0
  private last = 0
  private startedMs = 0
  /** Encoded bytes since the last cut. */
  openBytes = 0
  /** Unix ms of the first operation since the last cut. */
  openSinceMs: number | null = null

  constructor(database: LedgerDatabase, counters: Counters, nowMs: () => number) {
    this.database = database
    this.counters = counters
    this.nowMs = nowMs
    this.count()
  }

  /** Position of the operation; inside a step. */
  append(operation: Operation): number {
    const position = this.counters.take('log')
    if (this.chunk.size === 0) {
      this.first = position
      this.startedMs = this.nowMs()
    }
    this.openSinceMs ??= this.startedMs
    const before = this.chunk.size
    encodeOperation(this.chunk, operation)
    this.openBytes += this.chunk.size - before
    this.last = position
    if (this.chunk.size >= CHUNK_BYTES_MAX) this.flush()
    return position
  }

  flush(): void {
    if (this.chunk.size === 0) return
    const text = 'INSERT INTO op_log (last, first, time_ms, operations) VALUES (?, ?, ?, ?)'
    this.database.sql(text).run(this.last, this.first, this.startedMs, this.chunk.bytes())
    failpoint('mount.log.written')
    this.chunk = new ByteWriter(4_096)
  }

  drop(): void {
    this.chunk = new ByteWriter(4_096)
    this.count()
  }

  /** Operations of (from, to], in order. */
  replay(from: number, to: number, visit: (operation: Operation) => void): void {
    const text = 'SELECT operations FROM op_log WHERE last > ? AND last <= ? ORDER BY last'
    for (const row of this.database.sql<[number, number], { operations: Buffer }>(text).iterate(from, to)) {
      decodeSome(row.operations, true, visit)
    }
  }

  removeUpTo(to: number): void {
    this.database.sql('DELETE FROM op_log WHERE last <= ?').run(to)
  }

  /** A cut was made: counting starts anew. */
  closed(): void {
    this.openBytes = 0
    this.openSinceMs = null
  }

  private count(): void {
    const text = `SELECT coalesce(sum(length(operations)), 0) AS bytes, min(time_ms) AS since FROM op_log
      WHERE last > (SELECT coalesce(max(log_to), 0) FROM epoch)`
    const row = this.database.sql<[], { bytes: number; since: number | null }>(text).get()
    this.openBytes = row?.bytes ?? 0
    this.openSinceMs = row?.since ?? null
  }
}
