/**
 * Completes one segment to n: k verified shards in, the missing ones rebuilt, checked against their recorded ids and
 * pushed to the hosts that they are placed on. A shard whose host stays away for long is given to another host first,
 * under a new generation. What fails here concerns this segment only.
 */
import type { Clock } from '../../base/clock.js'
import { AppError, codeOf } from '../../base/errors.js'
import type { KeyedMutex } from '../../base/keyed-mutex.js'
import type { Log } from '../../base/log.js'
import { type IndexedBytes, reconstruct } from '../../erasure/code.js'
import { type DriveId, deviceId } from '../../model/ids.js'
import type { Policy } from '../../wire/api.js'
import type { AuditRequests } from '../audits/requests.js'
import type { Commits } from '../contracts/commits.js'
import type { HostRegistry } from '../hosts/registry.js'
import { SEGMENT_STATE, type SegmentRow, type ShardRow } from '../persist/segment-rows.js'
import type { Store } from '../persist/store.js'
import { movesOf } from '../placement/moves.js'
import { isShard, type ShardTraffic } from './shard-traffic.js'

export interface CompleterParts {
  store: Store
  hosts: HostRegistry
  commits: Commits
  traffic: ShardTraffic
  clock: Clock
  log: Log
  policy: Policy
  lot: () => number
  /** Shared with placement: one change of a drive's placements at a time. */
  placing: KeyedMutex<DriveId>
  /** A host is waited for so long after it was last seen, but not before the bridge itself was up so long. */
  replaceAfterMs: number
  startedAtMs: number
  bridge: string
  requests: AuditRequests
}

/** done: something was stored. nothing: complete, or gone. waiting: hosts are missing. */
export type Completion = 'done' | 'nothing' | 'waiting'

const EVIDENCE_MAX = 10_000
/** What a failed fetch says about the host; other failures say nothing. */
const EVIDENCE: Record<string, string> = {
  'shard-wrong-bytes': 'wrong-bytes',
  'shard-truncated': 'truncated',
  'shard-damaged': 'wrong-bytes',
  'shard-not-found': 'refused',
}

/** A host that failed gets nothing for so long: the next round of the chore tries it again. */
const SPARED_MS = 10_000
/** And is asked last for so long: while it says nothing, each question costs half a minute. */
const ASKED_LAST_MS = 120_000
/** Of a push: the host itself may be gone. Others (full, read-only) answer at once and cost nothing. */
const SILENT_CODES = new Set(['timed-out', 'peer-unreachable', 'peer-lost'])

export class Completer {
  private readonly parts: CompleterParts
  /** By row: when a host failed last. Bounded by the number of hosts. */
  private readonly failedAt = new Map<number, number>()

  constructor(parts: CompleterParts) {
    this.parts = parts
  }

  /** Memory that completing this segment takes, bytes. */
  static costOf(segment: SegmentRow): number {
    return segment.shardLength * (segment.dataShards + segment.totalShards - segment.stored)
  }

  /** Fails with `shards-unreachable`, `segment-inconsistent`, or what the pushes failed with. */
  async complete(row: number, signal: AbortSignal): Promise<Completion> {
    const segment = await this.prepare(row)
    if (segment === null) return 'nothing'
    const wanted = segment.shards.filter(
      (one) => !one.stored && this.isOnline(one) && !this.hasFailedWithin(one, SPARED_MS),
    )
    const sources = this.sourcesOf(segment)
    if (wanted.length === 0 || sources.length < segment.dataShards) return 'waiting'
    const present = await this.gather(segment, sources, signal)
    const rebuilt = await this.rebuild(segment, present, wanted)
    const pushes = wanted.map((shard, at) => this.store(segment, shard, rebuilt[at] as Buffer, signal))
    const failed = (await Promise.allSettled(pushes)).find((one) => one.status === 'rejected')
    if (failed !== undefined) throw failed.reason
    return 'done'
  }

  /** The segment as it is to be completed: absent hosts replaced, offers written down. Null when there is nothing to do. */
  private async prepare(row: number): Promise<SegmentRow | null> {
    const { store, hosts, clock, policy, lot } = this.parts
    const before = await store.segments.loadRow(row)
    if (before === null || before.state === SEGMENT_STATE.retired) return null
    return this.parts.placing.run(before.drive, async () => {
      const segment = await store.segments.loadRow(row)
      if (segment === null || segment.stored === segment.totalShards) return null
      const cutoff = clock.nowMs() - this.parts.replaceAfterMs
      const isLongGone = (seenAt: number) => Math.max(seenAt, this.parts.startedAtMs) <= cutoff
      const moves = movesOf(segment, hosts, { policy, lot, when: (_, host) => isLongGone(host?.seenAt ?? 0) })
      const offered = segment.shards.filter((one) => !one.stored && !one.offered && this.isOnline(one))
      if (moves.length === 0 && offered.length === 0) return segment
      const generation = segment.generation + (moves.length > 0 ? 1 : 0)
      const change = { segmentRow: row, generation, threshold: null, offered: offered.map((one) => one.index), moves }
      await store.segments.savePlacements(segment.driveRow, [], [change], clock.nowMs())
      return store.segments.loadRow(row)
    })
  }

