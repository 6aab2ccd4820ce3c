/** A clock that stands still until the test moves it. Wall and monotonic time move together; sleepers wake in order. */
import type { Clock } from '../../src/base/clock.js'

interface Sleeper {
  atMs: number
  wake: () => void
}

export class DrivenClock implements Clock {
  private elapsedMs = 0
  private sleepers: Sleeper[] = []
  /** Wall time at the start. */
  private readonly startMs: number
  /** Added to wall time only: a clock that was set. */
  stepMs = 0

  constructor(startMs = 1_800_000_000_000) {
    this.startMs = startMs
  }

  nowMs(): number {
    return this.startMs + this.elapsedMs + this.stepMs
  }

  nowNs(): bigint {
    return BigInt(this.nowMs()) * 1_000_000n
  }

  monotonicMs(): number {
    return this.elapsedMs
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<boolean> {
    return new Promise((resolve) => {
      if (signal?.aborted) return resolve(false)
      const stop = () => {
        this.sleepers = this.sleepers.filter((one) => one !== sleeper)
        resolve(false)
      }
      const wake = () => {
        signal?.removeEventListener('abort', stop)
        resolve(true)
      }
      const sleeper = { atMs: this.elapsedMs + delayMs, wake }
      this.sleepers.push(sleeper)
      signal?.addEventListener('abort', stop, { once: true })
    })
  }

  /** Moves on, waking who is due one after the other; what they start in between gets its turn. */
  async advance(byMs: number): Promise<void> {
    const endMs = this.elapsedMs + byMs
    for (;;) {
      await turn()
      const next = this.sleepers.filter((one) => one.atMs <= endMs).sort((a, b) => a.atMs - b.atMs)[0]
      if (next === undefined) break
      this.sleepers = this.sleepers.filter((one) => one !== next)
      this.elapsedMs = Math.max(this.elapsedMs, next.atMs)
      next.wake()
    }
    this.elapsedMs = endMs
    await turn()
  }

  /** Jumps: whoever is due wakes once and finds the new time, as after a machine was suspended. */
  async leap(byMs: number): Promise<void> {
    this.elapsedMs += byMs
    await this.advance(0)
  }

  get sleeping(): number {
    return this.sleepers.length
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
