/**
 * The ladder: good -> watch -> suspended -> review -> removed. Each step has a line to fall below and a higher one to rise
 * above, so that nobody goes up and down with every burst; each is undone when what led to it is gone. Pure.
 *
 * Removed are only hosts that kept failing under review for a week, and hosts that were away for a month. How unlikely that is
 * for an honest host: docs/reputation.md, and test/rooms/bridge/ladder.test.ts computes it.
 */

import { HOST_STATES, type HostState } from '../../wire/host-api.js'
import type { WindowTally } from '../persist/standing-rows.js'
import { caughtOf } from './caught.js'
import { WINDOW_MS, windowOf } from './online.js'

const DAY_MS = 24 * 3_600_000

/**
 * Of the score. One failure costs 0.001: watch are 11 failures (or 41 admitted losses) in the last 1,000 leaves or so, suspended
 * 41, review 106. A host that keeps losing a share f of what it is asked settles at 1 - f.
 */
export const LINES = {
  watch: { below: 0.99, over: 0.995 },
  suspended: { below: 0.96, over: 0.97 },
  review: { below: 0.9, over: 0.92 },
} as const
/** Of the share of bursts that come to a verdict: 51 in a row that do not. Suspended at most. */
export const KNOWN_LINE = { below: 0.6, over: 0.7 } as const
/** Of its own hours, over a full month: first a word, then nothing new. */
export const ONLINE_LINES = { watch: 0.8, suspended: 0.6 } as const

/**
 * Of distinct shards, caught within 14 days (caught.ts). Suspended at the share at which the score suspends, and not by one or two
 * bad shards; under review only when most of it is gone. An honest host names what it lost, which counts a quarter: that alone
 * never reaches half.
 */
export const CAUGHT_LINES = {
  suspended: { share: 0.04, until: 0.03, weight: 3 },
  review: { share: 0.5, until: 0.4, weight: 8 },
} as const

/** A week under review, and in so many of its fourteen half days a tenth of the leaves failed, caught and not admitted. */
export const REVIEW_MS = 7 * DAY_MS
export const BAD_WINDOWS = 12
export const BAD_SHARE = 0.1
const BAD_WINDOWS_OF = REVIEW_MS / WINDOW_MS

/** Enough to see 3 % of missing leaves (95 %), and longer than what fails in its first weeks. */
export const VETTING = { successes: 100, ageMs: 21 * DAY_MS } as const

export interface LadderFacts {
  state: HostState
  score: number
  known: number
  /** Of its own hours; null while less than a month has been seen. */
  onlineShare: number | null
  /** A month of questions, never there, and not there now. */
  isGone: boolean
  /** In this state for so long. */
  stateMs: number
  /** Shards that it has by receipt. */
  held: number
  windows: readonly WindowTally[]
  nowMs: number
}

export interface Step {
  state: HostState
  why: string
  /** It is a new host again: not vetted, its score at the edge. */
  isAnew?: boolean
}

const rank = (state: HostState) => HOST_STATES.indexOf(state)

/** null: it stays as it is. */
export function nextStep(facts: LadderFacts): Step | null {
  const { state } = facts
  if (facts.isGone) return state === 'removed' ? null : { state: 'removed', why: 'it was not there for 30 days' }
  if (state === 'removed') return returned(facts)
  if (state === 'review' && facts.stateMs >= REVIEW_MS) {
    if (isSustained(facts)) return { state: 'removed', why: 'it went on failing audits for a week under review' }
    if (facts.held === 0) return { state: 'watch', why: 'nothing is left on it: it begins anew', isAnew: true }
  }
  const wanted = worst(facts)
  return wanted.state === state ? null : wanted
}

/** Removed is final once everything was repaired; before, proofs count. */
function returned({ score, held }: LadderFacts): Step | null {
  if (score < LINES.suspended.over) return null
  const why = held > 0 ? 'it is back, and what lies on it is proved' : 'it is back, and begins anew'
  return { state: 'watch', why, isAnew: true }
}

function worst(facts: LadderFacts): Step {
  const steps = [byScore(facts), byCaught(facts), byKnown(facts), byOnline(facts)]
  return steps.reduce((one, other) => (rank(other.state) > rank(one.state) ? other : one))
}

function byScore({ state, score }: LadderFacts): Step {
  const share = `${(100 * score).toFixed(1)} % of its last audits succeeded`
  for (const name of ['review', 'suspended', 'watch'] as const) {
    const line = rank(state) >= rank(name) ? LINES[name].over : LINES[name].below
    if (score < line) return { state: name, why: share }
  }
  return { state: 'good', why: share }
}

function byCaught({ state, windows, held, nowMs }: LadderFacts): Step {
  const { weight, share } = caughtOf(windows, held, nowMs)
  const why = `${(100 * share).toFixed(1)} % of its shards were found to be lost in the last 14 days`
  for (const name of ['review', 'suspended'] as const) {
    const line = CAUGHT_LINES[name]
    if (weight >= line.weight && share >= (rank(state) >= rank(name) ? line.until : line.share))
      return { state: name, why }
  }
  return { state: 'good', why }
}

function byKnown({ state, known }: LadderFacts): Step {
  const line = rank(state) >= rank('suspended') ? KNOWN_LINE.over : KNOWN_LINE.below
  if (known >= line) return { state: 'good', why: 'its audits come to a verdict again' }
  return { state: 'suspended', why: 'most of its audits come to no verdict: it answers busy, or with errors' }
}

function byOnline({ onlineShare }: LadderFacts): Step {
  const why = `it was there ${Math.round(100 * (onlineShare ?? 1))} % of its hours in the last 30 days`
  if (onlineShare === null || onlineShare >= ONLINE_LINES.watch) return { state: 'good', why }
  return { state: onlineShare < ONLINE_LINES.suspended ? 'suspended' : 'watch', why }
}

function isSustained({ windows, nowMs }: LadderFacts): boolean {
  const current = windowOf(nowMs)
  const last = windows.filter((one) => one.window < current && one.window >= current - BAD_WINDOWS_OF)
  return last.filter(({ success, fail }) => fail > 0 && fail >= BAD_SHARE * (fail + success)).length >= BAD_WINDOWS
}

/** It has proved itself: full shares, and it earns. */
export function isVetted(facts: { success: number; firstAt: number | null; state: HostState; nowMs: number }): boolean {
  const { success, firstAt, state, nowMs } = facts
  if (firstAt === null || rank(state) > rank('watch')) return false
  return success >= VETTING.successes && nowMs - firstAt >= VETTING.ageMs
}