  private isOnline(shard: ShardRow): boolean {
    return this.parts.hosts.atRow(shard.hostRow)?.online === true
  }

  private hasFailedWithin(shard: ShardRow, durationMs: number): boolean {
    const failedAt = this.failedAt.get(shard.hostRow)
    return failedAt !== undefined && this.parts.clock.monotonicMs() - failedAt < durationMs
  }

  private noteFailure(shard: ShardRow): void {
    this.failedAt.set(shard.hostRow, this.parts.clock.monotonicMs())
  }

  /** A host that came back is a new one. */
  trust(hostRow: number): void {
    this.failedAt.delete(hostRow)
  }

  /** In random order, so that all hosts share the work; those that failed of late at the end. */
  private sourcesOf(segment: SegmentRow): ShardRow[] {
    const online = segment.shards.filter((one) => one.stored && this.isOnline(one))
    const keyed = online.map((one) => ({
      one,
      key: this.parts.lot() + (this.hasFailedWithin(one, ASKED_LAST_MS) ? 1 : 0),
    }))
    return keyed.sort((a, b) => a.key - b.key).map(({ one }) => one)
  }

  /** k verified shards; for one that fails the next source is asked. */
  private async gather(segment: SegmentRow, sources: ShardRow[], signal: AbortSignal): Promise<IndexedBytes[]> {
    const rest = [...sources]
    const present: IndexedBytes[] = []
    const giveUp = new AbortController()
    const fetching = giveUp.signal
    const stop = () => giveUp.abort(signal.reason)
    signal.addEventListener('abort', stop, { once: true })
    const fetchNext = async (): Promise<void> => {
      const shard = rest.shift()
      if (shard === undefined)
        throw new AppError('shards-unreachable', 'too few shards can be fetched', { retry: 'later' })
      try {
        const bytes = await this.parts.traffic.fetch(segment, shard, fetching)
        present.push({ index: shard.index, bytes })
      } catch (error) {
        fetching.throwIfAborted()
        if (!(error instanceof AppError)) throw error
        this.noteFailure(shard)
        await this.note(segment, shard, error)
        await fetchNext()
      }
    }
    try {
      await Promise.all(Array.from({ length: segment.dataShards }, fetchNext))
      return present
    } finally {
      signal.removeEventListener('abort', stop)
      giveUp.abort()
    }
  }

  private async rebuild(segment: SegmentRow, present: IndexedBytes[], wanted: ShardRow[]): Promise<Buffer[]> {
    const rebuilt = await reconstruct(
      segment,
      present,
      wanted.map((shard) => shard.index),
    )
    for (const [at, shard] of wanted.entries()) {
      if (await isShard(rebuilt[at] as Buffer, shard)) continue
      throw new AppError('segment-inconsistent', 'the shards of the segment are not of one code word', {
        details: { segment: segment.segment },
      })
    }
    return rebuilt
  }

  private async store(segment: SegmentRow, shard: ShardRow, bytes: Buffer, signal: AbortSignal): Promise<void> {
    const receipt = await this.parts.traffic.push(segment, shard, bytes, signal).catch((error: unknown) => {
      if (SILENT_CODES.has(codeOf(error))) this.noteFailure(shard)
      throw error
    })
    await this.parts.commits.record(segment, [receipt])
  }

  private async note(segment: SegmentRow, shard: ShardRow, error: AppError): Promise<void> {
    const kind = EVIDENCE[codeOf(error)]
    this.parts.log.warn(
      { host: shard.host, segment: segment.segment, code: error.code },
      'a shard could not be fetched',
    )
    if (kind === undefined) return
    const { store, clock, bridge } = this.parts
    const evidence = { device: deviceId(bridge), host: shard.host, segment: segment.segment, index: shard.index }
    await store.hosts.saveEvidence(
      segment.driveRow,
      { ...evidence, kind, detail: error.code },
      clock.nowMs(),
      EVIDENCE_MAX,
    )
    const place = { segmentRow: segment.row, index: shard.index, generation: shard.generation }
    await this.parts.requests.ask(shard.hostRow, [place], 'evidence')
  }
}
