/**
 * Epochs on their way out: cut -> prepared -> recorded -> published, each step one durable transaction, so that a crash
 * anywhere leaves a stage from which sync goes on. The row of the last published epoch stays: it holds the log
 * position and the staged id up to which everything is on hosts.
 */

import { AppError } from '../../base/errors.js'
import { failpoint } from '../../base/failpoint.js'
import type { Head } from '../../model/chain.js'
import { damaged } from './database.js'
import { putHead } from './facts.js'
import type { Tables } from './tables.js'
import type { Cut, PendingEpoch, SavedRecord, StagedRow } from './types.js'

export interface EpochRow {
  readonly epoch: number
  readonly log_from: number
  readonly log_to: number
  readonly staged_to: number
  readonly operation_bytes: number
  readonly staged_bytes: number
  readonly first_ms: number
  readonly time_ms: number
  readonly stage: 'cut' | 'prepared' | 'recorded' | 'published'
  readonly retire: Buffer | null
  readonly record_sequence: number | null
}

export function epochRow(t: Tables, epoch: number): EpochRow {
  const row = t.database.sql<[number], EpochRow>('SELECT * FROM epoch WHERE epoch = ?').get(epoch)
  if (row === undefined) throw new AppError('no-such-epoch', `epoch ${epoch} is not pending`)
  return row
}

/** Everything up to here is cut; null before the first. */
export function lastEpoch(t: Tables): EpochRow | null {
  return t.database.sql<[], EpochRow>('SELECT * FROM epoch ORDER BY epoch DESC LIMIT 1').get() ?? null
}

export function lastPublished(t: Tables): EpochRow | null {
  const text = "SELECT * FROM epoch WHERE stage = 'published' ORDER BY epoch DESC LIMIT 1"
  return t.database.sql<[], EpochRow>(text).get() ?? null
}

export function pendingRows(t: Tables): EpochRow[] {
  return t.database.sql<[], EpochRow>("SELECT * FROM epoch WHERE stage != 'published' ORDER BY epoch").all()
}

/** Staged rows that somebody saw at the cut. */
export function rowsOfCut(t: Tables, epoch: number): StagedRow[] {
  const text = `SELECT id AS stagedId, length FROM staged
    WHERE id IN (SELECT staged FROM cut_extent WHERE epoch = ?) ORDER BY id`
  return t.database.sql<[number], StagedRow>(text).all(epoch)
}

/** `tentative`: a snapshot of this cut may be made, so what it names is kept. */
export function cut(t: Tables, tentative: boolean): Cut | null {
  t.database.commit()
  failpoint('mount.cut.begun')
  const epoch = t.database.alone(() => putCut(t, tentative), false)
  if (epoch === null) return null
  const row = epochRow(t, epoch)
  freezeCut(t, row)
  return cutOf(t, row)
}

/** The same inside a transaction that others opened, when everything in memory is in tables. */
export function cutInside(t: Tables): void {
  const epoch = putCut(t, false)
  if (epoch !== null) freezeCut(t, epochRow(t, epoch))
}

/** Its number; null when nothing happened since the last one. */
function putCut(t: Tables, tentative: boolean): number | null {
  const before = lastEpoch(t)
  const from = before?.log_to ?? 0
  const to = t.counters.peek('log') - 1
  if (to <= from) return null
  const operationBytes = t.log.openBytes
  const firstMs = t.log.openSinceMs ?? t.nowMs()
  const number = t.counters.take('epoch')
  const stagedTo = t.counters.peek('staged') - 1
  const freeze = `INSERT INTO cut_extent (epoch, file, offset, length, staged, source)
    SELECT ?, i.file, e.offset, e.length, e.staged, e.source FROM extent e JOIN inode i ON i.ino = e.ino
    WHERE e.staged > ? AND e.staged <= ?`
  t.database.sql(freeze).run(number, before?.staged_to ?? 0, stagedTo)
  const bytes = rowsOfCut(t, number).reduce((sum, row) => sum + row.length, 0)
  const put = `INSERT INTO epoch (epoch, log_from, log_to, staged_to, operation_bytes, staged_bytes, first_ms, time_ms,
    stage) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'cut')`
  t.database.sql(put).run(number, from, to, stagedTo, operationBytes, bytes, firstMs, t.nowMs())
  if (tentative) t.database.sql('INSERT INTO snapshot (epoch, sequence) VALUES (?, NULL)').run(number)
  return number
}

function freezeCut(t: Tables, row: EpochRow): void {
  t.staged.freeze(row.staged_to)
  t.log.closed()
}

function cutOf(t: Tables, row: EpochRow): Cut {
  return {
    ...{ epoch: row.epoch, logSequence: row.log_to, operationBytes: row.operation_bytes },
    ...{ stagedBytes: row.staged_bytes, stagedRows: rowsOfCut(t, row.epoch), timeMs: row.time_ms },
  }
}

