/**
 * Audits on request: what devices report of a host, what an inventory misses. A report is a question, never a verdict: the
 * host is asked for a leaf of that shard, and its answer counts. A device is heard so often an hour, and the less the more
 * often its reports came to nothing: one that was wrong 9 times and never right is heard 1 time in 10.
 */
import type { Clock } from '../../base/clock.js'
import type { DeviceId, SegmentId } from '../../model/ids.js'
import { idBytes } from '../../model/ids.js'
import type { Cause, NewRequest, ShardPlace } from '../persist/audit-records.js'
import type { Store } from '../persist/store.js'
import { Rates } from '../rates.js'
import { REQUESTS_MAX } from './times.js'

/** A drive on a bad day reads from 64 bad hosts at once; then one report a minute is enough to find a bad host. */
const REPORTS = { perSecond: 1 / 60, burst: 64 }
const HEARD_MIN = 0.02

export class AuditRequests {
  private readonly store: Store
  private readonly clock: Clock
  private readonly lot: () => number
  private readonly rates = new Rates(REPORTS)

  constructor(parts: { store: Store; clock: Clock; lot: () => number }) {
    this.store = parts.store
    this.clock = parts.clock
    this.lot = parts.lot
  }

  /** Asked for with the next burst, before any others. */
  async ask(
    hostRow: number,
    places: readonly ShardPlace[],
    cause: Cause,
    accuser: Buffer | null = null,
  ): Promise<void> {
    const dueAt = this.clock.nowMs()
    const requests = places.map((place): NewRequest => ({ ...place, leaf: null, cause, tries: 0, dueAt, accuser }))
    await this.store.audits.request(hostRow, requests, REQUESTS_MAX)
  }

  /** True when the report led to a request. One of a shard that does not lie there (any more) does not. */
  async accuse(
    device: DeviceId,
    shard: { driveRow: number; hostRow: number; segment: SegmentId; index: number },
  ): Promise<boolean> {
    if (!this.rates.allows(device, this.clock.monotonicMs())) return false
    const accuser = idBytes(device)
    const { right, wrong } = await this.store.audits.accuser(accuser)
    if (this.lot() >= Math.max(HEARD_MIN, Math.min(1, (right + 1) / (wrong + 1)))) return false
    const segment = await this.store.segments.load(shard.driveRow, shard.segment)
    const place = segment?.shards[shard.index]
    if (segment === null || place === undefined || place.hostRow !== shard.hostRow || !place.stored) return false
    const { index, generation } = place
    await this.ask(shard.hostRow, [{ segmentRow: segment.row, index, generation }], 'evidence', accuser)
    return true
  }
}
