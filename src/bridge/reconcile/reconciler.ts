/**
 * Brings books that may be older than the network up to it. Frozen at first: nothing is swept, deleted, moved away or paid,
 * reads and writes go on. Hosts say what lies on them, drives tell what they know (restatements.ts), every placement is
 * compared with what its host holds. It ends by itself when every host and every drive that the books know has told, and
 * nothing lies on a host of which no drive is known; or when the operator says so (`shardrive bridge reconcile --force`).
 * Books that are new know nobody: they wait for a day before they believe that nobody else comes.
 */
import type { Clock } from '../../base/clock.js'
import { AppError, codeOf } from '../../base/errors.js'
import { failpoint } from '../../base/failpoint.js'
import type { Log } from '../../base/log.js'
import type { HostId, Pseudonym } from '../../model/ids.js'
import type { BridgeMark } from '../../permits/bridge-mark.js'
import { pseudonymOf } from '../../permits/pseudonym.js'
import type { ReconcileReply } from '../../wire/api.js'
import { type Inventory, WHOLE } from '../hosts/inventory.js'
import type { HostRegistry, KnownHost } from '../hosts/registry.js'
import { trustOf } from '../hosts/standing.js'
import type { Store } from '../persist/store.js'
import type { Restatements } from './restatements.js'

/** Every host asks for its bridge once a minute; one that is off at night is back. */
const QUIET_MS = 24 * 3_600_000
/** Segments between two turns of others. */
const PAGE = 200

export interface ReconcilerParts {
  store: Store
  hosts: HostRegistry
  /** Without one no host can be asked: only the operator ends it. */
  inventory: Inventory | null
  clock: Clock
  log: Log
}

interface Unclaimed {
  shards: number
  bytes: number
}

export class Reconciler {
  private readonly parts: ReconcilerParts
  private restatements: Restatements | null = null
  private running: Promise<void> | null = null
  private compared = { adopted: 0, lost: 0 }

  constructor(parts: ReconcilerParts) {
    this.parts = parts
  }

  /** Both need each other. */
  connect(restatements: Restatements): void {
    this.restatements = restatements
  }

  /** A host shows what it was told once. A mark that these books do not know begins a new incarnation. */
  learn(mark: BridgeMark): void {
    const { store, log } = this.parts
    if (!store.incarnations.learn(mark)) return
    log.error({ incarnation: store.incarnation }, 'a host was told more than these books know: they were put back')
  }

  /** The operator's word: these books were put back. */
  begin(): void {
    this.parts.store.incarnations.raise(null)
    this.parts.log.warn({ incarnation: this.parts.store.incarnation }, 'a new incarnation begins')
  }

  /** One round; one that runs is joined. Nothing while the books are whole. */
  round(signal: AbortSignal): Promise<void> {
    if (!this.parts.store.frozen) return Promise.resolve()
    this.running ??= this.run(signal).finally(() => {
      this.running = null
    })
    return this.running
  }

  private async run(signal: AbortSignal): Promise<void> {
    await this.listHosts(signal)
    await this.compare(signal)
    if (signal.aborted || !(await this.isThrough())) return
    await this.end()
  }

  private async listHosts(signal: AbortSignal): Promise<void> {
    const { store, inventory, log } = this.parts
    if (inventory === null) return
    const listed = await store.found.listedHosts(store.incarnation)
    for (const host of this.trusted()) {
      if (signal.aborted) return
      if (!host.online || listed.has(host.row)) continue
      try {
        await this.list(host, inventory, signal)
      } catch (error) {
        if (signal.aborted) return
        if (!(error instanceof AppError)) throw error
        log.warn({ host: host.host, code: codeOf(error) }, 'a host did not say what lies on it')
      }
    }
  }

  private async list(host: KnownHost, inventory: Inventory, signal: AbortSignal): Promise<void> {
    const { store, clock, log } = this.parts
    const { incarnation } = store
    let shards = 0
    await store.found.beginListing(host.row, clock.nowMs())
    for await (const entries of inventory.entries(host.host, WHOLE, signal)) {
      await store.found.save(host.row, entries)
      shards += entries.length
    }
    await store.found.endListing(host.row, incarnation)
    log.info({ host: host.host, shards }, 'a host said what lies on it')
  }

