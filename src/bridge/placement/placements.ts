/**
 * Places segments: which host takes which shard, with a put token for each host that is online. Placing a known segment
 * again renews the tokens of what is not stored yet; while it is not confirmed, shards of hosts that went away are
 * given to others, and the threshold follows what can be reached now.
 */
import type { Clock } from '../../base/clock.js'
import { AppError } from '../../base/errors.js'
import { hexOf } from '../../base/hex.js'
import type { KeyedMutex } from '../../base/keyed-mutex.js'
import { type DeviceId, type DriveId, type PeerId, segmentId, shardId } from '../../model/ids.js'
import { SHARD_BYTES_MAX } from '../../model/segment.js'
import { API_LIMITS, type PlaceReply, type PlaceRequest, type Policy } from '../../wire/api.js'
import type { Access } from '../accounts/access.js'
import type { TokenIssuer } from '../contracts/tokens.js'
import type { HostRegistry, KnownHost } from '../hosts/registry.js'
import type { DriveRow } from '../persist/account-rows.js'
import { type NewSegment, type PlacementChange, SEGMENT_STATE, type SegmentRow } from '../persist/segment-rows.js'
import type { Store } from '../persist/store.js'
import { type Choice, chooseHosts } from './choose.js'
import { movesOf } from './moves.js'
import type { HostSpeeds } from './speeds.js'
import { commitThreshold, leastShards } from './threshold.js'
import { isEligible, isNew, weightOf } from './weights.js'

/** Placed and never confirmed, of one drive: 1 TiB of large segments, and a bound for a drive that only places. */
const UNCONFIRMED_MAX = 150_000

export interface PlacementsParts {
  store: Store
  access: Access
  hosts: HostRegistry
  tokens: TokenIssuer
  clock: Clock
  speeds: HostSpeeds
  policy: Policy
  /** A number in [0, 1): which host is drawn. */
  lot: () => number
  /** One change of a drive's placements at a time. */
  placing: KeyedMutex<DriveId>
}

type Wanted = PlaceRequest['segments'][number]
type Placed = PlaceReply['segments'][number]

/** One row of a reply before its token is signed. */
interface Slot {
  index: number
  host: KnownHost
  shard: string
  generation: number
  offered: boolean
}

interface Plan {
  wanted: Wanted
  generation: number
  threshold: number
  slots: Slot[]
  made: NewSegment | null
  changed: PlacementChange | null
}

export class Placements {
  private readonly parts: PlacementsParts

  constructor(parts: PlacementsParts) {
    this.parts = parts
  }

  /** `bad-scheme`, `too-many-shards`, `segment-conflict`, `not-enough-hosts`, `hosts-full`, `too-many-unconfirmed`. */
  async place(key: PeerId, drive: DriveId, request: PlaceRequest): Promise<PlaceReply> {
    expectSound(request.segments)
    return this.parts.placing.run(drive, async () => {
      const { drive: row, device } = await this.parts.access.deviceOf(key, drive)
      if (row.unconfirmed + request.segments.length > UNCONFIRMED_MAX) {
        throw new AppError('too-many-unconfirmed', 'too many segments wait for a chain record', { retry: 'later' })
      }
      const plans: Plan[] = []
      for (const wanted of request.segments) plans.push(await this.plan(row, wanted))
      const made = plans.map((plan) => plan.made).filter((one) => one !== null)
      const changed = plans.map((plan) => plan.changed).filter((one) => one !== null)
      await this.parts.store.segments.savePlacements(row.row, made, changed, this.parts.clock.nowMs())
      for (const plan of plans) this.promise(plan)
      return { segments: plans.map((plan) => this.answer(device, drive, plan)) }
    })
  }

  private async plan(row: DriveRow, wanted: Wanted): Promise<Plan> {
    const known = await this.parts.store.segments.load(row.row, segmentId(wanted.segment))
    return known === null ? this.planNew(wanted) : this.planAgain(known, wanted)
  }

  private planNew(wanted: Wanted): Plan {
    const scheme = { dataShards: wanted.k, totalShards: wanted.n }
    const choice = this.choose(wanted, wanted.shardLength)
    const threshold = choice.hosts.length < wanted.n ? null : commitThreshold(scheme, choice.online)
    if (threshold === null) throw this.tooFew(wanted)
    const slots = choice.hosts.map((host, index) => {
      const shard = wanted.shards[index] as string
      return { index, host, shard, generation: 1, offered: host.online }
    })
    const made: NewSegment = {
      segment: segmentId(wanted.segment),
      root: Buffer.from(wanted.root, 'hex'),
      ...scheme,
      paddedLength: wanted.paddedLength,
      shardLength: wanted.shardLength,
      generation: 1,
      threshold,
      shards: slots.map(({ index, shard, host, offered }) => ({
        index,
        shard: shardId(shard),
        hostRow: host.row,
        offered,
      })),
    }
    return { wanted, generation: 1, threshold, slots, made, changed: null }
  }

