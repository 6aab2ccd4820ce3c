/** The token bucket on a clock that stands still: what moves in a minute, in which turns, and what never waits. */
import t from 'tap'
import { CHUNK_BYTES } from '../../../src/rtc/limits.js'
import { Pace, type Paced } from '../../../src/rtc/pace.js'
import { DrivenClock } from '../../support/driven-clock.js'

const MINUTE_MS = 60_000

/** Bulk without end, in frames. */
class Stream implements Paced {
  moved = 0
  private readonly pace: Pace
  private readonly frameBytes: number
  left: number

  constructor(pace: Pace, frameBytes = CHUNK_BYTES, frames = Number.POSITIVE_INFINITY) {
    this.pace = pace
    this.frameBytes = frameBytes
    this.left = frames
  }

  step(): boolean {
    this.moved += this.frameBytes
    this.pace.spend(this.frameBytes)
    return --this.left > 0
  }
}

for (const rate of [100_000, 2_000_000, 100_000_000]) {
  t.test(`${rate} bytes a second are kept within a half percent over a minute`, async (t) => {
    const clock = new DrivenClock()
    const pace = new Pace(clock)
    pace.set(rate)
    await clock.advance(MINUTE_MS)
    const stream = new Stream(pace)
    pace.join(stream)
    t.ok(stream.moved <= pace.burstBytes + CHUNK_BYTES, 'no more at once than the burst, after a minute of rest too')
    await clock.advance(MINUTE_MS)
    const share = stream.moved / (rate * (MINUTE_MS / 1_000))
    // At the lowest rate two frames are 2 % of a minute.
    const slack = rate === 100_000 ? 0.04 : 0.006
    t.ok(share > 0.995 && share < 1 + slack, `${(share * 100).toFixed(2)} %`)
  })
}

t.test('peers share, whatever the size of their frames and whenever they came', async (t) => {
  const clock = new DrivenClock()
  const pace = new Pace(clock)
  pace.set(1_000_000)
  const [first, second, late] = [new Stream(pace), new Stream(pace), new Stream(pace)]
  pace.join(first)
  pace.join(second)
  await clock.advance(10_000)
  const before = first.moved
  pace.join(late)
  await clock.advance(30_000)
  t.ok(Math.abs(first.moved - second.moved) <= pace.burstBytes + CHUNK_BYTES, `${first.moved} and ${second.moved}`)
  t.ok(Math.abs(first.moved - before - late.moved) <= 4 * CHUNK_BYTES, `${first.moved - before} and ${late.moved}`)
})

t.test('prompt bytes do not wait, bulk pays for them, and a flood of them waits too', async (t) => {
  const clock = new DrivenClock()
  const pace = new Pace(clock)
  pace.set(1_000_000)
  const bulk = new Stream(pace)
  pace.join(bulk)
  let prompt = 0
  let refused = 0
  for (let at = 0; at < 6_000; at++) {
    await clock.advance(10)
    if (!pace.mayPrompt) refused++
    else pace.spend(4_000)
    prompt += 4_000
  }
  t.equal(refused, 0, '400 kB/s of prompt bytes beside bulk: never a wait')
  const share = (prompt + bulk.moved) / 60_000_000
  t.ok(share > 0.99 && share < 1.01, `both together ${(share * 100).toFixed(2)} %`)
  let flood = 0
  for (let at = 0; at < 1_000; at++) {
    await clock.advance(10)
    for (; pace.mayPrompt; flood += 4_000) pace.spend(4_000)
  }
  t.ok(flood <= 11_500_000, `a flood of ten seconds moves ${flood}`)
})

t.test('there is one timer for all who wait, and none when nobody does', async (t) => {
  const clock = new DrivenClock()
  const pace = new Pace(clock)
  pace.set(200_000)
  t.equal(clock.sleeping, 0)
  const streams = Array.from({ length: 50 }, () => new Stream(pace, CHUNK_BYTES, 2))
  for (const one of streams) pace.join(one)
  t.equal(clock.sleeping, 1)
  await clock.advance(MINUTE_MS)
  t.equal(clock.sleeping, 0)
  t.ok(streams.every((one) => one.moved === 2 * CHUNK_BYTES))
})

t.test('a limit that is lifted or changed holds at once for those who wait', async (t) => {
  const clock = new DrivenClock()
  const pace = new Pace(clock)
  pace.set(100_000)
  const stream = new Stream(pace)
  pace.join(stream)
  pace.set(10_000_000)
  await clock.advance(10_000)
  t.ok(stream.moved > 99_000_000, `${stream.moved}`)
  stream.left = 100
  const before = stream.moved
  pace.set(null)
  t.equal(stream.moved - before, 100 * CHUNK_BYTES, 'without a limit nobody waits')
})

t.test('a wait is foretold: by turns, and never above what all have to move', async (t) => {
  const clock = new DrivenClock()
  const pace = new Pace(clock)
  pace.set(1_000_000)
  pace.spend(pace.burstBytes)
  const [greedy, modest] = [{}, {}]
  pace.owe(greedy, 8_000_000)
  t.equal(pace.waitMs(greedy, 2_000_000), 10_000)
  t.equal(pace.waitMs(modest, 50_000), 100, 'who asks for little does not pay for the other')
  pace.owe(greedy, -8_000_000)
  t.equal(pace.waitMs(modest, 50_000), 50)
  t.notOk(pace.isOwed)
})
