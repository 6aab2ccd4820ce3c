/**
 * A bridge on a folder of the test, with accounts, devices and hosts that speak to it over real HTTP and WebSockets.
 * Chores run only when they are pulled, the clock stands still until it is moved.
 */

import { type Clock, systemClock } from '../../src/base/clock.js'
import { silentLog } from '../../src/base/log.js'
import { type Bridge, type BridgeOptions, type BridgeParts, startBridge } from '../../src/bridge/bridge.js'
import type { BridgeConfig } from '../../src/bridge/config.js'
import type { Rooms } from '../../src/bridge/rooms.js'
import { BridgeClient } from '../../src/bridge-client/bridge-client.js'
import { BridgeSocket } from '../../src/bridge-client/bridge-socket.js'
import { BoxKey } from '../../src/crypto/box-key.js'
import { sha256 } from '../../src/crypto/hash.js'
import { SecretBytes } from '../../src/crypto/secret.js'
import type { SigningKey } from '../../src/crypto/signing-key.js'
import { type ChainRecord, RECORD_KIND } from '../../src/model/chain.js'
import {
  accountId,
  bridgeId,
  type DeviceId,
  type DriveId,
  deviceId,
  driveId,
  type HostId,
  hostId,
  type SegmentId,
} from '../../src/model/ids.js'
import type { PlacementGrant } from '../../src/model/segment.js'
import { makeEpoch, makeGenesis, makeWriterTerm } from '../../src/permits/chain-author.js'
import { appendRecord, startChain } from '../../src/permits/chain-rules.js'
import type { ChainState } from '../../src/permits/chain-state.js'
import { signReceipt } from '../../src/permits/receipt.js'
import { decodeToken } from '../../src/permits/token.js'
import { DrivenClock } from './driven-clock.js'
import { keyOf, type TestSegment, until } from './named.js'

export interface WorldOptions extends BridgeOptions {
  config?: Partial<BridgeConfig>
  clock?: DrivenClock
  transport?: BridgeParts['transport']
  log?: BridgeParts['log']
  random?: BridgeParts['random']
}

export class World {
  readonly dir: string
  readonly clock: DrivenClock
  readonly key = keyOf('bridge')
  private readonly options: WorldOptions
  private readonly stopping: (() => Promise<void>)[] = []
  bridge!: Bridge
  rooms!: Rooms

  private constructor(dir: string, options: WorldOptions) {
    this.dir = dir
    this.options = options
    this.clock = options.clock ?? new DrivenClock()
  }

  static async start(dir: string, options: WorldOptions = {}): Promise<World> {
    const world = new World(dir, options)
    await world.startBridge()
    return world
  }

  async startBridge(port = 0): Promise<void> {
    const { config, clock: _clock, transport, log = silentLog, random, ...rest } = this.options
    this.bridge = await startBridge(
      {
        dir: this.dir,
        config: {
          listen: `127.0.0.1:${port}`,
          policy: 'single-machine',
          scheme: { dataShards: 4, totalShards: 8 },
          ...config,
        },
        key: this.key,
        clock: this.clock,
        log,
        transport,
        ...(random === undefined ? {} : { random }),
      },
      { chores: false, ...rest, onBuilt: (rooms) => (this.rooms = rooms) },
    )
  }

  /** The same folder, the same port. */
  async restartBridge(): Promise<void> {
    const { port } = this.bridge
    await this.bridge.stop()
    await this.startBridge(port)
  }

  async stop(): Promise<void> {
    for (const step of this.stopping.splice(0)) await step()
    await this.bridge.stop()
  }

  client(key: SigningKey): BridgeClient {
    // The driven time, but real waits between attempts.
    const { clock } = this
    const nearClock: Clock = {
      nowMs: () => clock.nowMs(),
      nowNs: () => clock.nowNs(),
      monotonicMs: () => clock.monotonicMs(),
      sleep: systemClock.sleep,
    }
    return new BridgeClient({ url: this.bridge.url, bridge: bridgeId(this.key.id), key, clock: nearClock })
  }

  socket(key: SigningKey): BridgeSocket {
    // Real time beneath the line: leaps of the driven clock are not silence.
    const socket = new BridgeSocket({ client: this.client(key), clock: systemClock })
    this.stopping.push(() => socket.stop())
    socket.start()
    return socket
  }

  /** Registered and, unless told otherwise, connected. */
  async host(
    name: string,
    options: { online?: boolean; domain?: string; capacityBytes?: number } = {},
  ): Promise<TestHost> {
    const key = keyOf(`host ${name}`)
    const host = hostId(key.id)
    const client = this.client(key)
    const { domain, capacityBytes = 2 ** 40 } = options
    await client.registerHost({ host, capacityBytes, ...(domain === undefined ? {} : { domain }) })
    const made = new TestHost(this, key, client)
    if (options.online !== false) await made.connect()
    return made
  }

  async hosts(count: number, options: { online?: number } = {}): Promise<TestHost[]> {
    const online = options.online ?? count
    return Promise.all(Array.from({ length: count }, (_, at) => this.host(String(at), { online: at < online })))
  }

