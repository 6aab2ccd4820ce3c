/** The statements of repair-rows.ts. */
import type { Database, Statement } from '../../sqlite/driver.js'

export interface RawEntry {
  segment_row: number
  days: number
  healthy: number
  reachable: number
  spare: number
  state: number
  attempts: number
  next_at: number
  code: string | null
  begun: number
}

export interface RawMove {
  idx: number
  lease: number
  host_row: number
  generation: number
  from_row: number
  from_generation: number
}

interface RawLease {
  segment_row: number
  lease: number
  holder: Buffer
  until: number
}

export function prepareRepairs(db: Database) {
  return { ...prepareQueue(db), ...prepareLeases(db), ...prepareMoves(db) }
}

function prepareQueue(db: Database) {
  const one = <P extends unknown[], R = unknown>(text: string) => db.prepare(text) as unknown as Statement<P, R>
  return {
    // A dead one stays dead, and one that waits to be tried again waits on.
    enqueue: db.prepare(
      `INSERT INTO repair_queue (segment_row, days, healthy, reachable, spare, state, queued_at)
       SELECT id, @days, @healthy, @reachable, @spare, @state, @nowMs FROM segments WHERE id = @segmentRow
       ON CONFLICT (segment_row) DO UPDATE SET days = @days, healthy = @healthy, reachable = @reachable,
         spare = @spare, state = CASE state WHEN 2 THEN 2 ELSE @state END`,
    ),
    dequeue: one<[number]>('DELETE FROM repair_queue WHERE segment_row = ? AND state <> 2'),
    failed: one<[number, string, number | null, number]>(
      `UPDATE repair_queue SET attempts = attempts + 1, next_at = ?, code = ?, state = COALESCE(?, state)
       WHERE segment_row = ?`,
    ),
    begin: one<[number]>('UPDATE repair_queue SET begun = 1 WHERE segment_row = ?'),
    delay: one<[number, string | null, number]>('UPDATE repair_queue SET next_at = ?, code = ? WHERE segment_row = ?'),
    queued: one<[number], RawEntry>('SELECT * FROM repair_queue WHERE segment_row = ?'),
    due: one<[number, number, number], RawEntry>(
      `SELECT * FROM repair_queue INDEXED BY repair_order WHERE state = 0 AND next_at <= ?
         AND NOT EXISTS (SELECT 1 FROM repair_leases WHERE repair_leases.segment_row = repair_queue.segment_row AND until > ?)
       ORDER BY days, segment_row LIMIT ?`,
    ),
    counts: one<[], { state: number; spare: number; count: number }>(
      'SELECT state, spare, count(*) AS count FROM repair_queue GROUP BY state, spare',
    ),
    drivesIn: one<[number, number], { drive: Buffer; segments: number }>(
      `SELECT drive, count(*) AS segments FROM repair_queue JOIN segments ON segments.id = segment_row
         JOIN drives ON drives.id = drive_row
       WHERE repair_queue.state = ? GROUP BY drive_row ORDER BY segments DESC LIMIT ?`,
    ),
    dirty: one<[number], { segment_row: number }>('SELECT segment_row FROM repair_dirty LIMIT ?'),
    removeDirty: one<[number]>('DELETE FROM repair_dirty WHERE segment_row = ?'),
  }
}

function prepareLeases(db: Database) {
  const one = <P extends unknown[], R = unknown>(text: string) => db.prepare(text) as unknown as Statement<P, R>
  return {
    leaseOf: one<[number], RawLease>('SELECT * FROM repair_leases WHERE segment_row = ?'),
    leaseNumbered: one<[number], RawLease>('SELECT * FROM repair_leases WHERE lease = ?'),
    addLease: one<[number, number, Buffer, number]>('INSERT INTO repair_leases VALUES (?, ?, ?, ?)'),
    removeLease: one<[number]>('DELETE FROM repair_leases WHERE lease = ?'),
    countLease: one<[]>(
      "INSERT INTO facts VALUES ('repair-lease', 1) ON CONFLICT (name) DO UPDATE SET value = value + 1",
    ),
    leaseCount: one<[], { value: number }>("SELECT value FROM facts WHERE name = 'repair-lease'"),
    heldBy: one<[Buffer], { lease: number }>('SELECT lease FROM repair_leases WHERE holder = ? LIMIT 10000'),
    expired: one<[number, number], RawLease>('SELECT * FROM repair_leases WHERE until <= ? LIMIT ?'),
    leasedNow: one<[number], { count: number }>('SELECT count(*) AS count FROM repair_leases WHERE until > ?'),
  }
}

function prepareMoves(db: Database) {
  const one = <P extends unknown[], R = unknown>(text: string) => db.prepare(text) as unknown as Statement<P, R>
  return {
    raiseGeneration: one<[number, number]>('UPDATE segments SET generation = MAX(generation, ?) WHERE id = ?'),
    addMove: one<[number, number, number, number, number, number, number, Buffer, Buffer, Buffer, number]>(
      'INSERT INTO repair_moves VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
    ),
    moves: one<[number], RawMove>('SELECT * FROM repair_moves WHERE segment_row = ?'),
    move: one<[number, number], RawMove>('SELECT * FROM repair_moves WHERE segment_row = ? AND idx = ?'),
    removeMove: one<[number, number]>('DELETE FROM repair_moves WHERE segment_row = ? AND idx = ?'),
    removeMoves: one<[number]>('DELETE FROM repair_moves WHERE lease = ?'),
    orphans: one<[number]>(
      `INSERT INTO deletions (host_row, pseudonym, segment, idx, shard, generation, created_at)
       SELECT host_row, pseudonym, segment, idx, shard, generation, made_at FROM repair_moves WHERE lease = ?`,
    ),
    storedOf: one<[number, number], { stored: number }>('SELECT stored FROM shards WHERE segment_row = ? AND idx = ?'),
    switchHost: one<[number, number, number, Buffer, number, number, number, number]>(
      `UPDATE shards SET host_row = ?, generation = ?, offered = 1, stored = 1, lost = 0, stored_at = ?, receipt = ?
       WHERE segment_row = ? AND idx = ? AND host_row = ? AND generation = ?`,
    ),
    addStored: one<[number]>('UPDATE segments SET stored = stored + 1 WHERE id = ?'),
    addDeletion: one<[number, Buffer, Buffer, number, Buffer, number, number]>(
      `INSERT INTO deletions (host_row, pseudonym, segment, idx, shard, generation, created_at)
       VALUES (?, ?, ?, ?, ?, ?, ?)`,
    ),
  }
}
