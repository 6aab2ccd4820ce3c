/**
 * Pushes the shards of one sealed segment to its hosts, all at once. `stored` resolves at c receipts and the bridge's
 * commit: from then on the segment survives what the scheme promises. `settled` resolves when every shard was tried;
 * what is short of n by then is the bridge's to complete.
 *
 * The shards' memory is held until `settled`. Fails with `not-enough-hosts` (retry later): the same segment may be
 * pushed again. Receipts of earlier attempts count, a shard that is stored is not sent twice, and a host that could not be
 * reached a moment ago is left out for a while, so that one that hangs does not hold up every segment.
 *
 * The bridge is not believed alone: at least k receipts, each signed by its host for its shard, must be in our own hands.
 */

import type { Clock } from '../../base/clock.js'
import { AppError } from '../../base/errors.js'
import { failpoint } from '../../base/failpoint.js'
import { linkSignal } from '../../base/linked-signal.js'
import type { Log } from '../../base/log.js'
import type { HostId, SegmentId, ShardId } from '../../model/ids.js'
import type { PlacementGrant } from '../../model/segment.js'
import type { SealedSegment } from '../../segment/seal.js'
import { decodePutReply, encodeTokenHead, METHOD } from '../../wire/methods.js'
import { GoneHosts } from './gone-hosts.js'
import { Receipts } from './receipts.js'

export interface PlacementSource {
  /** `hosts` names the shards that are not stored yet. */
  place(segment: SealedSegment, signal: AbortSignal): Promise<PlacementGrant>
  commit(segment: SegmentId, receipts: Buffer[], signal: AbortSignal): Promise<{ stored: number; committed: boolean }>
}

export interface ShardPeers {
  request(
    peer: HostId,
    request: { method: number; head: Buffer; body?: Buffer; deadlineMs: number; signal?: AbortSignal },
  ): Promise<{ head: Buffer; body: Buffer }>
}

/** Throws unless the receipt is this host's, for this shard. */
export type ReceiptCheck = (
  receipt: Buffer,
  expected: { host: HostId; segment: SegmentId; index: number; shard: ShardId; length: number },
) => void

export interface PusherParts {
  placements: PlacementSource
  peers: ShardPeers
  checkReceipt: ReceiptCheck
  clock: Clock
  log: Log
}

export interface PushResult {
  stored: Promise<PlacementGrant>
  /** Receipts in the end. Never rejects. */
  settled: Promise<number>
  /** Gives up what is still on its way: the memory is needed. */
  leave(): void
}

/** Each shard has this long, dialing and repeats included; then it is left to the bridge. */
export const PUSH_DEADLINE_MS = 30_000
/** A lost connection or a busy host is asked again: most such failures pass in a second. */
const ATTEMPTS_PER_SHARD = 3
const RETRY_DELAY_MS = 500
const PASSING = new Set(['peer-lost', 'busy'])

export class SegmentPusher {
  private readonly parts: PusherParts
  private readonly gone: GoneHosts
  /** What hosts signed for segments that are still being pushed. */
  private readonly receipts = new WeakMap<SealedSegment, Receipts>()

  constructor(parts: PusherParts) {
    this.parts = parts
    this.gone = new GoneHosts(parts.clock)
  }

  /** The bridge is back: hosts that could not be reached without it are asked again. */
  hurry(): void {
    this.gone.clear()
  }

  push(segment: SealedSegment, signal: AbortSignal): PushResult {
    const link = linkSignal(signal)
    const known = this.receipts.get(segment) ?? new Receipts(segment.info)
    this.receipts.set(segment, known)
    let tell: (count: number) => void = () => {}
    const settled = new Promise<number>((resolve) => {
      tell = resolve
    })
    const stored = new Promise<PlacementGrant>((resolve, reject) => {
      this.pushAll(segment, known, link.signal, resolve)
        .catch(reject)
        .finally(() => {
          link.release()
          tell(known.count)
        })
    })
    // Who only waits for `settled` need not look at it.
    stored.catch(() => undefined)
    return { stored, settled, leave: () => link.abort(new AppError('cancelled', 'left to the bridge')) }
  }

