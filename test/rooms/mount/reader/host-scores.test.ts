import t from 'tap'
import { type HostId, hostId } from '../../../../src/model/ids.js'
import { HostScores } from '../../../../src/mount/reader/host-scores.js'
import { noiseBytes } from '../../../support/noise.js'

const hostOf = (seed: number): HostId => hostId(noiseBytes(seed, 32))
const [A, B] = [hostOf(1), hostOf(2)]
const BYTES = 262_144

/** So many answers, one at a time. */
function answers(scores: HostScores, host: HostId, tookMs: number, count = 60, fromMs = 0): void {
  for (let at = 0; at < count; at++) scores.succeeded(scores.asked(host, BYTES, fromMs + at), fromMs + at + tookMs)
}

t.test('a host is late by its own measure', async (t) => {
  const scores = new HostScores()
  t.equal(scores.lateAfterMs(A, 1), 600, 'one that is to be dialed first has more time')
  answers(scores, A, 20)
  answers(scores, B, 400)
  t.equal(scores.lateAfterMs(A, BYTES), 150)
  const late = scores.lateAfterMs(B, BYTES)
  t.ok(late > 800 && late < 2_000, `${late} ms`)
  t.ok(scores.costMs(A, BYTES, 0) < 50)
  t.ok(scores.costMs(B, BYTES, 0) > 250)
})

t.test('what waits behind other answers is not late', async (t) => {
  const scores = new HostScores()
  answers(scores, A, 50)
  const asked = Array.from({ length: 40 }, () => scores.asked(A, BYTES, 1_000))
  const [first, last] = [asked[0], asked[39]].map((one) => scores.lateAfterMs(A, one?.queuedBytes ?? 0))
  t.ok((last as number) > 4 * (first as number), `${first} and ${last} ms`)
  t.ok(scores.costMs(A, BYTES, 1_000) > (20 * scores.costMs(B, 0, 1_000)) / 100)
  for (const [at, one] of asked.entries()) scores.succeeded(one, 1_000 + 50 * (at + 1))
  t.ok(scores.costMs(A, BYTES, 0) < 100, 'and its speed is the same as before')
})

t.test('a host that fails is left alone, longer each time, until it answers', async (t) => {
  const scores = new HostScores()
  let nowMs = 0
  for (const pauseMs of [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]) {
    scores.failed(scores.asked(A, BYTES, nowMs), nowMs)
    t.ok(scores.isAvoided(A, nowMs + pauseMs - 1))
    t.notOk(scores.isAvoided(A, nowMs + pauseMs))
    nowMs += pauseMs
  }
  scores.lostRace(A, nowMs)
  t.ok(scores.costMs(A, 1, nowMs) > 100_000)
  scores.succeeded(scores.asked(A, BYTES, nowMs), nowMs + 10)
  t.ok(scores.costMs(A, 1, nowMs) < 1_000)
})

t.test('nothing stays outstanding', async (t) => {
  const scores = new HostScores()
  const before = scores.costMs(A, BYTES, 0)
  const [one, two, three] = [0, 0, 0].map(() => scores.asked(A, 2 ** 30, 0))
  if (!one || !two || !three) return
  t.ok(scores.costMs(A, BYTES, 0) > 100 * before)
  scores.abandoned(one)
  scores.abandoned(two)
  scores.failed(three, 0)
  t.ok(scores.costMs(A, BYTES, 60_000) <= before)
})

t.test('races are bounded by what is read', async (t) => {
  const scores = new HostScores()
  let raced = 0
  while (scores.mayRace(BYTES)) raced += BYTES
  t.equal(raced, 32 * 1_048_576)
  answers(scores, A, 10, 11)
  raced = 0
  while (scores.mayRace(BYTES)) raced += BYTES
  t.equal(raced, BYTES, 'a tenth')
})

t.test('silence is a host’s own only while others answer', async (t) => {
  const scores = new HostScores()
  t.notOk(scores.isSilentSince(A, 100), 'nobody answers')
  answers(scores, B, 10, 1, 200)
  t.ok(scores.isSilentSince(A, 100))
  answers(scores, A, 10, 1, 200)
  t.notOk(scores.isSilentSince(A, 100))
})
