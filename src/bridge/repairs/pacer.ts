/**
 * How fast repair may move bytes: in all, and on each host's line, where it shares with the host's owner and with reads.
 * Budgets that fill up with time; who is in debt waits. Completions of fresh segments are not held up: until they are
 * complete their data is the least safe there is.
 */
import { LRUCache } from 'lru-cache'
import type { Clock } from '../../base/clock.js'
import type { KnownHost } from '../hosts/registry.js'

/** Of all repairs, both ways. 2.7 TB a day: 1 % of 10 hosts' 25 TB lost and rebuilt within minutes, not hours. */
export const REPAIR_BYTES_PER_SECOND = 32 * 1_048_576
/** Of one host, both ways: a tenth of a fast home line's upload, half of a slow one's. */
export const HOST_REPAIR_BYTES_PER_SECOND = 2 * 1_048_576
/** What may be spent at once after a pause. More than the time between two rounds of the chore. */
const BURST_SECONDS = 30
/** A host that limits itself gives so much of that to repair. */
const SHARE_OF_LIMIT = 0.5
const HOSTS_MAX = 100_000

export interface PacerOptions {
  bytesPerSecond?: number
  hostBytesPerSecond?: number
}

interface Budget {
  bytes: number
  atMs: number
}

export class RepairPacer {
  private readonly clock: Clock
  private readonly perSecond: number
  private readonly hostPerSecond: number
  private readonly all: Budget
  private readonly hosts = new LRUCache<number, Budget>({ max: HOSTS_MAX })

  constructor(parts: { clock: Clock }, options: PacerOptions = {}) {
    this.clock = parts.clock
    this.perSecond = options.bytesPerSecond ?? REPAIR_BYTES_PER_SECOND
    this.hostPerSecond = options.hostBytesPerSecond ?? HOST_REPAIR_BYTES_PER_SECOND
    this.all = { bytes: this.perSecond * BURST_SECONDS, atMs: this.clock.monotonicMs() }
  }

  /** Whether repair may go on at all. */
  isFree(): boolean {
    return this.fill(this.all, this.perSecond) > 0
  }

  /** Whether so many bytes may go there, or come from there: of its line, and of its month. */
  isHostFree(host: KnownHost, bytes: number): boolean {
    if ((host.facts?.monthBytesLeft ?? Number.POSITIVE_INFINITY) < bytes) return false
    return this.fill(this.budgetOf(host), this.rateOf(host)) > 0
  }

  spend(host: KnownHost, bytes: number): void {
    this.all.bytes -= bytes
    this.budgetOf(host).bytes -= bytes
  }

  private rateOf({ facts }: KnownHost): number {
    const limits = [facts?.upBytesPerSecondMax, facts?.downBytesPerSecondMax].filter((one) => one !== undefined)
    return Math.min(this.hostPerSecond, ...limits.map((one) => one * SHARE_OF_LIMIT))
  }

  private budgetOf(host: KnownHost): Budget {
    const known = this.hosts.get(host.row)
    if (known !== undefined) return known
    const made = { bytes: this.rateOf(host) * BURST_SECONDS, atMs: this.clock.monotonicMs() }
    this.hosts.set(host.row, made)
    return made
  }

  private fill(budget: Budget, perSecond: number): number {
    const now = this.clock.monotonicMs()
    budget.bytes = Math.min(perSecond * BURST_SECONDS, budget.bytes + ((now - budget.atMs) / 1_000) * perSecond)
    budget.atMs = now
    return budget.bytes
  }
}
