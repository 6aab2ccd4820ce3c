/**
 * Rows of one shard from one host, verified against the shard id before anybody sees them. What is wrong with an answer is
 * evidence for the bridge; what is merely absent is not.
 */
import { setMaxListeners } from 'node:events'
import { LRUCache } from 'lru-cache'
import type { Clock } from '../../base/clock.js'
import { AppError, codeOf, isCode } from '../../base/errors.js'
import { verifyLeaves } from '../../crypto/merkle.js'
import { type HostId, idBytes, type SegmentId, type ShardId } from '../../model/ids.js'
import { LEAF_BYTES } from '../../model/segment.js'
import { decodeGetReply, encodeGetRequest, getReplyBytesMax, METHOD } from '../../wire/methods.js'
import type { HostScores } from './host-scores.js'

export type EvidenceKind = 'wrong-bytes' | 'truncated' | 'silent' | 'refused'

export interface Evidence {
  host: HostId
  segment: SegmentId
  index: number
  kind: EvidenceKind
  detail: string
}

export interface ShardPeers {
  request(
    host: HostId,
    request: { method: number; head: Buffer; deadlineMs: number; replyBytesMax: number; signal?: AbortSignal },
  ): Promise<{ head: Buffer; body: Buffer }>
  warm?(hosts: Iterable<HostId>): void
  /** Takes back what a reply brought, when nobody looks at it any more. */
  recycle?(body: Buffer): void
}

export interface ShardReaderParts {
  peers: ShardPeers
  token(host: HostId, signal: AbortSignal): Promise<Buffer>
  /** The host refused it: the next `token` is another one. */
  dropToken?(host: HostId): void
  /** Never throws, never waits. The same evidence comes once in ten minutes. */
  report(evidence: Evidence): void
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

export interface LeafRange {
  firstLeaf: number
  leafCount: number
}

/** A question under way. */
export interface ShardAnswer {
  bytes: Promise<Buffer>
  /** After so long somebody else should be asked as well. */
  lateAfterMs: number
  /** Nobody wants it any more. `wasLate`: others were faster than it should have been. */
  abandon(reason: Error, wasLate: boolean): void
}

export interface ShardReaderOptions {
  deadlineMs?: number
}

/** One answer has this long; a reader waits 30 s in all, so two hosts in a row may be silent. */
export const SHARD_DEADLINE_MS = 12_000
/** Each (host, segment, kind) is evidence once in this time. */
const REPORT_AGAIN_MS = 600_000
const REPORTS_MAX = 1_024
/** Answers that lost their race and are still waited for, to learn how slow or how silent their host is. */
const LINGERING_MAX = 16
/** What another token may mend. */
const STALE_TOKEN = ['token-expired', 'token-budget-spent', 'token-old-incarnation', 'token-signature', 'token-not-yet']
/** What a host may say of a token without being a liar: clocks and budgets differ. */
const FAIR_REFUSALS = ['token-expired', 'token-budget-spent', 'token-not-yet']

export class ShardReader {
  private readonly parts: ShardReaderParts
  private readonly deadlineMs: number
  private readonly reported: LRUCache<string, true>
  private lingering = 0
  private readonly prepared = new LRUCache<HostId, true>({ max: REPORTS_MAX, ttl: REPORT_AGAIN_MS })

  constructor(parts: ShardReaderParts, options: ShardReaderOptions = {}) {
    this.parts = parts
    this.deadlineMs = options.deadlineMs ?? SHARD_DEADLINE_MS
    const perf = { now: () => parts.clock.monotonicMs() }
    this.reported = new LRUCache({ max: REPORTS_MAX, ttl: REPORT_AGAIN_MS, ttlResolution: 0, perf })
  }

