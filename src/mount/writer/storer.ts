/**
 * Takes the staged rows of a cut to the hosts: pack -> read -> seal and encode -> push, a few segments at a time. Answers
 * when each segment is stored at c receipts; the remaining pushes go on behind it.
 *
 * Memory: sealed segments of SEALED_BYTES_MAX together (their n shards; the plain rows only while they are being sealed) until
 * their last push has settled, plus what failed: at most LANES sealed segments, kept for the next call, so that a retry costs
 * no new segment and no new ids at the bridge. After a failure no further segment of the cut is begun.
 */

import type { Clock } from '../../base/clock.js'
import { AppError } from '../../base/errors.js'
import { failpoint } from '../../base/failpoint.js'
import { Nap } from '../../base/nap.js'
import { retry } from '../../base/retry.js'
import type { SecretBytes } from '../../crypto/secret.js'
import type { SegmentId } from '../../model/ids.js'
import type { PlacementGrant, Scheme, SegmentInfo } from '../../model/segment.js'
import { layoutOf } from '../../segment/layout.js'
import type { SealedSegment, sealSegment } from '../../segment/seal.js'
import type { Cut, StagedMapping } from '../metadata/types.js'
import { packSegments, type SegmentPlan } from './packer.js'
import type { PushResult } from './pusher.js'
import { SegmentSlots } from './segment-slots.js'

/** Segments on their way to their commit: one is sealed and placed while the other travels. */
const LANES = 2
/** With those that wait for a late host. At 4 of 8 a segment has 16 MB: four; at 32 of 60 it has 118: one after the other. */
const SEALED_BYTES_MAX = 64 * 1_048_576
/** A segment that belongs to no cut (of a snapshot) is tried again so often before all its fellows are given up. */
const ATTEMPTS = 5

export interface StorerLedger {
  readStaged(stagedIds: readonly number[]): Promise<Buffer[]>
  recordPendingSegments(segments: readonly SegmentId[]): Promise<void>
}

export interface StorerParts {
  ledger: StorerLedger
  seal: typeof sealSegment
  pusher: { push(segment: SealedSegment, signal: AbortSignal): PushResult; hurry(): void }
  /** What new segments are sealed with, now. */
  terms: { current(): { keyTerm: number; termKey: SecretBytes } }
  scheme(): Promise<Scheme>
  clock: Clock
  /** Plain bytes of a new segment, for the cache: somebody may read them soon. Must not throw, nor keep them. */
  onSealed(info: SegmentInfo, rows: readonly Buffer[]): void
  /** The segment is stored: remember where. Must not throw. */
  onStored(segment: SealedSegment, grant: PlacementGrant): void
  /** Nobody reads these bytes any more, which have memory of their own. */
  release(bytes: Buffer): void
}

interface Stored {
  segment: SegmentInfo
  mapping: StagedMapping[]
}

export class StagedStorer {
  private readonly parts: StorerParts
  private readonly slots: SegmentSlots
  private readonly nap: Nap
  /** What is done or sealed of the epoch that is being stored, by the first staged id of each plan. */
  private epoch = -1
  private readonly done = new Map<number, Stored>()
  private readonly sealed = new Map<number, SealedSegment>()
  private storedBytes = 0

  constructor(parts: StorerParts, options: { sealedBytesMax?: number } = {}) {
    this.parts = parts
    this.slots = new SegmentSlots(parts.clock, options.sealedBytesMax ?? SEALED_BYTES_MAX)
    this.nap = new Nap(parts.clock)
  }

  /** What waits for a retry is tried at once. */
  hurry(): void {
    this.parts.pusher.hurry()
    this.nap.wake()
  }

  /** `anew`: what was stored for this cut before is lost. */
  async store(
    cut: Cut,
    signal: AbortSignal,
    options: { anew?: boolean } = {},
  ): Promise<{ mapping: StagedMapping[]; segments: SegmentInfo[] }> {
    if (this.epoch !== cut.epoch || options.anew === true) {
      this.epoch = cut.epoch
      this.done.clear()
      for (const segment of this.sealed.values()) this.parts.release(segment.shards)
      this.sealed.clear()
    }
    if (cut.stagedRows.length === 0) return { mapping: [], segments: [] }
    const plans = packSegments(cut.stagedRows, await this.parts.scheme())
    this.storedBytes = plans.reduce((sum, plan) => sum + (this.done.has(keyOf(plan)) ? plan.plainLength : 0), 0)
    try {
      await this.storeAll(plans, signal)
    } finally {
      this.storedBytes = 0
    }
    const stored = plans.map((plan) => this.done.get(keyOf(plan)) as Stored)
    return { mapping: stored.flatMap((one) => one.mapping), segments: stored.map((one) => one.segment) }
  }

