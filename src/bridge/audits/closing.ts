/**
 * The end of a round: what was found in it takes effect, or, when too much was found at once, is frozen (breaker.ts): then it
 * costs nothing and is asked again in six hours. What is found in three frozen rounds is gone all the same, and is repaired;
 * it still costs nothing. A round that was not closed when the bridge stopped is closed when it is back.
 */
import type { Clock } from '../../base/clock.js'
import type { Log } from '../../base/log.js'
import type { Policy } from '../../wire/api.js'
import type { HostRegistry, KnownHost } from '../hosts/registry.js'
import { trustOf } from '../hosts/standing.js'
import type { Held } from '../persist/audit-records.js'
import type { Standing } from '../persist/standing-rows.js'
import type { Store } from '../persist/store.js'
import { partiesOf } from '../reputation/groups.js'
import { TRACKED_WINDOWS, windowOf } from '../reputation/online.js'
import { ADMITTED_COST, scoreAfter } from '../reputation/score.js'
import type { Standings } from '../reputation/standings.js'
import { FAULTY_SHARE_MAX, FROZEN_KEPT_MS, frozenBecause, isStubborn } from './breaker.js'
import { CONTAINED_MS, ROUND_MS, roundOf, TRIES_MAX } from './times.js'

export interface ClosingParts {
  store: Store
  hosts: HostRegistry
  standings: Standings
  clock: Clock
  log: Log
  lot: () => number
  policy: Policy
}

export class Closing {
  private readonly parts: ClosingParts
  private forgotRound = -1

  constructor(parts: ClosingParts) {
    this.parts = parts
  }

  async closeRounds(): Promise<void> {
    const { store, clock } = this.parts
    const nowMs = clock.nowMs()
    const current = roundOf(nowMs)
    for (const round of await store.audits.openRounds(current)) await this.close(round)
    if (this.forgotRound === current) return
    this.forgotRound = current
    await store.audits.forgetBefore(windowOf(nowMs) - TRACKED_WINDOWS)
  }

  private async close(round: number): Promise<void> {
    const held = await this.parts.store.audits.heldOf(round)
    const why = this.frozenBecause(held, round)
    if (why === null) return this.applyAll(held)
    const stubborn = await this.stubborn()
    const counts = (one: Held) => stubborn.has(one.hostRow)
    const others = held.filter((one) => !counts(one))
    const still = this.frozenBecause(others, round)
    await this.applyAll(still === null ? held : held.filter(counts))
    if (still !== null) await this.freeze(others, still)
  }

  private frozenBecause(held: readonly Held[], round: number): string | null {
    const found = held.filter((one) => this.isNews(one.hostRow))
    const failing = new Set(found.map((one) => one.hostRow))
    return frozenBecause(found, this.parties([...failing]), this.parties(this.askedSince(round)))
  }

  /** What says something of this moment: hosts that are suspended already fail on, as everybody knows. */
  private isNews(hostRow: number): boolean {
    const host = this.parts.hosts.atRow(hostRow)
    return host !== undefined && trustOf(host) === 'full'
  }

  private askedSince(round: number): number[] {
    const { hosts, standings } = this.parts
    return hosts.all().flatMap(({ row }) => (standings.of(row).round >= round ? [row] : []))
  }

  /** On a single machine every host stands for itself. */
  private parties(rows: readonly number[]): number {
    if (this.parts.policy === 'single-machine') return rows.length
    return partiesOf(
      rows.map((row) => this.parts.hosts.atRow(row)).filter((host): host is KnownHost => host !== undefined),
    )
  }

  /** Hosts that the breaker has shielded for long enough: none while it may be the bridge that is at fault. */
  private async stubborn(): Promise<Set<number>> {
    const { store, clock } = this.parts
    const nowMs = clock.nowMs()
    const frozen = await store.audits.frozenSince(windowOf(nowMs - FROZEN_KEPT_MS))
    const asked = this.parties(this.askedSince(roundOf(nowMs - FROZEN_KEPT_MS)))
    if (this.parties(frozen.map((one) => one.hostRow)) > FAULTY_SHARE_MAX * asked) return new Set()
    return new Set(frozen.filter((one) => isStubborn(one, windowOf(nowMs))).map((one) => one.hostRow))
  }

  private async applyAll(held: readonly Held[]): Promise<void> {
    for (const hostRow of new Set(held.map((one) => one.hostRow))) {
      await this.apply(
        hostRow,
        held.filter((one) => one.hostRow === hostRow),
      )
    }
  }

  private async apply(hostRow: number, held: Held[]): Promise<void> {
    const { store, hosts, standings, clock, log } = this.parts
    const window = windowOf(clock.nowMs())
    let settled = standings.of(hostRow)
    const counted = await store.audits.applyHeld(hostRow, held, window, (lost) => {
      settled = penalized(standings.of(hostRow), lost, held)
      return settled
    })
    standings.keep(hostRow, settled)
    standings.forgetWindows(hostRow)
    const host = hosts.atRow(hostRow)
    if (host === undefined || counted.length === 0) return
    const { why, transcript } = counted[counted.length - 1] as Held
    log.warn({ host: host.host, shards: counted.length, why, score: settled.score }, 'a host failed an audit')
    await standings.noteLost(host, counted.length, why, transcript)
    const { shards } = await store.standings.holding(hostRow)
    await standings.review(host, shards, transcript)
  }

  private async freeze(held: Held[], why: string): Promise<void> {
    const { store, standings, clock, log, lot } = this.parts
    for (const hostRow of new Set(held.map((one) => one.hostRow))) {
      const success = held.filter((one) => one.hostRow === hostRow).reduce((sum, one) => sum + one.success, 0)
      const before = standings.of(hostRow)
      standings.keep(hostRow, { ...before, score: scoreAfter(before.score, 0, success) })
    }
    // Spread over a round: they all came at once.
    const later = held.map((one) => ({ ...one, dueAt: Math.round(clock.nowMs() + CONTAINED_MS + lot() * ROUND_MS) }))
    const lost = await store.audits.freezeHeld(later, windowOf(clock.nowMs()), TRIES_MAX)
    const freezes = await store.audits.freezes()
    log.error({ why, shards: held.length, lost, freezes }, 'audits: penalties are frozen: look at this bridge first')
  }
}

/** Failures first, then what was proved beside them. */
function penalized(before: Standing, counted: readonly Held[], held: readonly Held[]): Standing {
  const admitted = counted.filter((one) => one.admitted).length
  const caught = counted.length - admitted
  const success = held.reduce((sum, one) => sum + one.success, 0)
  return {
    ...before,
    score: scoreAfter(before.score, caught + ADMITTED_COST * admitted, success),
    fail: before.fail + caught,
    lost: before.lost + admitted,
  }
}
