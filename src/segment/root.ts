/**
 * The segment root: one hash over everything that decides what the bytes of a segment mean and which shards are its
 * own. The ledger keeps it, so a list of shard ids from anywhere is believed only when it hashes to it.
 *
 *   root = H(0x03 || version 1, u8 || k, u8 || n, u8 || unit 65,536, u32 || plainLength, u32 || paddedLength, u32 ||
 *            shardLength, u32 || coding matrix, (n - k) x k bytes, row by row || n shard ids of 32 bytes)
 *
 * Integers are big-endian. The matrix is in it so that nobody can rebuild with another code and blame the shards.
 */
import { timingSafeEqual } from 'node:crypto'
import { assert } from '../base/assert.js'
import { HASH_BYTES, sha256 } from '../crypto/hash.js'
import { codingMatrix } from '../erasure/code.js'
import type { ShardId } from '../model/ids.js'
import { type SegmentInfo, UNIT_BYTES } from '../model/segment.js'
import { type SegmentLengths, SHARDS_MAX } from './layout.js'

const TAG = 0x03
const VERSION = 1
const HEADER_BYTES = 20

/** `shardIds` are totalShards x 32 bytes, in the order of the shards. */
export function segmentRoot(segment: SegmentLengths, shardIds: Uint8Array): Buffer {
  const { dataShards, totalShards } = segment
  assert(dataShards >= 1 && dataShards <= totalShards && totalShards <= SHARDS_MAX, '1 <= k <= n <= 255')
  assert(shardIds.length === totalShards * HASH_BYTES, 'one id for each shard')
  const header = Buffer.alloc(HEADER_BYTES)
  header.set([TAG, VERSION, dataShards, totalShards])
  header.writeUInt32BE(UNIT_BYTES, 4)
  header.writeUInt32BE(segment.plainLength, 8)
  header.writeUInt32BE(segment.paddedLength, 12)
  header.writeUInt32BE(segment.shardLength, 16)
  return sha256(header, codingMatrix({ dataShards, totalShards }), shardIds)
}

export function joinShardIds(shardIds: readonly ShardId[]): Buffer {
  return Buffer.from(shardIds.join(''), 'hex')
}

/** Whether these are the shards of the segment that the ledger knows. False, never an error, for any other list. */
export function ownsShards(segment: SegmentInfo, shardIds: readonly ShardId[]): boolean {
  if (shardIds.length !== segment.totalShards) return false
  return timingSafeEqual(segmentRoot(segment, joinShardIds(shardIds)), segment.root)
}
