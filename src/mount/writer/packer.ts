import { assert } from '../../base/assert.js'
import { type Scheme, SHARD_BYTES_MAX } from '../../model/segment.js'

export interface StagedSize {
  stagedId: number
  length: number
}

/** One segment to be: staged rows back to back. `offset` is where a row begins in the segment. */
export interface SegmentPlan {
  rows: { stagedId: number; offset: number; length: number }[]
  plainLength: number
}

/** Plain bytes that fit one segment of this scheme. */
export function segmentBytesMax(scheme: Scheme): number {
  return scheme.dataShards * SHARD_BYTES_MAX
}

/**
 * Packs staged rows into segments in the order they were written: neighbours in time are read together, and a
 * thousand small files cost one segment. A row never spans two segments (rows are at most 1 MiB, a segment holds at
 * least 1.9 MB), so an extent never needs splitting when it moves from a staged row to a segment.
 */
export function packSegments(rows: readonly StagedSize[], scheme: Scheme): SegmentPlan[] {
  const bytesMax = segmentBytesMax(scheme)
  const plans: SegmentPlan[] = []
  let open: SegmentPlan | undefined
  for (const row of rows) {
    assert(row.length > 0 && row.length <= bytesMax, `staged row of ${row.length} bytes`)
    if (open === undefined || open.plainLength + row.length > bytesMax) {
      open = { rows: [], plainLength: 0 }
      plans.push(open)
    }
    open.rows.push({ stagedId: row.stagedId, offset: open.plainLength, length: row.length })
    open.plainLength += row.length
  }
  return plans
}
