/** The statements of audit-rows.ts. */
import type { Database, Statement } from '../../sqlite/driver.js'

export interface RawSample {
  segmentRow: number
  index: number
  generation: number
  drive: Buffer
  shard: Buffer
  shardLength: number
  provedAt: number | null
}

export interface RawRequest extends Omit<RawSample, 'drive' | 'shard' | 'shardLength'> {
  drive: Buffer | null
  shard: Buffer | null
  shardLength: number | null
  cause: number
  leaf: number | null
  tries: number
  accuser: Buffer | null
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

const SHARD = `shards.segment_row AS segmentRow, shards.idx AS "index", shards.generation AS generation, drives.drive AS drive,
  shards.shard AS shard, shard_length AS shardLength, proved_at AS provedAt`
const OF = 'JOIN segments ON segments.id = shards.segment_row JOIN drives ON drives.id = drive_row'

export function prepareAudits(db: Database) {
  return { ...prepareDraws(db), ...prepareBursts(db), ...prepareRounds(db) }
}

function prepareDraws(db: Database) {
  return {
    // The planner would rather sort all shards of the host by another index.
    run: db.prepare(
      `SELECT ${SHARD} FROM shards INDEXED BY shards_host ${OF}
       WHERE host_row = ? AND shard >= ? AND shards.stored = 1 ORDER BY shard LIMIT ?`,
    ) as Statement<[number, Buffer, number], RawSample>,
    oldest: db.prepare(
      `SELECT ${SHARD} FROM shards INDEXED BY shards_proof ${OF}
       WHERE host_row = ? AND shards.stored = 1 ORDER BY proved_at LIMIT ?`,
    ) as Statement<[number, number], RawSample>,
    requested: db.prepare(
      `SELECT audit_requests.segment_row AS segmentRow, audit_requests.idx AS "index",
         audit_requests.generation AS generation, drives.drive AS drive, shards.shard AS shard,
         shard_length AS shardLength, proved_at AS provedAt, cause, leaf, tries, accuser
       FROM audit_requests INDEXED BY audit_requests_due
       LEFT JOIN shards ON shards.segment_row = audit_requests.segment_row AND shards.idx = audit_requests.idx
         AND shards.host_row = audit_requests.host_row AND shards.generation = audit_requests.generation
         AND shards.stored = 1
       LEFT JOIN segments ON segments.id = shards.segment_row LEFT JOIN drives ON drives.id = drive_row
       WHERE audit_requests.host_row = ? AND due_at <= ? ORDER BY due_at LIMIT ?`,
    ) as Statement<[number, number, number], RawRequest>,
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
      `UPDATE shards SET proved_at = ? WHERE segment_row = ? AND idx = ? AND host_row = ? AND generation = ? AND stored = 1`,
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
      `INSERT INTO audit_windows VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (host_row, at_window) DO UPDATE
       SET asked = asked + excluded.asked, online = online + excluded.online, success = success + excluded.success,
         fail = fail + excluded.fail`,
    ),
    roundOf: db.prepare('SELECT round FROM standings WHERE host_row = ?') as Statement<[number], { round: number }>,
    addRound: db.prepare('INSERT INTO audit_rounds VALUES (?, 1) ON CONFLICT (round) DO UPDATE SET hosts = hosts + 1'),
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
    asked: db.prepare('SELECT hosts FROM audit_rounds WHERE round = ?') as Statement<[number], { hosts: number }>,
    held: db.prepare(
      `SELECT id, round, host_row AS hostRow, segment_row AS segmentRow, idx AS "index", generation, admitted, tries,
         success, why, transcript, at FROM held_verdicts WHERE round = ? ORDER BY id`,
    ) as Statement<[number], RawHeld>,
    endHeld: db.prepare('DELETE FROM held_verdicts WHERE id = ?'),
    countFreeze: db.prepare(
      "INSERT INTO facts VALUES ('audit-freezes', 1) ON CONFLICT (name) DO UPDATE SET value = value + 1",
    ),
    freezes: db.prepare("SELECT value FROM facts WHERE name = 'audit-freezes'") as Statement<[], { value: number }>,
    forgetRounds: db.prepare('DELETE FROM audit_rounds WHERE round < ?'),
    forgetWindows: db.prepare('DELETE FROM audit_windows WHERE at_window < ?'),
  }
}
