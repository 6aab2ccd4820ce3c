/**
 * What a device tells of its drive to a bridge that lost its books: records of the chain, and segments. Records are believed for
 * their signatures, whoever brings them (permits/chain-rules.ts). Of segments a device can only speak for its own drive, and
 * a segment comes back only where hosts say that they hold shards of it, under the drive's own pseudonyms: a device that
 * makes segments up has made up nothing.
 */
import type { Clock } from '../../base/clock.js'
import { AppError } from '../../base/errors.js'
import type { KeyedMutex } from '../../base/keyed-mutex.js'
import { type DriveId, hostId, type PeerId, segmentId, shardId } from '../../model/ids.js'
import { API_LIMITS, type Policy, type RestateReply, type RestateRequest } from '../../wire/api.js'
import type { Access } from '../accounts/access.js'
import type { HostRegistry, KnownHost } from '../hosts/registry.js'
import { headMoved } from '../persist/chain-rows.js'
import type { Correction } from '../persist/found-rows.js'
import { isUnnamed, type NewSegment, SEGMENT_STATE, type SegmentRow, UNNAMED_SHARD } from '../persist/segment-rows.js'
import type { Store } from '../persist/store.js'
import { chooseHosts } from '../placement/choose.js'
import { expectFitting } from '../placement/placements.js'
import { commitThreshold } from '../placement/threshold.js'
import { correctionOf } from './adoption.js'

/** Missing shards are left to their hosts for so long: each registers again within minutes. */
const RETURN_MS = 3_600_000

export interface RestatementsParts {
  store: Store
  access: Access
  hosts: HostRegistry
  clock: Clock
  policy: Policy
  lot: () => number
  placing: KeyedMutex<DriveId>
  /** Whether more hosts may still come and say what they have. */
  areHostsIn(): Promise<boolean>
}

type Told = RestateRequest['segments'][number]

export class Restatements {
  private readonly parts: RestatementsParts

  constructor(parts: RestatementsParts) {
    this.parts = parts
  }

  /** `other-incarnation`, `bad-scheme`, `too-many-shards`, `segment-conflict`; at the end `head-moved`. */
  async take(key: PeerId, drive: DriveId, request: RestateRequest): Promise<RestateReply> {
    const { store, access, placing } = this.parts
    if (request.incarnation !== store.incarnation) {
      throw new AppError('other-incarnation', `this is incarnation ${store.incarnation} of the bridge`, {
        retry: 'later',
      })
    }
    expectSound(request.segments)
    return placing.run(drive, async () => {
      const { drive: row } = await access.deviceOf(key, drive)
      const listed = await store.found.listedHosts(store.incarnation)
      const reply = { added: 0, unfound: 0, told: false }
      for (const told of request.segments) {
        const outcome = await this.takeSegment(row.row, drive, told, listed)
        if (outcome !== 'known') reply[outcome]++
      }
      if (request.end !== undefined) reply.told = await this.end(row.row, request.end)
      return reply
    })
  }

  private async takeSegment(
    driveRow: number,
    drive: DriveId,
    told: Told,
    listed: ReadonlyMap<number, number>,
  ): Promise<'known' | 'added' | 'unfound'> {
    const { store, clock } = this.parts
    const known = await store.segments.load(driveRow, segmentId(told.segment))
    if (known !== null) {
      expectSame(known, told)
      // One that the chain retired stays so: its retirement was read after its confirmation.
      if (known.state === SEGMENT_STATE.placed) await store.segments.confirm(known.row)
      await this.correct(known, listed)
      return 'known'
    }
    const made = this.bookOf(told)
    const shards = made.shards.map((one) => ({
      ...one,
      host: hostId(Buffer.alloc(32)),
      generation: 0,
      stored: false,
      lost: false,
    }))
    const draft = { ...made, row: 0, driveRow, drive, stored: 0, state: SEGMENT_STATE.confirmed, placedAt: 0, shards }
    const found = correctionOf(draft, await store.found.ofSegment(made.segment), listed)
    // Without the ids of all its shards neither a device nor a repair could make anything of it.
    const named = withIds(made, found)
    if (found.adopt.length === 0 || named === null) return 'unfound'
    await store.segments.saveConfirmed(driveRow, [named], clock.nowMs() + RETURN_MS)
    const saved = await store.segments.load(driveRow, made.segment)
    if (saved !== null) await this.correct(saved, listed)
    return 'added'
  }

