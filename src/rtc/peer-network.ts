/**
 * The transport over any kind of link: for each peer a set of connections (one, unless told otherwise), dialed on
 * demand, kept warm, closed after minutes without use; at most 256 peers, the least recently used idle one going
 * first. Whoever has a connection to a peer uses it, whichever side dialed.
 */
import type { Clock } from '../base/clock.js'
import { AppError } from '../base/errors.js'
import type { PeerId } from '../model/ids.js'
import { BODY_BYTES_MAX, REQUESTS_PER_PEER_MAX } from '../wire/frame-limits.js'
import { BodyPool } from './body-pool.js'
import { Budget } from './budget.js'
import { newCounters, type TransportCounters } from './counters.js'
import * as limits from './limits.js'
import type { Dialer, FrameLink, LinkPath } from './link.js'
import { Pace } from './pace.js'
import { lost, PeerSet, type PeerSetOptions, type PeerSetParts } from './peer-set.js'
import { checkRequest, openPending, type Pending } from './pending.js'
import type { Serving } from './responder.js'
import type {
  FrameTap,
  PathCounts,
  Rates,
  RequestGate,
  RequestServer,
  Transport,
  TransportReply,
  TransportRequest,
} from './transport.js'

export interface PeerNetworkParts {
  dialer: Dialer<PeerId>
  clock: Clock
  tap?: FrameTap
  counters?: TransportCounters
  /** Memory of incoming bodies; its own unless given. */
  bodies?: BodyPool
}

export interface PeerNetworkOptions {
  /** Size of a peer's set. */
  connectionsPerPeer?: number
  peersMax?: number
  idleCloseMs?: number
  dialMs?: number
  /** Bodies in flight, for each half: own requests, and requests served. */
  inFlightBytesMax?: number
  inFlightBytesPerPeerMax?: number
}

/** Memory in use now; what the bounds of limits.ts bound. */
export interface TransportUsage {
  askingBytes: number
  servingBytes: number
  heldBytes: number
  waiting: number
  connections: number
}

export class PeerNetwork implements Transport {
  readonly counters: TransportCounters
  /** Least recently used first. */
  private readonly peers = new Map<PeerId, PeerSet>()
  private readonly pending = new Set<Pending>()
  private readonly budget: Budget
  private readonly serving: Serving
  private readonly clock: Clock
  private readonly dialer: Dialer<PeerId>
  private readonly setParts: PeerSetParts
  private readonly setOptions: PeerSetOptions
  private readonly peersMax: number
  private readonly stopping = new AbortController()
  private stopped: Promise<void> | undefined

  constructor(parts: PeerNetworkParts, options: PeerNetworkOptions = {}) {
    const { dialer, clock, tap } = parts
    this.clock = clock
    this.dialer = dialer
    this.peersMax = options.peersMax ?? limits.PEERS_MAX
    this.counters = parts.counters ?? newCounters()
    const bounds = boundsOf(options)
    this.budget = new Budget({ ...bounds, waitingPerPeerMax: limits.WAITING_PER_PEER_MAX })
    this.serving = {
      server: undefined,
      gate: undefined,
      budget: new Budget({ ...bounds, waitingPerPeerMax: REQUESTS_PER_PEER_MAX }),
      bodies: parts.bodies ?? new BodyPool(),
      heldBytes: 0,
      counters: this.counters,
      up: new Pace(clock),
      down: new Pace(clock),
      nowMs: () => clock.monotonicMs(),
    }
    const open = { connections: 0 }
    this.setParts = { dialer, clock, tap, budget: this.budget, serving: this.serving, open }
    this.setOptions = {
      connectionsPerPeer: options.connectionsPerPeer ?? 1,
      idleCloseMs: options.idleCloseMs ?? limits.IDLE_CLOSE_MS,
      dialMs: options.dialMs ?? limits.DIAL_MS,
    }
    dialer.accept((peer, link) => this.accept(peer, link))
    void this.watch()
  }

  async request(peer: PeerId, request: TransportRequest): Promise<TransportReply> {
    if (this.stopping.signal.aborted) throw stopped()
    checkRequest(request)
    const { pending, promise } = openPending(request, this.clock.monotonicMs(), (one) => this.pending.delete(one))
    this.pending.add(pending)
    this.counters.requests += 1
    const set = this.touch(peer)
    if (set === undefined) pending.reject(new AppError('busy', 'every peer has open requests', { retry: 'later' }))
    else set.place(pending)
    return promise
  }

