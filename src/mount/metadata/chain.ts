/** The chain's side of the ledger: head, records, batches and snapshots coming in, small facts. */
import { AppError } from '../../base/errors.js'
import type { Head } from '../../model/chain.js'
import { apply } from './apply.js'
import { type BatchChanges, ChangeList } from './batch-changes.js'
import { lastPublished, pendingRows, putRecord, removeMappings } from './epochs.js'
import { putHead } from './facts.js'
import { decodeBatch } from './operation-codec.js'
import * as o from './operations.js'
import type { Tables } from './tables.js'
import type { SavedRecord } from './types.js'

const RECORDS_BYTES_MAX = 8 * 1024 * 1024

export function saveRecords(t: Tables, records: readonly SavedRecord[]): void {
  t.database.alone(() => {
    for (const record of records) putRecord(t, record)
  }, true)
}

export function loadRecords(t: Tables, sequence: number): SavedRecord[] {
  const found: SavedRecord[] = []
  let bytes = 0
  const text = 'SELECT sequence, hash, encoded FROM record WHERE sequence >= ? ORDER BY sequence'
  for (const record of t.database.sql<[number], SavedRecord>(text).iterate(sequence)) {
    bytes += record.encoded.length
    if (found.length > 0 && bytes > RECORDS_BYTES_MAX) break
    found.push(record)
  }
  return found
}

/** Refuses to mix what others published with what nobody knows yet. */
export function expectNoLocalChanges(t: Tables): void {
  const published = lastPublished(t)?.log_to ?? 0
  if (pendingRows(t).length === 0 && t.counters.peek('log') - 1 <= published) return
  throw new AppError('local-changes', 'there are operations here that are not published')
}

const NOT_IN_EPOCHS = new Set<number>([o.KIND.putInode, o.KIND.putDentry, o.KIND.stagedWrite])

export function applyBatch(t: Tables, operations: Buffer, epoch: number, head: Head): BatchChanges {
  expectNoLocalChanges(t)
  if (epoch < t.counters.peek('epoch')) throw new AppError('chain-mismatch', 'an epoch comes twice or out of order')
  const changes = new ChangeList()
  t.database.alone(() => {
    t.counters.raise('epoch', epoch)
    decodeBatch(operations, (operation) => {
      if (NOT_IN_EPOCHS.has(operation.kind)) throw new AppError('malformed', 'an epoch holds a snapshot operation')
      changes.note(t, operation)
      apply(t, operation, 0, epoch)
      changes.note(t, operation)
    })
    t.segments.flush()
    markPublished(t, epoch, head)
  }, true)
  return changes.answer(t.inodes.version)
}

/** Everything here is what the chain says at `epoch`. */
export function markPublished(t: Tables, epoch: number, head: Head): void {
  const text = `INSERT INTO epoch (epoch, log_from, log_to, staged_to, operation_bytes, staged_bytes, first_ms, time_ms,
    stage) VALUES (?, ?, ?, ?, 0, 0, ?, ?, 'published')`
  const log = t.counters.peek('log') - 1
  t.database.sql(text).run(epoch, log, log, t.counters.peek('staged') - 1, t.nowMs(), t.nowMs())
  t.database.sql("DELETE FROM epoch WHERE stage = 'published' AND epoch < ?").run(epoch)
  t.counters.raise('epoch', epoch + 1)
  removeMappings(t)
  putHead(t, head)
}