  private choose(wanted: Wanted, shardBytes: number): Choice<KnownHost> {
    const { policy, lot, hosts, speeds, clock } = this.parts
    const nowMs = clock.nowMs()
    const eligible = hosts.all().filter((host) => isEligible(host, nowMs))
    const weigh = (host: KnownHost) => weightOf(host, speeds)
    return chooseHosts(eligible, wanted.n, { policy, shardBytes, lot, weigh, isNew })
  }

  private planAgain(known: SegmentRow, wanted: Wanted): Plan {
    expectSame(known, wanted)
    const { hosts, policy, lot, speeds, clock } = this.parts
    const parts = { policy, lot, speeds, nowMs: clock.nowMs() }
    const moves = known.state === SEGMENT_STATE.placed && !this.parts.store.frozen ? movesOf(known, hosts, parts) : []
    const generation = known.generation + (moves.length > 0 ? 1 : 0)
    const slots: Slot[] = []
    let reachable = known.stored
    for (const shard of known.shards) {
      if (shard.stored) continue
      const move = moves.find((one) => one.index === shard.index)
      const host = hosts.atRow(move?.hostRow ?? shard.hostRow)
      if (host === undefined) continue
      if (host.online) reachable++
      const shardGeneration = move === undefined ? shard.generation : generation
      const { index } = shard
      slots.push({ index, host, shard: shard.shard, generation: shardGeneration, offered: host.online })
    }
    const scheme = { dataShards: known.dataShards, totalShards: known.totalShards }
    const threshold = known.state === SEGMENT_STATE.placed ? commitThreshold(scheme, reachable) : known.threshold
    if (threshold === null) throw this.tooFew(wanted)
    const offered = slots.filter((one) => one.offered).map((one) => one.index)
    const changed = { segmentRow: known.row, generation, threshold, offered, moves }
    return { wanted, generation, threshold, slots, made: null, changed }
  }

  private tooFew(wanted: Wanted): AppError {
    const all = this.parts.hosts.all()
    const online = all.filter((one) => one.online).length
    const choice = this.choose(wanted, 0)
    const least = leastShards({ dataShards: wanted.k, totalShards: wanted.n })
    const details = { hostsOnline: online, hostsTotal: all.length, needed: least, totalShards: wanted.n }
    if (choice.hosts.length === wanted.n && choice.online >= least) {
      throw new AppError('hosts-full', 'the hosts have no room left', {
        retry: 'later',
        details,
        hint: 'add hosts or free space on them',
      })
    }
    return new AppError('not-enough-hosts', `${choice.online} hosts fit and are online; ${least} are needed`, {
      retry: 'later',
      details,
      hint: 'start more hosts, or wait until those that are offline return',
    })
  }

  private promise(plan: Plan): void {
    for (const { host, offered } of plan.slots) {
      if (offered && plan.made !== null) this.parts.hosts.promise(host.row, plan.wanted.shardLength)
    }
  }

  private answer(device: DeviceId, drive: DriveId, plan: Plan): Placed {
    const { wanted, generation, threshold, slots } = plan
    const segment = segmentId(wanted.segment)
    const length = wanted.shardLength
    const rows = slots.map(({ index, host, shard, offered, generation: own }) => {
      const target = { segment, index, shard: shardId(shard) }
      const token = offered
        ? hexOf(this.parts.tokens.put(device, drive, host.host, target, { length, generation: own }))
        : null
      return { index, host: host.host, token }
    })
    return { segment: wanted.segment, generation, commit: threshold, hosts: rows }
  }
}

function expectSound(segments: readonly Wanted[]): void {
  const shards = segments.reduce((sum, one) => sum + one.n, 0)
  if (shards > API_LIMITS.placeShardsMax) {
    throw new AppError('too-many-shards', `at most ${API_LIMITS.placeShardsMax} shards a call`)
  }
  const seen = new Set(segments.map((one) => one.segment))
  if (seen.size !== segments.length) throw new AppError('malformed', 'a segment comes twice')
  for (const one of segments) {
    if (one.shards.length !== one.n) throw new AppError('bad-scheme', 'n shard ids')
    expectFitting(one)
  }
}

/** `bad-scheme`: shards of this length do not carry that much. */
export function expectFitting({ k, n, shardLength, paddedLength }: Omit<Wanted, 'shards'>): void {
  if (k > n) throw new AppError('bad-scheme', 'k <= n')
  const carries = shardLength >= 1 && shardLength <= SHARD_BYTES_MAX && paddedLength >= 1
  if (!carries || paddedLength > shardLength * k) throw new AppError('bad-scheme', 'lengths do not fit')
}

/** A segment id stands for one segment. */
function expectSame(known: SegmentRow, wanted: Wanted): void {
  const same =
    known.root.equals(Buffer.from(wanted.root, 'hex')) &&
    known.dataShards === wanted.k &&
    known.totalShards === wanted.n &&
    known.paddedLength === wanted.paddedLength &&
    known.shardLength === wanted.shardLength &&
    known.shards.every(({ index, shard }) => shard === wanted.shards[index])
  if (!same) throw new AppError('segment-conflict', 'another segment of this id is placed')
}
