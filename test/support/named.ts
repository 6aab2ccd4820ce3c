/** Keys and segments that a name gives, and waiting for what happens by itself. */
import { sha256 } from '../../src/crypto/hash.js'
import { SecretBytes } from '../../src/crypto/secret.js'
import { SigningKey } from '../../src/crypto/signing-key.js'
import { type SegmentId, type ShardId, segmentId, shardId } from '../../src/model/ids.js'

/** A key that only this name gives. */
export function keyOf(name: string): SigningKey {
  const seed = SecretBytes.take(sha256(`key ${name}`))
  return SigningKey.fromSeed(seed)
}

export interface TestSegment {
  segment: SegmentId
  root: Buffer
  dataShards: number
  totalShards: number
  paddedLength: number
  shardLength: number
  shards: ShardId[]
}

/** A segment that exists by name only. */
export function segmentNamed(name: string, scheme: { k?: number; n?: number } = {}): TestSegment {
  const { k = 4, n = 8 } = scheme
  return {
    segment: segmentId(sha256(`segment ${name}`)),
    root: sha256(`root ${name}`),
    dataShards: k,
    totalShards: n,
    paddedLength: 4_096,
    shardLength: 1_024,
    shards: Array.from({ length: n }, (_, at) => shardId(sha256(`shard ${name} ${at}`))),
  }
}

/** Waits in real time for what sockets and processes do on their own. */
export async function until(holds: () => boolean | Promise<boolean>, limitMs = 5_000): Promise<void> {
  const startMs = performance.now()
  for (let lookedMs = startMs; !(await holds()); lookedMs = performance.now()) {
    const nowMs = performance.now()
    const waitedMs = nowMs - startMs
    if (waitedMs > limitMs) throw new Error(`not within ${limitMs} ms: ${holds.toString()}`)
    // What takes long is looked at less often, and what starts a program to look: the looking costs what is looked for.
    const pauseMs = Math.max(Math.min(200, 5 + waitedMs / 20), Math.min(1_000, 3 * (nowMs - lookedMs)))
    await new Promise((resolve) => setTimeout(resolve, pauseMs))
  }
}
