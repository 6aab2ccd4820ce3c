import type { HostId, SegmentId, ShardId } from './ids.js'

/** What the ledger keeps of a segment: enough to know every byte of it when a host or the bridge names one. */
export interface SegmentInfo {
  segment: SegmentId
  /** Segment root, 32 bytes (docs/format.md section 5). */
  root: Buffer
  dataShards: number
  totalShards: number
  keyTerm: number
  plainLength: number
  paddedLength: number
  shardLength: number
}

/** Where the shards of a segment lie. Believed only when the shard ids hash to the segment root. */
export interface Placement {
  segment: SegmentId
  generation: number
  shards: { index: number; shard: ShardId; host: HostId | null }[]
}

/** What the bridge says at placement: who takes which shard, and how many receipts commit the segment. */
export interface PlacementGrant {
  segment: SegmentId
  generation: number
  /** Receipts that commit the segment. */
  commit: number
  /** One row for each shard; token is null while the host is offline. */
  hosts: { index: number; host: HostId; token: Buffer | null }[]
}

export interface Scheme {
  /** k: any k shards rebuild the segment. */
  dataShards: number
  /** n: shards of a segment. */
  totalShards: number
}

export const UNIT_BYTES = 65_536
export const LEAF_BYTES = 1_024
/** 30 rows of 64 KiB: inside the 2 MB shard of the paper. */
export const SHARD_BYTES_MAX = 1_966_080
