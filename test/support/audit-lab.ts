/**
 * Audits without doors: the bridge's books in real SQLite, hosts' real answers (audit-desk.ts) from memory, a network that is
 * a function call. Time is driven, chance has a seed. Every shard is real: proofs are.
 */
import { AppError } from '../../src/base/errors.js'
import type { Log } from '../../src/base/log.js'
import { silentLog } from '../../src/base/log.js'
import { Auditor } from '../../src/bridge/audits/auditor.js'
import { Audits } from '../../src/bridge/audits/audits.js'
import { Closing } from '../../src/bridge/audits/closing.js'
import { Losses } from '../../src/bridge/audits/losses.js'
import { AuditRequests } from '../../src/bridge/audits/requests.js'
import { BURST_EVERY_MS, ROUND_MS } from '../../src/bridge/audits/times.js'
import { HostRegistry } from '../../src/bridge/hosts/registry.js'
import { Store } from '../../src/bridge/persist/store.js'
import { Standings } from '../../src/bridge/reputation/standings.js'
import { makeProof, shardTree } from '../../src/crypto/merkle.js'
import type { SigningKey } from '../../src/crypto/signing-key.js'
import { AuditDesk } from '../../src/host/endpoint/audit-desk.js'
import {
  accountId,
  bridgeId,
  type DriveId,
  deviceId,
  driveId,
  hostId,
  type ShardId,
  segmentId,
  shardId,
} from '../../src/model/ids.js'
import type { TransportReply, TransportRequest } from '../../src/rtc/transport.js'
import type { Policy } from '../../src/wire/api.js'
import { METHOD } from '../../src/wire/methods.js'
import { Dice } from './dice.js'
import { DrivenClock } from './driven-clock.js'
import { keyOf } from './named.js'
import { rampBytes } from './ramp.js'

/** What stands between the bridge and a host's true answer. */
export type Trick = (request: TransportRequest, answer: () => Promise<TransportReply>) => Promise<TransportReply>

export class LabHost {
  readonly key: SigningKey
  readonly desk: AuditDesk
  readonly shards = new Map<ShardId, Buffer>()
  /** Shards whose leaves do not come out as they went in. */
  readonly rotten = new Set<ShardId>()
  private readonly trees = new Map<ShardId, Buffer>()
  row = 0
  online = true
  trick: Trick = (_, answer) => answer()
  asked = 0

  constructor(name: string, clock: DrivenClock) {
    this.key = keyOf(`lab host ${name}`)
    const parts = { key: this.key, host: this.id, bridge: bridgeId(keyOf('bridge').id), nowMs: () => clock.nowMs() }
    this.desk = new AuditDesk({
      ...parts,
      store: { read: (_, shard, first) => this.read(shard, first) },
      log: silentLog,
    })
  }

  get id() {
    return hostId(this.key.id)
  }

  private async read(shard: ShardId, firstLeaf: number) {
    const bytes = this.shards.get(shard)
    if (bytes === undefined) throw new AppError('shard-not-found', 'gone')
    if (this.rotten.has(shard)) throw new AppError('shard-damaged', 'rotten')
    if (firstLeaf * 1_024 >= bytes.length) throw new AppError('malformed', 'no such leaf')
    const subtrees = this.trees.get(shard) ?? (await shardTree(bytes)).subtrees
    this.trees.set(shard, subtrees)
    const blocks = new Map([
      [Math.floor(firstLeaf / 64), bytes.subarray(Math.floor(firstLeaf / 64) * 65_536).subarray(0, 65_536)],
    ])
    const proof = makeProof({ shardLength: bytes.length, firstLeaf, leafCount: 1 }, subtrees, blocks)
    return { leaves: bytes.subarray(firstLeaf * 1_024, (firstLeaf + 1) * 1_024), proof, length: bytes.length }
  }
}

export interface LabOptions {
  hosts: number
  segments: number
  /** Of each segment; default: one on every host. Else on as many hosts that follow each other. */
  shardsEach?: number
  shardBytes?: number
  seed?: number
  log?: Log
  /** Of audits with one host; default: as a bridge does. */
  everyMs?: number
  /** Default: every host for itself. */
  policy?: Policy
  /** Of the host with this number; default: four operators, each host in a network of its own. */
  factsOf?: (at: number) => { operator: string | null; subnet: string }
}

function ofFour(at: number) {
  return { operator: `op${at % 4}`, subnet: `10.0.${at}.0/24` }
}

export class Lab {
  readonly clock = new DrivenClock()
  readonly hosts: LabHost[] = []
  readonly dice: Dice
  readonly drive: DriveId = driveId('d'.repeat(32))
  readonly device = deviceId(keyOf('lab device').id)
  private readonly dir: string
  private readonly log: Log
  private readonly policy: Policy
  private readonly everyMs: number
  store!: Store
  registry!: HostRegistry
  standings!: Standings
  audits!: Audits
  requests!: AuditRequests
  losses!: Losses
  readonly signal = new AbortController().signal

  private constructor(dir: string, options: LabOptions) {
    this.dir = dir
    this.dice = new Dice(options.seed ?? 1)
    this.log = options.log ?? silentLog
    this.policy = options.policy ?? 'single-machine'
    this.everyMs = options.everyMs ?? BURST_EVERY_MS
  }

  static async open(dir: string, options: LabOptions): Promise<Lab> {
    const lab = new Lab(dir, options)
    for (let at = 0; at < options.hosts; at++) lab.hosts.push(new LabHost(String(at), lab.clock))
    lab.store = Store.open(dir)
    await lab.fill(options)
    await lab.start()
    return lab
  }