export function pendingEpochs(t: Tables, limit?: number): PendingEpoch[] {
  const rows = pendingRows(t)
  return rows.slice(0, limit ?? rows.length).map((row) => ({
    ...cutOf(t, row),
    stage: row.stage as PendingEpoch['stage'],
    record: row.record_sequence === null ? null : recordOf(t, row.record_sequence),
  }))
}

function recordOf(t: Tables, sequence: number): SavedRecord {
  const text = 'SELECT sequence, hash, encoded FROM record WHERE sequence = ?'
  const row = t.database.sql<[number], SavedRecord>(text).get(sequence)
  if (row === undefined) throw damaged('a record of a pending epoch is missing')
  return row
}

export function saveRecord(t: Tables, epoch: number, record: SavedRecord): void {
  const row = epochRow(t, epoch)
  if (row.stage !== 'prepared' && row.stage !== 'recorded')
    throw outOfOrder(`a record for an epoch that is ${row.stage}`)
  t.database.alone(() => {
    if (row.record_sequence !== null) t.database.sql('DELETE FROM record WHERE sequence = ?').run(row.record_sequence)
    putRecord(t, record)
    const text = "UPDATE epoch SET stage = 'recorded', record_sequence = ? WHERE epoch = ?"
    t.database.sql(text).run(record.sequence, epoch)
  }, true)
}

export function putRecord(t: Tables, record: SavedRecord): void {
  const text = 'INSERT OR REPLACE INTO record (sequence, hash, encoded) VALUES (?, ?, ?)'
  t.database.sql(text).run(record.sequence, record.hash, record.encoded)
}

export function outOfOrder(why: string): AppError {
  return new AppError('epoch-out-of-order', why)
}

/** Extents turn from staged rows to segments, also those made since the cut; then the rows are free. */
export function published(t: Tables, epoch: number, head: Head): void {
  const row = pendingRows(t)[0]
  if (row === undefined || row.epoch !== epoch) throw outOfOrder('epochs are published oldest first')
  if (row.stage === 'cut') throw outOfOrder('an epoch is published before it is prepared')
  t.database.alone(() => {
    turnExtents(t, row)
    failpoint('mount.publish.turned')
    t.segments.flush()
    const open = t.counters.peek('epoch')
    const unborn = 'UPDATE segment SET died = ? WHERE born = ? AND live = 0 AND died IS NULL AND snapshot IS NULL'
    t.database.sql(unborn).run(open, epoch)
    t.staged.removeUpTo(row.staged_to)
    t.log.removeUpTo(row.log_to)
    t.database.sql('DELETE FROM cut_extent WHERE epoch = ?').run(epoch)
    removeRetired(t, epoch)
    t.database.sql("UPDATE epoch SET stage = 'published' WHERE epoch = ?").run(epoch)
    t.database.sql("DELETE FROM epoch WHERE stage = 'published' AND epoch < ?").run(epoch)
    removeMappings(t)
    putHead(t, head)
  }, true)
}

function turnExtents(t: Tables, row: EpochRow): void {
  const maps = t.database.sql<[number], { staged: number; segment: number; offset: number }>(
    'SELECT staged, segment, offset FROM mapping WHERE epoch = ?',
  )
  const sum = t.database.sql<[number], { bytes: number }>(
    'SELECT coalesce(sum(length), 0) AS bytes FROM extent WHERE staged = ?',
  )
  const turn = t.database.sql('UPDATE extent SET segment = ?, source = source + ?, staged = NULL WHERE staged = ?')
  for (const map of maps.all(row.epoch)) {
    const bytes = sum.get(map.staged)?.bytes ?? 0
    if (bytes === 0) continue
    turn.run(map.segment, map.offset, map.staged)
    t.segments.count(map.segment, bytes)
  }
  const left = t.database.sql('SELECT 1 FROM extent WHERE staged <= ? LIMIT 1').get(row.staged_to)
  if (left !== undefined) throw damaged('an extent points at a row that was not stored')
}

function removeRetired(t: Tables, epoch: number): void {
  const rows = t.database.sql<[number], { segment: Buffer }>('SELECT segment FROM segment WHERE retired = ?').all(epoch)
  const drop = t.database.sql('DELETE FROM placement WHERE segment = ?')
  for (const { segment } of rows) drop.run(segment)
  t.database.sql('DELETE FROM segment WHERE retired = ?').run(epoch)
  t.segments.drop()
}

/** Mappings of published epochs; kept while a view of the time before may still need them. */
export function removeMappings(t: Tables): void {
  const text = `DELETE FROM mapping WHERE epoch <= (SELECT coalesce(max(epoch), 0) FROM epoch WHERE stage = 'published')
    AND NOT EXISTS (SELECT 1 FROM snapshot WHERE sequence IS NULL AND snapshot.epoch >= mapping.epoch)`
  t.database.sql(text).run()
}
