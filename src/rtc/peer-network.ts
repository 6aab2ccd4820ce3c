/**
 * The transport over any kind of link: for each peer a set of connections (one, unless told otherwise), dialed on
 * demand, kept warm, closed after minutes without use, at most 256 peers with the least recently used idle one
 * going first. Whoever has a connection to a peer uses it, whichever side dialed.
 */
import type { Clock } from '../base/clock.js'
import { AppError } from '../base/errors.js'
import type { PeerId } from '../model/ids.js'
import { BODY_BYTES_MAX, REQUESTS_PER_PEER_MAX } from '../wire/frame-limits.js'
import { Budget } from './budget.js'
import { Connection, highWaterOf } from './connection.js'
import { newCounters, type TransportCounters } from './counters.js'
import * as limits from './limits.js'
import type { Dialer, FrameLink } from './link.js'
import { checkRequest, openPending, type Pending } from './pending.js'
import type { Serving } from './responder.js'
import type { FrameTap, RequestGate, RequestServer, Transport, TransportReply, TransportRequest } from './transport.js'

export interface PeerNetworkParts {
  dialer: Dialer<PeerId>
  clock: Clock
  tap?: FrameTap
  counters?: TransportCounters
}

export interface PeerNetworkOptions {
  /** Size of a peer's set. */
  connectionsPerPeer?: number
  peersMax?: number
  idleCloseMs?: number
  dialMs?: number
  /** Bodies in flight, for each half. */
  inFlightBytesMax?: number
  inFlightBytesPerPeerMax?: number
}

interface Peer {
  id: PeerId
  connections: { connection: Connection; dialed: boolean }[]
  dialing: AbortController | undefined
  /** Requests that wait for a connection. */
  waiting: Set<Pending>
  /** Requests that wait for memory or a turn. */
  queued: Set<Pending>
  failedAtMs: number
  failure: AppError | undefined
}

export class PeerNetwork implements Transport {
  readonly counters: TransportCounters
  /** Least recently used first. */
  private readonly peers = new Map<PeerId, Peer>()
  private readonly pending = new Set<Pending>()
  private readonly budget: Budget
  private readonly serving: Serving
  private readonly parts: PeerNetworkParts
  private readonly options: Required<PeerNetworkOptions>
  private readonly stopping = new AbortController()
  private connectionCount = 0

  constructor(parts: PeerNetworkParts, options: PeerNetworkOptions = {}) {
    this.parts = parts
    this.options = {
      connectionsPerPeer: options.connectionsPerPeer ?? 1,
      peersMax: options.peersMax ?? limits.PEERS_MAX,
      idleCloseMs: options.idleCloseMs ?? limits.IDLE_CLOSE_MS,
      dialMs: options.dialMs ?? limits.DIAL_MS,
      inFlightBytesMax: options.inFlightBytesMax ?? limits.IN_FLIGHT_BYTES_MAX,
      inFlightBytesPerPeerMax: options.inFlightBytesPerPeerMax ?? limits.IN_FLIGHT_BYTES_PER_PEER_MAX,
    }
    this.counters = parts.counters ?? newCounters()
    const bytes = {
      bytesMax: this.options.inFlightBytesMax,
      // One request with the largest body and the largest reply always fits.
      bytesPerPeerMax: Math.max(2 * BODY_BYTES_MAX, this.options.inFlightBytesPerPeerMax),
      countPerPeerMax: REQUESTS_PER_PEER_MAX,
    }
    this.budget = new Budget({ ...bytes, waitingPerPeerMax: limits.WAITING_PER_PEER_MAX })
    this.serving = {
      server: undefined,
      gate: undefined,
      budget: new Budget({ ...bytes, waitingPerPeerMax: REQUESTS_PER_PEER_MAX }),
      heldBytes: 0,
      counters: this.counters,
      nowMs: () => parts.clock.monotonicMs(),
    }
    parts.dialer.accept((peer, link) => this.accept(peer, link))
    void this.watch()
  }

  async request(peer: PeerId, request: TransportRequest): Promise<TransportReply> {
    if (this.stopping.signal.aborted) throw stopped()
    checkRequest(request)
    const { pending, promise } = openPending(request, this.parts.clock.monotonicMs(), (one) => this.pending.delete(one))
    this.pending.add(pending)
    this.counters.requests += 1
    this.place(peer, pending)
    return promise
  }

  serve(server: RequestServer, gate?: RequestGate): void {
    this.serving.server = server
    this.serving.gate = gate
  }

