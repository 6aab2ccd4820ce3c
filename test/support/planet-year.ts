/**
 * The months of a network of a hundred hosts, 38 of them up to no good and four more that come to be so: who was found out when,
 * whether anything was lost, whether anybody honest was removed. One run a seed; test/net lets a month pass, test/long a year.
 */
import { AppError } from '../../src/base/errors.js'
import type { Transport } from '../../src/rtc/transport.js'
import { HOST_STATES, type HostState } from '../../src/wire/host-api.js'
import { METHOD } from '../../src/wire/methods.js'
import { Planet } from './planet.js'
import { PlanetDrive } from './planet-drive.js'
import type { PlanetHost } from './planet-host.js'
import { COLLUDERS, HONEST, KINDS, newcomersOf, plansOf, wrongFromOf } from './planet-kinds.js'

export interface YearOptions {
  seed: number
  days: number
  hosts: number
  segments: number
  /** 36 is what a bridge does. */
  burstsADay: number
  say(line: string): void
}

export interface YearResult {
  seed: number
  days: number
  segments: number
  lost: number
  /** Retired more than their 30 days and a sweep ago, and the bridge still knows them. */
  uncollected: number
  honest: number
  /** Left without a word, and in order. */
  vanished: number
  left: number
  honestRemoved: number
  /** Hosts. */
  honestSuspended: number
  /** By kind: after how many days each was suspended, since it went wrong; null: not in this time. */
  found: Record<string, (number | null)[]>
  freezes: number
  bursts: number
  /** Shards that repair and completion gave to another host. */
  moved: number
}

/** Of an honest host: gone for ever, 30 in 100 a year; every other one says so before. */
const CHURN_A_DAY = 0.3 / 365
const ORDERLY = 0.5
/** And away for a while: twice a month, an hour to twelve. */
const OUTAGES_A_DAY = 2 / 30
const OUTAGE_HOURS_MAX = 12
/** Shards of one leaf: what has to be proved is the network, not the hashes. */
const PLAIN_BYTES = 6 * 1_024
/** What the drive writes anew, and what it retires, every few days. */
const REWRITE_EVERY_DAYS = 5
const REWRITTEN = 10
/** 30 days, and the sweep of the day after. */
const COLLECTED_AFTER_DAYS = 32
const SAY_EVERY_DAYS = 10

export async function passYear(dir: string, options: YearOptions): Promise<YearResult> {
  const year = await Year.start(dir, options)
  try {
    return await year.pass()
  } finally {
    await year.stop()
  }
}

class Year {
  private readonly planet: Planet
  private readonly drive: PlanetDrive
  private readonly options: YearOptions
  private readonly found = new Map<PlanetHost, number>()
  private readonly honestRemoved = new Set<PlanetHost>()
  private readonly honestSuspended = new Set<PlanetHost>()
  private vanished = 0
  private left = 0

  private constructor(planet: Planet, drive: PlanetDrive, options: YearOptions) {
    this.planet = planet
    this.drive = drive
    this.options = options
  }

  static async start(dir: string, options: YearOptions): Promise<Year> {
    const planet: Planet = await Planet.start(dir, {
      seed: options.seed,
      burstsADay: options.burstsADay,
      distances: (transport) => distant(transport, (id) => answerMs(planet, id)),
    })
    await planet.join(plansOf(options.hosts))
    const drive = await PlanetDrive.make(planet, `of planet ${options.seed}`, options.seed * 1_000_000)
    await drive.store(options.segments, PLAIN_BYTES)
    return new Year(planet, drive, options)
  }

  async pass(): Promise<YearResult> {
    const { planet, drive, options } = this
    await planet.live(options.days, () => this.step())
    this.look()
    for (const host of planet.hosts) await host.up()
    const lost = await drive.lost()
    const old = drive.retired.filter((one) => planet.day - one.day > COLLECTED_AFTER_DAYS)
    const { freezes, bursts } = await planet.world.bridge.auditStatus()
    return {
      ...{ seed: options.seed, days: options.days, segments: drive.kept.length, lost: lost.length },
      uncollected: (await drive.known(old.map((one) => one.segment))).length,
      honest: planet.hosts.filter((one) => one.plan.kind === HONEST).length,
      ...{ vanished: this.vanished, left: this.left, freezes, bursts },
      honestRemoved: this.honestRemoved.size,
      honestSuspended: this.honestSuspended.size,
      found: Object.fromEntries(KINDS.map((kind) => [kind, this.daysOf(kind)])),
      moved: planet.world.rooms.repairs.own?.repairer.moved ?? 0,
    }
  }

  private daysOf(kind: string): (number | null)[] {
    return this.planet.hosts.filter((one) => one.plan.kind === kind).map((one) => this.found.get(one) ?? null)
  }

  private async step(): Promise<void> {
    const { planet, drive, options } = this
    this.look()
    for (const host of [...planet.hosts]) await this.live(host)
    if (!planet.isMidnight) return
    const day = Math.round(planet.day)
    await planet.join(newcomersOf(day))
    if (day % REWRITE_EVERY_DAYS === 0) await drive.store(REWRITTEN, PLAIN_BYTES, REWRITTEN)
    if (day % SAY_EVERY_DAYS === 0) options.say(`day ${day}`)
  }

