/**
 * Plain units of a segment from the network: placement -> stripes of rows -> verified shards -> opened units. The units asked
 * for are fetched row range by row range, each data shard with one request a range.
 */
import { AppError } from '../../base/errors.js'
import { assert } from '../../base/assert.js'
import type { SecretBytes } from '../../crypto/secret.js'
import { LEAF_BYTES, type Placement, type SegmentInfo } from '../../model/segment.js'
import { layoutOf, type SegmentLayout } from '../../segment/layout.js'
import { leavesOfRow, rowLength, rowOffsetInShard, unitPlace } from '../../segment/offsets.js'
import { openRange } from '../../segment/seal.js'
import type { HostScores } from './host-scores.js'
import type { Placements } from './placements.js'
import type { ShardPlace, ShardReader } from './shard-reader.js'
import { readStripe } from './stripe-reader.js'

export interface SegmentReaderParts {
  placements: Placements
  shards: ShardReader
  scores: HostScores
  termKey(keyTerm: number): SecretBytes
  monotonicMs(): number
}

/** Rows asked of a shard in one request: 256 KiB answers are as fast as larger ones and let others in between. */
const ROWS_PER_REQUEST = 4

interface RowRange {
  firstRow: number
  rowCount: number
  /** Data shards of which units are wanted in these rows. */
  shards: Set<number>
}

export class SegmentReader {
  private readonly parts: SegmentReaderParts

  constructor(parts: SegmentReaderParts) {
    this.parts = parts
  }

  /**
   * Unit number -> its plain bytes (as long as the unit's sealed bytes; the padding at the end is cut by the caller's range).
   * More units than asked may come. Rejects with `shards-unreachable`, `placement-wrong`, `placement-unknown`, bridge failures.
   */
  async read(info: SegmentInfo, units: readonly number[], signal: AbortSignal): Promise<Map<number, Buffer>> {
    const placement = await this.parts.placements.of(info)
    try {
      return await this.readFrom(info, placement, units, signal)
    } catch (error) {
      if (signal.aborted || !(error instanceof AppError) || error.code !== 'shards-unreachable') throw error
      // Shards may have moved since we asked.
      const renewed = await this.parts.placements.renew(info).catch(() => null)
      if (renewed === null || isSame(renewed, placement)) throw error
      return this.readFrom(info, renewed, units, signal)
    }
  }

  private async readFrom(info: SegmentInfo, placement: Placement, units: readonly number[], signal: AbortSignal): Promise<Map<number, Buffer>> {
    const layout = layoutOf(info)
    const result = new Map<number, Buffer>()
    await Promise.all(
      rowRanges(layout, units).map(async (range) => {
        const stripes = await this.readRows(info, layout, placement, range, signal)
        for (const [shard, bytes] of stripes) await this.openUnits(info, layout, range, shard, bytes, result)
      }),
    )
    return result
  }

  private readRows(info: SegmentInfo, layout: SegmentLayout, placement: Placement, range: RowRange, signal: AbortSignal): Promise<Map<number, Buffer>> {
    const { shards, scores, monotonicMs } = this.parts
    const places: (ShardPlace | null)[] = Array.from({ length: info.totalShards }, () => null)
    for (const { index, shard, host } of placement.shards) {
      if (host !== null) places[index] = { segment: info.segment, index, shard, shardLength: info.shardLength, host }
    }
    const nowMs = monotonicMs()
    const rank = (index: number) => {
      const place = places[index]
      return place ? scores.rank(place.host, nowMs) : Number.POSITIVE_INFINITY
    }
    const order = places.map((_, index) => index).sort((a, b) => rank(a) - rank(b))
    const lastRow = range.firstRow + range.rowCount - 1
    const length = rowOffsetInShard(lastRow) - rowOffsetInShard(range.firstRow) + rowLength(layout, lastRow)
    const { firstLeaf } = leavesOfRow(layout, range.firstRow)
    const scheme = { dataShards: info.dataShards, totalShards: info.totalShards }
    const stripe = { scheme, places, order, firstLeaf, leafCount: length / LEAF_BYTES, length }
    return readStripe(shards, stripe, [...range.shards], signal)
  }

  private async openUnits(
    info: SegmentInfo,
    layout: SegmentLayout,
    range: RowRange,
    shard: number,
    bytes: Buffer,
    into: Map<number, Buffer>,
  ): Promise<void> {
    const termKey = this.parts.termKey(info.keyTerm)
    for (let row = range.firstRow; row < range.firstRow + range.rowCount; row++) {
      const place = unitPlace(layout, row * layout.dataShards + shard)
      const from = rowOffsetInShard(row) - rowOffsetInShard(range.firstRow)
      const sealed = bytes.subarray(from, from + place.sealedLength)
      if (place.sealedLength > 0) await openRange(termKey, info.segment, place.offsetInSegment, sealed)
      into.set(place.unit, sealed)
    }
  }
}

/** Neighbouring rows in which the same shards are wanted become one range, at most ROWS_PER_REQUEST long. */
function rowRanges(layout: SegmentLayout, units: readonly number[]): RowRange[] {
  const rows = new Map<number, Set<number>>()
  for (const unit of units) {
    assert(unit < layout.unitCount, 'a unit of the segment')
    const row = Math.floor(unit / layout.dataShards)
    const shards = rows.get(row) ?? new Set<number>()
    rows.set(row, shards.add(unit % layout.dataShards))
  }
  const ranges: RowRange[] = []
  for (const [row, shards] of [...rows].sort((a, b) => a[0] - b[0])) {
    const last = ranges.at(-1)
    const joins = last !== undefined && last.firstRow + last.rowCount === row && last.rowCount < ROWS_PER_REQUEST && isEqual(last.shards, shards)
    if (joins) last.rowCount++
    else ranges.push({ firstRow: row, rowCount: 1, shards })
  }
  return ranges
}

function isEqual(a: Set<number>, b: Set<number>): boolean {
  return a.size === b.size && [...a].every((one) => b.has(one))
}

function isSame(a: Placement, b: Placement): boolean {
  return a.shards.length === b.shards.length && a.shards.every((one, at) => one.host === b.shards[at]?.host)
}