  warm(peers: Iterable<PeerId>): void {
    if (this.stopping.signal.aborted) return
    for (const id of peers) {
      const peer = this.touch(id)
      if (peer !== undefined) this.dialWhenNeeded(peer)
    }
  }

  connected(): PeerId[] {
    return [...this.peers.values()].filter((peer) => peer.connections.length > 0).map((peer) => peer.id)
  }

  async stop(): Promise<void> {
    if (this.stopping.signal.aborted) return
    const reason = stopped()
    this.stopping.abort(reason)
    for (const peer of [...this.peers.values()]) {
      peer.dialing?.abort(reason)
      for (const { connection } of [...peer.connections]) connection.close(reason)
    }
    for (const pending of [...this.pending]) pending.reject(reason)
    this.peers.clear()
    await this.parts.dialer.stop()
  }

  /** To a connection if there is one, else to those that wait for it. */
  private place(id: PeerId, pending: Pending): void {
    const peer = this.touch(id)
    if (peer === undefined) {
      pending.reject(new AppError('busy', 'every peer has open requests', { retry: 'later' }))
      return
    }
    const failed = this.freshFailure(peer)
    if (failed !== undefined) {
      pending.reject(failed)
      return
    }
    this.dialWhenNeeded(peer)
    if (peer.connections.length > 0) {
      this.startSoon(peer, pending)
      return
    }
    peer.waiting.add(pending)
    pending.onSettled = () => peer.waiting.delete(pending)
  }

  /** The peer's entry, marked as used; undefined when all 256 are in use. */
  private touch(id: PeerId): Peer | undefined {
    let peer = this.peers.get(id)
    if (peer === undefined) {
      if (this.peers.size >= this.options.peersMax && !this.evictOne()) return undefined
      peer = {
        id,
        connections: [],
        dialing: undefined,
        waiting: new Set(),
        queued: new Set(),
        failedAtMs: 0,
        failure: undefined,
      }
    }
    this.peers.delete(id)
    this.peers.set(id, peer)
    return peer
  }

  private evictOne(): boolean {
    for (const peer of this.peers.values()) {
      if (peer.waiting.size + peer.queued.size > 0 || peer.connections.some(({ connection }) => connection.open > 0))
        continue
      this.peers.delete(peer.id)
      peer.dialing?.abort(new AppError('peer-unreachable', 'evicted', { retry: 'later' }))
      for (const { connection } of [...peer.connections]) connection.close(lost('closed for another peer'))
      return true
    }
    return false
  }

  private freshFailure(peer: Peer): AppError | undefined {
    if (peer.failure === undefined || peer.connections.length > 0 || peer.dialing !== undefined) return undefined
    return this.parts.clock.monotonicMs() - peer.failedAtMs < limits.DIAL_AGAIN_MS ? peer.failure : undefined
  }

  private dialWhenNeeded(peer: Peer): void {
    if (peer.dialing !== undefined || this.freshFailure(peer) !== undefined) return
    const have = peer.connections.length
    const allBusy = peer.connections.every(({ connection }) => connection.open > 0)
    if (have === 0 || (have < this.options.connectionsPerPeer && allBusy)) void this.dial(peer)
  }

  private async dial(peer: Peer): Promise<void> {
    const attempt = new AbortController()
    peer.dialing = attempt
    this.counters.dials += 1
    const late = new AppError('peer-unreachable', `no connection within ${this.options.dialMs} ms`, {
      retry: 'elsewhere',
    })
    const over = new AbortController()
    void this.parts.clock.sleep(this.options.dialMs, over.signal).then((slept) => slept && attempt.abort(late))
    try {
      const link = await untilAborted(this.parts.dialer.dial(peer.id, attempt.signal), attempt.signal, (unused) =>
        unused.close(),
      )
      peer.dialing = undefined
      this.adopt(peer, link, true)
    } catch (error) {
      if (peer.dialing === attempt) this.dialFailed(peer, error)
    } finally {
      over.abort()
    }
  }

  private dialFailed(peer: Peer, error: unknown): void {
    peer.dialing = undefined
    this.counters.dialsFailed += 1
    peer.failedAtMs = this.parts.clock.monotonicMs()
    peer.failure = error instanceof AppError ? error : unreachable(error)
    if (peer.connections.length > 0) return
    for (const pending of [...peer.waiting]) pending.reject(peer.failure)
  }