  serve(server: RequestServer, gate?: RequestGate): void {
    this.serving.server = server
    this.serving.gate = gate
  }

  warm(peers: Iterable<PeerId>): void {
    if (this.stopping.signal.aborted) return
    for (const id of peers) this.touch(id)?.dialWhenNeeded()
  }

  setRates({ upBytesPerSecondMax, downBytesPerSecondMax }: Rates): void {
    this.serving.up.set(upBytesPerSecondMax)
    this.serving.down.set(downBytesPerSecondMax)
  }

  recycle(body: Buffer): void {
    this.serving.bodies.giveBack(body)
  }

  connected(): PeerId[] {
    return [...this.peers.values()].filter((peer) => peer.connected).map((peer) => peer.id)
  }

  pathTo(peer: PeerId): LinkPath | undefined {
    return this.peers.get(peer)?.path()
  }

  paths(): PathCounts {
    const counts = { direct: 0, relayed: 0 }
    for (const peer of this.peers.values()) {
      const path = peer.path()
      if (path !== undefined) counts[path.kind] += 1
    }
    return counts
  }

  usage(): TransportUsage {
    return {
      askingBytes: this.budget.bytesInUse,
      servingBytes: this.serving.budget.bytesInUse,
      heldBytes: this.serving.heldBytes,
      waiting: this.budget.waiting + this.serving.budget.waiting,
      connections: this.setParts.open.connections,
    }
  }

  stop(): Promise<void> {
    this.stopped ??= this.end()
    return this.stopped
  }

  private async end(): Promise<void> {
    const reason = stopped()
    this.stopping.abort(reason)
    for (const peer of [...this.peers.values()]) peer.close(reason)
    this.peers.clear()
    await this.dialer.stop()
  }

  /** The peer's set, marked as used; undefined when all 256 are in use. */
  private touch(id: PeerId): PeerSet | undefined {
    let peer = this.peers.get(id)
    if (peer === undefined) {
      if (this.peers.size >= this.peersMax && !this.evictOne()) return undefined
      peer = new PeerSet(id, this.setParts, this.setOptions)
    }
    this.peers.delete(id)
    this.peers.set(id, peer)
    return peer
  }

  private evictOne(): boolean {
    for (const peer of this.peers.values()) {
      if (!peer.idle) continue
      this.peers.delete(peer.id)
      peer.close(lost('closed for another peer'))
      return true
    }
    return false
  }

  private accept(id: PeerId, link: FrameLink): void {
    const peer = this.stopping.signal.aborted ? undefined : this.touch(id)
    if (peer === undefined) {
      link.close()
      return
    }
    this.counters.accepted += 1
    peer.accept(link)
  }

  private async watch(): Promise<void> {
    let lastMs = this.clock.monotonicMs()
    while (await this.clock.sleep(limits.TICK_MS, this.stopping.signal)) {
      const nowMs = this.clock.monotonicMs()
      const lateMs = nowMs - lastMs - limits.TICK_MS
      lastMs = nowMs
      for (const pending of [...this.pending]) {
        if (nowMs >= pending.deadlineAtMs) pending.reject(timedOut(pending))
      }
      for (const peer of [...this.peers.values()]) {
        // What peers said while this process stood still is yet to be read.
        peer.tick(nowMs, lateMs > 5 * limits.TICK_MS ? lateMs : 0)
        if (peer.empty) this.peers.delete(peer.id)
      }
    }
  }
}

function boundsOf(options: PeerNetworkOptions) {
  // One request with the largest body and the largest reply always fits.
  const least = 2 * BODY_BYTES_MAX
  const total = Math.max(least, options.inFlightBytesMax ?? limits.IN_FLIGHT_BYTES_MAX)
  const perPeer = Math.max(least, options.inFlightBytesPerPeerMax ?? limits.IN_FLIGHT_BYTES_PER_PEER_MAX)
  return { bytesMax: total, bytesPerPeerMax: Math.min(total, perPeer), countPerPeerMax: REQUESTS_PER_PEER_MAX }
}

function stopped(): AppError {
  return new AppError('stopped', 'the transport was stopped', { retry: 'never' })
}

function timedOut(pending: Pending): AppError {
  return new AppError('timed-out', `no reply within ${pending.request.deadlineMs} ms`, { retry: 'elsewhere' })
}
