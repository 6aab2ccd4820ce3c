/** The statements of audit-rows.ts. */
import type { Database, Statement } from '../../sqlite/driver.js'

export interface RawProof {
  segmentRow: number
  index: number
  shardLength: number
  provedAt: number | null
}

interface RawNames {
  generation: number
  driveRow: number
  shard: Buffer
}

export interface RawRequest {
  segmentRow: number
  index: number
  /** null: it is not stored there any more. */
  shardLength: number | null
  cause: number
  leaf: number | null
  tries: number
  accuser: Buffer | null
}

/** A host that failed while penalties were frozen: since which window, and in how many of them. */
export interface FrozenHost {
  hostRow: number
  first: number
  windows: number
}

interface RawHeld {
  id: number
  round: number
  hostRow: number
  segmentRow: number
  index: number
  generation: number
  admitted: number
  tries: number
  success: number
  why: string
  transcript: number | null
  at: number
}

const PROOFS =
  'SELECT segment_row AS segmentRow, idx AS "index", bytes AS shardLength, proved_at AS provedAt FROM proofs'

export function prepareAudits(db: Database) {
  return { ...prepareDraws(db), ...prepareBursts(db), ...prepareRounds(db) }
}

function prepareDraws(db: Database) {
  return {
    run: db.prepare(`${PROOFS} WHERE host_row = ? AND place >= ? ORDER BY place LIMIT ?`) as Statement<
      [number, Buffer, number],
      RawProof
    >,
    // The planner would rather sort all proofs of the host.
    oldest: db.prepare(`${PROOFS} INDEXED BY proofs_oldest WHERE host_row = ? ORDER BY proved_at LIMIT ?`) as Statement<
      [number, number],
      RawProof
    >,
    one: db.prepare(
      `SELECT shards.generation AS generation, drive_row AS driveRow, shard FROM shards
       JOIN segments ON segments.id = segment_row
       WHERE segment_row = ? AND idx = ? AND host_row = ? AND shards.stored = 1`,
    ) as Statement<[number, number, number], RawNames>,
    requested: db.prepare(
      `SELECT audit_requests.segment_row AS segmentRow, audit_requests.idx AS "index", shard_length AS shardLength,
         cause, leaf, tries, accuser
       FROM audit_requests INDEXED BY audit_requests_due
       LEFT JOIN shards ON shards.segment_row = audit_requests.segment_row AND shards.idx = audit_requests.idx
         AND shards.host_row = audit_requests.host_row AND shards.generation = audit_requests.generation
         AND shards.stored = 1
       LEFT JOIN segments ON segments.id = shards.segment_row
       WHERE audit_requests.host_row = ? AND due_at <= ? ORDER BY due_at LIMIT ?`,
    ) as Statement<[number, number, number], RawRequest>,
    drive: db.prepare('SELECT drive FROM drives WHERE id = ?'),
    beyond: db.prepare('SELECT 1 FROM audit_requests WHERE host_row = ? LIMIT 1 OFFSET ?'),
    countCause: db.prepare(
      'SELECT count(*) AS count FROM (SELECT 1 FROM audit_requests WHERE host_row = ? AND cause = ? LIMIT ?)',
    ),
    accuser: db.prepare(
      'SELECT was_right AS "right", was_wrong AS "wrong" FROM accusers WHERE device = ?',
    ) as Statement<[Buffer], { right: number; wrong: number }>,
  }
}

const REQUEST = `INSERT INTO audit_requests (host_row, segment_row, idx, generation, leaf, cause, tries, due_at, accuser)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (host_row, segment_row, idx) DO`

function prepareBursts(db: Database) {
  return {
    prove: db.prepare(
      `UPDATE proofs SET proved_at = ? WHERE host_row = ? AND place = ? AND segment_row = ? AND idx = ?
         AND EXISTS (SELECT 1 FROM shards WHERE shards.segment_row = proofs.segment_row AND shards.idx = proofs.idx
           AND shards.host_row = proofs.host_row AND generation = ? AND stored = 1)`,
    ),
    endRequest: db.prepare('DELETE FROM audit_requests WHERE host_row = ? AND segment_row = ? AND idx = ?'),
    request: db.prepare(
      `${REQUEST} UPDATE SET generation = excluded.generation, leaf = excluded.leaf, cause = excluded.cause,
         tries = excluded.tries, due_at = excluded.due_at`,
    ),
    requestNew: db.prepare(`${REQUEST} NOTHING`),
    noteAccuser: db.prepare(
      `INSERT INTO accusers VALUES (?, ?, ?) ON CONFLICT (device) DO UPDATE
       SET was_right = was_right + excluded.was_right, was_wrong = was_wrong + excluded.was_wrong`,
    ),
    keep: db.prepare('INSERT INTO transcripts (host_row, at, body) VALUES (?, ?, ?)'),
    trimTranscripts: db.prepare(
      `DELETE FROM transcripts WHERE host_row = ? AND id <=
       (SELECT id FROM transcripts WHERE host_row = ? ORDER BY id DESC LIMIT 1 OFFSET ?)`,
    ),
    hold: db.prepare(
      `INSERT INTO held_verdicts
         (round, host_row, segment_row, idx, generation, admitted, tries, success, why, transcript, at)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
    ),
    addWindow: db.prepare(
      `INSERT INTO audit_windows (host_row, at_window, asked, online, success, fail, admitted, frozen)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (host_row, at_window) DO UPDATE
       SET asked = asked + excluded.asked, online = online + excluded.online, success = success + excluded.success,
         fail = fail + excluded.fail, admitted = admitted + excluded.admitted, frozen = frozen + excluded.frozen`,
    ),
    pardon: db.prepare('UPDATE audit_windows SET fail = 0, admitted = 0 WHERE host_row = ?'),
    standing: db.prepare(
      `INSERT OR REPLACE INTO standings (host_row, score, known, success, fail, lost, offline, timeout, unknown, first_at,
         state_at, round, answer_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ),
  }
}

function prepareRounds(db: Database) {
  return {
    openRounds: db.prepare(
      'SELECT DISTINCT round FROM held_verdicts WHERE round < ? ORDER BY round LIMIT 100',
    ) as Statement<[number], { round: number }>,
    held: db.prepare(
      `SELECT id, round, host_row AS hostRow, segment_row AS segmentRow, idx AS "index", generation, admitted, tries,
         success, why, transcript, at FROM held_verdicts WHERE round = ? ORDER BY id`,
    ) as Statement<[number], RawHeld>,
    endHeld: db.prepare('DELETE FROM held_verdicts WHERE id = ?'),
    countFreeze: db.prepare(
      "INSERT INTO facts VALUES ('audit-freezes', 1) ON CONFLICT (name) DO UPDATE SET value = value + 1",
    ),
    freezes: db.prepare("SELECT value FROM facts WHERE name = 'audit-freezes'") as Statement<[], { value: number }>,
    frozenSince: db.prepare(
      `SELECT host_row AS hostRow, min(at_window) AS first, count(*) AS windows FROM audit_windows
       WHERE at_window >= ? AND frozen > 0 GROUP BY host_row`,
    ) as Statement<[number], FrozenHost>,
    forgetWindows: db.prepare('DELETE FROM audit_windows WHERE at_window < ?'),
  }
}
