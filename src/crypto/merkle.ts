/**
 * The Merkle tree of a shard, and proofs for ranges of its leaves. H is SHA-256.
 *
 *   leaf  = H(0x00 || up to 1,024 bytes of the shard); only the last leaf may be short
 *   node  = H(0x01 || left || right); a node without a right neighbour moves up unchanged
 *   id    = H(0x02 || version 1, u8 || shard length, u32 BE || root)
 *
 * Level 0 are the leaves, level h + 1 has half as many nodes as level h, rounded up. Sixty-four leaves make a block of
 * 64 KiB, whose hash is the node above them on level 6; hosts keep these hashes ("subtrees").
 *
 * **Proof** of the leaves [first, end): the hashes that a verifier lacks, level by level from the leaves up, on each
 * level the left one before the right one. On a level with `count` nodes, of which the verifier knows [a, b):
 *   - if a is odd, the proof has node a - 1;
 *   - if b is odd and b < count, the proof has node b;
 *   - then a = floor(a / 2), b = ceil(b / 2), one level up, until count is 1.
 * So a proof has at most two hashes a level, and a range that starts at 0 and ends at the last leaf has none.
 * Example: 5 leaves, range [1, 3): leaf 0, leaf 3, and on level 2 (after a = 0, b = 1 of 2) the node 1, which is leaf 4
 * moved up twice. A proof with a hash too many or too few is refused.
 */
import { codecAddon, type ShardTree } from '../addon/codec.js'
import { assert } from '../base/assert.js'
import { LEAF_BYTES } from '../model/segment.js'
import { HASH_BYTES, sha256 } from './hash.js'

export const BLOCK_BYTES = 65_536
const BLOCK_LEAVES = BLOCK_BYTES / LEAF_BYTES
const BLOCK_LEVEL = Math.log2(BLOCK_LEAVES)
/** Up to here hashing takes less time than a trip to the thread pool. */
const AT_ONCE_BYTES_MAX = 65_536
const NODE_TAG = Buffer.from([0x01])
const ID_TAG = Buffer.from([0x02, 1])

/** Id and subtree hashes of a whole shard, 1 to 1,966,080 bytes. */
export function shardTree(shard: Uint8Array): Promise<ShardTree> {
  return codecAddon().shardId(shard)
}

export interface LeafRange {
  shardLength: number
  firstLeaf: number
  leafCount: number
}

export interface LeafClaim {
  /** 32 bytes. */
  shardId: Uint8Array
  shardLength: number
  firstLeaf: number
  /** From the first byte of firstLeaf to the end of a leaf. */
  data: Uint8Array
  proof: Uint8Array
}

/**
 * Whether a host's answer is what the shard holds there. data and proof may be anything; shardId, shardLength and
 * firstLeaf are the caller's own question and must fit (`ERR_CODEC_ARGUMENT`). Whether as much data came as was asked
 * for is the caller's to compare.
 */
export async function verifyLeaves(claim: LeafClaim): Promise<boolean> {
  const { shardId, shardLength, firstLeaf, data, proof } = claim
  const codec = codecAddon()
  return data.length <= AT_ONCE_BYTES_MAX
    ? codec.verifyLeavesSync(shardId, shardLength, firstLeaf, data, proof)
    : codec.verifyLeaves(shardId, shardLength, firstLeaf, data, proof)
}

export function leafCountOf(length: number): number {
  return Math.ceil(length / LEAF_BYTES)
}

export function blockCountOf(length: number): number {
  return Math.ceil(length / BLOCK_BYTES)
}

interface Lacking {
  level: number
  index: number
}

