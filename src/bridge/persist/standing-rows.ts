/** What the bridge thinks of each host: scores and counters, notices, transcripts of what failed, windows. */
import { idBytes, type Pseudonym, type SegmentId, type ShardId } from '../../model/ids.js'
import type { Database, Statement } from '../../sqlite/driver.js'
import { guarded } from '../../sqlite/failures.js'
import { transaction } from '../../sqlite/open.js'
import { HOST_STATES, type HostState } from '../../wire/host-api.js'

export interface Standing {
  /** 0 to 1: reputation/score.ts. */
  score: number
  /** 0 to 1: how often its bursts came to a verdict at all. */
  known: number
  success: number
  fail: number
  lost: number
  offline: number
  timeout: number
  unknown: number
  /** Of its first success. */
  firstAt: number | null
  stateAt: number
  /** The last round in which it was asked. */
  round: number
  /** How long its answers take, usually. */
  answerMs: number | null
}

export interface Notice {
  at: number
  state: HostState
  why: string
  transcript: number | null
}

/** A window of a host: how often it was asked and there, what its leaves came to, and what it named itself. */
export interface WindowTally {
  window: number
  asked: number
  online: number
  success: number
  /** Shards that it was caught not to have. */
  fail: number
  /** Shards that it said itself are lost or damaged. */
  admitted: number
}

/** A shard that its host says it has no more. */
export interface LossClaim {
  pseudonym: Pseudonym
  segment: SegmentId
  index: number
  shard: ShardId
  generation: number
}

export const NOTICES_MAX = 100
/** Each host's newest failures can be looked at; one is 24 KB at most. */
export const TRANSCRIPTS_MAX = 200

export function newStanding(nowMs: number): Standing {
  const counts = { success: 0, fail: 0, lost: 0, offline: 0, timeout: 0, unknown: 0 }
  return { score: 1, known: 1, ...counts, firstAt: null, stateAt: nowMs, round: -1, answerMs: null }
}

export class StandingRows {
  private readonly db: Database
  private readonly statements: ReturnType<typeof prepare>

  constructor(db: Database) {
    this.db = db
    this.statements = prepare(db)
  }

  async loadAll(): Promise<Map<number, Standing>> {
    return guarded(() => new Map(this.statements.all.all().map(({ hostRow, ...standing }) => [hostRow, standing])))
  }

  /** What is stored on the host, by receipts. */
  async holding(hostRow: number): Promise<{ shards: number; bytes: number }> {
    return guarded(() => this.statements.holding.get(hostRow) ?? { shards: 0, bytes: 0 })
  }

  async windowsOf(hostRow: number, fromWindow: number): Promise<WindowTally[]> {
    return guarded(() => this.statements.windows.all(hostRow, fromWindow))
  }

  /** The newest last. */
  async noticesOf(hostRow: number): Promise<Notice[]> {
    return guarded(() =>
      this.statements.notices
        .all(hostRow, NOTICES_MAX)
        .map(({ at, state, why, transcript }) => ({ at, state: HOST_STATES[state] ?? 'review', why, transcript }))
        .reverse(),
    )
  }

  /** A host's own transcript, or null. */
  async transcript(hostRow: number, id: number): Promise<Buffer | null> {
    return guarded(() => this.statements.transcript.get(id, hostRow)?.body ?? null)
  }

  /** Where the shard of a claim lies in the books; null for what is not stored there in that generation. */
  async findClaim(hostRow: number, claim: Omit<LossClaim, 'pseudonym'>): Promise<ClaimedRow | null> {
    const { segment, index, shard, generation } = claim
    const fits = (row: ClaimedRow) =>
      row.index === index && row.generation === generation && row.segment.equals(idBytes(segment))
    return guarded(() => this.statements.claimed.all(hostRow, idBytes(shard)).find(fits) ?? null)
  }

  /** A host changes its state, or only hears something. */
  async saveStep(hostRow: number, notice: Notice, vettedAt: number | null): Promise<void> {
    transaction(this.db, () => {
      const { at, why, transcript } = notice
      const state = HOST_STATES.indexOf(notice.state)
      this.statements.saveState.run(state, vettedAt, hostRow)
      this.statements.addNotice.run(hostRow, at, state, why, transcript)
      this.statements.trimNotices.run(hostRow, hostRow, NOTICES_MAX)
    })
  }
}

export interface ClaimedRow {
  segmentRow: number
  drive: Buffer
  segment: Buffer
  index: number
  generation: number
  /** Shards of its segment that are stored, and that rebuild it. */
  stored: number
  dataShards: number
}

function prepare(db: Database) {
  return {
    all: db.prepare(
      `SELECT host_row AS hostRow, score, known, success, fail, lost, offline, timeout, unknown, first_at AS firstAt,
         state_at AS stateAt, round, answer_ms AS answerMs FROM standings`,
    ) as Statement<[], Standing & { hostRow: number }>,
    holding: db.prepare('SELECT shards, bytes FROM holdings WHERE host_row = ?') as Statement<
      [number],
      { shards: number; bytes: number }
    >,
    windows: db.prepare(
      `SELECT at_window AS window, asked, online, success, fail, admitted FROM audit_windows
       WHERE host_row = ? AND at_window >= ? ORDER BY at_window LIMIT 1000`,
    ) as Statement<[number, number], WindowTally>,
    notices: db.prepare('SELECT * FROM notices WHERE host_row = ? ORDER BY id DESC LIMIT ?') as Statement<
      [number, number],
      { at: number; state: number; why: string; transcript: number | null }
    >,
    transcript: db.prepare('SELECT body FROM transcripts WHERE id = ? AND host_row = ?') as Statement<
      [number, number],
      { body: Buffer }
    >,
    claimed: db.prepare(
      `SELECT segment_row AS segmentRow, drive, segment, idx AS "index", shards.generation AS generation,
         segments.stored AS stored, k AS dataShards
       FROM shards JOIN segments ON segments.id = segment_row JOIN drives ON drives.id = drive_row
       WHERE host_row = ? AND shard = ? AND shards.stored = 1 LIMIT 256`,
    ) as Statement<[number, Buffer], ClaimedRow>,
    saveState: db.prepare('UPDATE hosts SET state = ?, vetted_at = ? WHERE id = ?'),
    addNotice: db.prepare('INSERT INTO notices (host_row, at, state, why, transcript) VALUES (?, ?, ?, ?, ?)'),
    trimNotices: db.prepare(
      `DELETE FROM notices WHERE host_row = ? AND id <=
       (SELECT id FROM notices WHERE host_row = ? ORDER BY id DESC LIMIT 1 OFFSET ?)`,
    ),
  }
}
