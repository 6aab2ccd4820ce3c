/** What hosts say that lies on them, and what of it the books take over. Kept while the bridge is reconciled. */
import { failpoint } from '../../base/failpoint.js'
import {
  type HostId,
  hostId,
  idBytes,
  type Pseudonym,
  pseudonymId,
  type SegmentId,
  type ShardId,
  shardId,
} from '../../model/ids.js'
import type { Database, Statement } from '../../sqlite/driver.js'
import { guarded } from '../../sqlite/failures.js'
import { transaction } from '../../sqlite/open.js'
import type { InventoryEntry } from '../../wire/inventory-methods.js'

export const FOUND_STATES = ['live', 'trash', 'damaged'] as const

/** A sound shard that a host serves. */
export interface FoundShard {
  hostRow: number
  host: HostId
  pseudonym: Pseudonym
  index: number
  shard: ShardId
  generation: number
  length: number
  storedAtMs: number
}

/** How the books change by what was found of one segment. */
export interface Correction {
  /** These shards lie there. */
  adopt: { index: number; hostRow: number; shard: ShardId; generation: number; storedAtMs: number }[]
  /** These do not: unless they were stored after the host was asked. */
  lose: { index: number; hostRow: number; generation: number; listedAtMs: number }[]
}

export interface FoundGroup {
  hostRow: number
  pseudonym: Pseudonym
  shards: number
  bytes: number
}

export class FoundRows {
  private readonly db: Database
  private readonly statements: ReturnType<typeof prepare>

  constructor(db: Database) {
    this.db = db
    this.statements = prepare(db)
  }

  /** What was known of the host is over. */
  async beginListing(hostRow: number, nowMs: number): Promise<void> {
    transaction(this.db, () => {
      this.statements.clearHost.run(hostRow)
      this.statements.listing.run(nowMs, hostRow)
    })
  }

  async save(hostRow: number, entries: readonly InventoryEntry[]): Promise<void> {
    transaction(this.db, () => {
      for (const one of entries) {
        const { generation, length, storedAtMs } = one
        const place = [idBytes(one.pseudonym), idBytes(one.segment), one.index, idBytes(one.shard)] as const
        this.statements.add.run(hostRow, ...place, generation, length, storedAtMs, FOUND_STATES.indexOf(one.state))
      }
      failpoint('bridge-reconcile-inside')
    })
    failpoint('bridge-reconcile-committed')
  }

  async endListing(hostRow: number, incarnation: number): Promise<void> {
    failpoint('bridge-reconcile-listing')
    guarded(() => this.statements.listed.run(incarnation, hostRow))
  }

  /** By row: when the hosts that are listed in this incarnation were asked. */
  async listedHosts(incarnation: number): Promise<Map<number, number>> {
    return guarded(() => new Map(this.statements.listedHosts.all(incarnation).map((one) => [one.id, one.listed_at])))
  }

  async ofSegment(segment: SegmentId): Promise<FoundShard[]> {
    return guarded(() =>
      this.statements.ofSegment.all(idBytes(segment)).map((raw) => ({
        hostRow: raw.host_row,
        host: hostId(raw.host),
        pseudonym: pseudonymId(raw.pseudonym),
        index: raw.idx,
        shard: shardId(raw.shard),
        generation: raw.generation,
        length: raw.length,
        storedAtMs: raw.stored_at,
      })),
    )
  }

  /** The books as they are after it: how many shards were taken over and given up. Deletions of what is placed now go. */
  async correct(
    segmentRow: number,
    segment: SegmentId,
    change: Correction,
  ): Promise<{ adopted: number; lost: number }> {
    if (change.adopt.length + change.lose.length === 0) return { adopted: 0, lost: 0 }
    const corrected = transaction(this.db, () => {
      let lost = 0
      for (const { index, hostRow, generation, listedAtMs } of change.lose) {
        lost += this.statements.lose.run(segmentRow, index, hostRow, generation, listedAtMs).changes
      }
      for (const { index, hostRow, shard, generation, storedAtMs } of change.adopt) {
        this.statements.adopt.run(hostRow, idBytes(shard), generation, storedAtMs, segmentRow, index)
        this.statements.undelete.run(hostRow, idBytes(segment), index, generation)
      }
      this.statements.recount.run(segmentRow, segmentRow, segmentRow)
      failpoint('bridge-correct-inside')
      return { adopted: change.adopt.length, lost }
    })
    failpoint('bridge-correct-committed')
    return corrected
  }

