/**
 * All arithmetic on where the sealed bytes of a segment lie: byte of the segment <-> unit <-> byte of a shard. Unit
 * numbers count row by row: unit u is in row floor(u / k), in data shard u mod k.
 */
import { assert } from '../base/assert.js'
import { LEAF_BYTES, UNIT_BYTES } from '../model/segment.js'
import type { SegmentLayout } from './layout.js'

export interface UnitPlace {
  unit: number
  /** Data shard that holds it. */
  shard: number
  row: number
  /** Where the unit starts in its shard; the units of a row start at the same place in every shard, parity too. */
  offsetInShard: number
  /** Bytes of the unit in the shard, a multiple of 1 KiB. */
  length: number
  /** Where the unit starts in the sealed segment. */
  offsetInSegment: number
  /** How many of its bytes are sealed ones; zero fill follows. May be 0 in the last row. */
  sealedLength: number
}

/** A stretch of sealed bytes inside one unit. */
export interface UnitRange {
  place: UnitPlace
  /** First byte, from the unit's start. */
  from: number
  length: number
}

export function rowLength(layout: SegmentLayout, row: number): number {
  assert(row >= 0 && row < layout.rows, 'a row of the segment')
  return row < layout.fullRows ? UNIT_BYTES : layout.lastUnitLength
}

export function rowOffsetInShard(row: number): number {
  return row * UNIT_BYTES
}

export function unitPlace(layout: SegmentLayout, unit: number): UnitPlace {
  assert(Number.isInteger(unit) && unit >= 0 && unit < layout.unitCount, 'a unit of the segment')
  const row = Math.floor(unit / layout.dataShards)
  const shard = unit % layout.dataShards
  const length = rowLength(layout, row)
  const offsetInSegment = row * layout.dataShards * UNIT_BYTES + shard * length
  const sealedLength = Math.max(0, Math.min(length, layout.paddedLength - offsetInSegment))
  return { unit, shard, row, offsetInShard: rowOffsetInShard(row), length, offsetInSegment, sealedLength }
}

/** The unit that holds a sealed byte. */
export function unitAt(layout: SegmentLayout, offset: number): number {
  assert(Number.isInteger(offset) && offset >= 0 && offset < layout.paddedLength, 'a byte of the segment')
  const fullBytes = layout.fullRows * layout.dataShards * UNIT_BYTES
  if (offset < fullBytes) return Math.floor(offset / UNIT_BYTES)
  return layout.fullRows * layout.dataShards + Math.floor((offset - fullBytes) / layout.lastUnitLength)
}

/** The units, in order, that hold the sealed bytes [offset, offset + length); none for length 0. */
export function unitsOfRange(layout: SegmentLayout, offset: number, length: number): UnitRange[] {
  assert(length >= 0 && offset >= 0 && offset + length <= layout.paddedLength, 'a range of the segment')
  const ranges: UnitRange[] = []
  let at = offset
  while (at < offset + length) {
    const place = unitPlace(layout, unitAt(layout, at))
    const from = at - place.offsetInSegment
    const part = Math.min(place.sealedLength - from, offset + length - at)
    ranges.push({ place, from, length: part })
    at += part
  }
  return ranges
}

/** The leaves of the shard that hold a unit, as a leaf range to ask a host for. */
export function leavesOfRow(layout: SegmentLayout, row: number): { firstLeaf: number; leafCount: number } {
  return { firstLeaf: rowOffsetInShard(row) / LEAF_BYTES, leafCount: rowLength(layout, row) / LEAF_BYTES }
}
