/** What is asked of the ledger besides bytes: listings, states, segments, placements. On the worker thread. */
import { AppError } from '../../base/errors.js'
import { idBytes, type SegmentId } from '../../model/ids.js'
import type { SegmentInfo } from '../../model/segment.js'
import { lastPublished } from './epochs.js'
import { inodeOf } from './inodes.js'
import { type DentryColumns, numbersOf } from './names.js'
import { directoryOf, nodeOf } from './rules.js'
import type { Tables } from './tables.js'
import type { FileState, Inode, SegmentPage, SnapshotMark } from './types.js'

const LIST_MAX = 1_000
const STATE_SEGMENTS_MAX = 1_000
const PLACEMENT_BYTES_MAX = 65_536
/** Snapshots kept. Of the chain's records all are: a bridge may lose them (docs/adr/0012-a-bridge-that-lost-its-books.md). */
const SNAPSHOTS_KEPT = 2

/** As it travels: see packing.ts. */
export interface PackablePage {
  readonly columns: DentryColumns | null
  /** In the order of the names, when they were asked for. */
  readonly inodes: readonly (Inode | null)[] | null
  readonly end: boolean
  readonly parent: number
}

export function list(t: Tables, ino: number, cookie: number, limit: number, withAttributes: boolean): PackablePage {
  const directory = directoryOf(t, ino)
  const wanted = Math.max(1, Math.min(limit, LIST_MAX))
  const columns = t.dentries.after(directory.ino, cookie, wanted)
  const inodes = withAttributes && columns !== null ? numbersOf(columns.inos).map(attributesOf) : null
  return { columns, inodes, end: (columns?.count ?? 0) < wanted, parent: directory.parent }

  function attributesOf(one: number): Inode | null {
    const node = t.inodes.get(one)
    return node && inodeOf(node, t.inodes.version)
  }
}

export function stateOf(t: Tables, ino: number): FileState {
  const node = nodeOf(t, ino)
  const published = lastPublished(t)?.log_to ?? 0
  const staged = t.database.sql('SELECT 1 FROM extent WHERE ino = ? AND staged IS NOT NULL LIMIT 1').get(ino)
  const local = node.changed > published || staged !== undefined
  const text = `SELECT segment FROM segment WHERE id IN
    (SELECT segment FROM extent WHERE ino = ? AND segment IS NOT NULL LIMIT ${STATE_SEGMENTS_MAX * 64})
    LIMIT ${STATE_SEGMENTS_MAX}`
  const rows = t.database.sql<[number], { segment: Buffer }>(text).all(ino)
  return { state: local ? 'local' : 'stored', segments: rows.map((row) => segmentOf(row.segment)) }
}

function segmentOf(bytes: Buffer): SegmentId {
  return bytes.toString('hex') as SegmentId
}

export function segment(t: Tables, id: SegmentId): SegmentInfo | null {
  const row = t.segments.rowOf(id)
  return row === null ? null : t.segments.info(row)
}

/** What the chain has confirmed: an epoch that is not published yet confirms its own. */
export function segmentsAfter(t: Tables, row: number, limit: number): SegmentPage {
  const epoch = lastPublished(t)?.epoch ?? 0
  const where = 'FROM segment WHERE id > ? AND born <= ?'
  const rows = t.database.sql<[number, number, number], { id: number }>(`SELECT id ${where} ORDER BY id LIMIT ?`)
  const count = t.database.sql<[number, number], { left: number }>(`SELECT count(*) AS left ${where}`)
  return {
    segments: rows.all(row, epoch, Math.min(limit, LIST_MAX)).map(({ id }) => ({ row: id, info: t.segments.info(id) })),
    left: count.get(row, epoch)?.left ?? 0,
  }
}

export function placement(t: Tables, id: SegmentId): Buffer | null {
  const text = 'SELECT value FROM placement WHERE segment = ?'
  return t.database.sql<[Buffer], { value: Buffer }>(text).get(idBytes(id))?.value ?? null
}

export function putPlacement(t: Tables, id: SegmentId, value: Buffer): void {
  if (value.length > PLACEMENT_BYTES_MAX) throw new AppError('invalid-argument', 'a placement takes at most 64 KiB')
  const known = idBytes(id)
  t.database.step(() => {
    t.database.sql('INSERT OR REPLACE INTO placement (segment, value) VALUES (?, ?)').run(known, value)
  })
}

export function recordPendingSegments(t: Tables, ids: readonly SegmentId[]): void {
  t.database.alone(() => {
    const put = t.database.sql('INSERT OR IGNORE INTO pending_segment (segment) VALUES (?)')
    for (const id of ids) put.run(idBytes(id))
  }, true)
}

export function pendingSegments(t: Tables): SegmentId[] {
  const rows = t.database.sql<[], { segment: Buffer }>('SELECT segment FROM pending_segment').all()
  return rows.map((row) => segmentOf(row.segment))
}

export function forgetPendingSegments(t: Tables, ids: readonly SegmentId[]): void {
  t.database.alone(() => {
    const drop = t.database.sql('DELETE FROM pending_segment WHERE segment = ?')
    for (const id of ids) drop.run(idBytes(id))
  }, false)
}

/** Confirms the tentative snapshot of a cut (or notes one of the chain); older ones than the last two go. */
export function recordSnapshot(t: Tables, mark: SnapshotMark, segments: readonly SegmentInfo[]): void {
  t.database.alone(() => {
    t.database.sql('INSERT OR REPLACE INTO snapshot (epoch, sequence) VALUES (?, ?)').run(mark.epoch, mark.sequence)
    const own = t.database.sql('UPDATE segment SET snapshot = ?, died = NULL WHERE id = ?')
    const settle = t.database.sql('DELETE FROM pending_segment WHERE segment = ?')
    for (const info of segments) {
      own.run(mark.epoch, t.segments.add(info, mark.epoch, null))
      settle.run(idBytes(info.segment))
    }
    const kept = `SELECT epoch, sequence FROM snapshot WHERE sequence IS NOT NULL ORDER BY epoch DESC LIMIT ${SNAPSHOTS_KEPT}`
    const oldest = t.database.sql<[], { epoch: number; sequence: number }>(kept).all().at(-1)
    if (oldest === undefined) return
    t.database.sql('DELETE FROM snapshot WHERE epoch < ? AND sequence IS NOT NULL').run(oldest.epoch)
    // A snapshot's own segments are named by nothing but it.
    const dead = 'UPDATE segment SET died = born, snapshot = NULL WHERE snapshot < ?'
    t.database.sql(dead).run(oldest.epoch)
  }, true)
}

export function snapshots(t: Tables): SnapshotMark[] {
  const text = 'SELECT epoch, sequence FROM snapshot WHERE sequence IS NOT NULL ORDER BY epoch'
  const own = t.database.sql<[number], { segment: Buffer }>(
    'SELECT segment FROM segment WHERE snapshot = ? ORDER BY id',
  )
  return t.database
    .sql<[], { epoch: number; sequence: number }>(text)
    .all()
    .map((row) => ({ ...row, segments: own.all(row.epoch).map((one) => segmentOf(one.segment)) }))
}
