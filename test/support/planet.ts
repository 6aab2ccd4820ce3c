/**
 * A whole network over virtual months: a real bridge, a hundred real hosts with volumes on disk, each in a network of its own,
 * and a drive whose segments are read back at the end. Wall time is driven; the bridge's chores are pulled in the rhythm in which
 * they would come by themselves, as often as audits do and not every few seconds. What is drawn here and by the bridge comes from the
 * seed; hosts answer side by side, so in what order it is drawn differs a little from run to run.
 */
import path from 'node:path'
import { type Clock, systemClock } from '../../src/base/clock.js'
import type { KnownHost } from '../../src/bridge/hosts/registry.js'
import { bridgeId, type HostId } from '../../src/model/ids.js'
import { MemoryHub } from '../../src/rtc/memory-transport.js'
import type { Transport } from '../../src/rtc/transport.js'
import { World } from './bridge-world.js'
import { Dice } from './dice.js'
import { comeFromWhereTheyGo } from './from-address.js'
import { keyOf } from './named.js'
import { type HostPlan, PlanetHost } from './planet-host.js'
import { DAY_MS, MINUTE_MS } from './planet-time.js'

/** Hosts are compared with the books. */
const COLLECT_EVERY_DAYS = 5
/** All from one machine, at hundreds of times their pace. */
const RATES = { perSecond: 1e6, burst: 1e6 }
const SCHEME = { dataShards: 6, totalShards: 18 }

export interface PlanetOptions {
  seed: number
  /** With each host. Time goes by in as many steps, so that each chore looks at least as often. */
  burstsADay: number
  /** Around the bridge's own peer: distances. */
  distances?: (transport: Transport) => Transport
}

/** Wall time and long waits are driven, what is short is real: nobody waits for a line that answers at once. */
class PlanetClock implements Clock {
  private readonly driven: Clock
  private readonly errorMs: () => number

  constructor(driven: Clock, errorMs: () => number) {
    this.driven = driven
    this.errorMs = errorMs
  }

  nowMs(): number {
    return this.driven.nowMs() + this.errorMs()
  }

  nowNs(): bigint {
    return BigInt(this.nowMs()) * 1_000_000n
  }

  /** Real: leaps of the driven clock are not silence on a line. */
  monotonicMs(): number {
    return systemClock.monotonicMs()
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<boolean> {
    return delayMs >= MINUTE_MS ? this.driven.sleep(delayMs, signal) : systemClock.sleep(delayMs, signal)
  }
}

export class Planet {
  readonly dir: string
  readonly world: World
  readonly hub: MemoryHub
  readonly dice: Dice
  readonly hosts: PlanetHost[] = []
  readonly stepsADay: number
  private readonly byId = new Map<HostId, PlanetHost>()
  private readonly startMs: number
  private steps = 0

  private constructor(dir: string, world: World, hub: MemoryHub, dice: Dice, stepsADay: number) {
    this.stepsADay = stepsADay
    this.dir = dir
    this.world = world
    this.hub = hub
    this.dice = dice
    this.startMs = world.clock.nowMs()
  }

  static async start(dir: string, options: PlanetOptions): Promise<Planet> {
    comeFromWhereTheyGo()
    const hub = new MemoryHub({ clock: systemClock })
    const dice = new Dice(options.seed)
    const chance = new Dice(options.seed + 1)
    const { burstsADay, distances = (one: Transport) => one } = options
    const auditEveryMs = DAY_MS / burstsADay
    const world = await World.start(path.join(dir, 'bridge'), {
      config: { policy: 'standard', scheme: SCHEME, rates: { address: RATES, key: RATES }, auditEveryMs },
      transport: () => distances(hub.node(bridgeId(keyOf('bridge').id), { dialMs: 300, peersMax: 256 })),
      random: (size) => chance.bytes(size),
    })
    return new Planet(dir, world, hub, dice, burstsADay)
  }

  /** Since the start. */
  get day(): number {
    return (this.world.clock.nowMs() - this.startMs) / DAY_MS
  }

  /** True once in each day. */
  get isMidnight(): boolean {
    return this.steps % this.stepsADay === 0
  }

  /** Uniform in [0, 1). */
  lot(): number {
    return this.dice.roll(0, 2 ** 30 - 1) / 2 ** 30
  }

  clock(errorMs: () => number): Clock {
    return new PlanetClock(this.world.clock, errorMs)
  }

  host(id: HostId): PlanetHost | undefined {
    return this.byId.get(id)
  }

  /** As the bridge knows it. */
  known(host: PlanetHost): KnownHost | undefined {
    return this.world.rooms.hosts.get(host.id)
  }

  /** New hosts; each in a network of its own unless the plan says where. */
  async join(plans: readonly HostPlan[]): Promise<void> {
    for (const plan of plans) {
      const host = new PlanetHost(this, this.hosts.length, plan)
      await host.join()
      this.hosts.push(host)
      this.byId.set(host.id, host)
    }
  }

  /** Time goes by. `onStep` before the chores of each step. */
  async live(days: number, onStep: () => Promise<void>): Promise<void> {
    for (let left = days * this.stepsADay; left > 0; left--) {
      await this.world.clock.leap(DAY_MS / this.stepsADay)
      this.steps++
      await onStep()
      await this.pull()
    }
  }

  private async pull(): Promise<void> {
    const { pull } = this.world.bridge
    await pull.audit()
    await pull.complete()
    await pull.repair()
    if (!this.isMidnight) return
    await pull.count(true)
    await pull.sweep()
    await pull.forget()
    if (Math.round(this.day) % COLLECT_EVERY_DAYS === 0) await pull.collect()
  }

  async stop(): Promise<void> {
    for (const host of this.hosts) await host.leave()
    await this.world.stop()
  }
}
