/**
 * An epoch as a batch that means the same everywhere: operations of the log in order, staged writes as `attributes`, and at
 * the end the bytes that were visible at the cut as `segment` and `extent`. Bytes that were overwritten or deleted before
 * the cut are left out; what removed them is in the log, and what replaced them comes at the end, so the state
 * after the batch is the state at the cut.
 */
import { ByteWriter } from '../../base/byte-writer.js'
import { AppError } from '../../base/errors.js'
import { type FileId, idBytes, type SegmentId } from '../../model/ids.js'
import type { SegmentInfo } from '../../model/segment.js'
import { type EpochRow, epochRow, outOfOrder, rowsOfCut } from './epochs.js'
import { encodeOperation } from './operation-codec.js'
import * as o from './operations.js'
import type { Tables } from './tables.js'
import type { Materialised, StagedMapping } from './types.js'

/** At 32 bytes each inside the chain record's body; the rest goes with a later epoch. */
const RETIRE_MAX = 4_096
const U32_MAX = 2 ** 32 - 1

export function materialise(
  t: Tables,
  epoch: number,
  mapping: readonly StagedMapping[],
  segments: readonly SegmentInfo[],
): Materialised {
  if (epochRow(t, epoch).stage === 'published') throw outOfOrder('the epoch is published')
  t.database.alone(() => {
    forgetAttempt(t, epoch)
    const rows = new Map<SegmentId, { row: number; info: SegmentInfo }>()
    const settle = t.database.sql('DELETE FROM pending_segment WHERE segment = ?')
    for (const info of segments) {
      rows.set(info.segment, { row: t.segments.add(info, epoch, null), info })
      settle.run(idBytes(info.segment))
    }
    putMapping(t, epoch, mapping, rows)
    const retire = retirable(t, epoch)
    const text = "UPDATE epoch SET stage = 'prepared', retire = ?, record_sequence = NULL WHERE epoch = ?"
    t.database.sql(text).run(Buffer.concat(retire.map(idBytes)), epoch)
  }, true)
  return prepared(t, epoch)
}

function putMapping(
  t: Tables,
  epoch: number,
  mapping: readonly StagedMapping[],
  segments: ReadonlyMap<SegmentId, { row: number; info: SegmentInfo }>,
): void {
  const wanted = new Map(rowsOfCut(t, epoch).map((row) => [row.stagedId, row.length]))
  const put = t.database.sql('INSERT INTO mapping (staged, epoch, segment, offset) VALUES (?, ?, ?, ?)')
  for (const one of mapping) {
    const length = wanted.get(one.stagedId)
    const segment = segments.get(one.segment)
    if (length === undefined || segment === undefined || one.segmentOffset + length > segment.info.plainLength) {
      throw new AppError('invalid-argument', 'a mapping names what is not there')
    }
    wanted.delete(one.stagedId)
    put.run(one.stagedId, epoch, segment.row, one.segmentOffset)
  }
  if (wanted.size > 0) throw new AppError('invalid-argument', `${wanted.size} staged rows are not mapped`)
}

/** An epoch may be prepared again with new segments, when those of an earlier attempt are lost. */
function forgetAttempt(t: Tables, epoch: number): void {
  t.database.sql('UPDATE segment SET retired = NULL WHERE retired = ?').run(epoch)
  t.database.sql('DELETE FROM mapping WHERE epoch = ?').run(epoch)
  const mine = 'FROM segment WHERE born = ? AND live = 0 AND snapshot IS NULL'
  t.database.sql(`INSERT OR IGNORE INTO pending_segment (segment) SELECT segment ${mine}`).run(epoch)
  t.database.sql(`DELETE ${mine}`).run(epoch)
  t.segments.drop()
}

