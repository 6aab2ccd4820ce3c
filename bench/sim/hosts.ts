/**
 * The hosts: who is there, who is off and since when, who is counted as away, what repair bandwidth is left. Truth (alive, off) and
 * what the bridge believes (away) are kept apart. A host that is gone for good is replaced by an empty one in the same place when the
 * bridge gives it up, so that the network keeps its size.
 */
import type { Domains } from './domains.js'
import type { Random } from './random.js'
import { HOURS_PER_DAY, HOURS_PER_YEAR, meanLifeYears, type Settings } from './settings.js'

const NIGHT_FROM = 22
const NIGHT_HOURS = 9
const SLOW_FACTOR = 0.1

export class Hosts {
  readonly count: number
  readonly domains: Domains
  readonly alive: Uint8Array
  readonly away: Uint8Array
  /** On again from then; what lies in the past means on. */
  readonly offUntil: Float64Array
  readonly offSince: Float64Array
  /** Rises with every change of `offUntil`: events of before are void. */
  readonly stamp: Int32Array
  /** Rises with every new host in this place. */
  readonly life: Int32Array
  private readonly nightly: Uint8Array
  private readonly slow: Uint8Array
  /** Repair bandwidth in shards, in each direction, and when it was last filled up. */
  private readonly inLeft: Float64Array
  private readonly outLeft: Float64Array
  private readonly filledAt: Float64Array
  private readonly perHour: number
  private readonly meanLifeHours: number
  private readonly shortLifeHours: number
  private readonly longLifeHours: number
  private readonly mixed: boolean
  private readonly random: Random

  constructor(settings: Settings, domains: Domains, shardsPerDay: number, random: Random) {
    const { hosts: count } = settings
    this.count = count
    this.domains = domains
    this.random = random
    this.alive = new Uint8Array(count).fill(1)
    this.away = new Uint8Array(count)
    this.offUntil = new Float64Array(count)
    this.offSince = new Float64Array(count)
    this.stamp = new Int32Array(count)
    this.life = new Int32Array(count)
    this.nightly = Uint8Array.from({ length: count }, () => (random.next() < settings.nightlyShare ? 1 : 0))
    this.slow = Uint8Array.from({ length: count }, () => (random.next() < settings.slowShare ? 1 : 0))
    this.inLeft = new Float64Array(count)
    this.outLeft = new Float64Array(count)
    this.filledAt = new Float64Array(count)
    this.perHour = shardsPerDay / HOURS_PER_DAY
    this.meanLifeHours = meanLifeYears(settings) * HOURS_PER_YEAR
    this.shortLifeHours = settings.shortLifeYears * HOURS_PER_YEAR
    this.longLifeHours = 2 * this.meanLifeHours - this.shortLifeHours
    this.mixed = settings.churn === 'mixed'
  }

  /** Of one who joins: half of the mixed ones are short-lived. */
  drawLifeHours(): number {
    if (!this.mixed) return this.random.exponential(this.meanLifeHours)
    return this.random.exponential(this.random.next() < 0.5 ? this.shortLifeHours : this.longLifeHours)
  }

  /** Of one who is met at the start: long-lived ones are met more often. */
  drawLifeLeftHours(): number {
    if (!this.mixed) return this.random.exponential(this.meanLifeHours)
    const shortOnes = this.shortLifeHours / (this.shortLifeHours + this.longLifeHours)
    return this.random.exponential(this.random.next() < shortOnes ? this.shortLifeHours : this.longLifeHours)
  }

  isOnline(host: number, now: number): boolean {
    return (this.offUntil[host] as number) <= now && (this.nightly[host] === 0 || isNight(now))
  }

  /** Of the hosts that are there: those that are gone for good and not yet given up have no good shards. */
  onlineShare(now: number): number {
    let online = 0
    let alive = 0
    for (let host = 0; host < this.count; host++) {
      alive += this.alive[host] as number
      if (this.isOnline(host, now)) online++
    }
    return online / alive
  }

  /** When a host that went off at `since` has been missed for `hours`: those of the night are missed at night only. */
  missedAt(host: number, since: number, hours: number): number {
    if (this.nightly[host] === 0) return since + hours
    let at = since
    let left = hours
    for (;;) {
      const intoNight = mod(at - NIGHT_FROM, HOURS_PER_DAY)
      const stretch = Math.max(0, NIGHT_HOURS - intoNight)
      if (left <= stretch) return at + left
      left -= stretch
      at += HOURS_PER_DAY - intoNight
    }
  }

  /** Takes the bandwidth of one shard; false when it is used up. A little debt makes up for shards being whole. */
  takeIn(host: number, now: number): boolean {
    this.fill(host, now)
    if ((this.inLeft[host] as number) <= 0) return false
    this.inLeft[host] = (this.inLeft[host] as number) - 1
    return true
  }

  canSend(host: number, now: number): boolean {
    this.fill(host, now)
    return (this.outLeft[host] as number) > 0
  }

  takeOut(host: number): void {
    this.outLeft[host] = (this.outLeft[host] as number) - 1
  }

  private fill(host: number, now: number): void {
    const rate = this.slow[host] === 1 ? this.perHour * SLOW_FACTOR : this.perHour
    const more = rate * (now - (this.filledAt[host] as number))
    const most = rate * HOURS_PER_DAY
    this.inLeft[host] = Math.min(most, (this.inLeft[host] as number) + more)
    this.outLeft[host] = Math.min(most, (this.outLeft[host] as number) + more)
    this.filledAt[host] = now
  }
}

export function isNight(now: number): boolean {
  return mod(now - NIGHT_FROM, HOURS_PER_DAY) < NIGHT_HOURS
}

function mod(value: number, by: number): number {
  return ((value % by) + by) % by
}
