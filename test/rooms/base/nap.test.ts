import t from 'tap'
import { Nap } from '../../../src/base/nap.js'
import { DrivenClock } from '../../support/driven-clock.js'

t.test(
  'a nap ends with its time, with news, or with the signal; news that came before keeps it from beginning',
  async (t) => {
    const clock = new DrivenClock()
    const nap = new Nap(clock)
    const stop = new AbortController()
    const timed = nap.sleep(1_000, stop.signal)
    await clock.advance(1_000)
    t.equal(await timed, true)
    const woken = nap.sleep(1_000, stop.signal)
    nap.wake()
    t.equal(await woken, true)
    nap.wake()
    t.equal(await nap.sleep(1_000, stop.signal), true, 'news is not slept over')
    t.equal(clock.monotonicMs(), 1_000, 'no time passed')
    const long = nap.sleep(1_000, stop.signal)
    t.equal(clock.sleeping, 1, 'old news wakes nobody')
    stop.abort()
    t.equal(await long, false)
    t.equal(clock.sleeping, 0)
  },
)