  /** Ends when every shard was tried; throws when the segment is not stored by then. */
  private async pushAll(
    segment: SealedSegment,
    receipts: Receipts,
    signal: AbortSignal,
    stored: (grant: PlacementGrant) => void,
  ): Promise<void> {
    const { placements, log } = this.parts
    const grant = await placements.place(segment, signal)
    failpoint('mount.push.placed')
    receipts.begin(grant)
    const report = this.reporter(segment.info.segment, receipts, grant, signal, stored)
    const pushes = grant.hosts.map(async ({ index, host, token }) => {
      if (token === null || receipts.has(index)) return
      const receipt = await this.pushShard(segment, index, host, token, signal)
      if (receipt === null) return
      receipts.add(index, host, receipt)
      failpoint('mount.push.receipt')
      if (receipts.suffice && !receipts.committed) await report()
    })
    const outcomes = await Promise.allSettled(pushes)
    const failure = await report()
    if (receipts.committed) {
      if (failure !== null) log.warn({ err: failure, segment: segment.info.segment }, 'late receipts were not reported')
      return
    }
    if (!isUnanswered(failure)) receipts.failed()
    const broken = outcomes.find((one) => one.status === 'rejected')
    throw broken?.reason ?? failure ?? shortOf(receipts.count, grant)
  }

  /** Tells the bridge what is new, one call at a time; the answer is why that failed, or null. Never rejects. */
  private reporter(
    segment: SegmentId,
    receipts: Receipts,
    grant: PlacementGrant,
    signal: AbortSignal,
    stored: (grant: PlacementGrant) => void,
  ): () => Promise<unknown> {
    let told = 0
    let failure: unknown = null
    let turn: Promise<unknown> = Promise.resolve()
    const tell = async () => {
      const { count } = receipts
      if (count === 0 || (count === told && failure === null)) return failure
      failure = null
      try {
        const reply = await this.parts.placements.commit(segment, receipts.all(), signal)
        failpoint('mount.push.told')
        told = count
        if (receipts.accept(reply)) stored(grant)
      } catch (error) {
        failure = error
      }
      return failure
    }
    return () => {
      turn = turn.then(tell)
      return turn
    }
  }

  /** The receipt, or null when this host does not take the shard in time. Only cancellation and broken beliefs reject. */
  private async pushShard(
    segment: SealedSegment,
    index: number,
    host: HostId,
    token: Buffer,
    signal: AbortSignal,
  ): Promise<Buffer | null> {
    const { peers, clock, log, checkReceipt } = this.parts
    const { shardLength } = segment.info
    if (this.gone.has(host)) return null
    const body = segment.shards.subarray(index * shardLength, (index + 1) * shardLength)
    const shard = segment.shardIds[index] as ShardId
    const endsAt = clock.monotonicMs() + PUSH_DEADLINE_MS
    for (let attempt = 1; ; attempt++) {
      const deadlineMs = endsAt - clock.monotonicMs()
      if (deadlineMs <= 0) return null
      try {
        const head = encodeTokenHead(token)
        const reply = await peers.request(host, { method: METHOD.put, head, body, deadlineMs, signal })
        const receipt = Buffer.from(decodePutReply(reply.head))
        checkReceipt(receipt, { host, segment: segment.info.segment, index, shard, length: shardLength })
        this.gone.back(host)
        return receipt
      } catch (error) {
        if (signal.aborted || !(error instanceof AppError)) throw error
        log.debug({ host, code: error.code, attempt }, 'a shard was not taken')
        this.gone.note(host, error)
        if (!PASSING.has(error.code) || attempt >= ATTEMPTS_PER_SHARD) return null
        await clock.sleep(RETRY_DELAY_MS * attempt, signal)
      }
    }
  }
}

/** Whether nobody knows what the bridge made of it. */
function isUnanswered(failure: unknown): boolean {
  return failure instanceof AppError && failure.retry === 'later'
}

function shortOf(receipts: number, grant: PlacementGrant): AppError {
  return new AppError('not-enough-hosts', `${receipts} of the ${grant.commit} hosts needed took a shard`, {
    retry: 'later',
    hint: 'shardrive status shows which hosts are online; what you wrote is safe on this machine meanwhile',
    details: { receipts, needed: grant.commit, asked: grant.hosts.length },
  })
}
