import t from 'tap'
import type { WindowTally } from '../../../src/bridge/persist/standing-rows.js'
import {
  BAD_SHARE,
  BAD_WINDOWS,
  isVetted,
  type LadderFacts,
  LINES,
  nextStep,
  REVIEW_MS,
  VETTING,
} from '../../../src/bridge/reputation/ladder.js'
import { onlineOf, TRACKED_WINDOWS, WINDOW_MS } from '../../../src/bridge/reputation/online.js'

const NOW = 1_000 * WINDOW_MS + 5
const sound: LadderFacts = {
  ...{ state: 'good', score: 1, known: 1, onlineShare: 1, isGone: false, stateMs: 0, held: 100_000 },
  ...{ windows: [], nowMs: NOW },
}
const stateAfter = (changes: Partial<LadderFacts>) => nextStep({ ...sound, ...changes })?.state ?? 'same'
const windowsOf = (count: number, tally: Partial<WindowTally>): WindowTally[] =>
  Array.from({ length: count }, (_, at) => {
    return { window: 1_000 - count + at, asked: 18, online: 18, success: 280, fail: 0, admitted: 0, ...tally }
  })

t.test('each line is crossed down below it and up only above the higher one', async (t) => {
  const table: [LadderFacts['state'], number, string][] = [
    ['good', 0.991, 'same'],
    ['good', 0.989, 'watch'],
    ['good', 0.959, 'suspended'],
    ['good', 0.899, 'review'],
    ['watch', 0.994, 'same'],
    ['watch', 0.996, 'good'],
    ['suspended', 0.969, 'same'],
    ['suspended', 0.971, 'watch'],
    ['review', 0.919, 'same'],
    ['review', 0.921, 'suspended'],
    ['review', 0.999, 'good'],
    ['removed', 0.95, 'same'],
    ['removed', 0.98, 'watch'],
  ]
  for (const [state, score, after] of table) t.equal(stateAfter({ state, score }), after, `${state} at ${score}`)
})

t.test('few shards say as much as many: what share of them was caught lost within two weeks', async (t) => {
  const caught = (fail: number, held: number, more: Partial<LadderFacts> = {}) =>
    stateAfter({ held, windows: windowsOf(1, { fail }), ...more })
  t.equal(caught(2, 0), 'same', 'one or two bad shards suspend nobody, though they were all it had')
  t.equal(caught(3, 0), 'suspended')
  t.equal(caught(3, 80), 'same')
  t.equal(caught(10, 90), 'suspended', 'who keeps nine tenths')
  t.equal(caught(40, 10_000), 'same', 'where there are many the score speaks')
  t.equal(caught(7, 0), 'suspended')
  t.equal(caught(8, 8), 'review')
  t.equal(caught(8, 9), 'suspended')
  t.equal(caught(35, 965, { state: 'suspended' }), 'same', 'it ends below 3 %')
  t.equal(caught(29, 971, { state: 'suspended' }), 'good')
  t.equal(caught(45, 55, { state: 'review' }), 'same', 'and a review below 40 %')
  const admitted = (count: number, held: number) => stateAfter({ held, windows: windowsOf(1, { admitted: count }) })
  t.equal(admitted(12, 60), 'suspended', 'a quarter each')
  t.equal(admitted(11, 60), 'same')
  t.equal(admitted(10_000, 0), 'suspended', 'who says that all is gone comes under no review for it')
  const old = windowsOf(40, {}).map((one, at) => ({ ...one, fail: at < 12 ? 9 : 0 }))
  t.equal(stateAfter({ held: 1, windows: old, state: 'suspended' }), 'good', 'two weeks later it is over')
  t.match(nextStep({ ...sound, held: 7, windows: windowsOf(1, { fail: 3 }) }), { why: /30.0 % of its shards/ })
})

t.test('no verdicts suspend at most, and lift by themselves', async (t) => {
  t.equal(stateAfter({ known: 0.01 }), 'suspended')
  t.equal(stateAfter({ known: 0.65 }), 'same')
  t.equal(stateAfter({ state: 'suspended', known: 0.65 }), 'same')
  t.equal(stateAfter({ state: 'suspended', known: 0.71 }), 'good')
})

t.test('few hours online suspend after a full month only, and are undone', async (t) => {
  t.equal(stateAfter({ onlineShare: null }), 'same')
  t.equal(stateAfter({ onlineShare: 0.75 }), 'watch')
  t.equal(stateAfter({ onlineShare: 0.59 }), 'suspended')
  t.equal(stateAfter({ state: 'suspended', onlineShare: 0.85 }), 'good')
  t.match(nextStep({ ...sound, onlineShare: 0.5 }), { why: /50 % of its hours/ })
})

