/**
 * One peer: its set of connections, the dial that is under way, and the requests that wait for a connection, for memory
 * or for a turn. A request of which anything was sent is never repeated here: whoever asked knows better. One of which
 * nothing was sent when its connection ended takes the next, within its deadline: it cannot be carried out twice.
 */
import type { Clock } from '../base/clock.js'
import { AppError } from '../base/errors.js'
import type { PeerId } from '../model/ids.js'
import type { Budget, Lease } from './budget.js'
import { Connection, highWaterOf } from './connection.js'
import { BUFFERED_TOTAL_BYTES_MAX, CONNECTIONS_LOST_MAX, DIAL_AGAIN_MS } from './limits.js'
import type { Dialer, FrameLink, LinkPath } from './link.js'
import type { Pending } from './pending.js'
import type { Serving } from './responder.js'
import type { FrameTap } from './transport.js'

/** What all peers of a network share. */
export interface PeerSetParts {
  dialer: Dialer<PeerId>
  clock: Clock
  tap: FrameTap | undefined
  /** Memory and turns of own requests. */
  budget: Budget
  serving: Serving
  /** Open connections of the whole network. */
  open: { connections: number }
}

export interface PeerSetOptions {
  connectionsPerPeer: number
  idleCloseMs: number
  dialMs: number
}

export class PeerSet {
  readonly id: PeerId
  private connections: { connection: Connection; dialed: boolean }[] = []
  private dialing: AbortController | undefined
  /** Requests that wait for a connection. */
  private readonly waiting = new Set<Pending>()
  /** Requests that wait for memory or a turn. */
  private readonly queued = new Set<Pending>()
  private failedAtMs = 0
  private failure: AppError | undefined
  /** Why it was closed. */
  private closed: AppError | undefined
  private readonly parts: PeerSetParts
  private readonly options: PeerSetOptions

  constructor(id: PeerId, parts: PeerSetParts, options: PeerSetOptions) {
    this.id = id
    this.parts = parts
    this.options = options
  }

  get connected(): boolean {
    return this.connections.length > 0
  }

  /** Of the connection that was opened last. */
  path(): LinkPath | undefined {
    return this.connections.at(-1)?.connection.path()
  }

  /** No request is open or waits, in either direction. */
  get idle(): boolean {
    const waiting = this.waiting.size + this.queued.size
    return waiting === 0 && this.connections.every(({ connection }) => connection.open === 0)
  }

  /** Nothing is kept here that a new set would not have. */
  get empty(): boolean {
    return !this.connected && this.dialing === undefined && this.idle && this.freshFailure() === undefined
  }

  /** To a connection if there is one, else to those that wait for it. */
  place(pending: Pending): void {
    const failure = this.closed ?? this.freshFailure()
    if (failure !== undefined) {
      pending.reject(failure)
      return
    }
    this.dialWhenNeeded()
    if (this.connected) {
      this.startSoon(pending)
      return
    }
    this.waiting.add(pending)
    pending.onSettled = () => this.waiting.delete(pending)
  }

  dialWhenNeeded(): void {
    if (this.dialing !== undefined || this.freshFailure() !== undefined) return
    const have = this.connections.length
    const allBusy = this.connections.every(({ connection }) => connection.open > 0)
    if (have === 0 || (have < this.options.connectionsPerPeer && allBusy)) void this.dial()
  }

  private freshFailure(): AppError | undefined {
    if (this.failure === undefined || this.connected || this.dialing !== undefined) return undefined
    return this.parts.clock.monotonicMs() - this.failedAtMs < DIAL_AGAIN_MS ? this.failure : undefined
  }

  private async dial(): Promise<void> {
    const { dialer, clock, serving } = this.parts
    const attempt = new AbortController()
    this.dialing = attempt
    serving.counters.dials += 1
    const over = new AbortController()
    void clock.sleep(this.options.dialMs, over.signal).then((slept) => slept && attempt.abort(this.late()))
    try {
      const link = await untilAborted(dialer.dial(this.id, attempt.signal), attempt.signal, (unused) => unused.close())
      this.dialing = undefined
      this.adopt(link, true)
    } catch (error) {
      if (this.dialing === attempt) this.dialFailed(error)
    } finally {
      over.abort()
    }
  }

  private late(): AppError {
    const why = this.parts.dialer.obstacle?.(this.id)
    return unreachable(`no connection within ${this.options.dialMs / 1_000} s${why === undefined ? '' : `: ${why}`}`)
  }

