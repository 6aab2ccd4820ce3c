/**
 * Segments that this tree names: what is needed to believe bytes of them, how many bytes of extents live on each, and
 * when it was born and died. `born` and `died` are epochs: the state at the cut of `born` names it, the one at the cut
 * of `died` does not. So a snapshot at epoch X names it when born <= X < died.
 */
import { assert } from '../../base/assert.js'
import { AppError } from '../../base/errors.js'
import { idBytes, type SegmentId } from '../../model/ids.js'
import type { SegmentInfo } from '../../model/segment.js'
import type { Counters } from './counters.js'
import type { LedgerDatabase, WriteBack } from './database.js'

interface Row {
  id: number
  segment: Buffer
  root: Buffer
  k: number
  n: number
  key_term: number
  plain_length: number
  padded_length: number
  shard_length: number
}

const INFO = 'id, segment, root, k, n, key_term, plain_length, padded_length, shard_length'
/** Infos kept in memory: about 300 bytes each. */
const KNOWN_MAX = 20_000

export class Segments implements WriteBack {
  private readonly database: LedgerDatabase
  private readonly counters: Counters
  private readonly byRow = new Map<number, SegmentInfo>()
  private readonly byId = new Map<SegmentId, number>()
  /** Changes of live bytes that the table does not know yet. */
  private readonly deltas = new Map<number, number>()

  constructor(database: LedgerDatabase, counters: Counters) {
    this.database = database
    this.counters = counters
  }

  info(row: number): SegmentInfo {
    const known = this.byRow.get(row)
    if (known !== undefined) return known
    const found = this.database.sql<[number], Row>(`SELECT ${INFO} FROM segment WHERE id = ?`).get(row)
    assert(found !== undefined, 'an extent names a segment that is known')
    return this.keep(found)
  }

  rowOf(segment: SegmentId): number | null {
    const known = this.byId.get(segment)
    if (known !== undefined) return known
    const found = this.database
      .sql<[Buffer], Row>(`SELECT ${INFO} FROM segment WHERE segment = ?`)
      .get(idBytes(segment))
    if (found === undefined) return null
    this.keep(found)
    return found.id
  }

  /** The row of a segment that may be new. `chain-mismatch` when it is known as something else. `died`: nothing lives on
   *  it yet; null while an epoch that will use it is on its way. */
  add(info: SegmentInfo, born: number, died: number | null): number {
    const row = this.rowOf(info.segment)
    if (row !== null) {
      if (!sameSegment(this.info(row), info))
        throw new AppError('chain-mismatch', 'a segment is named twice, differently')
      return row
    }
    const text = `INSERT INTO segment (segment, root, k, n, key_term, plain_length, padded_length, shard_length,
      live, born, died) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?)`
    const values = [info.dataShards, info.totalShards, info.keyTerm, info.plainLength, info.paddedLength]
    const put = this.database.sql(text)
    const made = put.run(idBytes(info.segment), info.root, ...values, info.shardLength, born, died)
    return Number(made.lastInsertRowid)
  }

  /** Bytes of extents more (or fewer) on a segment. */
  count(row: number, bytes: number): void {
    this.deltas.set(row, (this.deltas.get(row) ?? 0) + bytes)
  }

  flush(): void {
    if (this.deltas.size === 0) return
    const text = `UPDATE segment SET live = live + ?,
      died = CASE WHEN live + ? > 0 THEN NULL ELSE coalesce(died, ?) END WHERE id = ?`
    const put = this.database.sql(text)
    const epoch = this.counters.peek('epoch')
    for (const [row, bytes] of this.deltas) if (bytes !== 0) put.run(bytes, bytes, epoch, row)
    this.deltas.clear()
  }

  drop(): void {
    this.deltas.clear()
    this.byRow.clear()
    this.byId.clear()
  }

  forget(segment: SegmentId): void {
    const row = this.byId.get(segment)
    if (row === undefined) return
    this.byId.delete(segment)
    this.byRow.delete(row)
  }

  private keep(found: Row): SegmentInfo {
    const info: SegmentInfo = {
      segment: found.segment.toString('hex') as SegmentId,
      root: found.root,
      dataShards: found.k,
      totalShards: found.n,
      keyTerm: found.key_term,
      plainLength: found.plain_length,
      paddedLength: found.padded_length,
      shardLength: found.shard_length,
    }
    if (this.byRow.size >= KNOWN_MAX) {
      this.byRow.clear()
      this.byId.clear()
    }
    this.byRow.set(found.id, info)
    this.byId.set(info.segment, found.id)
    return info
  }
}

function sameSegment(a: SegmentInfo, b: SegmentInfo): boolean {
  return (
    a.root.equals(b.root) &&
    a.dataShards === b.dataShards &&
    a.totalShards === b.totalShards &&
    a.keyTerm === b.keyTerm &&
    a.plainLength === b.plainLength &&
    a.paddedLength === b.paddedLength &&
    a.shardLength === b.shardLength
  )
}
