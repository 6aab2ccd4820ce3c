/**
 * Short keys of the index. Whole ids as keys make trees of 100 bytes an entry in an order of chance: at 10 million shards
 * each put would read and write pages that no cache holds. 48 bits are whole numbers in JavaScript; the rows behind a key
 * are compared in full, so that equal keys cost time only, and to make many of them one has to find hashes that collide.
 */
import { sha256 } from '../../crypto/hash.js'

const KEY_BYTES = 6
/** Keys of one prefix of the inventory: the first 32 bits of a shard id. */
export const KEYS_PER_PREFIX = 2 ** 16

/** Of a shard's place. Hashed, because clients choose the ids of their segments. */
export function placeKey(pseudonym: Uint8Array, segment: Uint8Array, index: number): number {
  return sha256(pseudonym, segment, Buffer.from([index >> 8, index & 255])).readUIntBE(0, KEY_BYTES)
}

/** Of a shard id, which is a hash; in the order of shard ids. */
export function shardKey(shard: Buffer): number {
  return shard.readUIntBE(0, KEY_BYTES)
}
