/** Work that comes back: each chore runs, waits, runs again; one that fails is logged and comes back as well. */
import { setMaxListeners } from 'node:events'
import type { Clock } from '../base/clock.js'
import type { Log } from '../base/log.js'

export class Chores {
  private readonly clock: Clock
  private readonly log: Log
  private readonly stopping = new AbortController()
  private readonly running = new Set<Promise<void>>()

  constructor(parts: { clock: Clock; log: Log }) {
    // Every request of every completion listens to the end.
    setMaxListeners(0, this.stopping.signal)
    this.clock = parts.clock
    this.log = parts.log
  }

  get signal(): AbortSignal {
    return this.stopping.signal
  }

  /** First after one interval. */
  every(name: string, intervalMs: number, work: (signal: AbortSignal) => Promise<void> | void): void {
    this.track(
      (async () => {
        while (await this.clock.sleep(intervalMs, this.signal)) await this.guarded(name, work)
      })(),
    )
  }

  /** Once, in the background. */
  background(name: string, work: (signal: AbortSignal) => Promise<void>): void {
    if (!this.signal.aborted) this.track(this.guarded(name, work))
  }

  private async guarded(name: string, work: (signal: AbortSignal) => Promise<void> | void): Promise<void> {
    try {
      await work(this.signal)
    } catch (error) {
      if (!this.signal.aborted) this.log.error({ chore: name, err: error }, 'a chore failed')
    }
  }

  private track(work: Promise<void>): void {
    this.running.add(work)
    void work.finally(() => this.running.delete(work))
  }

  async stop(): Promise<void> {
    this.stopping.abort()
    await Promise.allSettled([...this.running])
  }
}