  /** Of the cut that is being stored: plain bytes that are on hosts already. */
  get doneBytes(): number {
    return this.storedBytes
  }

  /** One run of plain bytes as a segment of its own. */
  async storePlain(plain: readonly Buffer[], signal: AbortSignal): Promise<SegmentInfo> {
    const slot = await this.slots.take(await this.sealedBytes(sumOf(plain)), signal)
    let push: PushResult | null = null
    let sealed: SealedSegment | null = null
    try {
      const segment = await this.seal(plain)
      sealed = segment
      const attempt = async () => {
        push = this.parts.pusher.push(segment, signal)
        const grant = await push.stored
        this.parts.onStored(segment, grant)
      }
      const clock = { sleep: (delayMs: number) => this.nap.sleep(delayMs, signal) }
      await retry(attempt, { clock, attempts: ATTEMPTS, firstDelayMs: 500, delayMsMax: 8_000, signal })
      slot.late((push as PushResult | null)?.leave ?? (() => {}))
      return segment.info
    } finally {
      whenSettled(push, () => {
        if (sealed !== null) this.parts.release(sealed.shards)
        slot.free()
      })
    }
  }

  private async storeAll(plans: readonly SegmentPlan[], signal: AbortSignal): Promise<void> {
    const failures: unknown[] = []
    let next = 0
    const lane = async () => {
      while (next < plans.length && failures.length === 0) {
        const plan = plans[next++] as SegmentPlan
        if (this.done.has(keyOf(plan))) continue
        await this.storeOne(plan, signal).catch((error: unknown) => failures.push(error))
      }
    }
    await Promise.all(Array.from({ length: LANES }, lane))
    if (failures.length > 0) throw failures[0]
  }

  private async storeOne(plan: SegmentPlan, signal: AbortSignal): Promise<void> {
    const slot = await this.slots.take(await this.sealedBytes(plan.plainLength), signal)
    let push: PushResult | null = null
    let stored: SealedSegment | null = null
    try {
      const segment = this.sealed.get(keyOf(plan)) ?? (await this.sealPlan(plan))
      this.sealed.set(keyOf(plan), segment)
      push = this.parts.pusher.push(segment, signal)
      const grant = await push.stored
      failpoint('mount.push.stored')
      this.sealed.delete(keyOf(plan))
      stored = segment
      slot.late(push.leave)
      this.parts.onStored(segment, grant)
      const id = segment.info.segment
      const mapping = plan.rows.map((row) => ({ stagedId: row.stagedId, segment: id, segmentOffset: row.offset }))
      this.done.set(keyOf(plan), { segment: segment.info, mapping })
      this.storedBytes += plan.plainLength
    } finally {
      whenSettled(push, () => {
        if (stored !== null) this.parts.release(stored.shards)
        slot.free()
      })
    }
  }

  /** Of the shards of so many plain bytes. */
  private async sealedBytes(plainLength: number): Promise<number> {
    const { dataShards, totalShards } = await this.parts.scheme()
    return totalShards * layoutOf({ plainLength, dataShards }).shardLength
  }

  private async sealPlan(plan: SegmentPlan): Promise<SealedSegment> {
    const rows = await this.parts.ledger.readStaged(plan.rows.map((row) => row.stagedId))
    for (const [at, row] of rows.entries()) {
      if (row.length !== plan.rows[at]?.length)
        throw new AppError('database-damaged', 'a staged row has another length than its record')
    }
    const segment = await this.seal(rows)
    this.parts.onSealed(segment.info, rows)
    for (const row of rows) this.parts.release(row)
    return segment
  }

  /** Its id is on disk before anybody else hears of it. */
  private async seal(plain: readonly Buffer[]): Promise<SealedSegment> {
    const { ledger, seal, terms, scheme } = this.parts
    const { keyTerm, termKey } = terms.current()
    const segment = await seal({ key: termKey, number: keyTerm }, plain, await scheme())
    failpoint('mount.seal.done')
    await ledger.recordPendingSegments([segment.info.segment])
    failpoint('mount.seal.noted')
    return segment
  }
}

function keyOf(plan: SegmentPlan): number {
  return plan.rows[0]?.stagedId as number
}

function sumOf(plain: readonly Buffer[]): number {
  return plain.reduce((sum, one) => sum + one.length, 0)
}

function whenSettled(push: PushResult | null, then: () => void): void {
  if (push === null) then()
  else void push.settled.then(then)
}
