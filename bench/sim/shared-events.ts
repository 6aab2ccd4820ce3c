/** What happens to many hosts at once: an operator leaves, a /24 or a provider goes dark for hours or for ever, a bad release. */
import type { Grouping } from './domains.js'
import { type HostEvents, KIND, type WorldParts } from './host-events.js'
import { HOURS_PER_YEAR, type Settings } from './settings.js'

const OUTAGE_SIGMA = 1.2

export class SharedEvents {
  private readonly settings: Settings
  private readonly parts: WorldParts
  private readonly hostEvents: HostEvents

  constructor(settings: Settings, parts: WorldParts, hostEvents: HostEvents) {
    this.settings = settings
    this.parts = parts
    this.hostEvents = hostEvents
  }

  start(): void {
    for (let kind: number = KIND.operatorExit; kind <= KIND.badRelease; kind++) this.next(kind, 0)
  }

  happen(kind: number, _subject: number, now: number): void {
    const { operators, subnets, systems } = this.parts.hosts.domains
    if (kind === KIND.operatorExit) this.end(operators, now)
    else if (kind === KIND.subnetEnd) this.end(subnets, now)
    else if (kind === KIND.systemEnd) this.end(systems, now)
    else if (kind === KIND.subnetOutage) this.outage(subnets, now)
    else if (kind === KIND.systemOutage) this.outage(systems, now)
    else this.badRelease(now)
    if (kind !== KIND.strike) this.next(kind, now)
  }

  private end(grouping: Grouping, now: number): void {
    this.endDomain(grouping, this.parts.random.below(grouping.count), now)
  }

  endDomain(grouping: Grouping, domain: number, now: number): void {
    for (let at = grouping.starts[domain] as number; at < (grouping.starts[domain + 1] as number); at++) {
      this.hostEvents.end(grouping.members[at] as number, now)
    }
  }

  private outage(grouping: Grouping, now: number): void {
    const { random, hosts } = this.parts
    const domain = random.below(grouping.count)
    const until = now + random.logNormal(this.settings.sharedOutageMedianHours, OUTAGE_SIGMA)
    for (let at = grouping.starts[domain] as number; at < (grouping.starts[domain + 1] as number); at++) {
      const host = grouping.members[at] as number
      if (hosts.alive[host] === 1) this.hostEvents.goOff(host, now, until)
    }
  }

  /** The share that the rollout reached before it was stopped, spread over its hours. */
  private badRelease(now: number): void {
    const { random, hosts, events } = this.parts
    for (let host = 0; host < hosts.count; host++) {
      if (random.next() >= this.settings.badReleaseShare) continue
      const at = now + random.next() * this.settings.badReleaseHours
      events.add(at, KIND.spoiled, host, hosts.life[host] as number)
    }
  }

  private next(kind: number, now: number): void {
    const perYear = this.ratePerYear(kind)
    if (perYear === 0) return
    this.parts.events.add(now + this.parts.random.exponential(HOURS_PER_YEAR / perYear), kind, 0, 0)
  }

  private ratePerYear(kind: number): number {
    const { settings } = this
    const { operators, subnets } = this.parts.hosts.domains
    if (kind === KIND.operatorExit) return settings.operatorExitsYear * operators.count
    if (kind === KIND.subnetOutage) return settings.subnetOutagesYear * subnets.count
    if (kind === KIND.subnetEnd) return settings.subnetEndsYear * subnets.count
    if (kind === KIND.systemOutage) return settings.systemOutagesYear * settings.systems
    if (kind === KIND.systemEnd) return settings.systemEndsYear * settings.systems
    return settings.badReleasesYear
  }
}
