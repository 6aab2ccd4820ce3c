import type { Clock } from '../../base/clock.js'
import type { AppError } from '../../base/errors.js'
import type { HostId } from '../../model/ids.js'

/** Shorter than the time in which the bridge notices by itself, longer than a few segments take. */
const GONE_MS = 10_000
/** Hosts of one drive; beyond it something is odd, and forgetting costs one dial each. */
const HOSTS_MAX = 4_096
const SIGNS = new Set(['peer-unreachable', 'peer-lost', 'timed-out'])

/** Hosts that could not be reached a moment ago. Dialing one that hangs takes 10 s: not again for each segment. */
export class GoneHosts {
  private readonly clock: Clock
  private readonly until = new Map<HostId, number>()

  constructor(clock: Clock) {
    this.clock = clock
  }

  has(host: HostId): boolean {
    const untilMs = this.until.get(host)
    if (untilMs === undefined) return false
    if (untilMs > this.clock.monotonicMs()) return true
    this.until.delete(host)
    return false
  }

  note(host: HostId, error: AppError): void {
    if (!SIGNS.has(error.code)) return
    if (this.until.size >= HOSTS_MAX) this.until.clear()
    this.until.set(host, this.clock.monotonicMs() + GONE_MS)
  }

  /** The network may be another one now. */
  clear(): void {
    this.until.clear()
  }

  back(host: HostId): void {
    this.until.delete(host)
  }
}
