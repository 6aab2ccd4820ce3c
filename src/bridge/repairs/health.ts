/** How a segment stands: which of its shards count, and whether it is to be repaired. Pure. */
import type { Presence } from '../hosts/presence.js'
import { SEGMENT_STATE, type SegmentRow, type ShardRow } from '../persist/segment-rows.js'
import { expectedDaysToLoss, repairThreshold } from './repair-threshold.js'

export interface Health {
  /** Stored on good hosts. */
  healthy: number
  /** Stored where it can be had when its host is there: good hosts, and those at risk. */
  reachable: number
  /** Healthy shards it may lose and still be read; negative: it cannot be read now. */
  spare: number
  days: number
  /** At the threshold or below it, or on the way back to n, or a host that leaves holds one. */
  needed: boolean
  /** Below k reachable shards: nothing can be done but wait. */
  waiting: boolean
  /** Whether stored shards are given to other hosts, all that do not count, or only those of hosts that leave. */
  replaces: 'all' | 'leaving'
}

export interface HostView {
  presence: Presence
  leaving: boolean
}

export type Viewed = Pick<SegmentRow, 'dataShards' | 'totalShards' | 'state'> & {
  shards: readonly Pick<ShardRow, 'hostRow' | 'stored'>[]
}

/**
 * What a record retired lives 30 days more and may be wanted again, but most of it is garbage: repaired only within one
 * loss of its end.
 */
function thresholdOf(segment: Viewed): number {
  const { dataShards: k, totalShards: n } = segment
  return segment.state === SEGMENT_STATE.retired ? Math.min(k + 1, n) : repairThreshold(segment)
}

/** `isBegun`: a repair of it made up for some shards; it goes on to n, whatever the threshold. */
export function healthOf(
  segment: Viewed,
  hostAt: (row: number) => HostView,
  { lossesPerHostDay, isBegun }: { lossesPerHostDay: number; isBegun: boolean },
): Health {
  const { dataShards: k, totalShards: n } = segment
  let healthy = 0
  let atRisk = 0
  let leaving = 0
  for (const shard of segment.shards) {
    if (!shard.stored) continue
    const host = hostAt(shard.hostRow)
    if (host.presence === 'good') healthy++
    if (host.presence === 'risk' || host.presence === 'leaving') atRisk++
    if (host.leaving && host.presence !== 'gone') leaving++
  }
  const reachable = healthy + atRisk
  const isShort = healthy < n && (isBegun || healthy <= thresholdOf(segment))
  return {
    healthy,
    reachable,
    spare: healthy - k,
    days: expectedDaysToLoss(reachable, k, lossesPerHostDay),
    needed: isShort || leaving > 0,
    waiting: reachable < k,
    replaces: isShort ? 'all' : 'leaving',
  }
}
