/**
 * Bridge time, as learnt from signed replies: wall time of this machine plus an offset. Wall and not monotonic time
 * underneath, because a suspended machine's monotonic clock stands still.
 */
import type { Clock } from '../base/clock.js'
import { AppError } from '../base/errors.js'
import { API_LIMITS } from '../wire/api.js'

export class BridgeClock {
  private readonly clock: Clock
  private offset = 0
  private learnt = false

  constructor(clock: Clock) {
    this.clock = clock
  }

  /** Bridge time; this machine's until the first reply. */
  nowMs(): number {
    return Math.max(0, Math.round(this.clock.nowMs() + this.offset))
  }

  /**
   * What to sign requests with: bridge time. When the clocks are too far apart, this machine's: the bridge then refuses
   * before anything happens, until the clock is set.
   */
  signingMs(): number {
    return this.isSkewed ? Math.max(0, Math.round(this.clock.nowMs())) : this.nowMs()
  }

  /** Bridge time minus this machine's. */
  offsetMs(): number {
    return Math.round(this.offset)
  }

  get isLearnt(): boolean {
    return this.learnt
  }

  /** From a verified reply that took `roundTripMs`: the bridge wrote its time about halfway. */
  learn(bridgeMs: number, roundTripMs: number): void {
    this.offset = bridgeMs + roundTripMs / 2 - this.clock.nowMs()
    this.learnt = true
  }

  get isSkewed(): boolean {
    return Math.abs(this.offset) > API_LIMITS.clockSkewMs
  }

  /** `clock-skew` when this machine's clock is too far from the bridge's. */
  expectNear(): void {
    if (!this.isSkewed) return
    const minutes = Math.round(Math.abs(this.offset) / 60_000)
    const side = this.offset > 0 ? 'behind' : 'ahead of'
    throw new AppError('clock-skew', `the clock of this machine is ${minutes} min ${side} the bridge's`, {
      hint: 'set the clock of this machine (timedatectl set-ntp true)',
      details: { offsetMs: this.offsetMs() },
    })
  }
}
