/**
 * Rows of one shard from one host, verified against the shard id before anybody sees them. What is wrong with an answer is
 * evidence for the bridge; what is merely absent is not.
 */
import type { Clock } from '../../base/clock.js'
import { AppError, isCode } from '../../base/errors.js'
import { verifyLeaves } from '../../crypto/merkle.js'
import type { HostId, SegmentId, ShardId } from '../../model/ids.js'
import { LEAF_BYTES } from '../../model/segment.js'
import { decodeGetReply, encodeGetRequest, getReplyBytesMax, METHOD } from '../../wire/methods.js'
import type { HostScores } from './host-scores.js'

export type EvidenceKind = 'wrong-bytes' | 'truncated' | 'silent' | 'refused'

export interface ShardPeers {
  request(
    host: HostId,
    request: { method: number; head: Buffer; deadlineMs: number; replyBytesMax: number; signal?: AbortSignal },
  ): Promise<{ head: Buffer; body: Buffer }>
}

export interface ShardReaderParts {
  peers: ShardPeers
  token(host: HostId, signal: AbortSignal): Promise<Buffer>
  /** Never throws, never waits. */
  report(evidence: { host: HostId; segment: SegmentId; index: number; kind: EvidenceKind; detail: string }): void
  scores: HostScores
  clock: Clock
}

export interface ShardPlace {
  segment: SegmentId
  index: number
  shard: ShardId
  shardLength: number
  host: HostId
}

/** One answer has this long; a reader waits 30 s in all, so two hosts in a row may be silent. */
export const SHARD_DEADLINE_MS = 12_000

export class ShardReader {
  private readonly parts: ShardReaderParts

  constructor(parts: ShardReaderParts) {
    this.parts = parts
  }

  lateAfterMs(host: HostId, bytes: number): number {
    return this.parts.scores.lateAfterMs(host, bytes)
  }

  /** [firstLeaf, +leafCount) of the shard. Rejects with an AppError when this host does not give them. */
  async read(place: ShardPlace, firstLeaf: number, leafCount: number, signal: AbortSignal): Promise<Buffer> {
    const { scores, clock } = this.parts
    const startedAtMs = clock.monotonicMs()
    try {
      const bytes = await this.fetch(place, firstLeaf, leafCount, signal)
      scores.succeeded(place.host, bytes.length, clock.monotonicMs() - startedAtMs)
      return bytes
    } catch (error) {
      if (!signal.aborted) scores.failed(place.host, clock.monotonicMs())
      throw error
    }
  }

  private async fetch(place: ShardPlace, firstLeaf: number, leafCount: number, signal: AbortSignal): Promise<Buffer> {
    const { peers, token } = this.parts
    const expected = Math.min(leafCount * LEAF_BYTES, place.shardLength - firstLeaf * LEAF_BYTES)
    const head = encodeGetRequest({ token: await token(place.host, signal), shard: place.shard, firstLeaf, leafCount })
    const reply = await peers
      .request(place.host, {
        method: METHOD.get,
        head,
        deadlineMs: SHARD_DEADLINE_MS,
        replyBytesMax: getReplyBytesMax(leafCount),
        signal,
      })
      .catch((error: unknown) => this.explain(error, place))
    const { shardLength, proof } = this.decode(reply.head, place)
    if (shardLength !== place.shardLength || reply.body.length !== expected) {
      throw this.caught(place, 'truncated', `${reply.body.length} of ${expected} bytes, shard of ${shardLength}`)
    }
    const claim = { shardId: Buffer.from(place.shard, 'hex'), shardLength, firstLeaf, data: reply.body, proof: Buffer.concat(proof) }
    if (!(await verifyLeaves(claim))) throw this.caught(place, 'wrong-bytes', `leaves ${firstLeaf} + ${leafCount}`)
    return reply.body
  }

  private decode(head: Buffer, place: ShardPlace) {
    try {
      return decodeGetReply(head)
    } catch (error) {
      if (!isCode(error, 'malformed')) throw error
      throw this.caught(place, 'wrong-bytes', 'the head of the answer is malformed')
    }
  }

  /** A host that took the question and did not answer is silent; one that is not there is only absent. */
  private explain(error: unknown, place: ShardPlace): never {
    if (isCode(error, 'timed-out')) this.tell(place, 'silent', `no answer in ${SHARD_DEADLINE_MS} ms`)
    if (error instanceof AppError && error.code.startsWith('token-')) this.tell(place, 'refused', error.code)
    throw error
  }

  private caught(place: ShardPlace, kind: EvidenceKind, detail: string): AppError {
    this.tell(place, kind, detail)
    return new AppError('host-lies', `a host answered with wrong bytes (${kind})`, { retry: 'elsewhere', details: { host: place.host } })
  }

  private tell(place: ShardPlace, kind: EvidenceKind, detail: string): void {
    const { host, segment, index } = place
    this.parts.report({ host, segment, index, kind, detail })
  }
}
