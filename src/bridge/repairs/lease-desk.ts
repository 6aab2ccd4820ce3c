/**
 * Gives out segments to be worked on, one worker a segment, and takes back what came of it. Completions and repairs in
 * the bridge and workers beside it all come here, so nothing is done twice: a lease is written down with what it moves
 * before a token leaves, it ends by itself, and what an ended one may have left on a host is deleted there. A shard
 * changes its host with the receipt of the new one, in one transaction, never before. Reports count once.
 */
import type { Clock } from '../../base/clock.js'
import type { KeyedMutex } from '../../base/keyed-mutex.js'
import type { Log } from '../../base/log.js'
import type { DriveId, PeerId } from '../../model/ids.js'
import type { Policy } from '../../wire/api.js'
import type { TokenIssuer } from '../contracts/tokens.js'
import type { HostRegistry, KnownHost } from '../hosts/registry.js'
import type { Lease, RepairMove } from '../persist/repair-rows.js'
import { SEGMENT_STATE, type SegmentRow, type ShardRow } from '../persist/segment-rows.js'
import type { Store } from '../persist/store.js'
import { forgetOf } from '../placement/moves.js'
import type { HostSpeeds } from '../placement/speeds.js'
import { healthOf } from './health.js'
import type { HostTroubles } from './host-troubles.js'
import type { RepairPacer } from './pacer.js'
import { type Plan, type PlannedTarget, planOf } from './plan.js'
import type { RepairJob } from './repair-job.js'
import type { RepairQueue } from './repair-queue.js'

/** Longer than the slowest repair: 60 shards of 2 MB over lines of 1 Mbit/s. */
export const LEASE_MS = 600_000
/** Entries that are looked at before a worker is told that there is nothing. */
const LOOKED_AT = 64
/** Too few hosts are there, or none has room: looked at again then. */
const HOMELESS_MS = 300_000
/** Hosts are there for it and cannot take it now: they connect again within seconds of a bridge's start. */
const PASSING_MS = 15_000
const UNREACHABLE_MS = 60_000
/** Uploaders push for themselves; what was placed a moment ago is theirs. */
const FRESH_MS = 35_000
/** Ends that a round clears away. */
const EXPIRED_PAGE = 256

export interface LeaseDeskParts {
  store: Store
  hosts: HostRegistry
  queue: RepairQueue
  tokens: TokenIssuer
  troubles: HostTroubles
  pacer: RepairPacer
  speeds: HostSpeeds
  clock: Clock
  log: Log
  policy: Policy
  lot: () => number
  /** Shared with placement: one change of a drive's placements at a time. */
  placing: KeyedMutex<DriveId>
  /** The books may be older than the world: nothing is moved or dropped. */
  isFrozen: () => boolean
}

export interface TakeOptions {
  /** Also shards that are stored, on hosts that are not good. */
  withStored: boolean
  /** Within the budgets of repair traffic. */
  limited: boolean
}

interface PlanOptions extends TakeOptions {
  isBegun: boolean
}

/** nothing: it needs nothing, or is gone. leased: somebody is at it. waiting: too few shards are there. passing: no host to go to
 * for the moment. homeless: none at all. */
export type Untaken = 'nothing' | 'leased' | 'waiting' | 'passing' | 'homeless'

export class LeaseDesk {
  private readonly parts: LeaseDeskParts

  constructor(parts: LeaseDeskParts) {
    this.parts = parts
  }

  /** The most endangered segment that can be repaired now. */
  async next(holder: PeerId): Promise<RepairJob | null> {
    const { store, queue, pacer, clock, isFrozen } = this.parts
    if (isFrozen() || !pacer.isFree()) return null
    const isHeld = queue.circuitUntil() !== null
    for (const entry of await store.repairs.due(clock.nowMs(), LOOKED_AT)) {
      if (isHeld && entry.spare > 1) continue
      const taken = await this.take(entry.segmentRow, holder, { withStored: true, limited: true })
      if (typeof taken === 'object') return taken
      await this.putOff(entry.segmentRow, taken)
    }
    return null
  }

  private async putOff(row: number, why: Untaken): Promise<void> {
    const { store, queue, clock } = this.parts
    const now = clock.nowMs()
    if (why === 'leased') return
    const health = await queue.count(row)
    if (health === null || !health.needed) return
    if (why === 'passing') await store.repairs.saveDelay(row, now + PASSING_MS, 'not-enough-hosts')
    else if (why === 'homeless') await store.repairs.saveDelay(row, now + HOMELESS_MS, 'not-enough-hosts')
    else await store.repairs.saveDelay(row, now + UNREACHABLE_MS, 'shards-unreachable')
  }

  /** A lease of this segment with all that is to be done, or why not. */
  async take(row: number, holder: PeerId, options: TakeOptions): Promise<RepairJob | Untaken> {
    const { store, placing } = this.parts
    const before = await store.segments.loadRow(row)
    if (before === null || this.parts.isFrozen()) return 'nothing'
    return placing.run(before.drive, async () => {
      const segment = await store.segments.loadRow(row)
      if (segment === null || (segment.state === SEGMENT_STATE.retired && !options.withStored)) return 'nothing'
      const queued = await store.repairs.loadQueued(row)
      if (queued?.state === 'dead') return 'nothing'
      return this.takeAlone(segment, holder, { ...options, isBegun: queued?.begun === true })
    })
  }

