import type { AccountId, DriveId, PeerId, SegmentId } from './ids.js'

export const RECORD_KIND = {
  genesis: 1,
  deviceAdd: 2,
  deviceRevoke: 3,
  keyTerm: 4,
  writerTerm: 5,
  epoch: 6,
  snapshot: 7,
  features: 8,
} as const
export type RecordKind = (typeof RECORD_KIND)[keyof typeof RECORD_KIND]

/** A chain record, decoded but for its body (docs/format.md section 8). */
export interface ChainRecord {
  kind: RecordKind
  drive: DriveId
  sequence: number
  /** Hash of the record before, 32 bytes. */
  previous: Buffer
  timeMs: number
  signer: PeerId | AccountId
  writerTerm: number
  keyTerm: number
  body: Buffer
  /** H(encoded record). */
  hash: Buffer
  /** The whole record as received. */
  encoded: Buffer
}

/** Body of kinds epoch and snapshot. */
export interface EpochBody {
  epoch: number
  nonce: Buffer
  sealed: Buffer
  confirm: SegmentId[]
  retire: SegmentId[]
}

export interface Head {
  sequence: number
  hash: Buffer
}
