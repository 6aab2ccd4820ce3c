/** The statements of segment-rows.ts. */
import type { Database, Statement } from '../../sqlite/driver.js'

export interface RawSegment {
  id: number
  drive_row: number
  drive: Buffer
  segment: Buffer
  root: Buffer
  k: number
  n: number
  padded_length: number
  shard_length: number
  generation: number
  threshold: number
  stored: number
  state: number
  placed_at: number
}

export interface RawShard {
  idx: number
  shard: Buffer
  host_row: number
  host: Buffer
  generation: number
  offered: number
  stored: number
  lost: number
}

interface Id {
  id: number
}

const SEGMENT = 'SELECT segments.*, drives.drive FROM segments JOIN drives ON drives.id = drive_row'

export function prepareSegments(db: Database) {
  return { ...prepareReads(db), ...prepareWrites(db) }
}

function prepareReads(db: Database) {
  return {
    named: db.prepare(`${SEGMENT} WHERE drive_row = ? AND segment = ?`) as Statement<[number, Buffer], RawSegment>,
    byRow: db.prepare(`${SEGMENT} WHERE segments.id = ?`) as Statement<[number], RawSegment>,
    shards: db.prepare(
      `SELECT idx, shard, host_row, hosts.host AS host, generation, offered, stored, lost
       FROM shards JOIN hosts ON hosts.id = host_row WHERE segment_row = ? ORDER BY idx`,
    ) as Statement<[number], RawShard>,
    counts: db.prepare('SELECT stored, threshold FROM segments WHERE id = ?') as Statement<
      [number],
      { stored: number; threshold: number }
    >,
    stateOf: db.prepare('SELECT state FROM segments WHERE id = ?') as Statement<[number], { state: number }>,
    scheme: db.prepare('SELECT k, n, state FROM segments WHERE id = ?') as Statement<
      [number],
      { k: number; n: number; state: number }
    >,
    stored: db.prepare('SELECT host_row, stored FROM shards WHERE segment_row = ?') as Statement<
      [number],
      { host_row: number; stored: number }
    >,
    placedBefore: db.prepare(
      'SELECT id FROM segments WHERE state = 0 AND placed_at <= ? ORDER BY placed_at LIMIT ?',
    ) as Statement<[number, number], Id>,
    retiredBefore: db.prepare(
      'SELECT id FROM segments WHERE state = 2 AND retired_at <= ? ORDER BY retired_at LIMIT ?',
    ) as Statement<[number, number], Id>,
    short: db.prepare(
      'SELECT segment, stored, n FROM segments WHERE drive_row = ? AND state = 1 AND stored < n ORDER BY id LIMIT ?',
    ) as Statement<[number, number], { segment: Buffer; stored: number; n: number }>,
    missingOn: db.prepare(
      `SELECT segments.id FROM shards JOIN segments ON segments.id = segment_row
       WHERE shards.host_row = ? AND shards.stored = 0 AND lost = 0 AND segment_row > ?
         AND ((state = 1 AND (offered = 0 OR placed_at <= ?)) OR (state = 0 AND placed_at <= ?)) AND segments.stored >= k
       ORDER BY segment_row LIMIT ?`,
    ) as Statement<[number, number, number, number, number], Id>,
  }
}

function prepareWrites(db: Database) {
  return {
    addSegment: db.prepare(
      `INSERT INTO segments (drive_row, segment, root, k, n, padded_length, shard_length, generation, threshold,
         stored, state, placed_at)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, ?)`,
    ),
    addShard: db.prepare(
      `INSERT INTO shards (segment_row, idx, shard, host_row, generation, offered, stored) VALUES (?, ?, ?, ?, ?, ?, 0)`,
    ),
    confirmNamed: db.prepare('UPDATE segments SET state = 1 WHERE drive_row = ? AND segment = ? AND state = 0'),
    confirm: db.prepare('UPDATE segments SET state = 1 WHERE id = ? AND state = 0'),
    changeSegment: db.prepare(
      'UPDATE segments SET generation = MAX(generation, ?), threshold = COALESCE(?, threshold) WHERE id = ?',
    ),
    offer: db.prepare('UPDATE shards SET offered = 1 WHERE segment_row = ? AND idx = ?'),
    move: db.prepare(
      `UPDATE shards SET host_row = ?, generation = ?, offered = ?, lost = 0
       WHERE segment_row = ? AND idx = ? AND stored = 0`,
    ),
    storeShard: db.prepare(
      `UPDATE shards SET stored = 1, stored_at = ?, receipt = ?
       WHERE segment_row = ? AND idx = ? AND host_row = ? AND generation = ? AND stored = 0 AND lost = 0`,
    ),
    loseShard: db.prepare(
      `UPDATE shards SET stored = 0, stored_at = NULL, receipt = NULL, lost = 1
       WHERE segment_row = ? AND idx = ? AND host_row = ? AND generation = ? AND stored = 1`,
    ),
    addStored: db.prepare('UPDATE segments SET stored = stored + ? WHERE id = ?'),
    addDeletion: db.prepare(
      `INSERT INTO deletions (host_row, pseudonym, segment, idx, shard, generation, created_at)
       VALUES (?, ?, ?, ?, ?, ?, ?)`,
    ),
    removeShards: db.prepare('DELETE FROM shards WHERE segment_row = ?'),
    removeSegment: db.prepare('DELETE FROM segments WHERE id = ?'),
  }
}