  /** Whole leaves of a shard, verified. `bytes` rejects with an AppError when this host does not give them. */
  ask(place: ShardPlace, range: LeafRange): ShardAnswer {
    const { scores, clock } = this.parts
    const bytes = Math.min(range.leafCount * LEAF_BYTES, place.shardLength - range.firstLeaf * LEAF_BYTES)
    const stop = new AbortController()
    const asked = scores.asked(place.host, bytes, clock.monotonicMs())
    let isOpen = true
    const settle = (tell: () => void) => {
      if (isOpen) tell()
      isOpen = false
    }
    const answer = this.fetch(place, range, bytes, stop.signal).then(
      (found) => {
        settle(() => scores.succeeded(asked, clock.monotonicMs()))
        return found
      },
      (error: unknown) => {
        settle(() => scores.failed(asked, clock.monotonicMs()))
        throw error
      },
    )
    const abandon = (reason: Error, wasLate: boolean) => {
      if (!isOpen) return
      if (wasLate) scores.lostRace(place.host, clock.monotonicMs())
      if (wasLate && this.lingering < LINGERING_MAX) {
        this.lingering++
        answer.finally(() => this.lingering--).catch(() => undefined)
        return
      }
      settle(() => scores.abandoned(asked))
      stop.abort(reason)
    }
    return { bytes: answer, lateAfterMs: scores.lateAfterMs(place.host, asked.queuedBytes), abandon }
  }

  /** Bytes that an answer brought are not looked at any more. */
  recycle(bytes: Buffer): void {
    this.parts.peers.recycle?.(bytes)
  }

  /**
   * Ahead of need, for each host once in ten minutes: tokens of all, in one call to the bridge, since each may have to stand
   * in while the bridge is away; connections to the first `dialed` of them.
   */
  prepare(hosts: readonly HostId[], dialed: number): void {
    const fresh = hosts.filter((host) => !this.prepared.has(host))
    if (fresh.length === 0) return
    for (const host of fresh) {
      this.prepared.set(host, true)
      this.parts.token(host, NEVER).catch(() => this.prepared.delete(host))
    }
    this.parts.peers.warm?.(hosts.slice(0, dialed))
  }

  private async fetch(place: ShardPlace, range: LeafRange, length: number, signal: AbortSignal): Promise<Buffer> {
    try {
      return await this.fetchOnce(place, range, length, signal)
    } catch (error) {
      if (signal.aborted || !STALE_TOKEN.includes(codeOf(error)) || this.parts.dropToken === undefined) throw error
      this.parts.dropToken(place.host)
    }
    try {
      return await this.fetchOnce(place, range, length, signal)
    } catch (error) {
      const code = codeOf(error)
      if (code.startsWith('token-') && !FAIR_REFUSALS.includes(code)) this.tell(place, 'refused', code)
      throw error
    }
  }

  private async fetchOnce(place: ShardPlace, range: LeafRange, length: number, signal: AbortSignal): Promise<Buffer> {
    const { peers, token, scores, clock } = this.parts
    const { firstLeaf, leafCount } = range
    const head = encodeGetRequest({ token: await token(place.host, signal), shard: place.shard, firstLeaf, leafCount })
    const startedAtMs = clock.monotonicMs()
    const reply = await peers
      .request(place.host, {
        method: METHOD.get,
        head,
        deadlineMs: this.deadlineMs,
        replyBytesMax: getReplyBytesMax(leafCount),
        signal,
      })
      .catch((error: unknown) => {
        // One that is not there is absent. One that took the question while others answered theirs is silent.
        const isSilent = isCode(error, 'timed-out') && scores.isSilentSince(place.host, startedAtMs)
        if (isSilent && !signal.aborted) this.tell(place, 'silent', `no answer in ${this.deadlineMs} ms`)
        // It says itself that its copy is lost: the bridge should know.
        if (isCode(error, 'shard-damaged')) this.tell(place, 'refused', 'shard-damaged')
        throw error
      })
    const { shardLength, proof } = this.decode(reply.head, place)
    if (shardLength !== place.shardLength || reply.body.length !== length) {
      throw this.caught(place, 'truncated', `${reply.body.length} of ${length} bytes, shard of ${shardLength}`)
    }
    const { shard } = place
    const claim = { shardId: idBytes(shard), shardLength, firstLeaf, data: reply.body, proof: Buffer.concat(proof) }
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

  private caught(place: ShardPlace, kind: EvidenceKind, detail: string): AppError {
    this.tell(place, kind, detail)
    return new AppError('host-lies', `a host answered with wrong bytes (${kind})`, {
      retry: 'elsewhere',
      details: { host: place.host },
    })
  }

  private tell({ host, segment, index }: ShardPlace, kind: EvidenceKind, detail: string): void {
    const key = `${host}${segment}${kind}`
    if (this.reported.has(key)) return
    this.reported.set(key, true)
    this.parts.report({ host, segment, index, kind, detail })
  }
}

const NEVER = new AbortController().signal
// Each host's token listens while it is fetched.
setMaxListeners(0, NEVER)
