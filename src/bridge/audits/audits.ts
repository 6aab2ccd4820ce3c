/**
 * Audits: every host that holds anything is asked for leaves, 36 times a day (docs/reputation.md). The room: times.ts (every
 * constant), schedule.ts, selection.ts, verdicts.ts, outcome.ts, breaker.ts (pure), auditor.ts (one burst), closing.ts (what
 * a round comes to), requests.ts and losses.ts (what others say), this. It imports reputation, hosts and persist.
 *
 * Restartable at any point: a burst is one transaction, and one that was not saved never was.
 */
import type { Clock } from '../../base/clock.js'
import type { Log } from '../../base/log.js'
import type { HostId } from '../../model/ids.js'
import type { HostState } from '../../wire/host-api.js'
import type { HostRegistry, KnownHost } from '../hosts/registry.js'
import { isServing, servingShare } from '../hosts/standing.js'
import type { Store } from '../persist/store.js'
import { type Group, groupsOf } from '../reputation/groups.js'
import type { Standings } from '../reputation/standings.js'
import type { Auditor } from './auditor.js'
import type { Closing } from './closing.js'
import { Schedule } from './schedule.js'
import { BURST_EVERY_MS, BURST_EVERY_MS_MIN, HOSTS_AT_ONCE } from './times.js'

export interface AuditStatus {
  /** Since the start. */
  bursts: number
  /** Rounds in which penalties were frozen, ever: each is worth a look. */
  freezes: number
  /** Hosts in each state. */
  states: Record<HostState, number>
  operators: Group[]
  subnets: Group[]
}

export interface AuditsParts {
  store: Store
  standings: Standings
  hosts: HostRegistry
  /** null: without a transport nobody can be asked. */
  auditor: Auditor | null
  closing: Closing
  clock: Clock
  lot: () => number
  log: Log
  /** Between two bursts with a host that is always there. */
  everyMs?: number
}

export class Audits {
  private readonly parts: AuditsParts
  private readonly schedule: Schedule
  private readonly everyMs: number
  private readonly asking = new Set<number>()
  /** Bursts since the start. */
  bursts = 0

  constructor(parts: AuditsParts) {
    this.parts = parts
    this.everyMs = parts.everyMs ?? BURST_EVERY_MS
    this.schedule = new Schedule(parts.lot, 2 * this.everyMs)
  }

  /** The chore: rounds that are over are closed, hosts that are due are asked, some at a time. */
  async round(signal: AbortSignal): Promise<void> {
    const { store, hosts, clock, closing } = this.parts
    // By old books a host may be asked for what it was told to forget.
    if (store.frozen) return
    await closing.closeRounds()
    const nowMs = clock.nowMs()
    const due = hosts.all().filter((host) => this.isDue(host, nowMs))
    const askNext = async (): Promise<void> => {
      for (let host = due.pop(); host !== undefined && !signal.aborted; host = due.pop()) await this.ask(host, signal)
    }
    await Promise.all(Array.from({ length: Math.min(HOSTS_AT_ONCE, due.length) }, askNext))
  }

  /** One burst now, whether due or not; for hands and tests. */
  async askNow(host: HostId, signal: AbortSignal): Promise<void> {
    await this.parts.closing.closeRounds()
    const known = this.parts.hosts.get(host)
    if (known !== undefined) await this.ask(known, signal)
  }

  /** For the bridge's status: what was asked, how often penalties were frozen, and who fails together. */
  async status(): Promise<AuditStatus> {
    const { store, standings } = this.parts
    const members = standings.members()
    const states = { good: 0, watch: 0, suspended: 0, review: 0, removed: 0 }
    for (const { state } of members) states[state]++
    const freezes = await store.audits.freezes()
    const groups = { operators: groupsOf(members, 'operator'), subnets: groupsOf(members, 'subnet') }
    return { bursts: this.bursts, freezes, states, ...groups }
  }

  /** Outside of its own hours nobody is asked, and nothing is made up for. A host that has left is nobody's any more. */
  private isDue(host: KnownHost, nowMs: number): boolean {
    const hours = host.facts?.hours
    const everyMs = Math.max(BURST_EVERY_MS_MIN, this.everyMs * servingShare(hours))
    return this.schedule.take(host.row, nowMs, everyMs) && host.leftAt === null && isServing(hours, nowMs)
  }

  /** What goes wrong here is our own fault: it is logged, costs the host nothing, and holds up no other. */
  private async ask(host: KnownHost, signal: AbortSignal): Promise<void> {
    if (this.parts.auditor === null || this.asking.has(host.row)) return
    this.asking.add(host.row)
    try {
      if ((await this.parts.auditor.burst(host, signal)) !== null) this.bursts++
    } catch (error) {
      if (!signal.aborted) this.parts.log.error({ host: host.host, err: error }, 'an audit failed')
    } finally {
      this.asking.delete(host.row)
    }
  }
}
