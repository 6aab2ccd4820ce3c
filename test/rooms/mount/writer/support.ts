/** Sealed segments (real codec), a placement service and hosts in memory that sign real receipts, late, wrongly or not at all. */
import { AppError } from '../../../../src/base/errors.js'
import { silentLog } from '../../../../src/base/log.js'
import type { SigningKey } from '../../../../src/crypto/signing-key.js'
import { type HostId, hostId, type SegmentId, serialId } from '../../../../src/model/ids.js'
import type { PlacementGrant } from '../../../../src/model/segment.js'
import { type PlacementSource, SegmentPusher, type ShardPeers } from '../../../../src/mount/writer/pusher.js'
import { pseudonymOf } from '../../../../src/permits/pseudonym.js'
import { decodeReceipt, signReceipt, verifyReceipt } from '../../../../src/permits/receipt.js'
import { type SealedSegment, sealSegment } from '../../../../src/segment/seal.js'
import { DRIVE } from '../../../support/chain-double.js'
import { DrivenClock } from '../../../support/driven-clock.js'
import { keyOf } from '../../../support/named.js'
import { secretOf } from '../../../support/secrets.js'

export const SCHEME = { dataShards: 4, totalShards: 8 }
export const TERM = { keyTerm: 1, termKey: secretOf(Buffer.alloc(32, 3)) }

export function sealed(plain: Buffer): Promise<SealedSegment> {
  return sealSegment({ key: TERM.termKey, number: 1 }, [plain], SCHEME)
}

/** What a host does with a shard. `hang`: never answers by itself. */
export type Manner = 'well' | 'gone' | 'busy-once' | 'hang' | 'other-shard' | 'other-host' | 'garbage' | 'refuses'

export class TestNet implements PlacementSource, ShardPeers {
  readonly clock = new DrivenClock()
  readonly hosts: SigningKey[] = Array.from({ length: 8 }, (_, at) => keyOf(`host ${at}`))
  readonly manners = new Map<HostId, Manner>()
  readonly stored = new Map<SegmentId, Set<number>>()
  readonly asked: HostId[] = []
  /** Requests that were given up by the pusher. */
  left = 0
  /** c. */
  needed = 7
  places = 0
  commits = 0
  /** The next commit calls: refused before, or taken and the answer lost. */
  commitFailures: ('before' | 'after')[] = []
  private readonly busy = new Set<HostId>()
  private hold: (() => void)[] = []

  set(at: number, manner: Manner): void {
    this.manners.set(this.id(at), manner)
  }

  id(at: number): HostId {
    return hostId((this.hosts[at] as SigningKey).id)
  }

  pusher(): SegmentPusher {
    return new SegmentPusher({
      placements: this,
      peers: this,
      checkReceipt: (receipt, expected) => void verifyReceipt(receipt, expected),
      clock: this.clock,
      log: silentLog,
    })
  }

  async place(segment: SealedSegment): Promise<PlacementGrant> {
    this.places++
    const known = this.known(segment.info.segment)
    const rows = this.hosts.map((_, index) => ({ index, host: this.id(index), token: Buffer.alloc(297, index + 1) }))
    const hosts = rows.filter(({ index }) => !known.has(index))
    this.current.set(segment.info.segment, segment)
    return { segment: segment.info.segment, generation: 1, commit: this.needed, hosts }
  }

  private readonly current = new Map<SegmentId, SealedSegment>()

  async commit(segment: SegmentId, receipts: Buffer[]) {
    this.commits++
    const failure = this.commitFailures.shift()
    const lost = () => new AppError('bridge-unreachable', 'no answer', { retry: 'later' })
    if (failure === 'before') throw lost()
    const known = this.known(segment)
    for (const receipt of receipts) known.add(decodeReceipt(receipt).index)
    if (failure === 'after') throw lost()
    return { stored: known.size, committed: known.size >= this.needed }
  }

  known(segment: SegmentId): Set<number> {
    const known = this.stored.get(segment) ?? new Set<number>()
    this.stored.set(segment, known)
    return known
  }

  /** Hosts that hang answer now. */
  answerAll(): void {
    for (const go of this.hold.splice(0)) go()
  }

  async request(peer: HostId, request: Parameters<ShardPeers['request']>[1]) {
    this.asked.push(peer)
    const manner = this.manners.get(peer) ?? 'well'
    if (manner === 'gone') throw new AppError('peer-unreachable', 'gone', { retry: 'elsewhere' })
    if (manner === 'refuses') throw new AppError('host-full', 'full', { retry: 'elsewhere' })
    if (manner === 'busy-once' && !this.busy.has(peer)) {
      this.busy.add(peer)
      throw new AppError('busy', 'busy', { retry: 'later' })
    }
    if (manner === 'hang') await this.hang(request.signal, request.deadlineMs)
    return { head: this.receipt(peer, request.body as Buffer, manner), body: Buffer.alloc(0) }
  }

  private async hang(signal: AbortSignal | undefined, deadlineMs: number): Promise<void> {
    let isLeft = false
    const answered = new Promise<void>((resolve) => this.hold.push(resolve))
    const left = new Promise<void>((resolve) => {
      signal?.addEventListener('abort', () => {
        isLeft = true
        resolve()
      })
    })
    const late = this.clock.sleep(deadlineMs).then(() => 'late')
    const outcome = await Promise.race([answered, left, late])
    if (isLeft) {
      this.left++
      throw signal?.reason
    }
    if (outcome === 'late') throw new AppError('timed-out', 'late', { retry: 'elsewhere' })
  }

  private receipt(peer: HostId, body: Buffer, manner: Manner): Buffer {
    if (manner === 'garbage') return Buffer.alloc(258, 7)
    const key = this.hosts.find((one) => one.id === (peer as string)) as SigningKey
    const index = this.hosts.indexOf(key)
    const segment = [...this.current.values()].find(({ shards, info }) =>
      shards.subarray(index * info.shardLength, (index + 1) * info.shardLength).equals(body),
    ) as SealedSegment
    const shard = segment.shardIds[manner === 'other-shard' ? (index + 1) % 8 : index] as SealedSegment['shardIds'][0]
    const receipt = signReceipt(
      {
        ...{ host: peer, serial: serialId(Buffer.alloc(16, 1)), pseudonym: pseudonymOf(DRIVE, peer) },
        ...{ segment: segment.info.segment, index, shard, length: segment.info.shardLength, generation: 1 },
        ...{ storedAtMs: 1, keepUntilMs: 0, incarnation: 1 },
      },
      manner === 'other-host' ? keyOf('nobody') : key,
    )
    return receipt
  }
}
