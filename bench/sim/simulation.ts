/**
 * One network over years: an event simulation of hosts (event by event, at their exact times) with repairs in steps of an hour, so that a
 * repair is at most an hour late. Deterministic for a seed. Nothing is allocated between events.
 */
import { drawDomains } from './domains.js'
import { EventQueue } from './event-queue.js'
import { HostEvents, KIND } from './host-events.js'
import { Hosts } from './hosts.js'
import { Population } from './population.js'
import { Random } from './random.js'
import { RepairDesk } from './repair-desk.js'
import { HOURS_PER_DAY, HOURS_PER_YEAR, type Settings } from './settings.js'
import { SharedEvents } from './shared-events.js'
import { Tally } from './tally.js'

/** Between two samples of the state: in 24 of them every hour of the day has its turn. */
const SAMPLE_HOURS = 35
/** Looks at single segments are dearer. */
const LOOK_EVERY = 20

export type Progress = (yearsDone: number) => void

export class Simulation {
  readonly settings: Settings
  readonly tally: Tally
  readonly hosts: Hosts
  readonly population: Population
  readonly events: EventQueue
  readonly hostEvents: HostEvents
  private readonly shared: SharedEvents
  private readonly repairs: RepairDesk
  private readonly random: Random
  private samples = 0

  constructor(settings: Settings, seed: number) {
    this.settings = settings
    const { totalShards } = settings.scheme
    this.random = new Random(seed)
    const domains = drawDomains(settings, this.random)
    this.tally = new Tally(totalShards)
    this.events = new EventQueue()
    this.hosts = new Hosts(settings, domains, sampleShardsPerDay(settings), this.random)
    this.population = new Population(settings, this.hosts, this.tally, this.random)
    this.repairs = new RepairDesk(settings, this.hosts, this.population, this.events, this.tally, this.random)
    const parts = { hosts: this.hosts, population: this.population, events: this.events, random: this.random }
    this.hostEvents = new HostEvents(settings, parts, this.tally)
    this.shared = new SharedEvents(settings, parts, this.hostEvents)
    this.population.watch(this.repairs)
  }

  run(progress: Progress = () => {}): Tally {
    this.start()
    const { warmUpYears, years } = this.settings
    const warmAt = warmUpYears * HOURS_PER_YEAR
    const end = warmAt + years * HOURS_PER_YEAR
    this.events.add(SAMPLE_HOURS, KIND.sample, 0, 0)
    this.events.add(1, KIND.repair, 0, 0)
    if (warmAt > 0) this.events.add(warmAt, KIND.warm, 0, 0)
    for (let year = 1; year <= warmUpYears + years; year++) {
      this.events.add(year * HOURS_PER_YEAR, KIND.year, year, 0)
    }
    while (this.events.take()) {
      const { time, kind, subject, stamp } = this.events
      if (kind === KIND.year) progress(subject)
      if (time >= end) break
      this.happen(kind, subject, stamp, time)
    }
    return this.tally
  }

  /** A bad release at a time that is known beforehand, for comparisons. */
  strikeAt(hours: number): this {
    this.events.add(hours, KIND.strike, 0, 0)
    return this
  }

  /** As it is long after the start: the number of shards is spread as lone losses spread it between n and the threshold. */
  private start(): void {
    const { scheme, threshold, segments, repair } = this.settings
    const weights = Array.from({ length: scheme.totalShards - threshold }, (_, i) => 1 / (threshold + 1 + i))
    const sum = weights.reduce((total, one) => total + one, 0)
    for (let segment = 0; segment < segments; segment++) {
      let shards = scheme.totalShards
      for (let left = this.random.next() * sum; repair && left > 0 && shards > threshold + 1; shards--) {
        left -= weights[shards - threshold - 1] as number
        if (left <= 0) break
      }
      this.population.create(segment, shards, 0)
    }
    this.hostEvents.start()
    this.shared.start()
  }

  private happen(kind: number, subject: number, stamp: number, now: number): void {
    if (kind < KIND.sample) this.hostEvents.happen(kind, subject, stamp, now)
    else if (kind === KIND.sample) this.sample(now)
    else if (kind === KIND.repair) this.repairs.step(now)
    else if (kind === KIND.retry) this.repairs.retry(subject, now)
    else if (kind === KIND.warm) this.tally.clear()
    else if (kind > KIND.year) this.shared.happen(kind, subject, now)
  }

  private sample(now: number): void {
    const { tally, population, hosts } = this
    const hour = now % HOURS_PER_DAY
    const online = hosts.onlineShare(now)
    if (hour >= 7 && hour < 22) tally.onlineByDay.push(online)
    else tally.onlineByNight.push(online)
    for (let segment = 0; segment < this.settings.segments; segment++) {
      const good = population.good[segment] as number
      const counted = population.counted[segment] as number
      tally.good[good] = (tally.good[good] as number) + 1
      tally.counted[counted] = (tally.counted[counted] as number) + 1
    }
    if (this.samples++ % LOOK_EVERY === 0) this.look(now)
    this.events.add(now + SAMPLE_HOURS, KIND.sample, 0, 0)
  }

  private look(now: number): void {
    const { totalShards: n, dataShards: k } = this.settings.scheme
    for (let segment = 0; segment < this.settings.segments; segment++) {
      let readable = 0
      for (let place = segment * n; place < (segment + 1) * n; place++) {
        const host = this.population.holder[place] as number
        if (host !== -1 && this.population.bad[place] === 0 && this.hosts.isOnline(host, now)) readable++
      }
      this.tally.looks++
      if (readable < k) this.tally.unreadable++
    }
  }
}

/** A host's repair bandwidth, in shards of the segments that are followed: each stands for many. */
export function sampleShardsPerDay(settings: Settings): number {
  return settings.repairGBPerHostDay / sampleShardGB(settings)
}

export function sampleShardGB(settings: Settings): number {
  const shardsPerHost = (settings.segments * settings.scheme.totalShards) / settings.hosts
  return settings.storedGBPerHost / shardsPerHost
}
