/**
 * Ends the life of segments: 72 h after placement when no record confirmed them, 30 days after a record retired them.
 * Nothing else deletes. What hosts must forget is written down in the same transaction (deletions.ts carries it out).
 */
import type { Clock } from '../../base/clock.js'
import type { Log } from '../../base/log.js'
import { pseudonymOf } from '../../permits/pseudonym.js'
import { SEGMENT_STATE, type SegmentRow } from '../persist/segment-rows.js'
import type { Store } from '../persist/store.js'

export const UNCONFIRMED_MS = 72 * 3_600_000
export const RETIRED_MS = 30 * 24 * 3_600_000
/** Rows at a time; requests are served in between. */
const PAGE = 100

export class Sweeper {
  private readonly store: Store
  private readonly clock: Clock
  private readonly log: Log

  private readonly isFrozen: () => boolean

  /** Frozen: the books may be older than the world, and nothing goes. */
  constructor(parts: { store: Store; clock: Clock; log: Log; isFrozen: () => boolean }) {
    this.store = parts.store
    this.isFrozen = parts.isFrozen
    this.clock = parts.clock
    this.log = parts.log
  }

  /** One round over all that is due; nothing while the books may be old. The number of segments that went. */
  async sweep(signal?: AbortSignal): Promise<number> {
    if (this.isFrozen()) return 0
    const now = this.clock.nowMs()
    const unconfirmed = await this.sweepState(SEGMENT_STATE.placed, now - UNCONFIRMED_MS, signal)
    const retired = await this.sweepState(SEGMENT_STATE.retired, now - RETIRED_MS, signal)
    if (unconfirmed + retired > 0) this.log.info({ unconfirmed, retired }, 'segments swept')
    return unconfirmed + retired
  }

  private async sweepState(state: number, beforeMs: number, signal?: AbortSignal): Promise<number> {
    let swept = 0
    while (!signal?.aborted && !this.store.frozen) {
      const rows = await this.store.segments.expired(state, beforeMs, PAGE)
      const before = swept
      for (const row of rows) if (await this.drop(row, state)) swept++
      // A page on which nothing could go would come again.
      if (rows.length < PAGE || swept === before) return swept
      await new Promise((resolve) => setImmediate(resolve))
    }
    return swept
  }

  private async drop(row: number, state: number): Promise<boolean> {
    const segment = await this.store.segments.loadRow(row)
    if (segment === null) return false
    return this.store.segments.drop(row, state, forgetAll(segment), this.clock.nowMs())
  }
}

/** Every host that may hold a shard: with a receipt, or with a token that it could still have been used. */
function forgetAll(segment: SegmentRow) {
  return segment.shards
    .filter((shard) => shard.stored || shard.offered)
    .map(({ hostRow, host, index, shard, generation }) => {
      const pseudonym = pseudonymOf(segment.drive, host)
      return { hostRow, pseudonym, segment: segment.segment, index, shard, generation }
    })
}
