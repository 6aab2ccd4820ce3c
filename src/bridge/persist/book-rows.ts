/** What should lie on a host, shard by shard in the order of ids: the side of the books when a host's inventory is compared. */
import { failpoint } from '../../base/failpoint.js'
import { type DriveId, driveId, idBytes, type SegmentId, type ShardId, segmentId, shardId } from '../../model/ids.js'
import type { PrefixRange } from '../../permits/inventory-item.js'
import type { Database, Statement } from '../../sqlite/driver.js'
import { guarded } from '../../sqlite/failures.js'
import { transaction } from '../../sqlite/open.js'
import { insertDeletion, type ShardForget } from './segment-rows.js'

/** A placement on this host: of a shard that is stored, offered or lost there, or of a move that is under way. */
export interface BookEntry {
  segmentRow: number
  drive: DriveId
  segment: SegmentId
  index: number
  shard: ShardId
  generation: number
  length: number
  stored: boolean
  lost: boolean
  /** Written down as a move: the shard counts elsewhere still. */
  moving: boolean
  storedAt: number
}

interface RawBook {
  segment_row: number
  drive: Buffer
  segment: Buffer
  idx: number
  shard: Buffer
  generation: number
  length: number
  stored: number
  lost: number
  moving: number
  stored_at: number | null
}

/** Behind every shard id. */
const END = Buffer.alloc(33, 0xff)
const HEAD = 'SELECT segment_row, drives.drive, segments.segment, idx, shard'
const TAIL = 'JOIN segments ON segments.id = segment_row JOIN drives ON drives.id = drive_row'

export class BookRows {
  private readonly db: Database
  private readonly statements: ReturnType<typeof prepare>

  constructor(db: Database) {
    this.db = db
    this.statements = prepare(db)
  }

  /** Placements on the host from `after` (or the beginning of the range) on. */
  async list(
    hostRow: number,
    range: PrefixRange,
    after: { shard: ShardId; segmentRow: number } | null,
    limit: number,
  ): Promise<BookEntry[]> {
    const from = after === null ? prefixBytes(range.from) : idBytes(after.shard)
    const cursor: [number, Buffer, number, Buffer, number] = [
      hostRow,
      from,
      after?.segmentRow ?? -1,
      prefixBytes(range.to),
      limit,
    ]
    return guarded(() => this.statements.placed.all(...cursor).map(bookOf))
  }

  /** Of one shard id as the books stand now, moves included. */
  async of(hostRow: number, shard: ShardId): Promise<BookEntry[]> {
    return guarded(() => [
      ...this.statements.placedAs.all(hostRow, idBytes(shard)).map(bookOf),
      ...this.statements.movingAs.all(hostRow, idBytes(shard)).map(bookOf),
    ])
  }

  /** What hosts hold that no book names; each is noted once. The number of new ones. */
  async saveUnknown(unknown: readonly ShardForget[], nowMs: number): Promise<number> {
    const noted = transaction(this.db, () => {
      let added = 0
      for (const one of unknown) {
        const { hostRow, pseudonym, segment, index, generation } = one
        if (this.statements.noted.get(hostRow, idBytes(pseudonym), idBytes(segment), index, generation)) continue
        insertDeletion(this.statements.addDeletion, one, nowMs)
        added++
      }
      if (added > 0) failpoint('bridge-collect-inside')
      return added
    })
    if (noted > 0) failpoint('bridge-collect-committed')
    return noted
  }

  /** A lost shard that its host has after all, by a new receipt for the same placement. */
  async saveFound(
    segmentRow: number,
    shard: { index: number; hostRow: number; generation: number },
    receipt: Buffer,
    nowMs: number,
  ): Promise<boolean> {
    return transaction(this.db, () => {
      const { index, hostRow, generation } = shard
      const { changes } = this.statements.found.run(nowMs, receipt, segmentRow, index, hostRow, generation)
      if (changes === 1) this.statements.addStored.run(segmentRow)
      return changes === 1
    })
  }
}

function bookOf(raw: RawBook): BookEntry {
  return {
    segmentRow: raw.segment_row,
    drive: driveId(raw.drive),
    segment: segmentId(raw.segment),
    index: raw.idx,
    shard: shardId(raw.shard),
    generation: raw.generation,
    length: raw.length,
    stored: raw.stored === 1,
    lost: raw.lost === 1,
    moving: raw.moving === 1,
    storedAt: raw.stored_at ?? 0,
  }
}

/** Four bytes stand before every id that begins with them. */
function prefixBytes(prefix: number): Buffer {
  if (prefix === 2 ** 32) return END
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(prefix)
  return bytes
}

function prepare(db: Database) {
  const one = <P extends unknown[], R = unknown>(text: string) => db.prepare(text) as unknown as Statement<P, R>
  const placed = `${HEAD}, shards.generation, shard_length AS length, shards.stored, lost, 0 AS moving, stored_at
    FROM shards INDEXED BY shards_host ${TAIL}`
  return {
    placed: one<[number, Buffer, number, Buffer, number], RawBook>(
      `${placed} WHERE host_row = ? AND (shard, segment_row) > (?, ?) AND shard < ? ORDER BY shard, segment_row LIMIT ?`,
    ),
    placedAs: one<[number, Buffer], RawBook>(`${placed} WHERE host_row = ? AND shard = ? LIMIT 10000`),
    movingAs: one<[number, Buffer], RawBook>(
      `SELECT segment_row, drives.drive, segments.segment, idx, shard, repair_moves.generation, shard_length AS length,
         0 AS stored, 0 AS lost, 1 AS moving, NULL AS stored_at
       FROM repair_moves ${TAIL} WHERE host_row = ? AND shard = ? LIMIT 10000`,
    ),
    noted: one<[number, Buffer, Buffer, number, number]>(
      'SELECT 1 FROM deletions WHERE host_row = ? AND pseudonym = ? AND segment = ? AND idx = ? AND generation = ? LIMIT 1',
    ),
    addDeletion: one<[number, Buffer, Buffer, number, Buffer, number, number]>(
      `INSERT INTO deletions (host_row, pseudonym, segment, idx, shard, generation, created_at)
       VALUES (?, ?, ?, ?, ?, ?, ?)`,
    ),
    found: one<[number, Buffer, number, number, number, number]>(
      `UPDATE shards SET stored = 1, lost = 0, stored_at = ?, receipt = ?
       WHERE segment_row = ? AND idx = ? AND host_row = ? AND generation = ? AND stored = 0`,
    ),
    addStored: one<[number]>('UPDATE segments SET stored = stored + 1 WHERE id = ?'),
  }
}
