/**
 * All hosts that the bridge knows, in memory beside the database: placement looks at every one of them. A host is
 * online while its socket is. Its free bytes are what it reported, less what was placed on it since.
 */
import type { Clock } from '../../base/clock.js'
import { AppError } from '../../base/errors.js'
import type { HostId, PeerId } from '../../model/ids.js'
import type { Scheme } from '../../model/segment.js'
import type * as api from '../../wire/api.js'
import type * as hostApi from '../../wire/host-api.js'
import type { HostRow } from '../persist/host-rows.js'
import type { Store } from '../persist/store.js'
import type { Candidate } from '../placement/choose.js'
import { subnetOf } from '../placement/domains.js'

const HOSTS_MAX = 100_000

export interface KnownHost extends Candidate, HostRow {
  /** To this run of the bridge: with that it has shown how far the books had come that it knows (persist/incarnations.ts). */
  hasReported: boolean
}

export class HostRegistry {
  private readonly store: Store
  private readonly clock: Clock
  private readonly isOnline: (host: HostId) => boolean
  private readonly byId = new Map<HostId, KnownHost>()
  private readonly byRow = new Map<number, KnownHost>()

  private constructor(parts: { store: Store; clock: Clock; isOnline: (host: HostId) => boolean }) {
    this.store = parts.store
    this.clock = parts.clock
    this.isOnline = parts.isOnline
  }

  static async load(parts: { store: Store; clock: Clock; isOnline: (host: HostId) => boolean }): Promise<HostRegistry> {
    const registry = new HostRegistry(parts)
    for (const row of await parts.store.hosts.loadAll()) registry.keep(row)
    return registry
  }

  private keep(saved: HostRow): KnownHost {
    const known: KnownHost = { ...saved, online: this.isOnline(saved.host), hasReported: false }
    this.byId.set(known.host, known)
    this.byRow.set(known.row, known)
    return known
  }

  /** New or again; `not-yours`, `too-many-hosts`. */
  async register(key: PeerId, address: string, request: hostApi.HostRequest): Promise<void> {
    if (key !== request.host) throw new AppError('not-yours', 'a host registers itself')
    if (this.byId.size >= HOSTS_MAX && !this.byId.has(key as HostId)) {
      throw new AppError('too-many-hosts', 'this bridge takes no more hosts')
    }
    const facts = {
      operator: request.domain ?? null,
      subnet: subnetOf(address),
      capacityBytes: request.capacityBytes,
    }
    this.keep(await this.store.hosts.save(key as HostId, facts, this.clock.nowMs()))
  }

  async report(key: PeerId, host: HostId, report: hostApi.HostReport): Promise<void> {
    if (key !== host) throw new AppError('not-yours', 'a host reports of itself')
    const known = this.byId.get(host)
    if (known === undefined) throw new AppError('unknown-host', 'register first')
    const { capacityBytes, usedBytes, freeBytes } = report
    Object.assign(known, {
      capacityBytes,
      usedBytes,
      freeBytes,
      facts: report,
      seenAt: this.clock.nowMs(),
      hasReported: true,
    })
    await this.store.hosts.saveReport(known.row, report, known.seenAt)
  }

  /** A host's socket opened. */
  async noteConnected(host: HostId, address: string): Promise<void> {
    const known = this.byId.get(host)
    if (known === undefined) return
    known.subnet = subnetOf(address)
    known.seenAt = this.clock.nowMs()
    await this.store.hosts.noteSeen(known.row, known.subnet, known.seenAt)
  }

  setOnline(host: HostId, online: boolean): void {
    const known = this.byId.get(host)
    if (known === undefined) return
    known.online = online
    known.seenAt = this.clock.nowMs()
  }

  /** Remembers when a host was last there: the wait for its return counts from then. */
  async noteGone(host: HostId): Promise<void> {
    const known = this.byId.get(host)
    if (known !== undefined) await this.store.hosts.noteSeen(known.row, known.subnet, known.seenAt)
  }

  /** The reputation of a host changed. */
  async setState(row: number, state: hostApi.HostState, vettedAt: number | null): Promise<void> {
    const known = this.byRow.get(row)
    if (known === undefined) return
    Object.assign(known, { state, vettedAt })
    await this.store.hosts.saveState(row, state, vettedAt)
  }

  /** It leaves, has left, or stays after all. */
  async setExit(row: number, exit: { leavingAt: number | null; leftAt: number | null }): Promise<void> {
    const known = this.byRow.get(row)
    if (known === undefined) return
    Object.assign(known, exit)
    await this.store.hosts.saveExit(row, exit)
  }

  /** Placed but not reported yet. */
  promise(row: number, bytes: number): void {
    const known = this.byRow.get(row)
    if (known !== undefined) known.freeBytes = Math.max(0, known.freeBytes - bytes)
  }

  get(host: HostId): KnownHost | undefined {
    return this.byId.get(host)
  }

  atRow(row: number): KnownHost | undefined {
    return this.byRow.get(row)
  }

  all(): KnownHost[] {
    return [...this.byId.values()]
  }

  /** What is left for plain bytes, on the hosts that are online. */
  space({ dataShards, totalShards }: Scheme): api.SpaceReply {
    const online = this.all().filter((one) => one.online)
    const plain = (bytes: number) =>
      Math.floor((Math.min(bytes, Number.MAX_SAFE_INTEGER / 256) * dataShards) / totalShards)
    return {
      totalBytes: plain(online.reduce((sum, one) => sum + one.capacityBytes, 0)),
      freeBytes: plain(online.reduce((sum, one) => sum + Math.min(one.freeBytes, one.capacityBytes), 0)),
      hostsOnline: online.length,
      hostsTotal: this.byId.size,
    }
  }
}
