/** How hosts stood when their segments were last counted, walks over segments in pages, and what lies on a host by the books. */
import type { Database, Statement } from '../../sqlite/driver.js'
import { guarded } from '../../sqlite/failures.js'
import { PRESENCES, type Presence } from '../hosts/presence.js'

/** How far a walk over the shards of a host is. */
export interface WalkPlace {
  shard: Buffer
  segmentRow: number
}

export interface HostWalk {
  presence: Presence
  since: number
  /** A walk is under way behind this place; null: all is counted. */
  walk: WalkPlace | null
  collectedAt: number | null
}

export interface Held {
  shards: number
  /** Of payloads. */
  bytes: number
}

interface RawWalk {
  presence: number
  since: number
  walking: number
  walk_shard: Buffer
  walk_segment: number
  reconciled_at: number | null
}

const NOWHERE = Buffer.alloc(0)

export class PresenceRows {
  private readonly statements: ReturnType<typeof prepare>

  constructor(db: Database) {
    this.statements = prepare(db)
  }

  async load(hostRow: number): Promise<HostWalk | null> {
    const raw = guarded(() => this.statements.load.get(hostRow))
    if (raw === undefined) return null
    const walk = raw.walking === 1 ? { shard: raw.walk_shard, segmentRow: raw.walk_segment } : null
    return { presence: PRESENCES[raw.presence] ?? 'good', since: raw.since, walk, collectedAt: raw.reconciled_at }
  }

  /** Its segments are to be counted again, from the first on. */
  async savePresence(hostRow: number, presence: Presence, nowMs: number): Promise<void> {
    guarded(() => this.statements.save.run(hostRow, PRESENCES.indexOf(presence), nowMs))
  }

  /** null: the walk is through. */
  async saveWalk(hostRow: number, place: WalkPlace | null): Promise<void> {
    const { shard, segmentRow } = place ?? { shard: NOWHERE, segmentRow: 0 }
    guarded(() => this.statements.walk.run(place === null ? 0 : 1, shard, segmentRow, hostRow))
  }

  async saveCollected(hostRow: number, nowMs: number): Promise<void> {
    guarded(() => this.statements.reconciled.run(nowMs, hostRow))
  }

  /** Segments with a shard that is stored there, in the order of shard ids. */
  async segmentsOn(hostRow: number, after: WalkPlace, limit: number): Promise<WalkPlace[]> {
    return guarded(() =>
      this.statements.segmentsOn
        .all(hostRow, after.shard, after.segmentRow, limit)
        .map((raw) => ({ shard: raw.shard, segmentRow: raw.segment_row })),
    )
  }

  async segmentsAfter(row: number, limit: number): Promise<number[]> {
    return guarded(() => this.statements.segments.all(row, limit).map((raw) => raw.id))
  }

  /** The place of the full walk; 0 at its beginning. */
  async loadFullWalk(): Promise<number> {
    return guarded(() => this.statements.fullWalk.get()?.value ?? 0)
  }

  async saveFullWalk(row: number): Promise<void> {
    guarded(() => this.statements.saveFullWalk.run(row))
  }

  async heldBy(hostRow: number): Promise<Held> {
    return guarded(() => this.statements.held.get(hostRow) ?? { shards: 0, bytes: 0 })
  }

  /** Whether anything is stored there by the books: cheap, unlike heldBy. */
  async holdsAny(hostRow: number): Promise<boolean> {
    return guarded(() => this.statements.any.get(hostRow) !== undefined)
  }

  /**
   * Hosts that were lost since `sinceMs`, removed or away before `goneBeforeMs`, and days that hosts were watched
   * meanwhile. Hosts that left in order are no losses.
   */
  async losses(times: {
    sinceMs: number
    goneBeforeMs: number
    nowMs: number
  }): Promise<{ lost: number; days: number }> {
    return guarded(() => this.statements.losses.get(times) ?? { lost: 0, days: 0 })
  }
}

function prepare(db: Database) {
  const one = <P extends unknown[], R = unknown>(text: string) => db.prepare(text) as unknown as Statement<P, R>
  return {
    load: one<[number], RawWalk>('SELECT * FROM repair_hosts WHERE host_row = ?'),
    save: one<[number, number, number]>(
      `INSERT INTO repair_hosts VALUES (?, ?, ?, 1, x'', 0, NULL) ON CONFLICT (host_row)
       DO UPDATE SET presence = excluded.presence, since = excluded.since, walking = 1, walk_shard = x'', walk_segment = 0`,
    ),
    walk: one<[number, Buffer, number, number]>(
      'UPDATE repair_hosts SET walking = ?, walk_shard = ?, walk_segment = ? WHERE host_row = ?',
    ),
    reconciled: one<[number, number]>('UPDATE repair_hosts SET reconciled_at = ? WHERE host_row = ?'),
    segmentsOn: one<[number, Buffer, number, number], { shard: Buffer; segment_row: number }>(
      `SELECT shard, segment_row FROM shards INDEXED BY shards_host
       WHERE host_row = ? AND (shard, segment_row) > (?, ?) AND stored = 1 ORDER BY shard, segment_row LIMIT ?`,
    ),
    segments: one<[number, number], { id: number }>('SELECT id FROM segments WHERE id > ? ORDER BY id LIMIT ?'),
    fullWalk: one<[], { value: number }>("SELECT value FROM facts WHERE name = 'repair-walk'"),
    saveFullWalk: one<[number]>(
      "INSERT INTO facts VALUES ('repair-walk', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
    ),
    held: one<[number], Held>(
      `SELECT count(*) AS shards, ifnull(sum(shard_length), 0) AS bytes
       FROM shards JOIN segments ON segments.id = segment_row WHERE host_row = ? AND shards.stored = 1`,
    ),
    any: one<[number]>('SELECT 1 FROM shards WHERE host_row = ? AND stored = 1 LIMIT 1'),
    losses: db.prepare(
      `SELECT ifnull(sum(lost), 0) AS lost, ifnull(sum(until - begun), 0) / 86400000.0 AS days FROM (
         SELECT (presence = 3 OR (presence = 2 AND since <= @goneBeforeMs)) AND since >= @sinceMs AND left_at IS NULL AS lost,
           MAX(created_at, @sinceMs) AS begun,
           CASE WHEN presence IN (2, 3) THEN MAX(MIN(since, @nowMs), MAX(created_at, @sinceMs)) ELSE MAX(@nowMs, created_at) END AS until
         FROM hosts JOIN repair_hosts ON host_row = hosts.id)`,
    ) as unknown as Statement<
      [{ sinceMs: number; goneBeforeMs: number; nowMs: number }],
      { lost: number; days: number }
    >,
  }
}