  /** What another process left; later than it ended. */
  static async reopen(dir: string, options: LabOptions): Promise<Lab> {
    const lab = new Lab(dir, options)
    for (let at = 0; at < options.hosts; at++) lab.hosts.push(new LabHost(String(at), lab.clock))
    lab.store = Store.open(dir)
    for (const row of await lab.store.hosts.loadAll()) {
      const host = lab.hosts.find((one) => one.id === row.host)
      if (host !== undefined) host.row = row.row
    }
    for (let at = 0; at < options.segments; at++) await lab.make(at, options.hosts, options.shardBytes ?? 4_096)
    await lab.clock.leap(30 * 24 * 3_600_000)
    await lab.start()
    return lab
  }

  readonly lot = () => this.dice.roll(0, 2 ** 30) / (2 ** 30 + 1)

  private async start(): Promise<void> {
    const { store, clock, lot, log } = this
    const byId = new Map(this.hosts.map((one) => [one.id as string, one]))
    const hosts = await HostRegistry.load({ store, clock, isOnline: (host) => byId.get(host)?.online === true })
    const standings = await Standings.load({ store, hosts, clock, log })
    const transport = {
      request: (peer: string, request: TransportRequest) => this.carry(byId.get(peer) as LabHost, request),
    }
    const shared = { store, hosts, standings, clock, lot, log }
    const key = keyOf('bridge')
    const random = (size: number) => this.dice.bytes(size)
    const auditor = new Auditor({ ...shared, transport: transport as never, key, incarnation: () => 1, random })
    this.registry = hosts
    this.standings = standings
    this.requests = new AuditRequests({ store, clock, lot })
    this.losses = new Losses({ store, standings, requests: this.requests })
    const closing = new Closing({ ...shared, policy: this.policy })
    this.audits = new Audits({ ...shared, auditor, closing, everyMs: this.everyMs })
  }

  private async carry(host: LabHost, request: TransportRequest): Promise<TransportReply> {
    if (request.method === METHOD.ping) return { head: Buffer.alloc(16), body: Buffer.alloc(0) }
    host.asked++
    return host.trick(request, () => host.desk.answer(bridgeId(keyOf('bridge').id), request.head, this.signal))
  }

  /** Segments of which every host has one shard, stored by receipt. */
  private async fill(options: LabOptions): Promise<void> {
    const { hosts, segments, shardsEach = hosts, shardBytes = 4_096, factsOf = ofFour } = options
    const nowMs = this.clock.nowMs()
    for (const [at, host] of this.hosts.entries()) {
      const facts = { ...factsOf(at), capacityBytes: 2 ** 40 }
      host.row = (await this.store.hosts.save(host.id, facts, nowMs)).row
    }
    const account = accountId('a'.repeat(64))
    await this.store.accounts.saveAccount(account, Buffer.alloc(32), nowMs)
    const facts = { account, device: this.device, label: Buffer.alloc(1), stateText: '{}' }
    const genesis = { drive: this.drive, hash: Buffer.alloc(32), encoded: Buffer.alloc(1), sequence: 0, kind: 1 }
    await this.store.chain.createDrive(genesis as never, facts, nowMs)
    const driveRow = (await this.store.accounts.loadDrive(this.drive))?.row as number
    for (let at = 0; at < segments; at++) await this.fillOne(driveRow, at, shardsEach, shardBytes)
  }

  private async fillOne(driveRow: number, at: number, count: number, shardBytes: number): Promise<void> {
    const segment = segmentId(this.dice.bytes(32))
    const shards = await this.make(at, count, shardBytes)
    const shape = { dataShards: Math.max(1, count >> 1), totalShards: count, paddedLength: 1, shardLength: shardBytes }
    const placed = { segment, root: Buffer.alloc(32), ...shape, generation: 1, threshold: 1, shards }
    await this.store.segments.savePlacements(driveRow, [placed], [], this.clock.nowMs())
    const row = (await this.store.segments.load(driveRow, segment))?.row as number
    const stored = shards.map(({ index, hostRow }) => {
      return { index, hostRow, generation: 1, storedAt: this.clock.nowMs(), receipt: Buffer.alloc(258) }
    })
    await this.store.segments.saveReceipts(row, stored)
  }

  private make(at: number, count: number, shardBytes: number) {
    return Promise.all(
      Array.from({ length: count }, async (_, index) => {
        const host = this.hosts[(at * count + index) % this.hosts.length] as LabHost
        const bytes = rampBytes(at * count + index + 1, shardBytes)
        const shard = shardId((await shardTree(bytes)).id)
        host.shards.set(shard, bytes)
        return { index, shard, hostRow: host.row, offered: true }
      }),
    )
  }

  setOnline(host: LabHost, online: boolean): void {
    host.online = online
    this.registry.setOnline(host.id, online)
  }

  /** One round: every host is asked about once. */
  async round(times = 1): Promise<void> {
    for (let nth = 0; nth < times; nth++) {
      await this.clock.leap(this.everyMs)
      await this.audits.round(this.signal)
    }
  }

  /** Each of these hosts is asked now; then their round is closed. */
  async burst(...hosts: LabHost[]): Promise<void> {
    for (const host of hosts) await this.audits.askNow(host.id, this.signal)
    await this.close()
  }

  async close(): Promise<void> {
    await this.clock.leap(ROUND_MS)
    await this.audits.askNow(hostId('0'.repeat(64)), this.signal)
  }

  standing(host: LabHost) {
    return this.standings.view(host.id, host.id)
  }

  /** The books as after a restart; nothing in memory. */
  async restart(): Promise<void> {
    this.store.close()
    this.store = Store.open(this.dir)
    await this.start()
  }

  stop(): void {
    this.store.close()
  }
}
