/**
 * The extent map: byte ranges of files -> staged rows, segments or reserved zeros. Extents of a file never overlap; what
 * no extent covers is a hole. Ranges here are [offset, end).
 */
import type { SegmentInfo } from '../../model/segment.js'
import type { LedgerDatabase } from './database.js'
import type { Node } from './inodes.js'
import type { Segments } from './segments.js'
import type { StagedRows } from './staged.js'

export interface Extent {
  readonly offset: number
  readonly length: number
  readonly staged: number | null
  readonly segment: number | null
  /** Where the first byte lies in the staged row or in the segment. */
  readonly source: number
}

export type Run =
  | { readonly kind: 'zeros'; readonly offset: number; readonly length: number; readonly reserved: boolean }
  | { readonly kind: 'staged'; readonly offset: number; readonly length: number; id: number; source: number }
  | { readonly kind: 'segment'; readonly offset: number; readonly length: number; info: SegmentInfo; source: number }

const FIELDS = 'offset, length, staged, segment, source'

export class Extents {
  private readonly database: LedgerDatabase
  private readonly staged: StagedRows
  private readonly segments: Segments

  constructor(database: LedgerDatabase, staged: StagedRows, segments: Segments) {
    this.database = database
    this.staged = staged
    this.segments = segments
  }

  /** Extents that touch the range, in order. */
  overlapping(ino: number, offset: number, end: number): Extent[] {
    if (offset >= end) return []
    const before = `SELECT ${FIELDS} FROM extent WHERE ino = ? AND offset < ? ORDER BY offset DESC LIMIT 1`
    const first = this.database.sql<[number, number], Extent>(before).get(ino, offset)
    const within = `SELECT ${FIELDS} FROM extent WHERE ino = ? AND offset >= ? AND offset < ? ORDER BY offset`
    const rest = this.database.sql<[number, number, number], Extent>(within).all(ino, offset, end)
    return first !== undefined && first.offset + first.length > offset ? [first, ...rest] : rest
  }

  /** The range becomes these bytes. */
  put(node: Node, offset: number, length: number, source: Omit<Extent, 'offset' | 'length'>): void {
    this.clear(node, offset, offset + length)
    this.insert(node, { offset, length, ...source })
  }

  /** The range becomes a hole: extents inside go, extents across an edge are cut. */
  clear(node: Node, offset: number, end: number): void {
    if (node.covered === 0 || offset >= end) return
    for (const one of this.overlapping(node.ino, offset, end)) {
      this.remove(node, one)
      const oneEnd = one.offset + one.length
      if (one.offset < offset) this.insert(node, { ...one, length: offset - one.offset })
      if (oneEnd > end) {
        this.insert(node, { ...one, offset: end, length: oneEnd - end, source: one.source + (end - one.offset) })
      }
      if (one.staged !== null) this.staged.release(one.staged)
    }
  }

  /** Everything from `offset` on becomes a hole; in bulk, for truncation and for files that end. */
  clearFrom(node: Node, offset: number): void {
    if (node.covered === 0) return
    const first = this.overlapping(node.ino, offset, offset + 1)[0]
    if (first !== undefined && first.offset < offset) this.clear(node, offset, first.offset + first.length)
    const range = 'FROM extent WHERE ino = ? AND offset >= ?'
    const bySegment = this.database.sql<[number, number], { segment: number; bytes: number }>(
      `SELECT segment, sum(length) AS bytes ${range} AND segment IS NOT NULL GROUP BY segment`,
    )
    for (const row of bySegment.all(node.ino, offset)) this.segments.count(row.segment, -row.bytes)
    const rows = this.database.sql<[number, number], { staged: number }>(
      `SELECT DISTINCT staged ${range} AND staged IS NOT NULL`,
    )
    const staged = rows.all(node.ino, offset)
    const sum = this.database.sql<[number, number], { bytes: number }>(
      `SELECT coalesce(sum(length), 0) AS bytes ${range}`,
    )
    node.covered -= sum.get(node.ino, offset)?.bytes ?? 0
    this.database.sql(`DELETE ${range}`).run(node.ino, offset)
    for (const row of staged) this.staged.release(row.staged)
  }

  /** Holes of the range become reserved zeros; data stays. */
  reserve(node: Node, offset: number, end: number): void {
    let at = offset
    for (const one of this.overlapping(node.ino, offset, end)) {
      if (one.offset > at) this.insert(node, reserved(at, one.offset))
      at = Math.max(at, one.offset + one.length)
    }
    if (at < end) this.insert(node, reserved(at, end))
  }

  /** What a reader finds in the range, in order, without gaps. */
  runs(ino: number, offset: number, end: number): Run[] {
    const runs: Run[] = []
    let at = offset
    for (const one of this.overlapping(ino, offset, end)) {
      const from = Math.max(one.offset, offset)
      const to = Math.min(one.offset + one.length, end)
      if (from > at) runs.push({ kind: 'zeros', offset: at, length: from - at, reserved: false })
      runs.push(this.run(one, from, to))
      at = to
    }
    if (at < end) runs.push({ kind: 'zeros', offset: at, length: end - at, reserved: false })
    return runs
  }

  /** First byte at or after `offset` that lies in an extent with data (`true`) or in none (`false`); null: none. */
  find(ino: number, offset: number, data: boolean): number | null {
    const text = `SELECT ${FIELDS} FROM extent WHERE ino = ? AND offset + length > ? AND offset >= ? ORDER BY offset`
    const start = this.overlapping(ino, offset, offset + 1)[0]?.offset ?? offset
    let at = offset
    const rows = this.database.sql<[number, number, number], Extent>(text).iterate(ino, offset, start)
    for (const one of rows) {
      const hasData = one.staged !== null || one.segment !== null
      if (data && hasData) return Math.max(at, one.offset)
      if (!data && (one.offset > at || !hasData)) return at
      at = one.offset + one.length
    }
    return data ? null : at
  }

  private run(one: Extent, from: number, to: number): Run {
    const source = one.source + (from - one.offset)
    const place = { offset: from, length: to - from }
    if (one.staged !== null) return { kind: 'staged', ...place, id: one.staged, source }
    if (one.segment === null) return { kind: 'zeros', ...place, reserved: true }
    return { kind: 'segment', ...place, info: this.segments.info(one.segment), source }
  }

  private insert(node: Node, one: Extent): void {
    const text = 'INSERT INTO extent (ino, offset, length, staged, segment, source) VALUES (?, ?, ?, ?, ?, ?)'
    this.database.sql(text).run(node.ino, one.offset, one.length, one.staged, one.segment, one.source)
    node.covered += one.length
    if (one.segment !== null) this.segments.count(one.segment, one.length)
  }

  private remove(node: Node, one: Extent): void {
    this.database.sql('DELETE FROM extent WHERE ino = ? AND offset = ?').run(node.ino, one.offset)
    node.covered -= one.length
    if (one.segment !== null) this.segments.count(one.segment, -one.length)
  }
}

function reserved(offset: number, end: number): Extent {
  return { offset, length: end - offset, staged: null, segment: null, source: 0 }
}
