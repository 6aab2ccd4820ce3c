/**
 * The bridge: coordination of accounts, drives and hosts. It knows which shard lies where and who may do what; it never
 * holds file data (but passing ciphertext of a completion), keys or names.
 *
 * startBridge opens the database in `dir`, listens, and completes, sweeps and deletes in the background until stop().
 * A second bridge in the same folder is refused (`folder-locked`), as is a single-machine bridge on a public address
 * (`policy-public`). After a crash the same folder gives the same bridge.
 */
import type { AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'
import type { Clock } from '../base/clock.js'
import { AppError } from '../base/errors.js'
import { explained, makeFolder } from '../base/folders.js'
import type { Log } from '../base/log.js'
import { type RandomBytes, systemRandom } from '../base/random.js'
import type { SigningKey } from '../crypto/signing-key.js'
import { type BridgeId, bridgeId, type HostId, type PeerId } from '../model/ids.js'
import type { Signaling } from '../rtc/signaling.js'
import type { Transport } from '../rtc/transport.js'
import { type SignalMessage, SOCKET_LIMITS } from '../wire/socket.js'
import { addressFinder } from './api/address.js'
import { Gate } from './api/gate.js'
import { buildServer } from './api/server.js'
import type { BridgeService } from './api/service.js'
import { makeService } from './api/service-parts.js'
import { SocketDoor } from './api/socket.js'
import type { AuditStatus } from './audits/audits.js'
import { TICK_MS } from './audits/times.js'
import { Chores } from './chores.js'
import { type BridgeConfig, checkConfig } from './config.js'
import type { Collected } from './hosts/garbage-collector.js'
import { Store } from './persist/store.js'
import { buildRooms, type Rooms } from './rooms.js'
import { Hub } from './signaling/hub.js'
import { attachSelf } from './signaling/self.js'

export interface BridgeParts {
  dir: string
  config: BridgeConfig
  /** The bridge's identity: loadBridgeKey(dir). Stays the caller's to wipe. */
  key: SigningKey
  clock: Clock
  log: Log
  /** Makes the bridge's own peer out of its signaling; the bridge stops it. Without one nothing is completed. */
  transport?: (signaling: Signaling) => Transport | Promise<Transport>
  random?: RandomBytes
  version?: string
  /** The key was here before this start, whatever the database says. */
  isSuccessor?: boolean
}

export interface BridgeOptions {
  /** False: nothing happens by itself, chores are pulled by hand. */
  chores?: boolean
  /** Stands between requests and their answers, before replies are signed. */
  around?: (service: BridgeService) => BridgeService
  /** Sees the rooms before anything happens in them (tests). */
  onBuilt?: (rooms: Rooms) => void
  /** Changes signals before they are relayed. */
  onRelay?: (signal: SignalMessage) => SignalMessage | null
}

export interface Bridge {
  id: BridgeId
  /** Where clients reach it. */
  url: string
  port: number
  signaling: Signaling
  hostsOnline(): HostId[]
  /** Resolves when the database answers and the door is open. */
  answers(): Promise<void>
  /** The chores, by hand; each resolves when its round is through. */
  pull: {
    complete(): Promise<void>
    /** Counts what changed, then repairs what can be repaired. */
    repair(): Promise<void>
    /** Only counts; `all`: every segment. */
    count(all?: boolean): Promise<void>
    /** Garbage of one host, or of all that are online. */
    collect(host?: HostId): Promise<Collected[]>
    sweep(): Promise<number>
    forget(): Promise<void>
    /** What the books lost comes back: one round. */
    reconcile(): Promise<void>
    ping(): void
    /** Closes rounds that are over and asks all hosts that are due; with a host, that one, now. */
    audit(host?: HostId): Promise<void>
  }
  auditStatus(): Promise<AuditStatus>
  stop(): Promise<void>
}

const COMPLETE_EVERY_MS = 15_000
const REPAIR_EVERY_MS = 15_000
const COUNT_ALL_EVERY_MS = 86_400_000
const SWEEP_EVERY_MS = 3_600_000
const FORGET_EVERY_MS = 600_000
const RECONCILE_EVERY_MS = 15_000
/** Each host about once a day: this is how late one may be. */
const COLLECT_EVERY_MS = 900_000
/** How old a copy of the books must be to be told from the books. */
const MARK_EVERY_MS = 60_000
/** Requests under way get so long at stop. */
const STOP_MS = 5_000

export async function startBridge(parts: BridgeParts, options: BridgeOptions = {}): Promise<Bridge> {
  const address = checkConfig(parts.config)
  explained(parts.dir, () => makeFolder(parts.dir))
  const { clock, random, isSuccessor } = parts
  const store = Store.open(parts.dir, { nowMs: () => clock.nowMs(), random, isSuccessor })
  const stopping: (() => Promise<void> | void)[] = [() => store.close()]
  const stop = async () => {
    for (const step of stopping.splice(0).reverse()) await step()
  }
  try {
    return await start(parts, options, { store, address, stopping, stop })
  } catch (error) {
    await stop()
    throw error
  }
}

async function start(
  parts: BridgeParts,
  options: BridgeOptions,
  opened: {
    store: Store
    address: { host: string; port: number }
    /** Undone last to first. */
    stopping: (() => Promise<void> | void)[]
    stop(): Promise<void>
  },
): Promise<Bridge> {
  const { clock, log, key, config } = parts
  const id = bridgeId(key.id)
  const hub = new Hub({ clock })
  if (options.onRelay) hub.onRelay = options.onRelay
  const signaling = attachSelf(hub, id)
  const transport = (await parts.transport?.(signaling)) ?? null
  if (transport !== null) opened.stopping.push(() => transport.stop())
  const random = parts.random ?? systemRandom
  const rooms = await buildRooms({ store: opened.store, config, key, clock, random, log, hub, transport })
  options.onBuilt?.(rooms)
  const chores = new Chores({ clock, log })
  opened.stopping.push(() => chores.stop())
  followHosts(rooms, hub, chores, options.chores !== false)
  const plain = makeService(rooms, { clock, key, version: parts.version ?? '0' })
  const service = options.around?.(plain) ?? plain
  const gate = new Gate({ bridge: id, clock, rates: config.rates })
  const addressOf = addressFinder(config.behindProxy ?? false)
  const server = buildServer({ service, gate, key, clock, log, addressOf })
  const door = new SocketDoor({
    ...{ gate, hub, clock, log, key, addressOf },
    roleOf: (peer, from) => roleOf(rooms, peer, from),
    onDeleted: (host, message) => chores.background('deleted', () => rooms.deletions.onDeleted(host, message)),
  })
  door.listen(server.server)
  opened.stopping.push(() => closeServer(server, door, clock))
  const port = await listen(server, opened.address)
  if (options.chores !== false) startChores(rooms, chores, door)
  log.info({ bridge: id, port, policy: config.policy }, 'bridge is up')
  const { incarnation, frozen } = opened.store
  if (frozen)
    log.warn(
      { incarnation },
      'the books may be old: nothing is forgotten until hosts and drives have told what they know',
    )
  return {
    id,
    url: config.publicUrl ?? urlOf(opened.address.host, port),
    port,
    signaling,
    hostsOnline: () => hub.hostsOnline(),
    answers: () => expectLife(opened.store, server),
    pull: pullsOf(rooms, chores, door),
    auditStatus: () => rooms.audits.status(),
    stop: opened.stop,
  }
}

function followHosts(rooms: Rooms, hub: Hub, chores: Chores, act: boolean): void {
  hub.listen({
    onHostOnline: (host) => {
      rooms.hosts.setOnline(host, true)
      if (!act) return
      chores.background('reconcile', (signal) => rooms.reconciler.round(signal))
      chores.background('complete', async (signal) => rooms.repairs.own?.completion.hostReturned(host, signal))
      chores.background('count', (signal) => rooms.repairs.queue.look(signal))
      chores.background('forget', (signal) => rooms.deletions.round(host, signal))
    },
    onHostOffline: (host) => {
      rooms.hosts.setOnline(host, false)
      chores.background('gone', () => rooms.hosts.noteGone(host))
    },
  })
}

function startChores(rooms: Rooms, chores: Chores, door: SocketDoor): void {
  chores.every('ping', SOCKET_LIMITS.pingMs, () => door.pingAll())
  chores.every('complete', COMPLETE_EVERY_MS, async (signal) => rooms.repairs.own?.completion.round(signal))
  chores.every('repair', REPAIR_EVERY_MS, (signal) => repair(rooms, signal))
  chores.every('count all', COUNT_ALL_EVERY_MS, (signal) => rooms.repairs.queue.walkAll(signal))
  chores.every('collect', COLLECT_EVERY_MS, async (signal) => rooms.repairs.own?.rounds.round(signal))
  chores.every('sweep', SWEEP_EVERY_MS, async (signal) => void (await rooms.sweeper.sweep(signal)))
  chores.every('audit', TICK_MS, (signal) => rooms.audits.round(signal))
  chores.every('reconcile', RECONCILE_EVERY_MS, (signal) => rooms.reconciler.round(signal))
  chores.every('mark', MARK_EVERY_MS, () => rooms.store.incarnations.turn())
  chores.every('forget', FORGET_EVERY_MS, (signal) => forgetAll(rooms, signal))
}

function pullsOf(rooms: Rooms, chores: Chores, door: SocketDoor): Bridge['pull'] {
  return {
    complete: async () => rooms.repairs.own?.completion.round(chores.signal),
    repair: () => repair(rooms, chores.signal),
    count: async (all = false) => {
      await rooms.repairs.queue.look(chores.signal)
      if (all) await rooms.repairs.queue.walkAll(chores.signal)
    },
    collect: (host) => collect(rooms, chores.signal, host),
    sweep: () => rooms.sweeper.sweep(chores.signal),
    reconcile: () => rooms.reconciler.round(chores.signal),
    forget: () => forgetAll(rooms, chores.signal),
    ping: () => door.pingAll(),
    audit: (host) =>
      host === undefined ? rooms.audits.round(chores.signal) : rooms.audits.askNow(host, chores.signal),
  }
}

async function repair(rooms: Rooms, signal: AbortSignal): Promise<void> {
  const { queue, desk, exits, own } = rooms.repairs
  await queue.look(signal)
  await desk.expire()
  if (rooms.config.repair?.inProcess !== false) await own?.repairer.round(signal)
  await exits.round()
}

async function collect(rooms: Rooms, signal: AbortSignal, host?: HostId): Promise<Collected[]> {
  const wanted = rooms.hosts.all().filter((one) => one.online && (host === undefined || one.host === host))
  const found = await Promise.all(wanted.map((one) => rooms.repairs.own?.collector.round(one.host, signal)))
  return found.filter((one) => one !== undefined && one !== null)
}

async function forgetAll(rooms: Rooms, signal: AbortSignal): Promise<void> {
  const online = rooms.hosts.all().filter((host) => host.online)
  await Promise.all(online.map((host) => rooms.deletions.round(host.host, signal)))
}

async function roleOf(rooms: Rooms, key: PeerId, address: string): Promise<'device' | 'host'> {
  if (rooms.hosts.get(key as HostId) !== undefined) {
    await rooms.hosts.noteConnected(key as HostId, address)
    return 'host'
  }
  if (rooms.repairCalls.isWorker(key) || (await rooms.access.isDevice(key))) return 'device'
  throw new AppError('unknown-key', 'this key is of no host and no device', {
    hint: 'a host registers first; a device belongs to a drive',
  })
}

async function listen(server: FastifyInstance, address: { host: string; port: number }): Promise<number> {
  try {
    await server.listen({ host: address.host, port: address.port, backlog: 511 })
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code !== 'EADDRINUSE' && code !== 'EACCES' && code !== 'EADDRNOTAVAIL') throw error
    throw new AppError('listen-failed', `cannot listen on ${address.host}:${address.port} (${code})`, {
      cause: error,
      hint: 'is another bridge running, or is the port taken?',
    })
  }
  return (server.server.address() as AddressInfo).port
}

async function expectLife(store: Store, server: FastifyInstance): Promise<void> {
  await store.answers()
  if (!server.server.listening) throw new AppError('stopped', 'the bridge listens no more')
}

async function closeServer(server: FastifyInstance, door: SocketDoor, clock: Clock): Promise<void> {
  // First nobody new comes in, then the standing lines end, then what is under way.
  const closed = server.close()
  await door.stop()
  const waiting = new AbortController()
  const timer = clock.sleep(STOP_MS, waiting.signal).then((late) => late && server.server.closeAllConnections())
  await closed
  waiting.abort()
  await timer
}

function urlOf(host: string, port: number): string {
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`
}