  private accept(id: PeerId, link: FrameLink): void {
    const peer = this.stopping.signal.aborted ? undefined : this.touch(id)
    if (peer === undefined) {
      link.close()
      return
    }
    this.counters.accepted += 1
    // Both sides dialed, or the peer lost its end: what it opened last is what it uses.
    const { dialing } = peer
    peer.dialing = undefined
    dialing?.abort(new AppError('peer-unreachable', 'the peer dialed', { retry: 'later' }))
    this.adopt(peer, link, false)
  }

  private adopt(peer: Peer, link: FrameLink, dialed: boolean): void {
    peer.failure = undefined
    this.connectionCount += 1
    const connection = new Connection({
      peer: peer.id,
      link,
      serving: this.serving,
      clock: this.parts.clock,
      tap: this.parts.tap,
      highWater: () => highWaterOf(this.connectionCount, limits.BUFFERED_TOTAL_BYTES_MAX),
      onClosed: (closed, wanted) => this.drop(peer, closed, wanted),
    })
    peer.connections.push({ connection, dialed })
    while (peer.connections.length > this.options.connectionsPerPeer) {
      peer.connections[0]?.connection.close(lost('replaced by a newer connection'))
    }
    const waiting = [...peer.waiting]
    peer.waiting.clear()
    for (const pending of waiting) this.startSoon(peer, pending)
  }

  private drop(peer: Peer, connection: Connection, wanted: boolean): void {
    this.connectionCount -= 1
    if (!wanted) this.counters.peersLost += 1
    peer.connections = peer.connections.filter((one) => one.connection !== connection)
    if (peer.connections.length > 0) return
    for (const pending of [...peer.queued]) pending.reject(lost('the connection ended before the request left'))
  }

  /** When there is memory for the reply and a turn. */
  private startSoon(peer: Peer, pending: Pending): void {
    const start = () => {
      peer.queued.delete(pending)
      const open = peer.connections.map(({ connection }) => connection).sort((a, b) => a.open - b.open)[0]
      if (open === undefined) return pending.reject(lost('the connection ended before the request left'))
      open.start(pending, lease)
    }
    let lease: ReturnType<Budget['acquire']>
    try {
      lease = this.budget.acquire(peer.id, pending.replyBytesMax, start)
    } catch (error) {
      pending.reject(error)
      return
    }
    pending.onSettled = () => {
      peer.queued.delete(pending)
      lease.release()
    }
    if (lease.granted) {
      start()
      return
    }
    peer.queued.add(pending)
  }

  private async watch(): Promise<void> {
    const { clock } = this.parts
    let lastMs = clock.monotonicMs()
    while (await clock.sleep(limits.TICK_MS, this.stopping.signal)) {
      const now = clock.monotonicMs()
      const stillMs = now - lastMs - limits.TICK_MS
      lastMs = now
      for (const pending of [...this.pending]) {
        if (now >= pending.deadlineAtMs) pending.reject(timedOut(pending))
      }
      for (const peer of [...this.peers.values()]) this.tickPeer(peer, now, stillMs > limits.TICK_MS * 5 ? stillMs : 0)
    }
  }

  private tickPeer(peer: Peer, nowMs: number, stillMs: number): void {
    for (const { connection, dialed } of [...peer.connections]) {
      if (stillMs > 0) connection.forgive(stillMs)
      connection.tick(nowMs)
      // The dialing side closes first, so that rarely both do while one of them asks.
      const idleMax = dialed ? this.options.idleCloseMs : 2 * this.options.idleCloseMs
      if (connection.open === 0 && nowMs - connection.usedAtMs > idleMax) connection.close(lost('idle'))
    }
    const gone = peer.connections.length === 0 && peer.dialing === undefined && peer.waiting.size === 0
    if (gone && this.freshFailure(peer) === undefined) this.peers.delete(peer.id)
  }
}

/** Settles with the signal's reason at once; a link that comes later goes to `unused`. */
function untilAborted<T>(work: Promise<T>, signal: AbortSignal, unused: (value: T) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    work.then(
      (value) => (signal.aborted ? unused(value) : resolve(value)),
      (error) => reject(error),
    )
  })
}

function unreachable(cause: unknown): AppError {
  return new AppError('peer-unreachable', 'no connection to the peer', { retry: 'elsewhere', cause })
}

function lost(why: string): AppError {
  return new AppError('peer-lost', why, { retry: 'elsewhere' })
}

function stopped(): AppError {
  return new AppError('stopped', 'the transport was stopped', { retry: 'never' })
}

function timedOut(pending: Pending): AppError {
  return new AppError('timed-out', `no reply within ${pending.request.deadlineMs} ms`, { retry: 'elsewhere' })
}
