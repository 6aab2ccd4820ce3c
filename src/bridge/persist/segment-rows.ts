/** Segments and where their shards lie. A shard is `stored` when a receipt of its present host and generation came. */
import { failpoint } from '../../base/failpoint.js'
import {
  type DriveId,
  driveId,
  type HostId,
  hostId,
  idBytes,
  type Pseudonym,
  type SegmentId,
  type ShardId,
  segmentId,
  shardId,
} from '../../model/ids.js'
import type { Database, Statement } from '../../sqlite/driver.js'
import { guarded } from '../../sqlite/failures.js'
import { transaction } from '../../sqlite/open.js'
import { prepareSegments, type RawSegment, type RawShard } from './segment-sql.js'

export const SEGMENT_STATE = { placed: 0, confirmed: 1, retired: 2 } as const

export interface SegmentRow {
  row: number
  driveRow: number
  drive: DriveId
  segment: SegmentId
  /** Opaque: only the device can recompute it. */
  root: Buffer
  dataShards: number
  totalShards: number
  paddedLength: number
  shardLength: number
  generation: number
  threshold: number
  stored: number
  state: number
  placedAt: number
  shards: ShardRow[]
}

export interface ShardRow {
  index: number
  shard: ShardId
  hostRow: number
  host: HostId
  generation: number
  offered: boolean
  stored: boolean
  /** Was stored and its host has it no more: only another host can take it. */
  lost: boolean
}

export type SegmentHealth = Pick<SegmentRow, 'dataShards' | 'totalShards' | 'state'> & {
  shards: Pick<ShardRow, 'hostRow' | 'stored'>[]
}

/** Nobody told the id of this shard yet. Never in the books. */
export const UNNAMED_SHARD = shardId(Buffer.alloc(32))

export function isUnnamed(shard: ShardId): boolean {
  return shard === UNNAMED_SHARD
}

export type NewSegment = Omit<SegmentRow, 'row' | 'driveRow' | 'drive' | 'stored' | 'state' | 'placedAt' | 'shards'> & {
  shards: { index: number; shard: ShardId; hostRow: number; offered: boolean }[]
}

/** What a new placement of an existing segment changes. */
export interface PlacementChange {
  segmentRow: number
  generation: number
  /** null: as it is. */
  threshold: number | null
  offered: number[]
  moves: ShardMove[]
}

export interface ShardMove {
  index: number
  hostRow: number
  offered: boolean
  /** Tells the host before that its copy, if it has one, is to go. */
  forget: ShardForget | null
}

export interface ShardForget {
  hostRow: number
  pseudonym: Pseudonym
  segment: SegmentId
  index: number
  shard: ShardId
  generation: number
}

export interface StoredShard {
  index: number
  generation: number
  hostRow: number
  storedAt: number
  receipt: Buffer
}

export class SegmentRows {
  private readonly db: Database
  private readonly statements: ReturnType<typeof prepareSegments>

  constructor(db: Database) {
    this.db = db
    this.statements = prepareSegments(db)
  }

  async load(driveRow: number, segment: SegmentId): Promise<SegmentRow | null> {
    return guarded(() => {
      const raw = this.statements.named.get(driveRow, idBytes(segment))
      return raw === undefined ? null : this.whole(raw)
    })
  }

  async loadRow(row: number): Promise<SegmentRow | null> {
    return guarded(() => {
      const raw = this.statements.byRow.get(row)
      return raw === undefined ? null : this.whole(raw)
    })
  }

  /** What is needed to count a segment's healthy shards. */
  async loadHealth(row: number): Promise<SegmentHealth | null> {
    return guarded(() => {
      const raw = this.statements.scheme.get(row)
      if (raw === undefined) return null
      const shards = this.statements.stored.all(row).map((one) => ({ hostRow: one.host_row, stored: one.stored === 1 }))
      return { dataShards: raw.k, totalShards: raw.n, state: raw.state, shards }
    })
  }

  private whole(raw: RawSegment): SegmentRow {
    return {
      row: raw.id,
      driveRow: raw.drive_row,
      drive: driveId(raw.drive),
      segment: segmentId(raw.segment),
      root: raw.root,
      dataShards: raw.k,
      totalShards: raw.n,
      paddedLength: raw.padded_length,
      shardLength: raw.shard_length,
      generation: raw.generation,
      threshold: raw.threshold,
      stored: raw.stored,
      state: raw.state,
      placedAt: raw.placed_at,
      shards: this.statements.shards.all(raw.id).map(shardRow),
    }
  }

  /** Segments that the chain confirms and the books had lost; their shards are found later (found-rows.ts). */
  async saveConfirmed(driveRow: number, made: NewSegment[], placedAtMs: number): Promise<void> {
    transaction(this.db, () => {
      for (const one of made) {
        this.insert(driveRow, one, placedAtMs)
        this.statements.confirmNamed.run(driveRow, idBytes(one.segment))
      }
    })
  }

  /** What a device says that its chain confirmed. */
  async confirm(segmentRow: number): Promise<void> {
    guarded(() => this.statements.confirm.run(segmentRow))
  }

