/**
 * Repairs: a segment waits from the moment its count falls to the threshold, the most endangered is served first, until the budget of the
 * hour is used up. A repair fetches k shards from hosts that are online and have bandwidth left, and gives every shard that is
 * missing, bad or on an absent host to a new one. What cannot be done now (too few sources or destinations) is tried again later and
 * holds up nothing.
 */
import type { EventQueue } from './event-queue.js'
import { KIND } from './host-events.js'
import type { Hosts } from './hosts.js'
import type { Population, Watcher } from './population.js'
import type { Random } from './random.js'
import { RepairQueue } from './repair-queue.js'
import { HOURS_PER_DAY, type Settings } from './settings.js'
import type { Tally } from './tally.js'

export const STEP_HOURS = 1
const RETRY_HOURS = 6

export class RepairDesk implements Watcher {
  readonly queue: RepairQueue
  private readonly settings: Settings
  private readonly hosts: Hosts
  private readonly population: Population
  private readonly events: EventQueue
  private readonly tally: Tally
  private readonly random: Random
  private readonly budgetPerStep: number
  private budget = 0
  private now = 0
  /** Since when a segment whose repair was put off has waited; 0 when it does not. */
  private readonly putOff: Float64Array

  constructor(
    settings: Settings,
    hosts: Hosts,
    population: Population,
    events: EventQueue,
    tally: Tally,
    random: Random,
  ) {
    this.settings = settings
    this.hosts = hosts
    this.population = population
    this.events = events
    this.tally = tally
    this.random = random
    this.queue = new RepairQueue(settings.segments, settings.scheme.totalShards)
    this.putOff = new Float64Array(settings.segments)
    const shards = settings.segments * settings.scheme.totalShards
    this.budgetPerStep = (settings.repairShareDay * shards * STEP_HOURS) / HOURS_PER_DAY
  }

  counted(segment: number): void {
    if (!this.settings.repair) return
    const counted = this.population.counted[segment] as number
    if (counted > this.settings.threshold) {
      if (this.queue.has(segment)) this.queue.remove(segment)
      this.putOff[segment] = 0
    } else if (this.putOff[segment] === 0) this.queue.put(segment, Math.max(0, counted), this.events.time)
  }

  /** Counted, and made anew in full: the number of segments stays. */
  lost(segment: number): void {
    this.tally.losses++
    if (this.queue.has(segment)) this.queue.remove(segment)
    this.putOff[segment] = 0
    if (this.settings.repair) this.population.create(segment, this.settings.scheme.totalShards, this.events.time)
    else this.population.good[segment] = 1 << 14
  }

  step(now: number): void {
    this.now = now
    this.budget = Math.min(this.budget + this.budgetPerStep, this.budgetPerStep)
    while (this.budget > 0) {
      const segment = this.queue.mostUrgent()
      if (segment === -1) break
      const since = this.queue.remove(segment)
      if (this.repair(segment)) {
        this.tally.repairs++
        this.tally.waited(now - since)
      } else {
        this.tally.postponed++
        this.putOff[segment] = since
        this.events.add(now + RETRY_HOURS, KIND.retry, segment, 0)
      }
    }
    this.events.add(now + STEP_HOURS, KIND.repair, 0, 0)
  }

  retry(segment: number, now: number): void {
    const since = this.putOff[segment] as number
    if (since === 0) return
    this.putOff[segment] = 0
    const counted = this.population.counted[segment] as number
    if (counted > this.settings.threshold || this.queue.has(segment)) return
    this.queue.put(segment, Math.max(0, counted), Math.min(since, now))
  }

  private repair(segment: number): boolean {
    const { dataShards: k, totalShards: n } = this.settings.scheme
    if (!this.fetch(segment, k, n)) return false
    const { population, hosts } = this
    let pushed = 0
    let lacking = 0
    for (let place = segment * n; place < (segment + 1) * n; place++) {
      const host = population.holder[place] as number
      if (host !== -1 && hosts.away[host] === 0) continue
      if (host !== -1) population.drop(place)
      if (population.give(segment, place, this.now, true)) pushed++
      else lacking++
    }
    this.tally.pushed += pushed
    this.budget -= pushed
    return lacking === 0
  }

  /** Takes k whole shards; a bad one is known from then on. False, and nothing taken, when there are too few. */
  private fetch(segment: number, k: number, n: number): boolean {
    const { population, hosts, now } = this
    let usable = 0
    for (let index = 0; index < n; index++) {
      const place = segment * n + index
      const host = population.holder[place] as number
      if (host === -1 || !hosts.isOnline(host, now) || !hosts.canSend(host, now)) continue
      if (population.bad[place] === 0) usable++
    }
    if (usable < k) return false
    let wanted = k
    const from = this.random.below(n)
    for (let i = 0; i < n && wanted > 0; i++) {
      const place = segment * n + ((from + i) % n)
      const host = population.holder[place] as number
      if (host === -1 || !hosts.isOnline(host, now) || !hosts.canSend(host, now)) continue
      hosts.takeOut(host)
      this.tally.fetched++
      this.budget--
      if (population.bad[place] === 0) wanted--
      else population.drop(place)
    }
    return true
  }
}
