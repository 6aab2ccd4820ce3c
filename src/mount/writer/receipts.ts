import { AppError } from '../../base/errors.js'
import type { HostId } from '../../model/ids.js'
import type { PlacementGrant, SegmentInfo } from '../../model/segment.js'

/** What hosts signed for one sealed segment, over all attempts to push it. */
export class Receipts {
  private readonly info: SegmentInfo
  private readonly held = new Map<number, { host: HostId; receipt: Buffer }>()
  /** Held from before, and yet asked for again: the bridge has not heard of it, or it counts no more. */
  private doubtful: number[] = []
  /** The bridge was told of them again, and answered: if it still asks for them they count no more. */
  private readonly refused = new Set<number>()
  /** Shards that the bridge says are stored, without our help (it completes what is short). */
  private elsewhere = 0
  private needed = Number.POSITIVE_INFINITY
  private isCommitted = false

  constructor(info: SegmentInfo) {
    this.info = info
  }

  /** A new attempt. `malformed` when the bridge asks for fewer receipts than protect anything. */
  begin(grant: PlacementGrant): void {
    const { dataShards, totalShards } = this.info
    if (grant.commit < Math.min(totalShards, dataShards + 2)) {
      throw new AppError('malformed', `the bridge wants ${grant.commit} receipts for ${dataShards} of ${totalShards}`)
    }
    this.needed = grant.commit
    const asked = new Set(grant.hosts.map(({ index }) => index))
    this.doubtful = []
    for (const { index, host } of grant.hosts) {
      if (this.held.get(index)?.host === host && !this.refused.has(index)) this.doubtful.push(index)
      else this.held.delete(index)
    }
    this.refused.clear()
    this.elsewhere = 0
    for (let index = 0; index < totalShards; index++) {
      if (!asked.has(index) && !this.held.has(index)) this.elsewhere++
    }
  }

  has(index: number): boolean {
    return this.held.has(index)
  }

  add(index: number, host: HostId, receipt: Buffer): void {
    this.held.set(index, { host, receipt })
  }

  get count(): number {
    return this.held.size
  }

  all(): Buffer[] {
    return [...this.held.values()].map((one) => one.receipt)
  }

  /** Worth asking the bridge for the commit. */
  get suffice(): boolean {
    return this.held.size + this.elsewhere >= this.needed
  }

  get committed(): boolean {
    return this.isCommitted
  }

  /** True once: when the segment became stored by this reply. */
  accept(reply: { committed: boolean }): boolean {
    if (this.isCommitted || !reply.committed || this.held.size < this.info.dataShards) return false
    this.isCommitted = true
    return true
  }

  /**
   * The attempt was in vain, and the bridge answered: what it asks for once more is pushed again by the next. Nothing is thrown away
   * before it asks: a bridge that died may have counted them, and then nobody gives us these receipts a second time.
   */
  failed(): void {
    for (const index of this.doubtful) this.refused.add(index)
  }
}