  /** New placements and changes of old ones: all or nothing. */
  async savePlacements(driveRow: number, made: NewSegment[], changed: PlacementChange[], nowMs: number): Promise<void> {
    transaction(this.db, () => {
      for (const one of made) this.insert(driveRow, one, nowMs)
      for (const one of changed) this.change(one, nowMs)
    })
  }

  private insert(driveRow: number, one: NewSegment, nowMs: number): void {
    const { lastInsertRowid } = this.statements.addSegment.run(
      driveRow,
      idBytes(one.segment),
      one.root,
      one.dataShards,
      one.totalShards,
      one.paddedLength,
      one.shardLength,
      one.generation,
      one.threshold,
      nowMs,
    )
    for (const { index, shard, hostRow, offered } of one.shards) {
      this.statements.addShard.run(lastInsertRowid, index, idBytes(shard), hostRow, one.generation, offered ? 1 : 0)
    }
  }

  private change(one: PlacementChange, nowMs: number): void {
    this.statements.changeSegment.run(one.generation, one.threshold, one.segmentRow)
    for (const index of one.offered) this.statements.offer.run(one.segmentRow, index)
    for (const { index, hostRow, offered, forget } of one.moves) {
      const { changes } = this.statements.move.run(hostRow, one.generation, offered ? 1 : 0, one.segmentRow, index)
      if (changes === 1 && forget !== null) this.forget(forget, nowMs)
    }
  }

  private forget(one: ShardForget, nowMs: number): void {
    insertDeletion(this.statements.addDeletion, one, nowMs)
  }

  /** Receipts that still fit the placement count, each once. The number of stored shards, and the state. */
  async saveReceipts(segmentRow: number, stored: StoredShard[]): Promise<{ stored: number; threshold: number }> {
    const counts = transaction(this.db, () => {
      let added = 0
      for (const { index, generation, hostRow, storedAt, receipt } of stored) {
        added += this.statements.storeShard.run(storedAt, receipt, segmentRow, index, hostRow, generation).changes
      }
      if (added > 0) this.statements.addStored.run(added, segmentRow)
      failpoint('bridge-commit-inside')
      return this.statements.counts.get(segmentRow) ?? { stored: 0, threshold: 255 }
    })
    failpoint('bridge-commit-committed')
    return counts
  }

  /** A stored shard that its host has no more; false when it was moved meanwhile, or is known as lost. */
  async saveLost(segmentRow: number, shard: Pick<ShardRow, 'index' | 'hostRow' | 'generation'>): Promise<boolean> {
    return transaction(this.db, () => {
      const { changes } = this.statements.loseShard.run(segmentRow, shard.index, shard.hostRow, shard.generation)
      if (changes === 1) this.statements.addStored.run(-1, segmentRow)
      return changes === 1
    })
  }

  /** Rows whose time has come, oldest first: placed but never confirmed, or retired, before `beforeMs`. */
  async expired(state: number, beforeMs: number, limit: number): Promise<number[]> {
    const statement = state === SEGMENT_STATE.retired ? this.statements.retiredBefore : this.statements.placedBefore
    return guarded(() => statement.all(beforeMs, limit).map((raw) => raw.id))
  }

  /** Forgets a segment and notes what its hosts must delete; false when a confirm was faster. */
  async drop(segmentRow: number, state: number, deletions: ShardForget[], nowMs: number): Promise<boolean> {
    const gone = transaction(this.db, () => {
      if (this.statements.stateOf.get(segmentRow)?.state !== state) return false
      for (const one of deletions) this.forget(one, nowMs)
      failpoint('bridge-sweep-inside')
      this.statements.removeShards.run(segmentRow)
      this.statements.removeSegment.run(segmentRow)
      return true
    })
    failpoint('bridge-sweep-committed')
    return gone
  }

  /** Confirmed segments of a drive that are short of n. */
  async shortOf(driveRow: number, limit: number): Promise<{ segment: SegmentId; stored: number; n: number }[]> {
    return guarded(() =>
      this.statements.short.all(driveRow, limit).map(({ segment, stored, n }) => ({
        segment: segmentId(segment),
        stored,
        n,
      })),
    )
  }

  /**
   * Segments with a shard that this host should have and has not, after `afterRow`, in order of age, with k shards to
   * rebuild from, and never had: only those that the uploader has had its time for, or that it was never asked to push there.
   */
  async missingOn(
    hostRow: number,
    afterRow: number,
    placedBefore: { confirmedMs: number; unconfirmedMs: number },
    limit: number,
  ): Promise<number[]> {
    const { confirmedMs, unconfirmedMs } = placedBefore
    return guarded(() =>
      this.statements.missingOn.all(hostRow, afterRow, confirmedMs, unconfirmedMs, limit).map((raw) => raw.id),
    )
  }
}

export function insertDeletion(statement: Statement, one: ShardForget, nowMs: number): void {
  const { hostRow, pseudonym, segment, index, shard, generation } = one
  statement.run(hostRow, idBytes(pseudonym), idBytes(segment), index, idBytes(shard), generation, nowMs)
}

function shardRow(raw: RawShard): ShardRow {
  return {
    index: raw.idx,
    shard: shardId(raw.shard),
    hostRow: raw.host_row,
    host: hostId(raw.host),
    generation: raw.generation,
    offered: raw.offered === 1,
    stored: raw.stored === 1,
    lost: raw.lost === 1,
  }
}