/** The nodes of a proof, in its order. The rule at the head of this file, nothing else. */
function lackingNodes({ shardLength, firstLeaf, leafCount }: LeafRange): Lacking[] {
  const nodes: Lacking[] = []
  let count = leafCountOf(shardLength)
  let a = firstLeaf
  let b = firstLeaf + leafCount
  assert(firstLeaf >= 0 && leafCount >= 1 && b <= count, 'leaves outside of the shard')
  for (let level = 0; count > 1; level++) {
    if (a % 2 === 1) nodes.push({ level, index: a - 1 })
    if (b % 2 === 1 && b < count) nodes.push({ level, index: b })
    a = Math.floor(a / 2)
    b = Math.ceil(b / 2)
    count = Math.ceil(count / 2)
  }
  return nodes
}

/** Bytes of the proof of a range. */
export function proofBytes(range: LeafRange): number {
  return lackingNodes(range).length * HASH_BYTES
}

/** The blocks (64 KiB each, by index) that a proof must read: none for whole blocks, at most two. */
export function edgeBlocks(range: LeafRange): number[] {
  const inside = lackingNodes(range).filter(({ level }) => level < BLOCK_LEVEL)
  return [...new Set(inside.map(blockOf))]
}

function blockOf({ level, index }: Lacking): number {
  return Math.floor((index * 2 ** level) / BLOCK_LEAVES)
}

/**
 * `subtrees` are the shard's block hashes, `blocks` the bytes of at least the edge blocks, by index. Proves what is
 * given: that it is the shard's is for whoever keeps the shard to know.
 */
export function makeProof(range: LeafRange, subtrees: Uint8Array, blocks: ReadonlyMap<number, Uint8Array>): Buffer {
  assert(subtrees.length === blockCountOf(range.shardLength) * HASH_BYTES, 'subtrees of another shard')
  const upper = levelsOf(subtrees)
  const lower = new Map<number, Buffer[]>()
  const proof = lackingNodes(range).map((node) => {
    if (node.level >= BLOCK_LEVEL) return hashAt(upper[node.level - BLOCK_LEVEL], node.index)
    const block = blockOf(node)
    const bytes = blocks.get(block)
    assert(bytes !== undefined, `block ${block} is needed for this proof`)
    assert(bytes.length === blockBytes(range.shardLength, block), `block ${block} has another length`)
    const levels = lower.get(block) ?? levelsOf(codecAddon().leafHashes(bytes))
    lower.set(block, levels)
    return hashAt(levels[node.level], node.index - (block * BLOCK_LEAVES) / 2 ** node.level)
  })
  return Buffer.concat(proof)
}

function blockBytes(shardLength: number, block: number): number {
  return Math.min(BLOCK_BYTES, shardLength - block * BLOCK_BYTES)
}

function hashAt(level: Buffer | undefined, index: number): Buffer {
  const hash = level?.subarray(index * HASH_BYTES, (index + 1) * HASH_BYTES)
  assert(hash?.length === HASH_BYTES, 'a node outside of the tree')
  return hash
}

/** The given level and all above it, up to the root alone. */
function levelsOf(hashes: Uint8Array): Buffer[] {
  let level = Buffer.from(hashes.buffer, hashes.byteOffset, hashes.length)
  const levels = [level]
  while (level.length > HASH_BYTES) {
    const parents: Buffer[] = []
    for (let at = 0; at < level.length; at += 2 * HASH_BYTES) {
      const pair = level.subarray(at, at + 2 * HASH_BYTES)
      parents.push(pair.length === HASH_BYTES ? pair : sha256(NODE_TAG, pair))
    }
    level = Buffer.concat(parents)
    levels.push(level)
  }
  return levels
}

/** The id that these block hashes give: how a host checks the hashes it kept without reading the shard. */
export function shardIdOf(subtrees: Uint8Array, shardLength: number): Buffer {
  assert(shardLength >= 1 && subtrees.length === blockCountOf(shardLength) * HASH_BYTES, 'subtrees of another shard')
  const length = Buffer.alloc(4)
  length.writeUInt32BE(shardLength)
  return sha256(ID_TAG, length, levelsOf(subtrees).at(-1) as Buffer)
}
