/**
 * A network in a box: a real bridge (which may lie), real hosts (which may lie), real drives without a door, in one process over
 * rtc's in-memory transport. Wall time is driven and stands still; what waits, waits in real time. Logs are kept.
 *
 *     const net = await DriveNet.start(t)
 *     const device = await net.newAccount()
 *     await device.open()
 *     await device.hand.write('a', bytes)
 *     await device.sync()
 */
import fs from 'node:fs'
import path from 'node:path'
import Database from 'better-sqlite3'
import { pino } from 'pino'
import type { Test } from 'tap'
import { setUpAccount, setUpDevice } from '../../src/app/account-setup.js'
import type { PeerSettings } from '../../src/app/peers.js'
import type { Surroundings } from '../../src/app/surroundings.js'
import { type Clock, systemClock } from '../../src/base/clock.js'
import type { Log } from '../../src/base/log.js'
import { systemRandom } from '../../src/base/random.js'
import type { BridgeConfig } from '../../src/bridge/config.js'
import { drawPhrase } from '../../src/crypto/phrase.js'
import { bridgeId, type HostId, type PeerId, peerId } from '../../src/model/ids.js'
import type { BodyPool } from '../../src/rtc/body-pool.js'
import { MemoryHub, type MemoryNodeOptions } from '../../src/rtc/memory-transport.js'
import type { PeerNetwork } from '../../src/rtc/peer-network.js'
import { BoxDevice } from './box-device.js'
import { BoxHost } from './box-host.js'
import { World } from './bridge-world.js'
import type { DrivenClock } from './driven-clock.js'
import { LyingBridge } from './lying-bridge.js'
import { keyOf, until } from './named.js'

export interface BoxOptions {
  hosts?: number
  /** Between reports of a host. With each it learns the time: one that asked while wall time was moved knows a wrong one until the next. */
  reportMs?: number
  config?: Partial<BridgeConfig>
  /** Monotonic time stands still as well: nothing happens because time passes. */
  standing?: boolean
  /** What peers are connected with; default: the in-memory transport. */
  openPeers?: Surroundings['openPeers']
  /** Memory of incoming bodies, of each peer. */
  bodies?: () => BodyPool
  /** Every frame before encryption. */
  tap?: (from: PeerId, to: PeerId, frame: Buffer) => void
  /** Where devices and hosts reach the bridge; default: the bridge itself. */
  bridgeUrl?: (url: string) => Promise<string> | string
}

/** Wall time of one machine: driven, with an error of its own. Waits are real. */
export class BoxClock implements Clock {
  stepMs = 0
  private readonly driven: DrivenClock
  private readonly standing: boolean

  constructor(driven: DrivenClock, standing: boolean) {
    this.driven = driven
    this.standing = standing
  }

  nowMs(): number {
    return this.driven.nowMs() + this.stepMs
  }
  nowNs(): bigint {
    return BigInt(this.nowMs()) * 1_000_000n
  }
  monotonicMs(): number {
    return this.standing ? this.driven.monotonicMs() : systemClock.monotonicMs()
  }
  sleep(delayMs: number, signal?: AbortSignal): Promise<boolean> {
    return systemClock.sleep(delayMs, signal)
  }
}

interface Parts {
  liar: LyingBridge
  hub: MemoryHub
  options: BoxOptions
  logs: string[]
}

export class DriveNet {
  readonly dir: string
  readonly world: World
  readonly liar: LyingBridge
  readonly hub: MemoryHub
  readonly hosts: BoxHost[] = []
  readonly devices: BoxDevice[] = []
  /** JSON lines of all processes. */
  readonly logs: string[]
  readonly options: BoxOptions
  bridgeUrl = ''

  private constructor(dir: string, world: World, parts: Parts) {
    this.dir = dir
    this.world = world
    this.liar = parts.liar
    this.hub = parts.hub
    this.options = parts.options
    this.logs = parts.logs
  }

  /** Ends with the test: drives are checked and closed, then hosts, then the bridge. */
  static async start(t: Test, options: BoxOptions = {}): Promise<DriveNet> {
    const dir = t.testdir()
    const hub = new MemoryHub({ clock: systemClock })
    const liar = new LyingBridge()
    const logs: string[] = []
    const bridge = bridgeId(keyOf('bridge').id)
    const transport = () => hub.node(bridge, nodeOptions(options, bridge))
    const world = await World.start(path.join(dir, 'bridge'), {
      ...liar.options,
      ...(options.config === undefined ? {} : { config: options.config }),
      log: memoryLog('bridge', logs),
      transport,
    })
    const net = new DriveNet(dir, world, { liar, hub, options, logs })
    t.teardown(() => net.stop())
    net.bridgeUrl = (await options.bridgeUrl?.(world.bridge.url)) ?? world.bridge.url
    const made = Array.from({ length: options.hosts ?? 8 }, (_, at) => BoxHost.start(net, `host-${at}`))
    net.hosts.push(...(await Promise.all(made)))
    return net
  }

