/** The real clock, so much ahead as a file says (Unix ms): months of a real process pass in a moment. Monotonic time and sleeps stay real. */
import fs from 'node:fs'
import { type Clock, systemClock } from '../../src/base/clock.js'

export function shiftedClock(file: string): Clock {
  const aheadMs = () => (fs.existsSync(file) ? Number(fs.readFileSync(file, 'utf8')) : 0)
  return {
    nowMs: () => systemClock.nowMs() + aheadMs(),
    nowNs: () => systemClock.nowNs() + BigInt(aheadMs()) * 1_000_000n,
    monotonicMs: () => systemClock.monotonicMs(),
    sleep: (delayMs, signal) => systemClock.sleep(delayMs, signal),
  }
}
