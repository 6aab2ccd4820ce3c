/**
 * Pushes the shards of one sealed segment to its hosts, all at once. `stored` resolves at c receipts and the bridge's
 * commit: from then on the segment survives what the scheme promises. `settled` resolves when every shard was tried;
 * what is short of n by then is the bridge's to complete.
 *
 * The shards' memory is held until `settled`. Fails with `not-enough-hosts` (retry later): the same segment may be
 * pushed again, hosts that hold a shard already answer with a new receipt.
 */
import type { Clock } from '../../base/clock.js'
import { AppError, isCode } from '../../base/errors.js'
import type { Log } from '../../base/log.js'
import type { HostId, SegmentId, ShardId } from '../../model/ids.js'
import type { PlacementGrant } from '../../model/segment.js'
import type { SealedSegment } from '../../segment/seal.js'
import { decodePutReply, encodeTokenHead, METHOD } from '../../wire/methods.js'

export interface PlacementSource {
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
  expected: { host: HostId; segment: SegmentId; index: number; shard: ShardId },
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
}

/** Each shard has this long, dialing and repeats included; then it is left to the bridge. */
export const PUSH_DEADLINE_MS = 30_000
/** A lost connection or a busy host is asked again: most such failures pass in a second. */
const ATTEMPTS_PER_SHARD = 3
const RETRY_DELAY_MS = 500

export class SegmentPusher {
  private readonly parts: PusherParts

  constructor(parts: PusherParts) {
    this.parts = parts
  }

  push(segment: SealedSegment, signal: AbortSignal): PushResult {
    let tell: (count: number) => void = () => {}
    const settled = new Promise<number>((resolve) => {
      tell = resolve
    })
    const stored = this.pushAll(segment, signal, tell)
    stored.catch(() => tell(0))
    return { stored, settled }
  }

  private async pushAll(
    segment: SealedSegment,
    signal: AbortSignal,
    tellSettled: (count: number) => void,
  ): Promise<PlacementGrant> {
    const { placements, log } = this.parts
    const grant = await placements.place(segment, signal)
    const receipts: Buffer[] = []
    let reported = 0
    let isCommitted = false
    let reporting: Promise<void> = Promise.resolve()
    return await new Promise<PlacementGrant>((resolve, reject) => {
      const report = () => {
        reporting = reporting.then(async () => {
          if (reported === receipts.length) return
          const batch = receipts.slice(reported)
          reported = receipts.length
          const reply = await placements.commit(segment.info.segment, batch, signal)
          if (reply.committed) {
            isCommitted = true
            resolve(grant)
          }
        })
        return reporting
      }
      const fail = (error: unknown) => {
        // After the commit, what is missing is the bridge's to complete; before it, the caller decides.
        if (isCommitted) log.warn({ err: error, segment: segment.info.segment }, 'late receipts were not reported')
        else reject(error)
      }
      const pushes = grant.hosts.map(async ({ index, host, token }) => {
        if (token === null) return
        const receipt = await this.pushShard(segment, index, host, token, signal)
        if (receipt === null) return
        receipts.push(receipt)
        if (!isCommitted && receipts.length >= grant.commit) await report()
      })
      void Promise.allSettled(pushes).then(async (outcomes) => {
        try {
          const broken = outcomes.find((one) => one.status === 'rejected')
          if (broken) fail(broken.reason)
          else await report()
          if (!isCommitted) reject(shortOf(receipts.length, grant))
        } catch (error) {
          fail(error)
        }
        tellSettled(receipts.length)
      })
    })
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
    const body = segment.shards.subarray(index * shardLength, (index + 1) * shardLength)
    const shard = segment.shardIds[index] as ShardId
    const endsAt = clock.monotonicMs() + PUSH_DEADLINE_MS
    for (let attempt = 1; ; attempt++) {
      const deadlineMs = endsAt - clock.monotonicMs()
      if (deadlineMs <= 0) return null
      try {
        const reply = await peers.request(host, {
          method: METHOD.put,
          head: encodeTokenHead(token),
          body,
          deadlineMs,
          signal,
        })
        const receipt = decodePutReply(reply.head)
        checkReceipt(receipt, { host, segment: segment.info.segment, index, shard })
        return Buffer.from(receipt)
      } catch (error) {
        if (signal.aborted || !(error instanceof AppError)) throw error
        log.debug({ host, code: error.code, attempt }, 'a shard was not taken')
        const passes = isCode(error, 'peer-lost') || isCode(error, 'busy')
        if (!passes || attempt >= ATTEMPTS_PER_SHARD) return null
        await clock.sleep(RETRY_DELAY_MS * attempt, signal)
      }
    }
  }
}

function shortOf(receipts: number, grant: PlacementGrant): AppError {
  return new AppError('not-enough-hosts', `${receipts} of the ${grant.commit} hosts needed took a shard`, {
    retry: 'later',
    hint: 'shardrive status shows which hosts are online; what you wrote is safe on this machine meanwhile',
    details: { receipts, needed: grant.commit, asked: grant.hosts.length },
  })
}