  surroundings(clock: Clock, wrap: (transport: PeerNetwork) => PeerNetwork = (one) => one): Surroundings {
    const openPeers = (settings: PeerSettings) => {
      const id = peerId(settings.key.id)
      return wrap(this.options.openPeers?.(settings) ?? this.hub.node(id, nodeOptions(this.options, id)))
    }
    return { clock, random: systemRandom, openPeers }
  }

  clock(): BoxClock {
    return new BoxClock(this.world.clock, this.options.standing ?? false)
  }

  log(name: string): Log {
    return memoryLog(name, this.logs)
  }

  /** A new account with the drive `main`; its first device. */
  async newAccount(name = 'first'): Promise<BoxDevice> {
    const device = new BoxDevice(this, name, await drawPhrase(systemRandom))
    const around = this.surroundings(device.clock)
    device.facts = await setUpAccount(device.phrase, device.setup, around)
    this.devices.push(device)
    return device
  }

  /** Another device of the account, with nothing but the phrase. */
  async joinAccount(of: BoxDevice, name: string): Promise<BoxDevice> {
    const device = new BoxDevice(this, name, of.phrase)
    device.facts = await setUpDevice(device.phrase, device.setup, this.surroundings(device.clock))
    this.devices.push(device)
    return device
  }

  host(id: HostId): BoxHost {
    return this.hosts.find((one) => one.id === id) as BoxHost
  }

  /** Of the bridge's own database, read beside it. */
  rows<T>(sql: string, ...values: unknown[]): T[] {
    const db = new Database(path.join(this.world.dir, 'bridge.db'), { readonly: true })
    try {
      return db.prepare(sql).all(...values) as T[]
    } finally {
      db.close()
    }
  }

  /** The bridge as it is now, for rewindBridge: it is away meanwhile. */
  async keepBridge(): Promise<void> {
    await this.awayFor(() => fs.cpSync(this.world.dir, `${this.world.dir}-kept`, { recursive: true }))
  }

  /** Back to what was kept, by a bridge that hides it: whatever hosts show it, its incarnation stays. */
  async rewindBridge(): Promise<void> {
    this.liar.lies.ignoreMarks = true
    await this.putFolderBack()
  }

  /** The whole folder is put back, by an operator who does not think of more. */
  async putFolderBack(): Promise<void> {
    await this.awayFor(() => {
      fs.rmSync(this.world.dir, { recursive: true })
      fs.cpSync(`${this.world.dir}-kept`, this.world.dir, { recursive: true })
    })
  }

  /** The database alone is put back; what lies beside it stays. */
  async putBooksBack(): Promise<void> {
    await this.awayFor(() => {
      this.removeBooks()
      for (const file of fs.readdirSync(`${this.world.dir}-kept`)) {
        if (file.startsWith('bridge.db')) fs.cpSync(`${this.world.dir}-kept/${file}`, path.join(this.world.dir, file))
      }
    })
  }

  /** The database is gone, as if there had never been one. */
  async loseBooks(): Promise<void> {
    await this.awayFor(() => this.removeBooks())
  }

  private removeBooks(): void {
    for (const file of fs.readdirSync(this.world.dir)) {
      if (file.startsWith('bridge.db')) fs.rmSync(path.join(this.world.dir, file))
    }
  }

  private async awayFor(work: () => void): Promise<void> {
    const { port } = this.world.bridge
    await this.world.bridge.stop()
    work()
    await this.world.startBridge(port)
    await this.everyHostBack()
  }

  async everyHostBack(): Promise<void> {
    await until(() => this.hosts.every((host) => host.running === null || host.isOnline), 30_000)
  }

  /** Records of a drive as the bridge holds them. */
  records(device: BoxDevice): { sequence: number; kind: number }[] {
    const text =
      'SELECT c.sequence, c.kind FROM chain c JOIN drives d ON d.id = c.drive_row WHERE lower(hex(d.drive)) = ?'
    return this.rows(`${text} ORDER BY c.sequence`, device.facts.drive)
  }

  /** Log lines that say this. */
  logged(text: string): string[] {
    return this.logs.filter((line) => line.includes(text))
  }

  change(sql: string): void {
    const db = new Database(path.join(this.world.dir, 'bridge.db'))
    try {
      db.exec(sql)
    } finally {
      db.close()
    }
  }

  async stop(): Promise<void> {
    for (const device of this.devices) await device.close()
    for (const host of this.hosts) await host.stop()
    await this.world.stop()
  }
}

function memoryLog(name: string, lines: string[]): Log {
  return pino({ name, level: 'debug', base: { name } }, { write: (line: string) => void lines.push(line) })
}

function nodeOptions({ tap, bodies }: BoxOptions, from: PeerId): MemoryNodeOptions {
  return {
    ...(tap === undefined ? {} : { tap: (to: PeerId, frame: Buffer) => tap(from, to, frame) }),
    ...(bodies === undefined ? {} : { bodies: bodies() }),
  }
}
