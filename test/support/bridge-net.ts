/**
 * A bridge with real hosts (volumes on disk, real permits) and a pushing device, all in one process: HTTP and WebSockets
 * to the bridge, rtc's in-memory transport between peers. Chores are pulled by hand.
 */
import fs from 'node:fs'
import path from 'node:path'
import Database from 'better-sqlite3'
import { type Clock, systemClock } from '../../src/base/clock.js'
import { AppError } from '../../src/base/errors.js'
import { silentLog } from '../../src/base/log.js'
import { systemRandom } from '../../src/base/random.js'
import type { KnownHost } from '../../src/bridge/hosts/registry.js'
import type { Held } from '../../src/bridge/persist/presence-rows.js'
import type { BridgeClient } from '../../src/bridge-client/bridge-client.js'
import type { BridgeSocket } from '../../src/bridge-client/bridge-socket.js'
import type { SigningKey } from '../../src/crypto/signing-key.js'
import { initHostFolder, openHostFolder } from '../../src/host/folder.js'
import { Host, type HostOptions } from '../../src/host/host.js'
import { bridgeId, type HostId, type SegmentId, type ShardId } from '../../src/model/ids.js'
import { MemoryHub, type MemoryTransport } from '../../src/rtc/memory-transport.js'
import { type SealedSegment, sealSegment } from '../../src/segment/seal.js'
import type { HostReport, HostState } from '../../src/wire/host-api.js'
import { decodePutReply, encodeTokenHead, METHOD } from '../../src/wire/methods.js'
import { type TestDrive, World, type WorldOptions } from './bridge-world.js'
import { LyingAuditee } from './lying-auditee.js'
import { keyOf, until } from './named.js'
import { rampBytes } from './ramp.js'

const SCHEME = { dataShards: 4, totalShards: 8 }

export interface NetOptions extends WorldOptions {
  /** Hosts live by the driven clock too: their shards grow old with it. */
  ownTime?: boolean
  /** Of every host that is started. */
  hostOptions?: HostOptions
}

export class Net {
  readonly ownTime: boolean
  readonly world: World
  readonly hub: MemoryHub
  readonly hosts: NetHost[] = []
  /** Of every host that is started. */
  readonly hostOptions: HostOptions

  private constructor(world: World, hub: MemoryHub, { ownTime, hostOptions }: Pick<Net, 'ownTime' | 'hostOptions'>) {
    this.ownTime = ownTime
    this.world = world
    this.hub = hub
    this.hostOptions = hostOptions
  }

  static async start(dir: string, count: number, options: NetOptions = {}): Promise<Net> {
    const { ownTime = false, hostOptions = {}, ...rest } = options
    const hub = new MemoryHub({ clock: systemClock })
    const transport = () => hub.node(bridgeId(keyOf('bridge').id), { dialMs: 1_000 })
    const world = await World.start(path.join(dir, 'bridge'), { transport, ...rest })
    const net = new Net(world, hub, { ownTime, hostOptions })
    for (let at = 0; at < count; at++) net.hosts.push(await NetHost.start(net, path.join(dir, `host-${at}`)))
    return net
  }

  async stop(): Promise<void> {
    for (const host of this.hosts) await host.end()
    await this.world.stop()
  }

  /** The bridge, as this host asks it. */
  clientOf(host: NetHost): BridgeClient {
    return this.world.client(host.key)
  }

  /** Changes the bridge's books behind its back. */
  edit(change: (db: Database.Database) => void): void {
    const db = new Database(path.join(this.world.dir, 'bridge.db'))
    try {
      db.pragma('foreign_keys = OFF')
      change(db)
    } finally {
      db.close()
    }
  }

  /** What the bridge knows of a host. */
  known(host: NetHost): KnownHost {
    const found = this.world.rooms.hosts.get(host.id)
    if (found === undefined) throw new Error('the bridge does not know it')
    return found
  }

  async setState(host: NetHost, state: HostState): Promise<void> {
    await this.world.rooms.hosts.setState(this.known(host).row, state, null)
  }

  async setExit(host: NetHost, leavingAt: number | null): Promise<void> {
    await this.world.rooms.hosts.setExit(this.known(host).row, { leavingAt, leftAt: null })
  }

  /** By the books. */
  held(host: NetHost): Promise<Held> {
    return this.world.rooms.store.presences.heldBy(this.known(host).row)
  }

  host(id: HostId): NetHost {
    const found = this.hosts.find((one) => one.id === id)
    if (found === undefined) throw new Error('no such host')
    return found
  }
}

export class NetHost {
  readonly dir: string
  id!: HostId
  key!: SigningKey
  /** What it says when it is audited. */
  readonly auditee = new LyingAuditee()
  client!: BridgeClient
  host: Host | null = null
  private readonly net: Net
  private socket: BridgeSocket | null = null
  private transport: MemoryTransport | null = null

  private constructor(net: Net, dir: string) {
    this.net = net
    this.dir = dir
  }

  static async start(net: Net, dir: string): Promise<NetHost> {
    fs.mkdirSync(dir, { recursive: true })
    const { bridge } = net.world
    const config = { version: 1 as const, bridgeUrl: bridge.url, bridge: bridge.id, capacityBytes: 2 ** 31 }
    initHostFolder(dir, config, systemRandom)
    const made = new NetHost(net, dir)
    await made.run()
    return made
  }

