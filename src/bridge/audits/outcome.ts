/**
 * What a burst means for the books and for the standing of its host: the table of treatments of verdicts.ts, carried out. Pure:
 * no clock, no database.
 */
import type { Finding } from '../../permits/audit.js'
import type { BurstRecord, HeldVerdict, NewRequest, SampledShard, ShardPlace } from '../persist/audit-records.js'
import type { Standing } from '../persist/standing-rows.js'
import { windowOf } from '../reputation/online.js'
import { knownAfter, scoreAfter } from '../reputation/score.js'
import { CONTAINED_MAX, CONTAINED_MS, roundOf, TRIES_MAX } from './times.js'
import { type NoAnswer, verdictOf, whyOf } from './verdicts.js'

export interface Asked extends SampledShard {
  leaf: number
}

export interface BurstResult {
  verdict: 'answered' | NoAnswer
  /** One for each leaf that was asked, when it was answered. */
  findings?: Finding[]
  answerMs?: number
  transcript?: () => Buffer
}

export interface Burst {
  hostRow: number
  nowMs: number
  asked: readonly Asked[]
  result: BurstResult
}

/** Of the usual answer time: the last ten or so answers. Seen by nobody but logs: slowness is not punished. */
const ANSWER_WEIGHT = 0.1

export function recordOf(burst: Burst): BurstRecord {
  const { hostRow, nowMs, result } = burst
  const record: BurstRecord = {
    ...{ hostRow, round: roundOf(nowMs), window: windowOf(nowMs), at: nowMs },
    ...{ isOnline: result.verdict !== 'offline', proved: [], held: [], transcript: null, ended: [], again: [] },
    ...{ containedMax: CONTAINED_MAX, accusers: [] },
  }
  if (result.verdict !== 'offline') for (const one of shardsOf(burst)) treat(record, one, burst)
  if (record.held.length > 0) record.transcript = result.transcript?.() ?? null
  return record
}

interface ShardFinding {
  asked: Asked
  /** Leaves of it that were proved. */
  proved: number
  worst: Finding | 'silent' | 'unknown'
}

const SEVERITY: readonly ShardFinding['worst'][] = [
  'proved',
  'unknown',
  'unreadable',
  'silent',
  'damaged',
  'not-found',
  'wrong',
]

/** Several leaves of one shard are one finding: the worst. */
function shardsOf({ asked, result }: Burst): ShardFinding[] {
  const shards = new Map<string, ShardFinding>()
  for (const [at, one] of asked.entries()) {
    const finding = result.findings?.[at] ?? (result.verdict === 'timeout' ? 'silent' : 'unknown')
    const name = `${one.segmentRow} ${one.index}`
    const found = shards.get(name) ?? { asked: one, proved: 0, worst: 'proved' as const }
    if (finding === 'proved') found.proved++
    else if (SEVERITY.indexOf(finding) > SEVERITY.indexOf(found.worst)) {
      found.worst = finding
      found.asked = one
    }
    shards.set(name, found)
  }
  return [...shards.values()]
}

function treat(record: BurstRecord, { asked, proved, worst }: ShardFinding, { nowMs }: Burst): void {
  const { segmentRow, index, generation, request } = asked
  const place = { segmentRow, index, generation }
  for (let nth = 0; nth < proved && worst === 'proved'; nth++) record.proved.push({ ...place, shard: asked.shard })
  const verdict = worst === 'silent' ? 'again' : worst === 'unknown' ? 'unknown' : verdictOf(worst)
  if (verdict === 'unknown') {
    record.again.push(askedAgain(asked, 'unknown', nowMs))
    return
  }
  if (verdict === 'again') {
    const tries = (request?.cause === 'timeout' ? request.tries : 0) + 1
    if (tries < TRIES_MAX) {
      record.again.push({ ...askedAgain(asked, 'timeout', nowMs + CONTAINED_MS), tries })
      return
    }
    record.held.push(heldOf(place, asked, worst as 'silent' | 'unreadable'))
  } else if (verdict !== 'success') record.held.push(heldOf(place, asked, worst as Finding))
  if (request === null) return
  record.ended.push({ segmentRow, index })
  if (request.accuser !== null) record.accusers.push({ device: request.accuser, isRight: verdict !== 'success' })
}

/** The same leaf again: a host that answers only what it likes is asked until it does. */
function askedAgain(asked: Asked, cause: 'unknown' | 'timeout', dueAt: number): NewRequest {
  const { segmentRow, index, generation, leaf, request } = asked
  // What was contained, or frozen, stays what it was when the answer is busy.
  const kept = cause === 'unknown' && request !== null ? request.cause : cause
  return {
    ...{ segmentRow, index, generation, leaf, dueAt, cause: kept },
    ...{ tries: request?.tries ?? 0, accuser: request?.accuser ?? null },
  }
}

function heldOf(place: ShardPlace, { request }: Asked, worst: Finding | 'silent'): HeldVerdict {
  const tries = request?.cause === 'frozen' ? request.tries : 0
  return { ...place, admitted: worst === 'damaged', tries, why: whyOf(worst) }
}

/** The standing after it, before penalties. Successes of a burst with a finding count when that does: failures come first. */
export function settle(before: Standing, burst: Burst, success: number, isHeld: boolean): Standing {
  const { nowMs, result, asked } = burst
  const { verdict } = result
  const unreadable = result.findings?.filter((one) => one === 'unreadable').length ?? 0
  return {
    ...before,
    score: isHeld ? before.score : scoreAfter(before.score, 0, success),
    known: verdict === 'offline' ? before.known : knownAfter(before.known, verdict !== 'unknown'),
    success: before.success + success,
    offline: before.offline + (verdict === 'offline' ? 1 : 0),
    timeout: before.timeout + (verdict === 'timeout' ? asked.length : unreadable),
    unknown: before.unknown + (verdict === 'unknown' ? 1 : 0),
    firstAt: before.firstAt ?? (success > 0 ? nowMs : null),
    round: roundOf(nowMs),
    answerMs: usual(before.answerMs, result.answerMs),
  }
}

function usual(before: number | null, now: number | undefined): number | null {
  if (now === undefined) return before
  return before === null ? now : before * (1 - ANSWER_WEIGHT) + now * ANSWER_WEIGHT
}
