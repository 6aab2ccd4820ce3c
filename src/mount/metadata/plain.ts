/** What crosses between the threads as plain arrays, and is Buffers to everybody else. */
import type { Head } from '../../model/chain.js'
import type { SegmentInfo } from '../../model/segment.js'
import * as pack from './packing.js'
import type * as rows from './types.js'

/** A copy that does not drag a pool along. */
export function own(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes)
}

export function orNull(bytes: Uint8Array | null): Buffer | null {
  return bytes && pack.bufferOf(bytes)
}

export function withRoot(info: SegmentInfo): SegmentInfo {
  return { ...info, root: pack.bufferOf(info.root) }
}

export function plainInfo(info: SegmentInfo): SegmentInfo {
  return { ...info, root: own(info.root) as Buffer }
}

export function plainHead(head: Head): Head {
  return { sequence: head.sequence, hash: own(head.hash) as Buffer }
}

export function plainRecord(record: rows.SavedRecord): rows.SavedRecord {
  return { sequence: record.sequence, hash: own(record.hash) as Buffer, encoded: own(record.encoded) as Buffer }
}

export function savedRecord(record: rows.SavedRecord): rows.SavedRecord {
  const { sequence, hash, encoded } = record
  return { sequence, hash: pack.bufferOf(hash), encoded: pack.bufferOf(encoded) }
}

export function materialised(value: rows.Materialised): rows.Materialised {
  return { ...value, operations: pack.bufferOf(value.operations) }
}