  /** By host and pseudonym, everything that was found. */
  async groups(): Promise<FoundGroup[]> {
    return guarded(() => this.statements.groups.all().map((raw) => ({ ...raw, pseudonym: pseudonymId(raw.pseudonym) })))
  }

  /** Of a drive that is known: it is in the books, or nobody needs it. */
  async forget(hostRow: number, pseudonym: Pseudonym): Promise<void> {
    guarded(() => this.statements.forget.run(hostRow, idBytes(pseudonym)))
  }

  async saveTold(driveRow: number, incarnation: number): Promise<void> {
    guarded(() => this.statements.tell.run(incarnation, driveRow))
  }

  async countDrives(incarnation: number): Promise<{ known: number; told: number }> {
    return guarded(() => this.statements.drives.get(incarnation) ?? { known: 0, told: 0 })
  }

  /** Rows of segments behind `after`, in order. */
  async segmentsAfter(after: number, limit: number): Promise<number[]> {
    return guarded(() => this.statements.segments.all(after, limit).map((one) => one.id))
  }
}

interface RawFound {
  host_row: number
  host: Buffer
  pseudonym: Buffer
  idx: number
  shard: Buffer
  generation: number
  length: number
  stored_at: number
}

function prepare(db: Database) {
  return {
    clearHost: db.prepare('DELETE FROM found WHERE host_row = ?'),
    listing: db.prepare('UPDATE hosts SET listed = 0, listed_at = ? WHERE id = ?'),
    listed: db.prepare('UPDATE hosts SET listed = ? WHERE id = ?'),
    listedHosts: db.prepare('SELECT id, listed_at FROM hosts WHERE listed = ?') as Statement<
      [number],
      { id: number; listed_at: number }
    >,
    add: db.prepare('INSERT OR REPLACE INTO found VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)'),
    ofSegment: db.prepare(
      `SELECT found.*, hosts.host AS host FROM found JOIN hosts ON hosts.id = host_row
       WHERE segment = ? AND found.state = 0`,
    ) as Statement<[Buffer], RawFound>,
    lose: db.prepare(
      `UPDATE shards SET stored = 0, stored_at = NULL, receipt = NULL, lost = 1
       WHERE segment_row = ? AND idx = ? AND host_row = ? AND generation = ? AND stored = 1 AND stored_at < ?`,
    ),
    adopt: db.prepare(
      `UPDATE shards SET host_row = ?, shard = ?, generation = ?, stored = 1, stored_at = ?, receipt = NULL, offered = 1,
         lost = 0 WHERE segment_row = ? AND idx = ?`,
    ),
    undelete: db.prepare('DELETE FROM deletions WHERE host_row = ? AND segment = ? AND idx = ? AND generation >= ?'),
    recount: db.prepare(
      `UPDATE segments SET stored = (SELECT count(*) FROM shards WHERE segment_row = ? AND stored = 1),
         generation = MAX(generation, (SELECT max(generation) FROM shards WHERE segment_row = ?)) WHERE id = ?`,
    ),
    groups: db.prepare(
      `SELECT host_row AS hostRow, pseudonym, count(*) AS shards, sum(length) AS bytes FROM found
       GROUP BY host_row, pseudonym`,
    ) as Statement<[], { hostRow: number; pseudonym: Buffer; shards: number; bytes: number }>,
    forget: db.prepare('DELETE FROM found WHERE host_row = ? AND pseudonym = ?'),
    tell: db.prepare('UPDATE drives SET told = ? WHERE id = ?'),
    drives: db.prepare('SELECT count(*) AS known, coalesce(sum(told = ?), 0) AS told FROM drives') as Statement<
      [number],
      { known: number; told: number }
    >,
    segments: db.prepare('SELECT id FROM segments WHERE id > ? ORDER BY id LIMIT ?') as Statement<
      [number, number],
      { id: number }
    >,
  }
}
