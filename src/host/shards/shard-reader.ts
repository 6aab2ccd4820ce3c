/**
 * Reads leaves of a stored shard with their proof. Only the 64 KiB blocks that the leaves touch are read, and they are
 * checked against the shard id before they leave: a rotten disk is found here and not at the reader's.
 */
import { AppError } from '../../base/errors.js'
import { BLOCK_BYTES, makeProof, verifyLeaves } from '../../crypto/merkle.js'
import { idBytes } from '../../model/ids.js'
import { LEAF_BYTES } from '../../model/segment.js'
import type { StoredShard } from '../ledger/types.js'
import { saysLost } from './disk-failures.js'
import { HASH_BYTES, type LeafRange, leafRange, payloadOffset, subtreeCount, subtreesOffset } from './offsets.js'
import { readFully, type VolumeFiles } from './volume-files.js'

export interface ShardLeaves {
  /** The bytes of the leaves; a view of a buffer that nobody else holds. */
  leaves: Buffer
  /** Joined hashes, in the order of crypto/merkle.ts. */
  proof: Buffer
}

/** `malformed` for leaves that the shard does not have, `shard-damaged` when the disk holds something else. */
export async function readLeaves(
  files: VolumeFiles,
  stored: StoredShard,
  first: number,
  count: number,
): Promise<ShardLeaves> {
  const range = leafRange(stored.length, first, count)
  if (range === null) throw new AppError('malformed', `the shard has no leaves ${first} + ${count}`)
  const { blocks, subtrees } = await readBlocks(files, stored, range)
  const wholeBlocks = {
    shardLength: stored.length,
    firstLeaf: range.blockStart / LEAF_BYTES,
    leafCount: Math.ceil(blocks.length / LEAF_BYTES),
  }
  const blocksProof = makeProof(wholeBlocks, subtrees, new Map())
  const { firstLeaf, shardLength } = wholeBlocks
  const claim = { shardId: idBytes(stored.shard), shardLength, firstLeaf, data: blocks, proof: blocksProof }
  if (!(await verifyLeaves(claim))) throw damaged(stored)
  const isWhole = firstLeaf === first && wholeBlocks.leafCount === count
  const wanted = { shardLength, firstLeaf: first, leafCount: count }
  const proof = isWhole ? blocksProof : makeProof(wanted, subtrees, edgesOf(blocks, range))
  return { leaves: blocks.subarray(range.start - range.blockStart, range.end - range.blockStart), proof }
}

export function damaged(stored: StoredShard): AppError {
  const { volume, offset } = stored
  return new AppError('shard-damaged', 'the stored shard is damaged', {
    retry: 'elsewhere',
    details: { volume, offset },
  })
}

async function readBlocks(files: VolumeFiles, stored: StoredShard, range: LeafRange) {
  const blocks = Buffer.allocUnsafeSlow(range.blockEnd - range.blockStart)
  const subtrees = Buffer.allocUnsafe(subtreeCount(stored.length) * HASH_BYTES)
  await files
    .use(stored.volume, async (handle) => {
      const [blockBytes, subtreeBytes] = await Promise.all([
        readFully(handle, blocks, payloadOffset(stored.offset) + range.blockStart),
        readFully(handle, subtrees, subtreesOffset(stored.offset, stored.length)),
      ])
      if (blockBytes !== blocks.length || subtreeBytes !== subtrees.length) throw damaged(stored)
    })
    .catch((error) => {
      throw saysLost(error) ? damaged(stored) : error
    })
  return { blocks, subtrees }
}

/** The first and the last block: all that a proof can need. */
function edgesOf(blocks: Buffer, range: LeafRange): Map<number, Buffer> {
  const firstBlock = range.blockStart / BLOCK_BYTES
  const lastBlock = Math.ceil(range.blockEnd / BLOCK_BYTES) - 1
  const at = (block: number) => (block - firstBlock) * BLOCK_BYTES
  return new Map([
    [firstBlock, blocks.subarray(0, BLOCK_BYTES)],
    [lastBlock, blocks.subarray(at(lastBlock), at(lastBlock) + BLOCK_BYTES)],
  ])
}

/** All of its bytes, compared with its id. */
export async function readWhole(files: VolumeFiles, stored: StoredShard): Promise<Buffer> {
  return (await readLeaves(files, stored, 0, Math.ceil(stored.length / LEAF_BYTES))).leaves
}
