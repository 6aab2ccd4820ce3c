/**
 * The segments that are followed, and which host has which shard. For each segment two numbers: `counted`, what the bridge believes
 * (host not away, shard not known to be bad), and `good`, the truth (host alive, bytes whole). A segment is lost when `good` falls
 * below k. Shards of a host are a linked list through typed arrays; a shard is named by its place, segment * n + index.
 */
import type { Hosts } from './hosts.js'
import type { Random } from './random.js'
import type { Settings } from './settings.js'
import type { Tally } from './tally.js'

const NOBODY = -1
/** Draws for one shard's host before it is given up: the repair is tried again later. */
const DRAWS_MAX = 200

export interface Watcher {
  /** `counted` of a segment changed. */
  counted(segment: number): void
  /** `good` fell below k. */
  lost(segment: number): void
}

export class Population {
  readonly counted: Int16Array
  readonly good: Int16Array
  readonly holder: Int32Array
  readonly bad: Uint8Array
  private readonly before: Int32Array
  private readonly after: Int32Array
  private readonly firstOf: Int32Array
  private readonly hosts: Hosts
  private readonly tally: Tally
  private readonly random: Random
  private readonly n: number
  private readonly k: number
  private readonly domains: boolean
  private watcher: Watcher = { counted: () => {}, lost: () => {} }

  constructor(settings: Settings, hosts: Hosts, tally: Tally, random: Random) {
    this.n = settings.scheme.totalShards
    this.k = settings.scheme.dataShards
    this.domains = settings.domains
    this.hosts = hosts
    this.tally = tally
    this.random = random
    const places = settings.segments * this.n
    this.counted = new Int16Array(settings.segments)
    this.good = new Int16Array(settings.segments)
    this.holder = new Int32Array(places).fill(NOBODY)
    this.bad = new Uint8Array(places)
    this.before = new Int32Array(places)
    this.after = new Int32Array(places)
    this.firstOf = new Int32Array(settings.hosts).fill(NOBODY)
  }

  watch(watcher: Watcher): void {
    this.watcher = watcher
  }

  /** A new segment with its first `shards` shards, nothing asked of bandwidth. */
  create(segment: number, shards: number, now: number): void {
    for (let place = segment * this.n; place < (segment + 1) * this.n; place++) {
      if (this.holder[place] !== NOBODY) this.unlink(place)
    }
    this.counted[segment] = 0
    this.good[segment] = 0
    for (let index = 0; index < shards; index++) this.give(segment, segment * this.n + index, now, false)
  }

  /** Gives a shard that nobody holds to a host that is online and shares no domain with the others. False when none was found. */
  give(segment: number, place: number, now: number, withBandwidth: boolean): boolean {
    for (let draw = 0; draw < DRAWS_MAX; draw++) {
      const host = this.random.below(this.hosts.count)
      if (!this.hosts.isOnline(host, now) || this.hosts.away[host] === 1 || !this.fits(segment, host)) continue
      if (withBandwidth && !this.hosts.takeIn(host, now)) continue
      this.link(place, host)
      this.bad[place] = 0
      this.counted[segment] = (this.counted[segment] as number) + 1
      this.good[segment] = (this.good[segment] as number) + 1
      return true
    }
    return false
  }

  private fits(segment: number, host: number): boolean {
    const { operators, subnets } = this.hosts.domains
    for (let place = segment * this.n; place < (segment + 1) * this.n; place++) {
      const other = this.holder[place] as number
      if (other === NOBODY) continue
      if (other === host) return false
      if (!this.domains) continue
      if (operators.of[other] === operators.of[host] || subnets.of[other] === subnets.of[host]) return false
    }
    return true
  }

  /** The bridge stops counting on this host, or counts on it again. */
  hostAway(host: number, away: boolean): void {
    const step = away ? -1 : 1
    for (let place = this.firstOf[host] as number; place !== NOBODY; place = this.after[place] as number) {
      const segment = this.segmentOf(place)
      this.counted[segment] = (this.counted[segment] as number) + step
      this.watcher.counted(segment)
    }
  }

  /** All shards of a host are gone; nobody knows it yet. */
  hostEnds(host: number): void {
    for (let place = this.firstOf[host] as number; place !== NOBODY; ) {
      // A segment that is lost is made anew elsewhere: it leaves this list.
      const next = this.after[place] as number
      this.spoil(place)
      place = next
    }
  }

  /** Each shard of a host with this probability; nobody knows it yet. */
  hostDamaged(host: number, share: number): void {
    for (let place = this.firstOf[host] as number; place !== NOBODY; ) {
      const next = this.after[place] as number
      if (this.random.next() < share) this.spoil(place)
      place = next
    }
  }

  /** What is bad of a host becomes known, or (`all`) everything of it is given up. */
  hostDropped(host: number, all: boolean): void {
    for (let place = this.firstOf[host] as number; place !== NOBODY; ) {
      const next = this.after[place] as number
      if (all) this.spoil(place)
      if (this.bad[place] === 1 && this.holder[place] === host) this.drop(place)
      place = next
    }
  }

  /** A shard that is known to be of no use leaves the record. */
  drop(place: number): void {
    const segment = this.segmentOf(place)
    const host = this.holder[place] as number
    this.unlink(place)
    if (this.bad[place] === 0) this.good[segment] = (this.good[segment] as number) - 1
    if (this.hosts.away[host] === 1) return
    this.counted[segment] = (this.counted[segment] as number) - 1
    this.watcher.counted(segment)
  }

  private spoil(place: number): void {
    if (this.bad[place] === 1) return
    this.bad[place] = 1
    this.tally.shardsLost++
    const segment = this.segmentOf(place)
    const good = (this.good[segment] as number) - 1
    this.good[segment] = good
    if (good < this.k) this.watcher.lost(segment)
  }

  private segmentOf(place: number): number {
    return Math.floor(place / this.n)
  }

  private link(place: number, host: number): void {
    const next = this.firstOf[host] as number
    this.holder[place] = host
    this.before[place] = NOBODY
    this.after[place] = next
    if (next !== NOBODY) this.before[next] = place
    this.firstOf[host] = place
  }

  private unlink(place: number): void {
    const before = this.before[place] as number
    const after = this.after[place] as number
    if (before === NOBODY) this.firstOf[this.holder[place] as number] = after
    else this.after[before] = after
    if (after !== NOBODY) this.before[after] = before
    this.holder[place] = NOBODY
  }
}
