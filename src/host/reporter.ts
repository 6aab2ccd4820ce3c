/** Keeps the bridge informed: registers until it is done, then reports, at once when something changed. The bridge may come and go. */
import type { Clock } from '../base/clock.js'
import { codeOf, isCode } from '../base/errors.js'
import type { Log } from '../base/log.js'
import type { HostId } from '../model/ids.js'
import type { HostReport, HostRequest } from '../wire/host-api.js'
import type { BridgeMarks } from './endpoint/bridge-marks.js'
import type { Losses } from './losses.js'
import type { BridgeSession } from './session.js'

export interface ReporterParts {
  host: HostId
  session: BridgeSession
  clock: Clock
  log: Log
  losses: Losses
  facts: () => HostRequest
  report: () => Promise<HostReport>
  onRegistered: (incarnation: number) => void
  marks: Pick<BridgeMarks, 'shown' | 'keep'>
  /** Between reports. */
  everyMs: number
  signal: AbortSignal
}

const REGISTER_RETRY_MS = 2_000

export class Reporter {
  private readonly parts: ReporterParts
  private informing: Promise<void> | null = null
  private isStale = false
  registered = false

  constructor(parts: ReporterParts) {
    this.parts = parts
  }

  /** Until the signal fires. */
  async run(): Promise<void> {
    const { clock, everyMs, signal } = this.parts
    for (;;) {
      await this.inform()
      if (!(await clock.sleep(this.registered ? everyMs : REGISTER_RETRY_MS, signal))) return
    }
  }

  /** What it was registered with has changed. */
  registerAgain(): void {
    this.registered = false
  }

  /** One at a time; news that comes meanwhile is told right after. Never rejects. */
  async inform(): Promise<void> {
    this.isStale = true
    this.informing ??= this.informWhileStale().finally(() => {
      this.informing = null
    })
    await this.informing
  }

  private async informWhileStale(): Promise<void> {
    while (this.isStale && !this.parts.signal.aborted) {
      this.isStale = false
      await this.informOnce()
    }
  }

  private async informOnce(): Promise<void> {
    const { host, session, log, losses, facts, report, onRegistered, marks, signal } = this.parts
    const wasRegistered = this.registered
    try {
      if (!this.registered) {
        const { incarnation, mark } = await session.register(facts(), { signal })
        marks.keep(mark)
        onRegistered(incarnation)
        this.registered = true
        log.info({ host, incarnation }, 'registered with the bridge')
      }
      const { mark } = await session.report(host, { ...(await report()), ...marks.shown() }, { signal })
      marks.keep(mark)
      if (session.reportLosses !== undefined) await losses.tellNew()
    } catch (error) {
      // A bridge that was restored may not know this host any more.
      if (isCode(error, 'unknown-host')) {
        this.registered = false
        this.isStale ||= wasRegistered
      }
      if (!signal.aborted) log.warn({ code: codeOf(error) }, 'the bridge could not be informed')
    }
  }
}
