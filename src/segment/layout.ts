/**
 * How long a segment and its shards are. The only inputs are the plain length and k: everything else follows, on every
 * machine, forever (docs/format.md section 3). Where single bytes lie is in offsets.ts.
 */
import { assert, assertSafe } from '../base/assert.js'
import { LEAF_BYTES, type SegmentInfo, SHARD_BYTES_MAX, UNIT_BYTES } from '../model/segment.js'

/** GF(2^8) without the row that a matrix of 256 shards would lack. */
export const SHARDS_MAX = 255

/** Sizes of a segment as it is stored. */
export interface SegmentLayout {
  dataShards: number
  plainLength: number
  /** Sealed bytes: the plain ones and their zero padding. */
  paddedLength: number
  /** Rows of units, the shorter last one included. */
  rows: number
  /** Rows of 64 KiB units. */
  fullRows: number
  /** Bytes of a unit in the last row; UNIT_BYTES when there is no shorter one. A multiple of 1 KiB. */
  lastUnitLength: number
  shardLength: number
  /** Data units, rows x dataShards. The last ones may hold nothing but zero fill. */
  unitCount: number
}

/** What a segment says of its sizes. */
export type SegmentLengths = Pick<
  SegmentInfo,
  'dataShards' | 'totalShards' | 'plainLength' | 'paddedLength' | 'shardLength'
>

/** The longest segment that k data shards carry. */
export function plainLengthMax(dataShards: number): number {
  return dataShards * SHARD_BYTES_MAX
}

/**
 * Rounds a length up so that only O(log log length) bits of it show: of the exponent E and the bits of E, S, the lower
 * E - S bits become zero. At most 12 % longer. (Nikitin et al., PURBs, 2019.)
 */
export function padme(length: number): number {
  assertSafe(length, 'length')
  if (length < 2) return length
  const exponent = Math.floor(Math.log2(length))
  const kept = Math.floor(Math.log2(exponent)) + 1
  const step = 2 ** Math.max(0, exponent - kept)
  return Math.ceil(length / step) * step
}

/** Bytes that are sealed for so many plain ones: Padme, but never past what the shards can hold. */
export function paddedLengthOf(plainLength: number, dataShards: number): number {
  return Math.min(padme(plainLength), plainLengthMax(dataShards))
}

/** Needs 1 <= dataShards <= 255 and 1 <= plainLength <= plainLengthMax(dataShards). */
export function layoutOf(segment: { plainLength: number; dataShards: number }): SegmentLayout {
  const { plainLength, dataShards } = segment
  assert(Number.isInteger(dataShards) && dataShards >= 1 && dataShards <= SHARDS_MAX, 'dataShards is 1 to 255')
  assertSafe(plainLength, 'plainLength')
  assert(plainLength >= 1 && plainLength <= plainLengthMax(dataShards), 'a segment has 1 to k x 1,966,080 bytes')
  const paddedLength = paddedLengthOf(plainLength, dataShards)
  const rowBytes = dataShards * UNIT_BYTES
  const fullRows = Math.floor(paddedLength / rowBytes)
  const rest = paddedLength - fullRows * rowBytes
  const shortUnit = Math.ceil(Math.ceil(rest / dataShards) / LEAF_BYTES) * LEAF_BYTES
  const rows = fullRows + (rest > 0 ? 1 : 0)
  return {
    dataShards,
    plainLength,
    paddedLength,
    rows,
    fullRows,
    lastUnitLength: rest > 0 ? shortUnit : UNIT_BYTES,
    shardLength: fullRows * UNIT_BYTES + shortUnit,
    unitCount: rows * dataShards,
  }
}

/** Whether the lengths are those that the plain length demands: for records that come from outside. */
export function hasSoundLengths(segment: SegmentLengths): boolean {
  const { dataShards, totalShards, plainLength } = segment
  if (!Number.isInteger(dataShards) || !Number.isInteger(totalShards)) return false
  if (dataShards < 1 || dataShards > totalShards || totalShards > SHARDS_MAX) return false
  if (!Number.isInteger(plainLength) || plainLength < 1 || plainLength > plainLengthMax(dataShards)) return false
  const layout = layoutOf(segment)
  return layout.paddedLength === segment.paddedLength && layout.shardLength === segment.shardLength
}
