/** What a repair worker is told and what it tells: in memory here, as JSON in wire/repair-api.ts. Ciphertext only. */
import type { AppError } from '../../base/errors.js'
import type { HostId, SegmentId, ShardId } from '../../model/ids.js'

export interface RepairSource {
  index: number
  host: HostId
  token: Buffer
}

export interface RepairTarget {
  index: number
  host: HostId
  /** A put token: names this shard, its host and generation. */
  token: Buffer
  /** Its host is still there, but not for long: the shard is copied, not rebuilt. */
  copyFrom: { host: HostId; token: Buffer } | null
}

export interface RepairJob {
  lease: number
  untilMs: number
  segment: SegmentId
  dataShards: number
  totalShards: number
  shardLength: number
  /** All n. */
  shards: ShardId[]
  /** In the order in which they are to be asked. */
  sources: RepairSource[]
  targets: RepairTarget[]
}

/** A host that could not be fetched from or pushed to. */
export interface RepairFault {
  index: number
  host: HostId
  way: 'fetch' | 'push'
  code: string
}

export interface RepairResult {
  lease: number
  receipts: Buffer[]
  faults: RepairFault[]
  /** Why not all of it was done. */
  error: AppError | null
}
