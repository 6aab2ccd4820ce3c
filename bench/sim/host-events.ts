/** What happens to single hosts: outages, the end, damaged disks, cheats; and when the bridge notices. */
import type { EventQueue } from './event-queue.js'
import type { Hosts } from './hosts.js'
import type { Population } from './population.js'
import type { Random } from './random.js'
import { HOURS_PER_DAY, HOURS_PER_YEAR, type Settings } from './settings.js'
import type { Tally } from './tally.js'

export const KIND = {
  ...{ outage: 1, away: 2, back: 3, lost: 4, death: 5, spoiled: 6, noticed: 7, distrusted: 8, damage: 9, cheat: 10 },
  ...{ sample: 20, repair: 21, retry: 22, warm: 23, year: 24 },
  ...{ operatorExit: 30, subnetOutage: 31, subnetEnd: 32, systemOutage: 33, systemEnd: 34, badRelease: 35, strike: 36 },
} as const

export interface WorldParts {
  hosts: Hosts
  population: Population
  events: EventQueue
  random: Random
}

const CHEAT_SHARE_MIN = 0.05

export class HostEvents {
  private readonly settings: Settings
  private readonly hosts: Hosts
  private readonly population: Population
  private readonly events: EventQueue
  private readonly random: Random
  private readonly tally: Tally

  constructor(settings: Settings, parts: WorldParts, tally: Tally) {
    this.settings = settings
    this.hosts = parts.hosts
    this.population = parts.population
    this.events = parts.events
    this.random = parts.random
    this.tally = tally
  }

  start(): void {
    for (let host = 0; host < this.hosts.count; host++) {
      this.events.add(this.hosts.drawLifeLeftHours(), KIND.death, host, 0)
      this.nextOutage(host, 0)
    }
    this.nextOf(KIND.damage, this.settings.damageYear, 0)
    this.nextOf(KIND.cheat, this.settings.cheatYear, 0)
  }

  happen(kind: number, host: number, stamp: number, now: number): void {
    const { hosts, population } = this
    const current = kind === KIND.away || kind === KIND.back || kind === KIND.lost ? hosts.stamp : hosts.life
    if (kind === KIND.outage) this.outage(host, now)
    else if (kind === KIND.damage) this.damage(now)
    else if (kind === KIND.cheat) this.cheat(now)
    else if (stamp !== current[host]) return
    else if (kind === KIND.death) this.end(host, now)
    else if (kind === KIND.away) this.away(host)
    else if (kind === KIND.back) this.back(host)
    else if (kind === KIND.lost) this.giveUp(host, now)
    else if (kind === KIND.noticed) population.hostDropped(host, false)
    else if (kind === KIND.distrusted) this.giveUp(host, now)
    else if (kind === KIND.spoiled) this.damageHost(host, 1, now)
  }

  /** Off from now on until then; longer than before, or nothing changes. */
  goOff(host: number, now: number, until: number): void {
    const { hosts, events, settings } = this
    if (until <= (hosts.offUntil[host] as number)) return
    if ((hosts.offUntil[host] as number) <= now) hosts.offSince[host] = now
    const since = hosts.offSince[host] as number
    hosts.offUntil[host] = until
    const stamp = (hosts.stamp[host] as number) + 1
    hosts.stamp[host] = stamp
    if (hosts.away[host] === 0) {
      const missedAt = Math.max(now, hosts.missedAt(host, since, settings.awayHours))
      if (missedAt < until) events.add(missedAt, KIND.away, host, stamp)
    }
    const lostAt = Math.max(now, since + settings.lostDays * HOURS_PER_DAY)
    if (lostAt < until) events.add(lostAt, KIND.lost, host, stamp)
    else events.add(until, KIND.back, host, stamp)
  }

