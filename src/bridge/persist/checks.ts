/** What must hold in the bridge's database, as questions that answer with what does not. Read-only. */
import type { Database } from '../../sqlite/driver.js'
import { guarded } from '../../sqlite/failures.js'

export interface Finding {
  code: string
  message: string
}

/** Findings of one kind that are told one by one; the rest as a number. */
const TOLD_MAX = 20

interface Question {
  code: string
  /** Rows that are wrong; the first column says which. */
  sql: string
  what: string
}

const QUESTIONS: readonly Question[] = [
  {
    code: 'drive-counters',
    what: 'counters of the drive differ from its segments',
    sql: `SELECT lower(hex(d.drive)) AS which FROM drives d LEFT JOIN (
        SELECT drive_row, sum(state = 0) AS unconfirmed, sum(state = 1) AS confirmed,
          sum(state = 1 AND stored = n) AS complete, sum(stored * shard_length) AS bytes FROM segments GROUP BY drive_row
      ) s ON s.drive_row = d.id
      WHERE d.unconfirmed <> coalesce(s.unconfirmed, 0) OR d.confirmed <> coalesce(s.confirmed, 0)
        OR d.complete <> coalesce(s.complete, 0) OR d.host_bytes <> coalesce(s.bytes, 0)`,
  },
  {
    code: 'segment-stored',
    what: 'the segment counts other shards as stored than it has',
    sql: `SELECT lower(hex(segment)) AS which FROM segments
      WHERE stored <> (SELECT count(*) FROM shards WHERE segment_row = segments.id AND stored = 1)`,
  },
  {
    code: 'segment-shards',
    what: 'the segment has not exactly one row for each of its shards',
    sql: `SELECT lower(hex(segment)) AS which FROM segments
      WHERE n <> (SELECT count(*) FROM shards WHERE segment_row = segments.id AND idx < segments.n)
        OR n <> (SELECT count(*) FROM shards WHERE segment_row = segments.id)`,
  },
  {
    code: 'segment-state',
    what: 'the segment is in no state, or its lengths and numbers cannot be',
    sql: `SELECT lower(hex(segment)) AS which FROM segments WHERE state NOT IN (0, 1, 2) OR k < 1 OR k > n
      OR padded_length > shard_length * k OR (state = 2) <> (retired_at IS NOT NULL)
      OR generation < (SELECT max(generation) FROM shards WHERE segment_row = segments.id)`,
  },
  {
    code: 'shard-row',
    what: 'the shard has no segment, no host, or is stored and lost at once',
    sql: `SELECT segment_row || ' ' || idx AS which FROM shards WHERE segment_row NOT IN (SELECT id FROM segments)
      OR host_row NOT IN (SELECT id FROM hosts) OR (stored = 1 AND (lost = 1 OR stored_at IS NULL))`,
  },
  {
    code: 'deletion-placed',
    what: 'the host is to forget a shard that is placed on it',
    sql: `SELECT deletions.id AS which FROM deletions JOIN segments ON segments.segment = deletions.segment
      JOIN shards ON shards.segment_row = segments.id AND shards.idx = deletions.idx
        AND shards.host_row = deletions.host_row AND shards.generation <= deletions.generation
        AND shards.shard = deletions.shard WHERE segments.state <> 2`,
  },
  {
    code: 'holdings',
    what: 'what is stored on the host is counted wrongly',
    sql: `SELECT hosts.id AS which FROM hosts LEFT JOIN holdings ON holdings.host_row = hosts.id LEFT JOIN (
        SELECT host_row, count(*) AS shards, sum(shard_length) AS bytes FROM shards
        JOIN segments ON segments.id = segment_row WHERE shards.stored = 1 GROUP BY host_row
      ) s ON s.host_row = hosts.id
      WHERE coalesce(holdings.shards, 0) <> coalesce(s.shards, 0) OR coalesce(holdings.bytes, 0) <> coalesce(s.bytes, 0)`,
  },
]

export function askBooks(db: Database): Finding[] {
  return QUESTIONS.flatMap(({ code, sql, what }) => {
    const wrong = guarded(() => db.prepare(sql).pluck().all()) as unknown[]
    const told = wrong.slice(0, TOLD_MAX).map((which) => ({ code, message: `${String(which)}: ${what}` }))
    const rest = wrong.length - told.length
    return rest > 0 ? [...told, { code, message: `and ${rest} more: ${what}` }] : told
  })
}

export interface BookedChain {
  drive: string
  headSequence: number
  headHash: Buffer
  bytes: number
  stateText: string
  records(): Iterable<Buffer>
}

export function bookedChains(db: Database): BookedChain[] {
  const drives = guarded(() =>
    db
      .prepare(
        `SELECT id, lower(hex(drive)) AS drive, head_sequence AS headSequence, head_hash AS headHash,
           chain_bytes AS bytes, chain_state AS stateText FROM drives ORDER BY id`,
      )
      .all(),
  ) as (Omit<BookedChain, 'records'> & { id: number })[]
  const records = db.prepare('SELECT record FROM chain WHERE drive_row = ? ORDER BY sequence').pluck()
  return drives.map(({ id, ...one }) => ({ ...one, records: () => records.iterate(id) as Iterable<Buffer> }))
}
