/**
 * The standing of every host, in memory beside the database, as a host sees its own. The room: score.ts, online.ts, ladder.ts
 * (pure), this. Audits tell it what they found; it decides nothing about shards.
 *
 * What changes a standing is computed and saved within one transaction of persist, and kept here when that is through: no two
 * changes of one host can overtake each other.
 */
import type { Clock } from '../../base/clock.js'
import { AppError } from '../../base/errors.js'
import type { Log } from '../../base/log.js'
import type { HostId, PeerId } from '../../model/ids.js'
import type * as hostApi from '../../wire/host-api.js'
import type { HostRegistry, KnownHost } from '../hosts/registry.js'
import { newStanding, type Standing, type WindowTally } from '../persist/standing-rows.js'
import type { Store } from '../persist/store.js'
import type { GroupMember } from './groups.js'
import { isVetted, LINES, nextStep, type Step } from './ladder.js'
import { onlineOf, TRACKED_WINDOWS, windowOf } from './online.js'
import { ADMITTED_COST, scoreAfter } from './score.js'

export interface StandingsParts {
  store: Store
  hosts: HostRegistry
  clock: Clock
  log: Log
}

const TELL_EVERY_MS = 24 * 3_600_000

/** What was seen of a host's windows, once each half day. */
interface Seen {
  window: number
  windows: WindowTally[]
}

export class Standings {
  private readonly parts: StandingsParts
  private readonly byRow: Map<number, Standing>
  private readonly seen = new Map<number, Seen>()
  private readonly toldAt = new Map<number, number>()

  private constructor(parts: StandingsParts, byRow: Map<number, Standing>) {
    this.parts = parts
    this.byRow = byRow
  }

  static async load(parts: StandingsParts): Promise<Standings> {
    return new Standings(parts, await parts.store.standings.loadAll())
  }

  of(hostRow: number): Standing {
    return this.byRow.get(hostRow) ?? newStanding(this.parts.clock.nowMs())
  }

  /** What persist has saved. */
  keep(hostRow: number, standing: Standing): void {
    this.byRow.set(hostRow, standing)
  }

  /** After its standing changed (`held`: shards that lie there): up or down the ladder, vetted; each step with a notice. */
  async review(known: KnownHost, held: number, transcript: number | null = null): Promise<void> {
    const { clock } = this.parts
    const nowMs = clock.nowMs()
    const standing = this.of(known.row)
    const windows = await this.windowsOf(known.row, nowMs)
    const online = onlineOf(windows, nowMs)
    const step = nextStep({
      ...{ state: known.state, score: standing.score, known: standing.known, held, windows, nowMs },
      onlineShare: online.isFull ? online.share : null,
      isGone: online.isGone && !known.online,
      stateMs: nowMs - standing.stateAt,
    })
    if (step !== null) await this.take(known, step, transcript)
    else if (known.vettedAt === null && isVetted({ ...standing, state: known.state, nowMs })) {
      await this.say(known, known.state, 'it is vetted: it gets full shares', null, nowMs)
    }
  }

  /** Shards were lost by what an audit found: a word a day, so that older ones stay to be read. */
  async noteLost(known: KnownHost, shards: number, why: string, transcript: number | null): Promise<void> {
    const nowMs = this.parts.clock.nowMs()
    if (nowMs - (this.toldAt.get(known.row) ?? Number.NEGATIVE_INFINITY) < TELL_EVERY_MS) return
    this.toldAt.set(known.row, nowMs)
    const text = `${shards === 1 ? 'a shard is' : `${shards} shards are`} taken as lost: ${why}`
    await this.say(known, known.state, text, transcript, known.vettedAt)
  }

  /** It said itself that so many shards are gone. */
  async admit(known: KnownHost, shards: number): Promise<void> {
    const before = this.of(known.row)
    const score = scoreAfter(before.score, ADMITTED_COST * shards, 0)
    const standing = { ...before, score, lost: before.lost + shards }
    await this.parts.store.audits.saveAdmitted(known.row, standing, windowOf(this.parts.clock.nowMs()), shards)
    this.keep(known.row, standing)
    this.forgetWindows(known.row)
    const { shards: left } = await this.parts.store.standings.holding(known.row)
    await this.review(known, left)
  }