  /** The host is gone for good, with all that it had. The bridge only sees that it is off. */
  end(host: number, now: number): void {
    if (this.hosts.alive[host] === 0) return
    this.hosts.alive[host] = 0
    this.tally.hostsGone++
    this.goOff(host, now, Number.POSITIVE_INFINITY)
    this.population.hostEnds(host)
  }

  private away(host: number): void {
    this.hosts.away[host] = 1
    this.population.hostAway(host, true)
  }

  private back(host: number): void {
    if (this.hosts.away[host] === 0) return
    this.hosts.away[host] = 0
    this.population.hostAway(host, false)
  }

  /** Its placements are dropped; an empty host joins in its place. */
  private giveUp(host: number, now: number): void {
    const { hosts, population, events } = this
    population.hostDropped(host, true)
    hosts.alive[host] = 1
    hosts.away[host] = 0
    hosts.offUntil[host] = now
    hosts.stamp[host] = (hosts.stamp[host] as number) + 1
    hosts.life[host] = (hosts.life[host] as number) + 1
    events.add(now + hosts.drawLifeHours(), KIND.death, host, hosts.life[host] as number)
  }

  private outage(host: number, now: number): void {
    const { outageMedianHours, outageSigma } = this.settings
    if (this.hosts.alive[host] === 1) {
      this.goOff(host, now, now + this.random.logNormal(outageMedianHours, outageSigma))
    }
    this.nextOutage(host, now)
  }

  private nextOutage(host: number, now: number): void {
    if (this.settings.outagesYear === 0) return
    this.events.add(now + this.random.exponential(HOURS_PER_YEAR / this.settings.outagesYear), KIND.outage, host, 0)
  }

  /** An honest disk loses a part: the host's own scrub finds it, or an audit does and the host is asked for its list. */
  private damage(now: number): void {
    const { damageMin, damageMax, damageYear } = this.settings
    const share = damageMin * (damageMax / damageMin) ** this.random.next()
    const host = this.random.below(this.hosts.count)
    if (this.hosts.alive[host] === 1) this.damageHost(host, share, now)
    this.nextOf(KIND.damage, damageYear, now)
  }

  private damageHost(host: number, share: number, now: number): void {
    const { scrubDays, listHours } = this.settings
    this.population.hostDamaged(host, share)
    const byScrub = this.random.next() * scrubDays * HOURS_PER_DAY
    const byAudit = this.burstsUntilCaught(share) * this.burstHours() + listHours
    this.events.add(now + Math.min(byScrub, byAudit), KIND.noticed, host, this.hosts.life[host] as number)
  }

  /** A host drops a part and admits nothing: its shards count until enough audits have caught it. */
  private cheat(now: number): void {
    const { cheatYear, caughtMax } = this.settings
    const share = CHEAT_SHARE_MIN + (1 - CHEAT_SHARE_MIN) * this.random.next()
    const host = this.random.below(this.hosts.count)
    if (this.hosts.alive[host] === 1) {
      this.population.hostDamaged(host, share)
      let bursts = 0
      for (let caught = 0; caught < caughtMax; caught++) bursts += this.burstsUntilCaught(share)
      this.events.add(now + bursts * this.burstHours(), KIND.distrusted, host, this.hosts.life[host] as number)
    }
    this.nextOf(KIND.cheat, cheatYear, now)
  }

  private burstHours(): number {
    return (HOURS_PER_DAY * this.settings.auditBurst) / this.settings.auditLeavesDay
  }

  /** Leaves are drawn by bytes: one of a burst's hits the missing share with 1 - (1 - share)^burst. */
  private burstsUntilCaught(share: number): number {
    if (share >= 1) return 1
    return Math.max(1, Math.ceil(Math.log(1 - this.random.next()) / (this.settings.auditBurst * Math.log(1 - share))))
  }

  private nextOf(kind: number, perHostYear: number, now: number): void {
    if (perHostYear === 0) return
    this.events.add(now + this.random.exponential(HOURS_PER_YEAR / (perHostYear * this.hosts.count)), kind, 0, 0)
  }
}
