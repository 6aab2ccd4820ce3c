/**
 * What host and bridge compare when they count what lies on a host (docs/protocol.md section 5, inventory): each shard
 * as 16 bytes, many of them as the XOR of theirs, so that one digest stands for any number and order.
 *
 * A digest is no proof: a host knows what it was given and can always say the right sum (audits prove). It finds honest
 * differences; XOR of hashes is enough for that, and lets a digest be kept up to date by one XOR a change.
 */
import { sha256 } from '../crypto/hash.js'
import { idBytes, type Pseudonym, type SegmentId, type ShardId } from '../model/ids.js'

export const INVENTORY_HASH_BYTES = 16
/** Before all fields, so that no hash of another kind is one of these. */
const TAG = 0x10
const ITEM_BYTES = 1 + 16 + 32 + 2 + 32 + 4 + 4

export interface InventoryItem {
  pseudonym: Pseudonym
  segment: SegmentId
  index: number
  shard: ShardId
  generation: number
  length: number
}

/** The first 16 bytes of SHA-256(0x10, pseudonym, segment, u16 index, shard, u32 generation, u32 length). */
export function inventoryItemHash(item: InventoryItem): Buffer {
  const bytes = Buffer.alloc(ITEM_BYTES)
  bytes[0] = TAG
  idBytes(item.pseudonym).copy(bytes, 1)
  idBytes(item.segment).copy(bytes, 17)
  bytes.writeUInt16BE(item.index, 49)
  idBytes(item.shard).copy(bytes, 51)
  bytes.writeUInt32BE(item.generation, 83)
  bytes.writeUInt32BE(item.length, 87)
  return sha256(bytes).subarray(0, INVENTORY_HASH_BYTES)
}

/** Takes an item in, or, a second time, out. */
export function combineInventory(digest: Buffer, hash: Buffer): void {
  for (let at = 0; at < INVENTORY_HASH_BYTES; at++) digest[at] = (digest[at] as number) ^ (hash[at] as number)
}

/** All shard ids by their first four bytes, as numbers: 0 to 2^32. */
export const PREFIX_END = 2 ** 32

export interface PrefixRange {
  from: number
  /** Exclusive, at most 2^32. */
  to: number
}

export function prefixOf(shard: ShardId): number {
  return Number.parseInt(shard.slice(0, 8), 16)
}

/** Part `at` of a range that is divided into `parts`; both sides divide alike. */
export function partOf(range: PrefixRange, parts: number, at: number): PrefixRange {
  const bound = (i: number) => range.from + Math.floor(((range.to - range.from) * i) / parts)
  return { from: bound(at), to: bound(at + 1) }
}

/** In which part a prefix of the range lies. */
export function partIndexOf(range: PrefixRange, parts: number, prefix: number): number {
  const guess = Math.floor(((prefix - range.from) * parts) / (range.to - range.from))
  return partOf(range, parts, guess).to <= prefix ? guess + 1 : guess
}