  async run(): Promise<void> {
    const { world, hub } = this.net
    const folder = openHostFolder(this.dir)
    this.id = folder.host
    this.key = folder.key
    const client = world.client(folder.key)
    this.client = client
    let socket: BridgeSocket | null = null
    const deletes = new Set<(token: Buffer) => void>()
    this.auditee.key = folder.key
    this.transport = this.auditee.wrap(hub.node(folder.host))
    const session = {
      nowMs: () => world.clock.nowMs(),
      register: async (request: Parameters<typeof client.registerHost>[0]) => client.registerHost(request),
      report: (host: HostId, report: Parameters<typeof client.reportHost>[1]) => client.reportHost(host, report),
      onDelete: (listener: (token: Buffer) => void) => {
        deletes.add(listener)
        return () => deletes.delete(listener)
      },
      sendDeleted: (answer: { serial: string; ok: boolean; code?: string }) => socket?.sendDeleted(answer),
    }
    const clock = this.net.ownTime ? ownClock(world.clock) : systemClock
    const parts = { folder, transport: this.transport, session, clock, log: silentLog }
    this.host = await Host.start(parts, { diskFloorBytes: 0, diskLookMs: 3_600_000, ...this.net.hostOptions })
    await until(async () => (await this.host?.status())?.registered === true)
    socket = world.socket(folder.key)
    socket.onDelete((token) => {
      for (const listener of deletes) listener(token)
    })
    this.socket = socket
    await until(() => world.bridge.hostsOnline().includes(this.id))
  }

  /** As SIGKILL, but for the folder's lock. */
  async kill(): Promise<void> {
    if (this.host === null) return
    await this.end()
    await until(() => !this.net.world.bridge.hostsOnline().includes(this.id), 20_000)
  }

  /** Whether or not the bridge notices. */
  async end(): Promise<void> {
    if (this.host === null) return
    this.net.hub.kill(this.id)
    await this.socket?.stop()
    await this.host.stop()
    await this.transport?.stop()
    this.host = null
  }

  /** The host loses a shard, and knows nothing of it. */
  async lose(place: { segment: SegmentId; index: number; shard: ShardId }): Promise<void> {
    await this.change('DELETE FROM shards WHERE segment = ? AND idx = ?', place)
  }

  /** The host finds out that a shard is damaged. */
  async damage(place: { segment: SegmentId; index: number; shard: ShardId }): Promise<void> {
    await this.change('UPDATE shards SET damaged = 1, item = NULL WHERE segment = ? AND idx = ?', place)
  }

  private async change(sql: string, place: { segment: SegmentId; index: number }): Promise<void> {
    await this.kill()
    const db = new Database(path.join(this.dir, 'index.db'))
    db.prepare(sql).run(Buffer.from(place.segment, 'hex'), place.index)
    db.close()
    await this.run()
  }

  /** Tells the bridge what it is told to tell, until the host's own next report. */
  async report(report: HostReport): Promise<void> {
    await this.net.world.client(this.key).reportHost(this.id, report)
  }

  /** From now on every put is refused with this code. */
  refuse(code: string): void {
    const { host } = this
    if (host === null) throw new Error('the host is not there')
    host.store.checkRoom = () => {
      throw new AppError(code, 'as the test wants it', { retry: 'elsewhere' })
    }
  }

  shards(): number {
    return this.host?.store.totals().shards ?? 0
  }
}

/** Driven time, real waits. */
function ownClock(driven: Clock): Clock {
  return {
    nowMs: () => driven.nowMs(),
    nowNs: () => driven.nowNs(),
    monotonicMs: () => driven.monotonicMs(),
    sleep: systemClock.sleep,
  }
}

/** Seals, places, pushes to the hosts that are there, commits. */
export class Uploader {
  readonly drive: TestDrive
  private readonly net: Net
  private readonly transport: MemoryTransport
  private count = 0

  constructor(net: Net, drive: TestDrive) {
    this.net = net
    this.drive = drive
    this.transport = net.hub.node(drive.deviceId)
  }

  async seal(sizeBytes: number): Promise<SealedSegment> {
    this.count++
    return sealSegment({ key: this.drive.termKey, number: 1 }, [rampBytes(this.count, sizeBytes)], SCHEME)
  }

  /** Stored shards. */
  async push(fresh: SealedSegment, shardsMax = 255): Promise<number> {
    const { info, shards, shardIds } = fresh
    const entry = { ...info, shards: shardIds }
    const bytesOf = (index: number) => shards.subarray(index * info.shardLength, (index + 1) * info.shardLength)
    const [grant] = await this.drive.client.place(this.drive.id, [entry])
    const offered = (grant?.hosts ?? []).filter((row) => row.token !== null).slice(0, shardsMax)
    const receipts = await Promise.all(
      offered.map(async ({ host, index, token }) => {
        const head = encodeTokenHead(token as Buffer)
        const request = { method: METHOD.put, head, body: bytesOf(index), deadlineMs: 20_000 }
        return decodePutReply((await this.transport.request(host, request)).head)
      }),
    )
    return (await this.drive.client.commit(this.drive.id, info.segment, receipts)).stored
  }

  async stop(): Promise<void> {
    await this.transport.stop()
    void this.net
  }
}
