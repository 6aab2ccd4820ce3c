/** Arithmetic of the volume format (docs/format.md section 11): the only place where its offsets are computed. */
import { assertSafe } from '../../base/assert.js'
import { LEAF_BYTES } from '../../model/segment.js'

export const VOLUME_HEADER_BYTES = 64
export const RECORD_HEADER_BYTES = 136
export const CHECKSUM_BYTES = 8
/** What one kept hash stands for. */
export const SUBTREE_BYTES = 65_536
export const HASH_BYTES = 32
export const VOLUME_BYTES_MAX = 1_073_741_824

const ALIGN_BYTES = 8

export function subtreeCount(length: number): number {
  return Math.ceil(length / SUBTREE_BYTES)
}

/** Bytes of a whole record with a payload of `length`. */
export function recordBytes(length: number): number {
  const bytes = RECORD_HEADER_BYTES + length + subtreeCount(length) * HASH_BYTES
  return Math.ceil(bytes / ALIGN_BYTES) * ALIGN_BYTES
}

/** Zeros at the end of a record. */
export function paddingBytes(length: number): number {
  return recordBytes(length) - RECORD_HEADER_BYTES - length - subtreeCount(length) * HASH_BYTES
}

export function payloadOffset(recordOffset: number): number {
  return recordOffset + RECORD_HEADER_BYTES
}

export function subtreesOffset(recordOffset: number, length: number): number {
  return recordOffset + RECORD_HEADER_BYTES + length
}

/** The next place at or after `offset` where a record may begin. */
export function alignUp(offset: number): number {
  assertSafe(offset, 'offset')
  return Math.ceil(offset / ALIGN_BYTES) * ALIGN_BYTES
}

export interface LeafRange {
  /** Bytes of the payload that the leaves are. */
  start: number
  end: number
  /** The same, widened to whole subtrees (the last may be short). */
  blockStart: number
  blockEnd: number
}

/** Leaves [first, first + count) of a payload; null when a leaf of it does not exist. */
export function leafRange(length: number, first: number, count: number): LeafRange | null {
  const leaves = Math.ceil(length / LEAF_BYTES)
  if (count < 1 || first >= leaves || count > leaves - first) return null
  const start = first * LEAF_BYTES
  const end = Math.min(length, (first + count) * LEAF_BYTES)
  const blockStart = Math.floor(start / SUBTREE_BYTES) * SUBTREE_BYTES
  const blockEnd = Math.min(length, Math.ceil(end / SUBTREE_BYTES) * SUBTREE_BYTES)
  return { start, end, blockStart, blockEnd }
}

export function volumeName(number: number): string {
  return `${String(number).padStart(8, '0')}.vol`
}

/** The number in a volume's file name; null for any other file. */
export function volumeNumber(name: string): number | null {
  return /^\d{8}\.vol$/.test(name) ? Number(name.slice(0, 8)) : null
}

/** Smaller volumes where little is lent, so that space comes back in small steps. */
export function volumeBytesFor(capacityBytes: number): number {
  const sixteenth = Math.floor(capacityBytes / 16 / 8) * 8
  return Math.min(VOLUME_BYTES_MAX, Math.max(16 * 1_048_576, sixteenth))
}
