/** How many receipts commit a segment. */
import type { Scheme } from '../../model/segment.js'

/** Below this many reachable hosts nothing is placed: two shards may be lost before the first repair. */
export function leastShards({ dataShards: k, totalShards: n }: Scheme): number {
  return Math.min(n, k + 2)
}

/**
 * c = k + ceil(2 (n - k) / 3), or what is reachable if fewer; null when that is less than may be risked.
 * `reachable`: shards that are stored or whose host is online.
 */
export function commitThreshold(scheme: Scheme, reachable: number): number | null {
  if (reachable < leastShards(scheme)) return null
  const { dataShards: k, totalShards: n } = scheme
  return Math.min(k + Math.ceil((2 * (n - k)) / 3), reachable)
}