  async drive(name: string): Promise<TestDrive> {
    const account = keyOf(`account ${name}`)
    const device = keyOf(`device ${name}`)
    const recovery = BoxKey.fromSeed(SecretBytes.take(sha256(`recovery ${name}`)))
    const termKey = SecretBytes.take(sha256(`term ${name}`))
    const labelKey = SecretBytes.take(sha256(`label ${name}`))
    const drive = driveId(sha256(`drive ${name}`).subarray(0, 16))
    const genesis = makeGenesis({
      drive,
      timeMs: this.clock.nowMs(),
      account,
      recovery,
      device: deviceId(device.id),
      termKey,
      labelKey,
    })
    const owner = this.client(account)
    await owner.createAccount(accountId(account.id), recovery.publicKey)
    await owner.createDrive(genesis.encoded, sha256(`sealed label ${name}`))
    return new TestDrive({ world: this, drive, account, device, genesis, termKey, labelKey })
  }
}

export class TestHost {
  readonly id: HostId
  readonly key: SigningKey
  readonly client: BridgeClient
  private readonly world: World
  socket: BridgeSocket | null = null

  constructor(world: World, key: SigningKey, client: BridgeClient) {
    this.world = world
    this.key = key
    this.id = hostId(key.id)
    this.client = client
  }

  async connect(): Promise<BridgeSocket> {
    const socket = this.world.socket(this.key)
    this.socket = socket
    await until(() => socket.state().connected && this.world.bridge.hostsOnline().includes(this.id))
    const known = this.world.rooms.hosts.get(this.id)
    // A host of these tests has no disk to report of.
    if (known !== undefined) known.hasReported = true
    return socket
  }

  async leave(): Promise<void> {
    await this.socket?.stop()
    this.socket = null
    await until(() => !this.world.bridge.hostsOnline().includes(this.id))
  }

  /** What this host would sign after it stored the shard that the token names. */
  receiptFor(token: Buffer): Buffer {
    const { serial, pseudonym, target, bytes, generation, incarnation } = decodeToken(token)
    if (target === null) throw new Error('not a put token')
    const { segment, index, shard } = target
    const times = { storedAtMs: this.world.clock.nowMs(), keepUntilMs: 0 }
    const facts = { serial, pseudonym, segment, index, shard, length: bytes, generation, incarnation }
    return signReceipt({ host: this.id, ...facts, ...times }, this.key)
  }
}

export interface TestDriveParts {
  world: World
  drive: DriveId
  account: SigningKey
  device: SigningKey
  genesis: ChainRecord
  termKey: SecretBytes
  labelKey: SecretBytes
}

export class TestDrive {
  readonly id: DriveId
  readonly account: SigningKey
  readonly device: SigningKey
  readonly deviceId: DeviceId
  readonly genesis: ChainRecord
  readonly termKey: SecretBytes
  readonly labelKey: SecretBytes
  state: ChainState
  private readonly world: World

  constructor(parts: TestDriveParts) {
    this.world = parts.world
    this.id = parts.drive
    this.account = parts.account
    this.device = parts.device
    this.deviceId = deviceId(parts.device.id)
    this.genesis = parts.genesis
    this.termKey = parts.termKey
    this.labelKey = parts.labelKey
    this.state = startChain(parts.genesis)
  }

  get client(): BridgeClient {
    return this.world.client(this.device)
  }

  get owner(): BridgeClient {
    return this.world.client(this.account)
  }

  async append(record: ChainRecord, by: BridgeClient = this.client): Promise<void> {
    await by.append(this.id, record.encoded)
    this.state = appendRecord(this.state, record)
  }

  async claim(): Promise<void> {
    await this.append(makeWriterTerm(this.state, this.world.clock.nowMs(), this.device))
  }

  epoch(lists: { confirm?: SegmentId[]; retire?: SegmentId[]; sealed?: Buffer } = {}): ChainRecord {
    const { confirm = [], retire = [], sealed = Buffer.alloc(64, 1) } = lists
    const body = { epoch: this.state.epoch + 1, nonce: Buffer.alloc(24), sealed, confirm, retire }
    const parts = { body, writerTerm: this.state.writerTerm, timeMs: this.world.clock.nowMs() }
    return makeEpoch(this.state, RECORD_KIND.epoch, parts, this.device)
  }

  async place(...segments: TestSegment[]): Promise<PlacementGrant[]> {
    return this.client.place(this.id, segments)
  }

  /** Placed, and stored by every host that was offered it (or the first `shards` of them). */
  async store(segment: TestSegment, hosts: TestHost[], shards = 255): Promise<{ stored: number; committed: boolean }> {
    const [grant] = await this.place(segment)
    const receipts = receiptsOf(grant as PlacementGrant, hosts).slice(0, shards)
    return this.client.commit(this.id, segment.segment, receipts)
  }
}

export function receiptsOf(grant: PlacementGrant, hosts: TestHost[]): Buffer[] {
  return grant.hosts
    .filter((row) => row.token !== null)
    .map((row) => hosts.find((one) => one.id === row.host)?.receiptFor(row.token as Buffer))
    .filter((receipt) => receipt !== undefined)
}
