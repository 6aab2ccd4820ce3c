/**
 * The circuit breaker: when very many fail at once, a fault of this bridge or of a release is likelier than that many liars.
 * Then nothing that was found costs anybody anything; it is asked again later (audits.ts). Pure.
 */
export interface Found {
  /** Who answers for the host: its operator, else its network. One that fails with all its hosts is one that fails. */
  domain: string
  segmentRow: number
  index: number
}

/** More than a tenth of the hosts that were asked in one round, and not just two unlucky ones of a small network. */
export const FAILING_SHARE_MAX = 0.1
export const FAILING_HOSTS_MIN = 3
/** Shards of one segment: hosts do not know which of their shards are of one segment, so they do not lose them together. */
export const SEGMENT_SHARDS_MAX = 6

/** Why penalties are frozen, in words; null when they are not. `asked`: hosts that were asked in the round. */
export function frozenBecause(found: readonly Found[], asked: number): string | null {
  const hosts = new Set(found.map((one) => one.domain)).size
  if (hosts >= FAILING_HOSTS_MIN && hosts > FAILING_SHARE_MAX * asked) {
    return `${hosts} of ${Math.max(asked, hosts)} audited hosts failed at once`
  }
  const shards = new Map<number, Set<number>>()
  for (const { segmentRow, index } of found)
    shards.set(segmentRow, (shards.get(segmentRow) ?? new Set<number>()).add(index))
  const most = Math.max(0, ...[...shards.values()].map((indexes) => indexes.size))
  return most > SEGMENT_SHARDS_MAX ? `${most} shards of one segment failed at once` : null
}
