/**
 * Seal and open, with the names that the rest of the program uses. All the work is native, off this thread; the term
 * key stays in its guarded memory and is read once, during the call.
 */
import { codecAddon } from '../addon/codec.js'
import { assert } from '../base/assert.js'
import type { SecretBytes } from '../crypto/secret.js'
import { idBytes, type SegmentId, type ShardId, segmentId, shardId } from '../model/ids.js'
import type { Scheme, SegmentInfo } from '../model/segment.js'
import { layoutOf, plainLengthMax } from './layout.js'
import { segmentRoot } from './root.js'

const ID_BYTES = 32
/** Opening so much takes 40 us where the processor helps; a trip to the thread pool takes longer. */
const AT_ONCE_BYTES_MAX = 262_144

/** A fresh segment: what the ledger keeps of it, and its shards. */
export interface SealedSegment {
  info: SegmentInfo
  /** totalShards x shardLength bytes, back to back, in one memory that lives until the last view of it is gone. */
  shards: Buffer
  shardIds: ShardId[]
}

/**
 * Seals 1 to dataShards x 1,966,080 plain bytes (the parts joined) into a new segment with a fresh id. The parts must
 * not change until it resolves; they are not copied.
 */
export async function sealSegment(
  term: { key: SecretBytes; number: number },
  parts: readonly Uint8Array[],
  scheme: Scheme,
): Promise<SealedSegment> {
  const { dataShards, totalShards } = scheme
  const plainLength = parts.reduce((sum, part) => sum + part.length, 0)
  assert(plainLength >= 1 && plainLength <= plainLengthMax(dataShards), 'a segment of 1 to k x 1,966,080 bytes')
  const { paddedLength, shardLength } = layoutOf({ plainLength, dataShards })
  const sealed = await term.key.use((key) =>
    codecAddon().sealSegment(key, parts, paddedLength, dataShards, totalShards),
  )
  const lengths = { dataShards, totalShards, plainLength, paddedLength, shardLength }
  const root = segmentRoot(lengths, sealed.shardIds)
  const shardIds = Array.from({ length: totalShards }, (_, index) =>
    shardId(sealed.shardIds.subarray(index * ID_BYTES, (index + 1) * ID_BYTES)),
  )
  const info = { segment: segmentId(sealed.id), root, keyTerm: term.number, ...lengths }
  return { info, shards: sealed.shards, shardIds }
}

/**
 * Opens sealed bytes that stand at `offset` of the segment, in place: the result is `sealed`, now plain. Nobody else
 * may look at these bytes. They must have been verified: counter mode opens anything.
 */
export async function openRange(
  termKey: SecretBytes,
  segment: SegmentId,
  offset: number,
  sealed: Uint8Array,
): Promise<Uint8Array> {
  const codec = codecAddon()
  const id = idBytes(segment)
  return termKey.use((key) =>
    sealed.length <= AT_ONCE_BYTES_MAX
      ? codec.openRangeSync(key, id, offset, sealed, true)
      : codec.openRange(key, id, offset, sealed, true),
  )
}

/** The same for at most 256 KiB, at once, into fresh memory: nothing of what is larger stays alive through it. */
export function openUnit(termKey: SecretBytes, segment: SegmentId, offset: number, sealed: Uint8Array): Buffer {
  assert(sealed.length <= AT_ONCE_BYTES_MAX, 'a unit')
  // An ArrayBuffer of V8's own: native memory with a finalizer each costs the collector twice as much as this copy.
  const plain = Buffer.allocUnsafeSlow(sealed.length)
  plain.set(sealed)
  termKey.use((key) => codecAddon().openRangeSync(key, idBytes(segment), offset, plain, true))
  return plain
}