  /** Takes over what hosts hold of it. */
  async correct(segment: SegmentRow, listed: ReadonlyMap<number, number>): Promise<{ adopted: number; lost: number }> {
    const { found } = this.parts.store
    const change = correctionOf(segment, await found.ofSegment(segment.segment), listed)
    return found.correct(segment.row, segment.segment, change)
  }

  /** As the device knows it: hosts that it names and the bridge knows; for the others whoever fits. */
  private bookOf(told: Told): NewSegment {
    const { k, n, generation, shardLength } = told
    const scheme = { dataShards: k, totalShards: n }
    const named = new Map(told.shards.map((one) => [one.index, one]))
    const hostAt = (index: number) => {
      const host = named.get(index)?.host
      return host === undefined || host === null ? undefined : this.parts.hosts.get(hostId(host))
    }
    const indices = Array.from({ length: n }, (_, index) => index)
    const kept = indices.map(hostAt)
    const fill = this.fillers(kept, n, shardLength)
    const shards = indices.map((index) => {
      const id = named.get(index)?.shard
      const host = kept[index] ?? (fill.shift() as KnownHost)
      return { index, shard: id === undefined ? UNNAMED_SHARD : shardId(id), hostRow: host.row, offered: true }
    })
    return {
      segment: segmentId(told.segment),
      root: Buffer.from(told.root, 'hex'),
      ...scheme,
      ...{ paddedLength: told.paddedLength, shardLength, generation: Math.max(1, generation) },
      threshold: commitThreshold(scheme, n) ?? n,
      shards,
    }
  }

  /** `not-enough-hosts` when the bridge knows none at all. Few hosts get several: repair spreads them later. */
  private fillers(kept: (KnownHost | undefined)[], n: number, shardBytes: number): KnownHost[] {
    const taken = kept.filter((one) => one !== undefined)
    const wanted = n - taken.length
    if (wanted === 0) return []
    const { hosts, policy, lot } = this.parts
    const all = hosts.all()
    const { hosts: chosen } = chooseHosts(all, wanted, { policy, lot, shardBytes, taken })
    const [any] = all
    if (any === undefined) {
      throw new AppError('not-enough-hosts', 'no host has come back yet', {
        retry: 'later',
        hint: 'hosts register again by themselves within a minute or two',
      })
    }
    while (chosen.length < wanted) chosen.push(any)
    return chosen
  }

  /** The drive has told all: when all of it was found, or no more can be hoped for. */
  private async end(driveRow: number, end: NonNullable<RestateRequest['end']>): Promise<boolean> {
    const { store, areHostsIn } = this.parts
    const hash = await store.chain.hashAt(driveRow, end.head.sequence)
    if (!hash?.equals(Buffer.from(end.head.hash, 'hex'))) throw headMoved(await store.chain.headOf(driveRow))
    if (end.unfound > 0 && !(await areHostsIn())) return false
    await store.found.saveTold(driveRow, store.incarnation)
    return true
  }
}

function expectSound(segments: readonly Told[]): void {
  const shards = segments.reduce((sum, one) => sum + one.n, 0)
  if (shards > API_LIMITS.placeShardsMax) {
    throw new AppError('too-many-shards', `at most ${API_LIMITS.placeShardsMax} shards a call`)
  }
  for (const told of segments) {
    expectFitting(told)
    const indices = new Set(told.shards.map((one) => one.index))
    if (indices.size !== told.shards.length || told.shards.some((one) => one.index >= told.n)) {
      throw new AppError('bad-scheme', 'each shard once, each below n')
    }
  }
}

function expectSame(known: SegmentRow, told: Told): void {
  const same =
    known.root.equals(Buffer.from(told.root, 'hex')) &&
    known.dataShards === told.k &&
    known.totalShards === told.n &&
    known.paddedLength === told.paddedLength &&
    known.shardLength === told.shardLength
  if (!same) throw new AppError('segment-conflict', 'another segment of this id is placed')
}

/** With what hosts tell; null: the id of a shard is known to nobody who is here. */
function withIds(made: NewSegment, found: Correction): NewSegment | null {
  const told = new Map(found.adopt.map((one) => [one.index, one.shard]))
  const shards = made.shards.map((one) =>
    isUnnamed(one.shard) ? { ...one, shard: told.get(one.index) ?? one.shard } : one,
  )
  return shards.some((one) => isUnnamed(one.shard)) ? null : { ...made, shards }
}