  private async takeAlone(segment: SegmentRow, holder: PeerId, options: PlanOptions): Promise<RepairJob | Untaken> {
    const { store, clock } = this.parts
    const nowMs = clock.nowMs()
    const plan = this.plan(segment, options, nowMs)
    if (plan.targets.length === 0) return nothingOf(plan)
    const isCopied = plan.targets.every((one) => one.copyFrom !== null)
    if (plan.sources.length < segment.dataShards && !isCopied) return 'waiting'
    const lease = await store.repairs.lease(segment.row, holder, { nowMs, untilMs: nowMs + LEASE_MS })
    if (lease === null) return 'leased'
    const generation = segment.generation + 1
    await this.write(segment, lease, plan, generation)
    return this.jobOf(segment, lease, plan, generation, options.limited)
  }

  private plan(segment: SegmentRow, options: PlanOptions, nowMs: number): Plan {
    const { hosts, queue, troubles, pacer, speeds, policy, lot } = this.parts
    const viewOf = (hostRow: number) => queue.viewOf(hostRow)
    const { lossesPerHostDay } = queue
    const health = healthOf(segment, viewOf, { lossesPerHostDay, isBegun: options.isBegun })
    const plan = planOf(segment, health, { hosts, troubles, pacer, speeds, policy, lot, nowMs, viewOf }, options)
    const isFresh = options.withStored && nowMs - segment.placedAt < FRESH_MS
    return isFresh ? { ...plan, targets: plan.targets.filter((one) => one.isMove) } : plan
  }

  private async write(segment: SegmentRow, lease: Lease, plan: Plan, generation: number): Promise<void> {
    const { store, clock } = this.parts
    const offered = plan.targets
      .filter(({ isMove, shard }) => !isMove && !shard.offered)
      .map(({ shard }) => shard.index)
    if (offered.length > 0) {
      const change = { segmentRow: segment.row, generation: segment.generation, threshold: null, offered, moves: [] }
      await store.segments.savePlacements(segment.driveRow, [], [change], clock.nowMs())
    }
    const moves = plan.targets.filter((one) => one.isMove).map((one) => moveOf(segment, one, generation))
    if (moves.length > 0) await store.repairs.saveMoves(lease, generation, moves, clock.nowMs())
  }

  private jobOf(segment: SegmentRow, lease: Lease, plan: Plan, generation: number, limited: boolean): RepairJob {
    const { tokens, pacer } = this.parts
    const { drive, shardLength, dataShards, totalShards } = segment
    const get = (host: KnownHost) => tokens.getAgain(lease.holder, drive, host.host)
    const spend = (host: KnownHost) => limited && pacer.spend(host, shardLength)
    for (const { host } of plan.sources.slice(0, dataShards)) spend(host)
    const targets = plan.targets.map(({ shard, host, isMove, copyFrom }) => {
      spend(host)
      const target = { segment: segment.segment, index: shard.index, shard: shard.shard }
      const size = { length: shardLength, generation: isMove ? generation : shard.generation }
      const token = tokens.put(lease.holder, drive, host.host, target, size, LEASE_MS)
      const from = copyFrom && { host: copyFrom.host, token: get(copyFrom) }
      return { index: shard.index, host: host.host, token, copyFrom: from }
    })
    return {
      ...{ lease: lease.lease, untilMs: lease.untilMs, segment: segment.segment, dataShards, totalShards, shardLength },
      shards: segment.shards.map((one) => one.shard),
      sources: plan.sources.map(({ shard, host }) => ({ index: shard.index, host: host.host, token: get(host) })),
      targets,
    }
  }

  /** Nothing came of it: the bridge stops. */
  async giveUp(lease: number): Promise<void> {
    await this.parts.store.repairs.release(lease)
  }

  /** Leases that ended without a word: their segments are free again. */
  async expire(): Promise<void> {
    const { store, clock, log } = this.parts
    for (const { segmentRow, lease } of await store.repairs.expired(clock.nowMs(), EXPIRED_PAGE)) {
      log.warn({ segmentRow, lease }, 'a repair ended without a word')
      await store.repairs.release(lease)
    }
  }

  /** Work of an earlier life of this process: nobody does it any more. */
  async expireOf(holder: PeerId): Promise<void> {
    for (const lease of await this.parts.store.repairs.heldBy(holder)) await this.parts.store.repairs.release(lease)
  }
}

function nothingOf({ homeless, isPassing }: Plan): Untaken {
  if (homeless === 0) return 'nothing'
  return isPassing ? 'passing' : 'homeless'
}

function moveOf(segment: SegmentRow, { shard, host }: PlannedTarget, generation: number): RepairMove {
  const there: ShardRow = { ...shard, hostRow: host.row, host: host.host, generation, offered: true }
  const { index, hostRow: fromRow, generation: fromGeneration } = shard
  const orphan = forgetOf(segment, there)
  return { index, hostRow: host.row, generation, fromRow, fromGeneration, orphan }
}