  /** Who is in which state now. */
  private look(): void {
    for (const host of this.planet.hosts) {
      const state = this.planet.known(host)?.state ?? 'good'
      if (!isBad(state)) continue
      if (host.plan.kind !== HONEST) this.noteFound(host)
      else if (!host.isGone) {
        this.honestSuspended.add(host)
        if (state === 'removed') this.honestRemoved.add(host)
      }
    }
  }

  private noteFound(host: PlanetHost): void {
    if (this.found.has(host) || !host.isWrong) return
    this.found.set(host, host.wrongDays)
    this.options.say(`day ${this.planet.day.toFixed(1)}: ${host.plan.kind}`)
  }

  private async live(host: PlanetHost): Promise<void> {
    const { planet } = this
    if (host.isGone) return
    await host.plan.step?.(host)
    if (host.plan.kind !== HONEST) return
    if (host.awayUntil !== null) {
      if (planet.day < host.awayUntil) return
      host.awayUntil = null
      await host.up()
    } else if (planet.lot() < CHURN_A_DAY / planet.stepsADay) await this.end(host)
    else if (host.isLeaving) await this.leaveWhenFree(host)
    else if (planet.lot() < OUTAGES_A_DAY / planet.stepsADay) {
      host.awayUntil = planet.day + planet.dice.roll(1, OUTAGE_HOURS_MAX) / 24
      await host.down()
    }
  }

  /** Somebody else comes for each that goes. */
  private async end(host: PlanetHost): Promise<void> {
    if (host.isLeaving) return
    await this.planet.join([{ kind: HONEST }])
    if (this.planet.lot() < ORDERLY) return host.askToLeave()
    this.vanished++
    await host.leave()
  }

  private async leaveWhenFree(host: PlanetHost): Promise<void> {
    if ((this.planet.known(host)?.leftAt ?? null) === null) return
    this.left++
    await host.leave()
  }

  async stop(): Promise<void> {
    await this.drive.stop()
    await this.planet.stop()
  }
}

function isBad(state: HostState): boolean {
  return HOST_STATES.indexOf(state) >= HOST_STATES.indexOf('suspended')
}

/** An answer that would come too late ends at once as one that came too late: nobody waits for virtual time. */
function distant(transport: Transport, answerMsOf: (id: string) => number): Transport {
  return new Proxy(transport, {
    get: (target, name) => {
      if (name === 'request') {
        return async (...[peer, request]: Parameters<Transport['request']>) => {
          if (request.method === METHOD.audit && answerMsOf(peer) > request.deadlineMs) {
            throw new AppError('timed-out', 'the answer came too late', { retry: 'later' })
          }
          return target.request(peer, request)
        }
      }
      const value = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

function answerMs(planet: Planet, id: string): number {
  const host = planet.host(id as never)
  return host?.isWrong === true ? (host.plan.answerMs?.(host) ?? 0) : 0
}

/**
 * What has to be found, after how many days at most, at five bursts a day or more; the others may be, and the table says so. Not
 * found: who answers every question in time from wherever he has it, and a clock that is wrong (nothing is asked of it). Found when
 * chance has it: who misses one deadline in ten, and whose disk rots by two bytes a day: he names each shard himself, it counts a
 * quarter, and that is close to the line. A newcomer is given few shards at first: who keeps half of six lacks three, by the lot, weeks later.
 * Who keeps 90 % of fifty may lack two: each that is missed is made anew elsewhere, so that such a host lacks nothing until it is given more.
 */
const FOUND_WITHIN_DAYS: Record<string, number> = {
  'keeps 90 %': 15,
  'fetches elsewhere, in turn': 4,
  flapping: 45,
  'loses its disk, says so': 2,
  'loses its disk, says nothing': 1,
  [`operator of ${COLLUDERS} deletes`]: 1,
  'new, keeps nothing': 15,
  'new, keeps half': 30,
}

/** In words, what was found too late or not at all, as far as there was time for it. */
export function foundTooLate({ found, days }: YearResult): string[] {
  return Object.entries(FOUND_WITHIN_DAYS).flatMap(([kind, limit]) => {
    if (days - wrongFromOf(kind) < limit) return []
    const late = (found[kind] ?? []).filter((one) => one === null || one > limit)
    return late.map((one) => `${kind}: ${one ?? 'not found'}, and not within ${limit} days`)
  })
}

/** A column for each seed. */
export function tableOf(results: readonly YearResult[]): string[] {
  const days = (one: number | null) => (one === null ? 'not found' : one.toFixed(1))
  const rows = KINDS.map((kind) => {
    const cells = results.map(({ found }) => {
      const all = found[kind] ?? []
      if (all.length < COLLUDERS) return all.map(days).join(', ')
      const known = all.filter((one) => one !== null).sort((a, b) => a - b)
      return `${known.length} of ${all.length}: ${days(known[0] ?? null)} to ${days(known.at(-1) ?? null)}`
    })
    return `| ${kind} | ${cells.join(' | ')} |`
  })
  const seeds = results.map(({ seed }) => `seed ${seed}`)
  return [`| days until suspended | ${seeds.join(' | ')} |`, `|---|${seeds.map(() => '---|').join('')}`, ...rows]
}
