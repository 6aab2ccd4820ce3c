/**
 * The circuit breaker: when very many fail at once, a fault of this bridge or of a release is likelier than that many liars.
 * Then nothing that was found costs anybody anything; it is asked again later (closing.ts). Pure.
 *
 * Who shields himself behind it: a party (groups.ts) counts once, however many hosts it has. And a freeze ends: hosts that have
 * gone on failing for days while most others are fine are not what a fault of the bridge looks like (isStubborn).
 */
import type { FrozenHost } from '../persist/audit-sql.js'
import { WINDOW_MS } from '../reputation/online.js'

export interface Found {
  hostRow: number
  segmentRow: number
  index: number
}

/** More than a tenth of those that were asked in one round, and not just two unlucky ones of a small network. */
export const FAILING_SHARE_MAX = 0.1
export const FAILING_PARTIES_MIN = 3
/** Shards of one segment: hosts do not know which of their shards are of one segment, so they do not lose them together. */
export const SEGMENT_SHARDS_MAX = 6

const DAY_MS = 24 * 3_600_000
/** A long weekend: so long whoever runs the bridge has to look at what it says is frozen. */
export const SHIELD_MS = 4 * DAY_MS
/** And the host failed in so many half days: two faults of the bridge a week apart are none of it. */
export const SHIELD_WINDOWS_MIN = 3
/** What happened longer ago is another story. */
export const FROZEN_KEPT_MS = 14 * DAY_MS
/** A fault that more parties than this share of all shared is the bridge's, for however long it lasts. */
export const FAULTY_SHARE_MAX = 0.5

/** Why penalties are frozen, in words; null when they are not. Parties that failed, and that were asked in the round. */
export function frozenBecause(found: readonly Found[], failing: number, asked: number): string | null {
  if (failing >= FAILING_PARTIES_MIN && failing > FAILING_SHARE_MAX * asked) {
    return `${failing} of ${Math.max(asked, failing)} audited operators and networks failed at once`
  }
  const shards = new Map<number, Set<number>>()
  for (const { segmentRow, index } of found)
    shards.set(segmentRow, (shards.get(segmentRow) ?? new Set<number>()).add(index))
  const most = Math.max(0, ...[...shards.values()].map((indexes) => indexes.size))
  return most > SEGMENT_SHARDS_MAX ? `${most} shards of one segment failed at once` : null
}

/** It has been shielded for long enough. `currentWindow` as in reputation/online.ts; the first one need not have been whole. */
export function isStubborn({ first, windows }: Omit<FrozenHost, 'hostRow'>, currentWindow: number): boolean {
  return (currentWindow - first - 1) * WINDOW_MS >= SHIELD_MS && windows >= SHIELD_WINDOWS_MIN
}