/** Segments that neither the state at this cut nor a kept snapshot names; marked as going with this epoch. */
function retirable(t: Tables, epoch: number): SegmentId[] {
  const text = `SELECT id, segment FROM segment s WHERE retired IS NULL AND snapshot IS NULL AND died <= ?
    AND NOT EXISTS (SELECT 1 FROM snapshot k WHERE k.epoch >= s.born AND k.epoch < s.died)
    LIMIT ${RETIRE_MAX}`
  const rows = t.database.sql<[number], { id: number; segment: Buffer }>(text).all(epoch)
  const mark = t.database.sql('UPDATE segment SET retired = ? WHERE id = ?')
  return rows.map((row) => {
    mark.run(epoch, row.id)
    return row.segment.toString('hex') as SegmentId
  })
}

/** What materialise() answered: a function of the log, the cut and the mapping, which are all on disk. */
export function prepared(t: Tables, epoch: number): Materialised {
  const row = epochRow(t, epoch)
  if (row.stage !== 'prepared' && row.stage !== 'recorded') throw outOfOrder(`the epoch is ${row.stage}`)
  const into = new ByteWriter(row.operation_bytes + 4_096).u8(o.OPERATIONS_VERSION)
  encodeLog(t, row, into)
  const confirm = encodeExtents(t, row, into)
  return { operations: into.bytes(), confirm, retire: splitIds(row.retire ?? Buffer.alloc(0)) }
}

function splitIds(bytes: Buffer): SegmentId[] {
  const ids: SegmentId[] = []
  for (let at = 0; at < bytes.length; at += 32) ids.push(bytes.toString('hex', at, at + 32) as SegmentId)
  return ids
}

function encodeLog(t: Tables, row: EpochRow, into: ByteWriter): void {
  let last: o.StagedWrite | null = null
  const settle = () => {
    if (last === null) return
    const { file, size, time } = last
    encodeOperation(into, { kind: o.KIND.attributes, file, size, mtime: time, ctime: time })
    last = null
  }
  t.log.replay(row.log_from, row.log_to, (operation) => {
    if (operation.kind !== o.KIND.stagedWrite) {
      settle()
      encodeOperation(into, operation)
      return
    }
    // A run of writes to one file: its last size and time say it all (writes never shrink a file).
    if (last !== null && last.file !== operation.file) settle()
    last = operation
  })
  settle()
}

interface MappedExtent {
  file: Buffer
  offset: number
  length: number
  segment: number
  source: number
}

function encodeExtents(t: Tables, row: EpochRow, into: ByteWriter): SegmentId[] {
  const named = t.database.sql<[number], { segment: number }>(
    'SELECT DISTINCT segment FROM mapping WHERE epoch = ? ORDER BY segment',
  )
  const infos = named.all(row.epoch).map((one) => t.segments.info(one.segment))
  for (const info of infos) encodeOperation(into, { kind: o.KIND.segment, info })
  const text = `SELECT c.file, c.offset, c.length, m.segment, m.offset + c.source AS source
    FROM cut_extent c JOIN mapping m ON m.staged = c.staged WHERE c.epoch = ? ORDER BY c.file, c.offset`
  let open: MappedExtent | null = null
  const settle = () => {
    if (open === null) return
    const file = open.file.toString('hex') as FileId
    const { segment } = t.segments.info(open.segment)
    const place = { offset: open.offset, length: open.length, segment, segmentOffset: open.source }
    encodeOperation(into, { kind: o.KIND.extent, file, ...place })
  }
  for (const next of t.database.sql<[number], MappedExtent>(text).all(row.epoch)) {
    if (open !== null && continues(open, next)) {
      open.length += next.length
      continue
    }
    settle()
    open = next
  }
  settle()
  return infos.map((info) => info.segment)
}

function continues(open: MappedExtent, next: MappedExtent): boolean {
  return (
    open.segment === next.segment &&
    open.offset + open.length === next.offset &&
    open.source + open.length === next.source &&
    open.length + next.length <= U32_MAX &&
    open.file.equals(next.file)
  )
}