  private dialFailed(error: unknown): void {
    this.dialing = undefined
    this.parts.serving.counters.dialsFailed += 1
    this.failedAtMs = this.parts.clock.monotonicMs()
    const failure = error instanceof AppError ? error : unreachable('no connection to the peer', error)
    this.failure = failure
    if (this.connected) return
    for (const pending of [...this.waiting]) pending.reject(failure)
  }

  /** Both sides dialed, or the peer lost its end: what it opened last is what it uses. */
  accept(link: FrameLink): void {
    const { dialing } = this
    this.dialing = undefined
    dialing?.abort(unreachable('the peer dialed'))
    this.adopt(link, false)
  }

  private adopt(link: FrameLink, dialed: boolean): void {
    const { parts } = this
    this.failure = undefined
    parts.open.connections += 1
    const connection = new Connection({
      peer: this.id,
      link,
      serving: parts.serving,
      clock: parts.clock,
      tap: parts.tap,
      highWater: () => highWaterOf(parts.open.connections, BUFFERED_TOTAL_BYTES_MAX),
      onClosed: (closed, wanted, unsent) => this.drop(closed, wanted, unsent),
    })
    if (connection.isClosed) return
    this.connections.push({ connection, dialed })
    while (this.connections.length > this.options.connectionsPerPeer) {
      this.connections[0]?.connection.close(lost('replaced by a newer connection'))
    }
    const waiting = [...this.waiting]
    this.waiting.clear()
    for (const pending of waiting) this.startSoon(pending)
  }

  private drop(connection: Connection, wanted: boolean, unsent: Pending[]): void {
    const { parts } = this
    parts.open.connections -= 1
    if (!wanted) parts.serving.counters.peersLost += 1
    this.connections = this.connections.filter((one) => one.connection !== connection)
    const stranded = this.connected ? unsent : [...unsent, ...this.queued, ...this.waiting]
    // All leave before the first is placed: so they keep their order.
    for (const pending of stranded) pending.vacate()
    for (const pending of stranded) this.placeAgain(pending)
  }

  private placeAgain(pending: Pending): void {
    if (pending.settled) return
    pending.connectionsLost += 1
    if (pending.connectionsLost < CONNECTIONS_LOST_MAX || this.closed !== undefined) this.place(pending)
    else pending.reject(lost(`${CONNECTIONS_LOST_MAX} connections ended before the request left`))
  }

  /** When there is memory for the reply and a turn. */
  private startSoon(pending: Pending): void {
    const { budget } = this.parts
    let lease: Lease
    const start = () => {
      this.queued.delete(pending)
      const open = this.connections.map(({ connection }) => connection).sort((a, b) => a.open - b.open)[0]
      if (open !== undefined) {
        open.start(pending, lease)
        return
      }
      pending.vacate()
      this.place(pending)
    }
    try {
      const cost = pending.replyBytesMax + (pending.request.body?.length ?? 0)
      lease = budget.acquire(this.id, pending.replyBytesMax, cost, start)
    } catch (error) {
      pending.reject(error)
      return
    }
    pending.onSettled = () => {
      this.queued.delete(pending)
      lease.release()
    }
    if (lease.granted) start()
    else this.queued.add(pending)
  }

  /** `stillMs`: the process stood still for so long, else 0. */
  tick(nowMs: number, stillMs: number): void {
    for (const { connection, dialed } of [...this.connections]) {
      if (stillMs > 0) connection.forgive(stillMs)
      connection.tick(nowMs)
      // The dialing side closes first, so that rarely both do while one of them asks.
      const idleMsMax = dialed ? this.options.idleCloseMs : 2 * this.options.idleCloseMs
      if (connection.open === 0 && nowMs - connection.usedAtMs > idleMsMax) connection.close(lost('idle'))
    }
  }

  close(reason: AppError): void {
    const { dialing } = this
    this.closed = reason
    this.dialing = undefined
    dialing?.abort(reason)
    for (const { connection } of [...this.connections]) connection.close(reason)
    for (const pending of [...this.waiting, ...this.queued]) pending.reject(reason)
  }
}

/** Settles with the signal's reason at once; a value that comes later goes to `unused`. */
function untilAborted<T>(work: Promise<T>, signal: AbortSignal, unused: (value: T) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
    work.then((value) => (signal.aborted ? unused(value) : resolve(value)), reject)
  })
}

function unreachable(why: string, cause?: unknown): AppError {
  return new AppError('peer-unreachable', why, { retry: 'elsewhere', cause })
}

export function lost(why: string): AppError {
  return new AppError('peer-lost', why, { retry: 'elsewhere' })
}