t.test('removed is who went on failing for a week under review, and nobody else', async (t) => {
  const under = { state: 'review', score: 0.85, stateMs: REVIEW_MS } as const
  const bad = { success: 200, fail: 80 }
  t.equal(stateAfter({ ...under, windows: windowsOf(14, bad) }), 'removed')
  t.equal(stateAfter({ ...under, stateMs: REVIEW_MS - 1, windows: windowsOf(14, bad) }), 'same', 'not yet')
  t.equal(stateAfter({ ...under, windows: windowsOf(BAD_WINDOWS - 1, bad) }), 'same', 'not often enough')
  t.equal(stateAfter({ ...under, windows: windowsOf(14, { success: 272, fail: 8 }) }), 'same', 'a failure in 35')
  t.equal(stateAfter({ ...under, held: 0 }), 'watch', 'empty, it begins anew')
  t.equal(stateAfter({ state: 'suspended', score: 0.93, stateMs: 9 * REVIEW_MS, windows: windowsOf(14, bad) }), 'same')
})

t.test('a month of questions without an answer removes; a bridge that asked nothing removes nobody', async (t) => {
  const away = windowsOf(60, { online: 0 })
  t.ok(onlineOf(away, NOW).isGone)
  t.notOk(onlineOf(away.slice(20), NOW).isGone, '20 days of questions are no month')
  t.notOk(onlineOf([...away.slice(1), { ...away[0]!, window: 1_000, asked: 1, online: 1 }], NOW).isGone, 'it is back')
  t.notOk(onlineOf(away.slice(0, 30), NOW).isGone, 'the bridge was down')
  t.equal(stateAfter({ isGone: true }), 'removed')
  t.equal(stateAfter({ state: 'removed', isGone: true }), 'same')
  t.match(nextStep({ ...sound, state: 'removed' }), { state: 'watch', isAnew: true })
})

t.test('the online share is the mean over half days that are over, within the last month', async (t) => {
  t.equal(onlineOf([], NOW).share, 1)
  const mixed = [...windowsOf(30, {}), { window: 1_000, asked: 5, online: 0, success: 0, fail: 0, admitted: 0 }]
  t.equal(onlineOf(mixed, NOW).share, 1, 'the current one does not count')
  t.notOk(onlineOf(mixed, NOW).isFull)
  const old = { window: 1_000 - TRACKED_WINDOWS - 1, asked: 9, online: 0, success: 0, fail: 0, admitted: 0 }
  const half = windowsOf(60, {}).map((one, at) => ({ ...one, online: at % 2 === 0 ? 18 : 0 }))
  t.same(onlineOf([old, ...half], NOW), { share: 0.5, isFull: true, isGone: false })
})

t.test('vetted is who succeeded 100 times over 21 days', async (t) => {
  const facts = { success: 100, firstAt: NOW - VETTING.ageMs, state: 'good', nowMs: NOW } as const
  t.ok(isVetted(facts))
  t.notOk(isVetted({ ...facts, success: 99 }))
  t.notOk(isVetted({ ...facts, firstAt: NOW - VETTING.ageMs + 1 }))
  t.notOk(isVetted({ ...facts, firstAt: null }))
  t.notOk(isVetted({ ...facts, state: 'suspended' }))
})

/**
 * Chernoff: the natural logarithm of a bound for the chance that a score falls below `line` at one given leaf, when each leaf fails
 * with probability q, independently. The score lacks X = 0.001 sum 0.999^i Y_i; P(X >= x) <= E[e^(sX)] e^(-sx), with s = 1000 c, and
 * sum of q (e^(c u) - 1) over u = 0.999^i is at most 1000 q (Ein(c) + 0.001 e^c).
 */
function logChance(q: number, line: number): number {
  let best = 0
  for (let c = 0.1; c < 12; c += 0.1) {
    let ein = 0
    for (let k = 1, term = 1; k < 80; k++) {
      term *= c / k
      ein += term / k
    }
    best = Math.min(best, 1_000 * (q * (ein + 0.001 * Math.exp(c)) - c * (1 - line)))
  }
  return best
}

/** Of one half day: at least a tenth of 288 leaves fail. */
function logBadWindow(q: number): number {
  const p = BAD_SHARE
  return -288 * (p * Math.log(p / q) + (1 - p) * Math.log((1 - p) / (1 - q)))
}

t.test('an honest host is never removed: computed, for one leaf in a hundred failing', async (t) => {
  const q = 0.01
  const leavesOfTenYears = 576 * 365 * 10
  const review = logChance(q, LINES.review.below) + Math.log(leavesOfTenYears)
  const removed = BAD_WINDOWS * logBadWindow(q) + Math.log(91 * 730 * 10)
  const log10 = (log: number) => (log / Math.LN10).toFixed(0)
  t.comment(`1 % of leaves failing, ten years: under review 10^${log10(review)}, removed below 10^${log10(removed)}`)
  t.ok(review < Math.log(1e-9), `review ${review}`)
  t.ok(removed < Math.log(1e-9) && removed < review, `removed ${removed}`)
  const watch = logChance(0.001, LINES.watch.below) + Math.log(576 * 365)
  const suspended = logChance(0.005, LINES.suspended.below) + Math.log(576 * 365)
  t.comment(`a year: watch at 0.1 % failing 10^${log10(watch)}, suspended at 0.5 % failing 10^${log10(suspended)}`)
  t.ok(watch < Math.log(1e-3))
  t.ok(suspended < Math.log(1e-9))
})