  /** All hosts with their standings, for views over many. */
  members(): GroupMember[] {
    return this.parts.hosts.all().map(({ row, operator, subnet, state }) => {
      const { score, success, fail } = this.of(row)
      return { operator, subnet, state, score, success, fail }
    })
  }

  private async take(known: KnownHost, step: Step, transcript: number | null): Promise<void> {
    const { store, clock, log } = this.parts
    const nowMs = clock.nowMs()
    const before = this.of(known.row)
    const anew = { score: Math.max(before.score, LINES.suspended.over), firstAt: nowMs, success: 0 }
    const standing = { ...before, stateAt: nowMs, ...(step.isAnew === true ? anew : {}) }
    log.warn({ host: known.host, from: known.state, to: step.state, why: step.why }, 'a host changes its state')
    await store.audits.saveStandingOf(known.row, standing, step.isAnew)
    this.keep(known.row, standing)
    this.forgetWindows(known.row)
    await this.say(known, step.state, step.why, transcript, step.isAnew === true ? null : known.vettedAt)
  }

  private async say(
    known: KnownHost,
    state: hostApi.HostState,
    why: string,
    transcript: number | null,
    vettedAt: number | null,
  ): Promise<void> {
    const { store, hosts, clock } = this.parts
    await store.standings.saveStep(known.row, { at: clock.nowMs(), state, why, transcript }, vettedAt)
    await hosts.setState(known.row, state, vettedAt)
  }

  /** Something was found lost: what is remembered of its windows is old. */
  forgetWindows(hostRow: number): void {
    this.seen.delete(hostRow)
  }

  /** Of what was asked, half a day old at most: what the current window says comes with the next. */
  private async windowsOf(hostRow: number, nowMs: number): Promise<WindowTally[]> {
    const window = windowOf(nowMs)
    const seen = this.seen.get(hostRow)
    if (seen?.window === window) return seen.windows
    const windows = await this.parts.store.standings.windowsOf(hostRow, window - TRACKED_WINDOWS)
    this.seen.set(hostRow, { window, windows })
    return windows
  }

  /** `not-yours`, `unknown-host`. */
  async view(key: PeerId, host: HostId): Promise<hostApi.HostStanding> {
    return this.describe(this.own(key, host))
  }

  private async describe(known: KnownHost): Promise<hostApi.HostStanding> {
    const { store, clock } = this.parts
    const { score, success, fail, lost, offline, timeout, unknown } = this.of(known.row)
    const now = clock.nowMs()
    const holding = await store.standings.holding(known.row)
    const windows = await store.standings.windowsOf(known.row, windowOf(now) - TRACKED_WINDOWS)
    const { leavingAt, leftAt } = known
    const phase = leftAt !== null ? 'left' : leavingAt !== null ? 'leaving' : 'none'
    return {
      state: known.state,
      vettedAt: known.vettedAt,
      score,
      onlineShare: onlineOf(windows, now).share,
      verdicts: { success, fail: fail + lost, offline, timeout, unknown },
      ...holding,
      notices: await store.standings.noticesOf(known.row),
      exit: { phase, shardsLeft: phase === 'none' ? 0 : holding.shards },
    }
  }

  /** Asks to leave, or stays after all: who moves the shards sees it, and says when the host has left. */
  async exit(key: PeerId, host: HostId, request: hostApi.ExitRequest): Promise<hostApi.HostStanding> {
    const known = this.own(key, host)
    const { hosts, clock } = this.parts
    if (request.cancel === true) await hosts.setExit(known.row, { leavingAt: null, leftAt: null })
    else if (known.leavingAt === null) await hosts.setExit(known.row, { leavingAt: clock.nowMs(), leftAt: null })
    return this.describe(known)
  }

  /** A host's own: what is kept of a failure, for everyone to verify (permits/audit.ts). `unknown-transcript`. */
  async transcript(key: PeerId, host: HostId, id: number): Promise<Buffer> {
    const found = await this.parts.store.standings.transcript(this.own(key, host).row, id)
    if (found !== null) return found
    throw new AppError('unknown-transcript', 'the bridge keeps no such transcript of this host', {
      hint: 'the newest 200 failures of a host are kept',
    })
  }

  /** The host that speaks of itself. */
  own(key: PeerId, host: HostId): KnownHost {
    if (key !== host) throw new AppError('not-yours', 'a host asks about itself')
    const known = this.parts.hosts.get(host)
    if (known === undefined) throw new AppError('unknown-host', 'register first')
    return known
  }
}
