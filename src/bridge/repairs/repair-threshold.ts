/**
 * When a segment is repaired, and which first. Pure; the numbers come from the durability simulator (`npm run sim:durability`,
 * docs/adr/0011, docs/durability.md).
 *
 * A shard counts while its host is not away for longer than AWAY_AFTER_MS and the shard is not known to be bad. A segment with
 * `repairThreshold` counted shards or fewer waits for repair, back to n; those with the shortest expected time to loss are served first.
 */
import type { Scheme } from '../../model/segment.js'
import { commitThreshold } from '../placement/threshold.js'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const DAYS_PER_YEAR = 365

/** Offline for longer: its shards are not counted. Shorter, and every router that restarts costs repairs; longer gains little. */
export const AWAY_AFTER_MS = 4 * HOUR_MS
/** Offline for longer: the host is given up and its placements are dropped. Until then it may return with all that it has. */
export const LOST_AFTER_MS = 30 * DAY_MS

/** Of all hosts, gone for good in a day, for any reason: what the simulator assumes (30 % leave in a year; operators, disks, cheats). */
export const LOSSES_PER_HOST_DAY = 0.4 / DAYS_PER_YEAR
/** So much of the network's own history weighs as much as the assumption: ten lost hosts. */
const PRIOR_LOSSES = 10

/**
 * Half of the spare shards are gone: k + ceil((n - k) / 2), and always below what commits, so that a segment that was just stored waits
 * for its uploader and not for repair. On every rung of the ladder this is the least threshold at which a tenth of all hosts may vanish
 * at one moment and take at most one in 100,000 of the segments that were just above it. With n = k nothing can be repaired: k - 1.
 */
export function repairThreshold(scheme: Scheme): number {
  const { dataShards: k, totalShards: n } = scheme
  const commit = commitThreshold(scheme, n) ?? n
  return Math.min(k + Math.ceil((n - k) / 2), commit - 1)
}

/**
 * Days until a segment with `healthy` counted shards would be lost if nobody repaired it: with i shards left the next goes after
 * 1 / (i * rate) days, down to k - 1. 0 below k. `lossesPerHostDay` is the same for all segments, so the order of a queue does not depend
 * on it. The size of the network does not matter either: who leaves is replaced by somebody without shards.
 */
export function expectedDaysToLoss(
  healthy: number,
  dataShards: number,
  lossesPerHostDay = LOSSES_PER_HOST_DAY,
): number {
  let days = 0
  for (let left = dataShards; left <= healthy; left++) days += 1 / (left * lossesPerHostDay)
  return days
}

/** The network's own rate, from how many hosts were lost in how many host-days; near the assumption while little is known. */
export function lossesPerHostDay(hostsLost: number, hostDays: number): number {
  return (PRIOR_LOSSES + hostsLost) / (PRIOR_LOSSES / LOSSES_PER_HOST_DAY + hostDays)
}
