/** Repairs in this process: while there is something to repair and room for it, the most endangered first. */
import { codeOf } from '../../base/errors.js'
import type { Log } from '../../base/log.js'
import type { PeerId } from '../../model/ids.js'
import { Completer } from './completer.js'
import type { LeaseDesk } from './lease-desk.js'
import type { WorkBounds } from './work-bounds.js'

export interface RepairerParts {
  desk: LeaseDesk
  completer: Completer
  bounds: WorkBounds
  log: Log
  holder: PeerId
}

/** Repairs at once, of the work that fits: completions go on beside them. */
const AT_ONCE_MAX = 4

export class Repairer {
  private readonly parts: RepairerParts
  private running: Promise<void> | null = null
  /** Shards that were given a new place since the start. */
  moved = 0

  constructor(parts: RepairerParts) {
    this.parts = parts
  }

  /** Until nothing is left that can be done now. One round at a time. */
  round(signal: AbortSignal): Promise<void> {
    this.running ??= this.run(signal).finally(() => {
      this.running = null
    })
    return this.running
  }

  private async run(signal: AbortSignal): Promise<void> {
    await this.parts.desk.expire()
    await Promise.all(Array.from({ length: AT_ONCE_MAX }, () => this.runLine(signal)))
  }

  private async runLine(signal: AbortSignal): Promise<void> {
    const { desk, completer, bounds, holder, log } = this.parts
    while (!signal.aborted) {
      const job = await desk.next(holder)
      if (job === null) return
      const release = await bounds.enter(Completer.costOfJob(job))
      try {
        this.moved += await completer.work(job, signal)
      } catch (error) {
        if (signal.aborted) return
        log.debug({ segment: job.segment, code: codeOf(error) }, 'a repair failed')
      } finally {
        release()
      }
    }
  }
}
