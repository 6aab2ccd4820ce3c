/**
 * How fast hosts answer, from the bridge's own pushes and fetches: for choosing among them only, never against one (a slow
 * host is a host). In memory; a host that was not measured counts as average.
 */
import { LRUCache } from 'lru-cache'
import type { HostId } from '../../model/ids.js'

/** The newest measurement's share. */
const ALPHA = 0.2
/** So many bytes are added to every transfer: a small one says how late a host answers. */
const LATENCY_BYTES = 65_536
/** No host is drawn more or less than this often for its speed: otherwise the fast ones fill up and fail together. */
const FACTOR_MAX = 2
const HOSTS_MAX = 100_000

export class HostSpeeds {
  private readonly costs = new LRUCache<HostId, number>({ max: HOSTS_MAX })
  private average: number | null = null

  note(host: HostId, bytes: number, durationMs: number): void {
    const cost = Math.max(durationMs, 0.1) / (bytes + LATENCY_BYTES)
    const before = this.costs.get(host)
    this.costs.set(host, before === undefined ? cost : before + ALPHA * (cost - before))
    this.average = this.average === null ? cost : this.average + (ALPHA / 10) * (cost - this.average)
  }

  /** 0.5 (twice as slow as the average, or slower) to 2. */
  factor(host: HostId): number {
    const cost = this.costs.get(host)
    if (cost === undefined || this.average === null) return 1
    return Math.min(FACTOR_MAX, Math.max(1 / FACTOR_MAX, this.average / cost))
  }
}
