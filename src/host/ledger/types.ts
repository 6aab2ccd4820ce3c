/** What the index knows, and what it is told when a record has reached the disk. */
import type { Pseudonym, SegmentId, Serial, ShardId } from '../../model/ids.js'

/** A shard's place in a segment of a drive: at most one shard lies here for each. */
export interface ShardKey {
  pseudonym: Pseudonym
  segment: SegmentId
  index: number
}

export interface StoredShard extends ShardKey {
  shard: ShardId
  volume: number
  /** Of the record in the volume. */
  offset: number
  /** Of the payload. */
  length: number
  generation: number
  storedAtMs: number
  keepUntilMs: number
  damaged: boolean
  /** When it was thrown away, by this machine's own clock; null: it is served. */
  trashedAtMs: number | null
}

/** A shard that was stored here and is not any more, or not as it should be. */
export interface Loss extends ShardKey {
  shard: ShardId
  generation: number
  foundAtMs: number
}

/** One record of a volume as the index takes it in; `what` are the record types. */
export interface IndexedRecord extends ShardKey {
  what: 'stored' | 'ended' | 'renewed' | 'trashed'
  shard: ShardId
  offset: number
  /** Whole record, header to padding. */
  recordBytes: number
  length: number
  generation: number
  storedAtMs: number
  keepUntilMs: number
  serial: Serial
  /** End of its token; null: of a copy, or read back (SerialRows.addReplayed). */
  serialExpiresMs: number | null
  /** The payload does not match its shard id: known, never served. */
  damaged: boolean
}

/** A serial as raw bytes, and when it may be forgotten. */
export interface UsedSerial {
  serial: Buffer
  expires: number
}

/** Bytes of a volume that belong to no readable record. */
export interface DamagedRange {
  offset: number
  bytes: number
  reason: string
}

export interface VolumeState {
  number: number
  indexedTo: number
  liveBytes: number
  trashBytes: number
  deadBytes: number
  liveRecords: number
  trashRecords: number
  /** 1: its file is not there. Its shards are known and cannot be served; its bytes are in no total. */
  missing: number
}

export interface Totals {
  /** Whose files are there. */
  volumes: number
  /** Bytes of all volume files. */
  volumeBytes: number
  /** Of whole records that are served. */
  liveBytes: number
  trashBytes: number
  deadBytes: number
  /** Served. */
  shards: number
  trashShards: number
  damagedShards: number
  damagedRanges: number
}
