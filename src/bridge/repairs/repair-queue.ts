/**
 * Which segments are to be repaired, the most endangered first. Kept right by what happens to hosts and shards: a look,
 * every minute and when a host connects, compares how each host stands with how it stood when its segments were last
 * counted, and counts those of hosts that changed, in pages, from where an earlier look stopped. A walk over all
 * segments, once a day, mends what that missed. Counting a segment twice changes nothing.
 */
import type { Clock } from '../../base/clock.js'
import type { Log } from '../../base/log.js'
import { circuitUntil, type Presence, presenceOf } from '../hosts/presence.js'
import type { HostRegistry, KnownHost } from '../hosts/registry.js'
import type { HostWalk, WalkPlace } from '../persist/presence-rows.js'
import type { Store } from '../persist/store.js'
import { type Health, type HostView, healthOf } from './health.js'
import { LOST_AFTER_MS, lossesPerHostDay } from './repair-threshold.js'

export interface RepairQueueParts {
  store: Store
  hosts: HostRegistry
  clock: Clock
  log: Log
  awayMs: number
}

/** Segments counted without a pause: some 10 ms. */
const PAGE = 128
/** The failure rate is that of the last so many days. */
const RATE_WINDOW_MS = 90 * 86_400_000
const RATE_EVERY_MS = 3_600_000
const START: WalkPlace = { shard: Buffer.alloc(0), segmentRow: 0 }
const UNKNOWN: HostView = { presence: 'gone', leaving: false }

export class RepairQueue {
  private readonly parts: RepairQueueParts
  private readonly startedAtMs: number
  /** By host row; of all hosts, as the last look saw them. */
  private readonly presences = new Map<number, Presence>()
  private looking: Promise<void> | null = null
  private lookAgain = false
  private rate = { perHostDay: lossesPerHostDay(0, 0), readAtMs: Number.NEGATIVE_INFINITY }
  private saidWaiting = 0

  constructor(parts: RepairQueueParts) {
    this.parts = parts
    this.startedAtMs = parts.clock.nowMs()
  }

  /** One at a time; what happens during a look gets another one behind it. */
  look(signal: AbortSignal): Promise<void> {
    if (this.looking !== null) {
      this.lookAgain = true
      return this.looking
    }
    this.looking = this.lookAll(signal).finally(() => {
      this.looking = null
    })
    return this.looking
  }

  private async lookAll(signal: AbortSignal): Promise<void> {
    do {
      this.lookAgain = false
      await this.readRate()
      const walks: KnownHost[] = []
      for (const host of this.parts.hosts.all()) if (await this.update(host)) walks.push(host)
      for (const host of walks) await this.walk(host, signal)
      await this.countDirty(signal)
      await this.sayWaiting()
    } while (this.lookAgain && !signal.aborted)
  }

  /** Whether its segments are to be counted. */
  private async update(host: KnownHost): Promise<boolean> {
    const { store, clock } = this.parts
    const saved: HostWalk | null = await store.presences.load(host.row)
    const presence = this.presenceNow(host, saved?.presence)
    this.presences.set(host.row, presence)
    // A new host holds nothing yet.
    if (saved === null && presence === 'good') {
      await store.presences.savePresence(host.row, presence, clock.nowMs())
      await store.presences.saveWalk(host.row, null)
      return false
    }
    if (saved?.presence === presence) return saved.walk !== null
    await store.presences.savePresence(host.row, presence, clock.nowMs())
    this.parts.log.info({ host: host.host, before: saved?.presence ?? null, presence }, 'a host stands differently')
    return true
  }

  private presenceNow(host: KnownHost, before: Presence | undefined): Presence {
    const { clock, awayMs } = this.parts
    return presenceOf(host, clock.nowMs(), { awayMs, startedAtMs: this.startedAtMs, before })
  }

