/**
 * Slows a chore down: so many bytes a second, and none while requests are under way, unless they never end. Time that the
 * owner's disk spends on chores is time that nobody waits for.
 */
import type { Clock } from '../../base/clock.js'

export interface PaceParts {
  clock: Clock
  /** Whether requests are under way. */
  isBusy: () => boolean
  signal: AbortSignal
}

export interface PaceOptions {
  bytesPerSecondMax: number
  /** A chore goes on after this long, however busy the host is: a full disk waits for it. */
  patienceMs?: number
}

const BUSY_LOOK_MS = 50
const PATIENCE_MS = 2_000

export class Pace {
  private readonly parts: PaceParts
  private readonly bytesPerSecondMax: number
  private readonly patienceMs: number

  constructor(parts: PaceParts, options: PaceOptions) {
    this.parts = parts
    this.bytesPerSecondMax = options.bytesPerSecondMax
    this.patienceMs = options.patienceMs ?? PATIENCE_MS
  }

  /** Resolves when more may be done after so many bytes, or when the signal fires. */
  async after(bytes: number): Promise<void> {
    const { clock, isBusy, signal } = this.parts
    await new Promise((resolve) => setImmediate(resolve))
    const waitMs = (bytes / this.bytesPerSecondMax) * 1_000
    if (waitMs >= 1 && !(await clock.sleep(waitMs, signal))) return
    for (let waitedMs = 0; waitedMs < this.patienceMs && isBusy(); waitedMs += BUSY_LOOK_MS) {
      if (!(await clock.sleep(BUSY_LOOK_MS, signal))) return
    }
  }
}
