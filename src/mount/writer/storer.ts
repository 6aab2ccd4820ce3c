/**
 * Takes the staged rows of a cut to the hosts: pack -> read -> seal and encode -> push, a few segments at a time. Answers
 * when each segment is stored at c receipts; the remaining pushes go on behind it.
 *
 * Memory: at most SEGMENTS_IN_FLIGHT segments with their shards (k + n shards each) until their last push has settled.
 * A failed push keeps its sealed segment for the next call, so that a retry costs no new segment and no new ids at the bridge.
 */
import { AppError } from '../../base/errors.js'
import type { SecretBytes } from '../../crypto/secret.js'
import type { SegmentId } from '../../model/ids.js'
import type { PlacementGrant, Scheme, SegmentInfo } from '../../model/segment.js'
import type { SealedSegment, sealSegment } from '../../segment/seal.js'
import type { Cut, StagedMapping } from '../metadata/types.js'
import { packSegments, type SegmentPlan } from './packer.js'
import type { PushResult } from './pusher.js'

/** Enough to keep eight hosts busy while one segment is being sealed; 24 MB each at 4 of 8. */
const SEGMENTS_IN_FLIGHT = 4

export interface StorerLedger {
  readStaged(stagedIds: readonly number[]): Promise<Buffer[]>
  recordPendingSegments(segments: readonly SegmentId[]): Promise<void>
}

export interface StorerParts {
  ledger: StorerLedger
  seal: typeof sealSegment
  pusher: { push(segment: SealedSegment, signal: AbortSignal): PushResult }
  /** What new segments are sealed with, now. */
  terms: { current(): { keyTerm: number; termKey: SecretBytes } }
  scheme(): Promise<Scheme>
  /** The segment is stored: remember where, keep its bytes in the cache. Must not throw. */
  onStored(segment: SealedSegment, rows: readonly Buffer[], grant: PlacementGrant): void
}

interface Stored {
  segment: SegmentInfo
  mapping: StagedMapping[]
}

export class StagedStorer {
  private readonly parts: StorerParts
  /** What is done or sealed of the epoch that is being stored, by the first staged id of each plan. */
  private epoch = -1
  private readonly done = new Map<number, Stored>()
  private readonly sealed = new Map<number, { segment: SealedSegment; rows: Buffer[] }>()
  private inFlight = 0
  private readonly queue: (() => void)[] = []

  constructor(parts: StorerParts) {
    this.parts = parts
  }

  async store(cut: Cut, signal: AbortSignal): Promise<{ mapping: StagedMapping[]; segments: SegmentInfo[] }> {
    if (this.epoch !== cut.epoch) {
      this.epoch = cut.epoch
      this.done.clear()
      this.sealed.clear()
    }
    if (cut.stagedRows.length === 0) return { mapping: [], segments: [] }
    const plans = packSegments(cut.stagedRows, await this.parts.scheme())
    // One failed segment lets the others of this round come to their end: what they stored is not done again.
    const outcomes = await Promise.allSettled(plans.map((plan) => this.storeOne(plan, signal)))
    const failed = outcomes.find((one) => one.status === 'rejected')
    if (failed) throw failed.reason
    const stored = outcomes.map((one) => (one as PromiseFulfilledResult<Stored>).value)
    return { mapping: stored.flatMap((one) => one.mapping), segments: stored.map((one) => one.segment) }
  }

  private async storeOne(plan: SegmentPlan, signal: AbortSignal): Promise<Stored> {
    const key = plan.rows[0]?.stagedId as number
    const known = this.done.get(key)
    if (known) return known
    await this.acquire()
    let settled: Promise<unknown> = Promise.resolve()
    try {
      signal.throwIfAborted()
      const { segment, rows } = this.sealed.get(key) ?? (await this.sealPlan(plan))
      this.sealed.set(key, { segment, rows })
      const push = this.parts.pusher.push(segment, signal)
      settled = push.settled
      const grant = await push.stored
      this.sealed.delete(key)
      this.parts.onStored(segment, rows, grant)
      const id = segment.info.segment
      const mapping = plan.rows.map((row) => ({ stagedId: row.stagedId, segment: id, segmentOffset: row.offset }))
      const stored = { segment: segment.info, mapping }
      this.done.set(key, stored)
      return stored
    } finally {
      settled.finally(() => this.release()).catch(() => undefined)
    }
  }

  private async sealPlan(plan: SegmentPlan): Promise<{ segment: SealedSegment; rows: Buffer[] }> {
    const { ledger, seal, terms } = this.parts
    const rows = await ledger.readStaged(plan.rows.map((row) => row.stagedId))
    for (const [at, row] of rows.entries()) {
      if (row.length !== plan.rows[at]?.length)
        throw new AppError('database-damaged', 'a staged row has another length than its record')
    }
    const { keyTerm, termKey } = terms.current()
    const segment = await seal({ key: termKey, number: keyTerm }, rows, await this.parts.scheme())
    await ledger.recordPendingSegments([segment.info.segment])
    return { segment, rows }
  }

  private async acquire(): Promise<void> {
    if (this.inFlight >= SEGMENTS_IN_FLIGHT) await new Promise<void>((resolve) => this.queue.push(resolve))
    else this.inFlight++
  }

  private release(): void {
    const next = this.queue.shift()
    if (next) next()
    else this.inFlight--
  }
}