  /** Every segment of the books with what was found of it. */
  private async compare(signal: AbortSignal): Promise<void> {
    const { store, log } = this.parts
    const { restatements } = this
    if (restatements === null) return
    const listed = await store.found.listedHosts(store.incarnation)
    const sum = { adopted: 0, lost: 0 }
    for (let after = 0; !signal.aborted; ) {
      const rows = await store.found.segmentsAfter(after, PAGE)
      for (const row of rows) {
        const segment = await store.segments.loadRow(row)
        const { adopted, lost } = segment === null ? sum : await restatements.correct(segment, listed)
        if (segment === null) continue
        sum.adopted += adopted
        sum.lost += lost
      }
      after = rows[rows.length - 1] ?? after
      if (rows.length < PAGE) break
      await new Promise((resolve) => setImmediate(resolve))
    }
    this.compared = { adopted: this.compared.adopted + sum.adopted, lost: this.compared.lost + sum.lost }
    if (sum.adopted + sum.lost > 0) log.info(sum, 'placements were corrected by what hosts hold')
  }

  /** Hosts whose word counts. */
  private trusted(): KnownHost[] {
    return this.parts.hosts.all().filter((host) => trustOf(host) !== 'none')
  }

  /** Whether no more hosts can be expected to say what they have. */
  async areHostsIn(): Promise<boolean> {
    const { store, clock } = this.parts
    const listed = await store.found.listedHosts(store.incarnation)
    if (this.trusted().some((host) => !listed.has(host.row))) return false
    const since = store.incarnations.frozenSince
    return since === null || !store.incarnations.isNew || clock.nowMs() - since >= QUIET_MS
  }

  private async isThrough(): Promise<boolean> {
    const { store, clock } = this.parts
    const since = store.incarnations.frozenSince ?? 0
    if (store.incarnations.isNew && clock.nowMs() - since < QUIET_MS) return false
    if (!(await this.areHostsIn())) return false
    const drives = await store.found.countDrives(store.incarnation)
    return drives.told === drives.known && (await this.unclaimed()).shards === 0
  }

  /** Found shards of no drive that the books know. */
  private async unclaimed(): Promise<Unclaimed> {
    const sum: Unclaimed = { shards: 0, bytes: 0 }
    for (const { group, isKnown } of await this.groups()) {
      if (isKnown) continue
      sum.shards += group.shards
      sum.bytes += group.bytes
    }
    return sum
  }

  private async groups() {
    const { store, hosts } = this.parts
    const drives = await store.accounts.allDrives()
    const known = new Map<number, Set<Pseudonym>>()
    const ofHost = (hostRow: number, host: HostId) => {
      const before = known.get(hostRow)
      if (before !== undefined) return before
      const made = new Set(drives.map((drive) => pseudonymOf(drive, host)))
      known.set(hostRow, made)
      return made
    }
    return (await store.found.groups()).map((group) => {
      const host = hosts.atRow(group.hostRow)
      return { group, isKnown: host !== undefined && ofHost(group.hostRow, host.host).has(group.pseudonym) }
    })
  }

  /** What was found of known drives is in the books now; the rest is kept for drives that come late. */
  async end(): Promise<void> {
    const { store, log } = this.parts
    if (!store.frozen) return
    for (const { group, isKnown } of await this.groups()) {
      if (isKnown) await store.found.forget(group.hostRow, group.pseudonym)
    }
    failpoint('bridge-reconcile-forgotten')
    store.incarnations.thaw()
    log.info({ incarnation: store.incarnation, ...this.compared }, 'the books are whole again')
    this.compared = { adopted: 0, lost: 0 }
  }

  async status(): Promise<ReconcileReply> {
    const { store } = this.parts
    const { incarnation, incarnations } = store
    const listed = await store.found.listedHosts(incarnation)
    const trusted = this.trusted()
    return {
      incarnation,
      frozenSince: incarnations.frozenSince,
      hosts: { known: trusted.length, listed: trusted.filter((host) => listed.has(host.row)).length },
      drives: await store.found.countDrives(incarnation),
      unclaimed: await this.unclaimed(),
      ...this.compared,
    }
  }
}