  private async walk(host: KnownHost, signal: AbortSignal): Promise<void> {
    const { store } = this.parts
    let place = (await store.presences.load(host.row))?.walk ?? START
    while (!signal.aborted) {
      const page = await store.presences.segmentsOn(host.row, place, PAGE)
      for (const { segmentRow } of page) await this.count(segmentRow)
      if (page.length < PAGE) return store.presences.saveWalk(host.row, null)
      place = page[PAGE - 1] as WalkPlace
      await store.presences.saveWalk(host.row, place)
      await pause()
    }
  }

  private async countDirty(signal: AbortSignal): Promise<void> {
    const { store } = this.parts
    while (!signal.aborted) {
      const rows = await store.repairs.dirty(PAGE)
      for (const row of rows) {
        await store.repairs.removeDirty(row)
        await this.count(row)
      }
      if (rows.length < PAGE) return
      await pause()
    }
  }

  /** Over all segments, from where it was left. */
  async walkAll(signal: AbortSignal): Promise<void> {
    const { store } = this.parts
    let after = await store.presences.loadFullWalk()
    while (!signal.aborted) {
      const rows = await store.presences.segmentsAfter(after, PAGE)
      for (const row of rows) await this.count(row)
      after = rows.length < PAGE ? 0 : (rows[PAGE - 1] as number)
      await store.presences.saveFullWalk(after)
      if (after === 0) return
      await pause()
    }
  }

  /** Into the queue or out of it. Null when the segment is gone. */
  async count(row: number): Promise<Health | null> {
    const { store, clock } = this.parts
    const segment = await store.segments.loadHealth(row)
    if (segment === null) return null
    const health = healthOf(segment, (host) => this.viewOf(host), {
      lossesPerHostDay: this.rate.perHostDay,
      isBegun: (await store.repairs.loadQueued(row))?.begun === true,
    })
    if (!health.needed) {
      await store.repairs.removeQueued(row)
      return health
    }
    const { days, healthy, reachable, spare } = health
    const state = health.waiting ? 'waiting' : 'ready'
    await store.repairs.saveQueued({ segmentRow: row, days, healthy, reachable, spare, state }, clock.nowMs())
    return health
  }

  viewOf(hostRow: number): HostView {
    const host = this.parts.hosts.atRow(hostRow)
    if (host === undefined) return UNKNOWN
    const presence = this.presenceNow(host, this.presences.get(hostRow))
    return { presence, leaving: host.leavingAt !== null }
  }

  /** Until when nothing but the most endangered is repaired; null: no such time. */
  circuitUntil(): number | null {
    const { hosts, clock, awayMs } = this.parts
    const seen = hosts.all().map((host) => ({ host, presence: this.viewOf(host.row).presence }))
    return circuitUntil(seen, clock.nowMs(), awayMs)
  }

  private async readRate(): Promise<void> {
    const nowMs = this.parts.clock.nowMs()
    if (nowMs - this.rate.readAtMs < RATE_EVERY_MS) return
    const times = { sinceMs: nowMs - RATE_WINDOW_MS, goneBeforeMs: nowMs - LOST_AFTER_MS, nowMs }
    const { lost, days } = await this.parts.store.presences.losses(times)
    this.rate = { perHostDay: lossesPerHostDay(lost, days), readAtMs: nowMs }
  }

  /** Losses of hosts per host and day, as the queue is ordered by. */
  get lossesPerHostDay(): number {
    return this.rate.perHostDay
  }

  /** Segments that cannot be read now are never dropped, and never a secret. */
  private async sayWaiting(): Promise<void> {
    const counts = await this.parts.store.repairs.counts()
    const waiting = counts.filter((one) => one.state === 'waiting').reduce((sum, one) => sum + one.count, 0)
    if (waiting === this.saidWaiting) return
    this.saidWaiting = waiting
    const drives = await this.parts.store.repairs.drivesIn('waiting', 20)
    const words =
      waiting === 0 ? 'every segment can be read again' : 'segments cannot be read: too few of their hosts are there'
    this.parts.log.error({ segments: waiting, drives }, words)
  }
}

function pause(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
