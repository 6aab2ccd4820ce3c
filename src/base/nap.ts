/** The sleeps of one loop, which news cuts short: news wakes who sleeps, or keeps the next sleep from beginning. */
import type { Clock } from './clock.js'
import { linkSignal } from './linked-signal.js'

export class Nap {
  private readonly clock: Clock
  private hasNews = false
  private cut: () => void = () => {}

  constructor(clock: Clock) {
    this.clock = clock
  }

  wake(): void {
    this.hasNews = true
    this.cut()
  }

  /** False when the signal fired; true when the time is over or somebody woke us. One sleeper at a time. */
  async sleep(delayMs: number, signal: AbortSignal): Promise<boolean> {
    const link = linkSignal(signal)
    this.cut = () => link.abort(null)
    if (!this.hasNews) await this.clock.sleep(delayMs, link.signal)
    this.cut = () => {}
    link.release()
    this.hasNews = false
    return !signal.aborted
  }
}
