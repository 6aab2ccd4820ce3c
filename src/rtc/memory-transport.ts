/**
 * The transport inside one process: the same requests, frames, windows, bounds and beats as over WebRTC, on links that
 * are queues. For tests of a whole network in one process; hooks cut, delay and falsify.
 */
import type { Clock } from '../base/clock.js'
import { AppError } from '../base/errors.js'
import type { PeerId } from '../model/ids.js'
import type { BodyPool } from './body-pool.js'
import { BUFFERED_LOW_BYTES } from './limits.js'
import type { Dialer, FrameLink, LinkListener } from './link.js'
import { PeerNetwork, type PeerNetworkOptions } from './peer-network.js'
import type { FrameTap } from './transport.js'

export interface MemoryHubOptions {
  clock: Clock
}

export interface MemoryNodeOptions extends PeerNetworkOptions {
  tap?: FrameTap
  bodies?: BodyPool
}

/** A node as the hub knows it. */
interface Node {
  id: PeerId
  transport: MemoryTransport
  accept: (from: PeerId, link: FrameLink) => void
}

export class MemoryHub {
  readonly clock: Clock
  private readonly nodes = new Map<PeerId, Node>()
  private readonly silenced = new Set<string>()
  private readonly dead = new Set<PeerId>()
  /** Dials that wait for a cable. */
  private readonly waiting = new Set<() => void>()
  private readonly links = new Set<MemoryLink>()
  /** One way, for every frame and every dial. */
  delayMs = 0
  /** Falsifies frames under way: returns what arrives, or null for nothing. */
  alter: ((from: PeerId, to: PeerId, frame: Buffer) => Buffer | null) | undefined

  constructor(options: MemoryHubOptions) {
    this.clock = options.clock
  }

  /** A transport of its own for `id`. A node that was stopped may come back under the same id. */
  node(id: PeerId, options: MemoryNodeOptions = {}): MemoryTransport {
    const dialer: Dialer<PeerId> = {
      dial: (to, signal) => this.dial(id, to, signal),
      accept: (listener) => {
        accept = listener
      },
      stop: async () => this.leave(id, transport),
    }
    let accept: Node['accept'] = (_, link) => link.close()
    const { tap, bodies, ...rest } = options
    const transport = new MemoryTransport({ dialer, clock: this.clock, tap, bodies }, rest)
    this.dead.delete(id)
    this.nodes.set(id, { id, transport, accept })
    return transport
  }

  /** Nothing passes between the two any more, and neither is told: a cable is out. */
  silence(a: PeerId, b: PeerId): void {
    this.silenced.add(pairOf(a, b))
  }

  restore(a: PeerId, b: PeerId): void {
    this.silenced.delete(pairOf(a, b))
    const waiting = [...this.waiting]
    this.waiting.clear()
    for (const wake of waiting) wake()
  }

  /** As SIGKILL: nothing leaves the node any more and nobody is told, until a new node takes the id. */
  kill(id: PeerId): void {
    this.dead.add(id)
    this.nodes.delete(id)
    for (const link of [...this.links]) {
      if (link.from === id) link.vanish()
    }
  }

  /** Closes the connections between the two; both are told. */
  cut(a: PeerId, b: PeerId): void {
    for (const link of [...this.links]) {
      if (pairOf(link.from, link.to) === pairOf(a, b)) link.fail()
    }
  }

  /** Frames handed over and not yet delivered, all links. */
  get bufferedBytes(): number {
    let bytes = 0
    for (const link of this.links) bytes += link.bufferedBytes()
    return bytes
  }

  isSilenced(a: PeerId, b: PeerId): boolean {
    return this.silenced.has(pairOf(a, b))
  }

  forget(link: MemoryLink): void {
    this.links.delete(link)
  }

  private async dial(from: PeerId, to: PeerId, signal: AbortSignal): Promise<FrameLink> {
    if (this.delayMs > 0) await this.clock.sleep(2 * this.delayMs, signal)
    else await new Promise((resolve) => setImmediate(resolve))
    signal.throwIfAborted()
    // Each side goes on trying to reach the other; without a cable the dial ends by its own deadline.
    while (this.isSilenced(from, to)) await new Promise<void>((resolve) => this.waiting.add(resolve))
    signal.throwIfAborted()
    // As with a host that a bridge still believes in.
    if (this.dead.has(to) || this.dead.has(from)) return new Promise(() => {})
    const node = this.nodes.get(to)
    if (node === undefined) throw new AppError('peer-unreachable', 'no such peer', { retry: 'elsewhere' })
    const near = new MemoryLink(this, from, to)
    const far = new MemoryLink(this, to, from)
    near.join(far)
    far.join(near)
    this.links.add(near).add(far)
    node.accept(from, far)
    return near
  }

  private leave(id: PeerId, transport: MemoryTransport): void {
    if (this.nodes.get(id)?.transport === transport) this.nodes.delete(id)
  }
}

export class MemoryTransport extends PeerNetwork {}

function pairOf(a: PeerId, b: PeerId): string {
  return a < b ? `${a}${b}` : `${b}${a}`
}

class MemoryLink implements FrameLink {
  readonly from: PeerId
  readonly to: PeerId
  private readonly hub: MemoryHub
  private other: MemoryLink | undefined
  private listener: LinkListener | undefined
  private closed = false
  private buffered = 0
  /** Messages that arrived before there was a listener. */
  private early: Buffer[] = []
  /** Keeps the order when frames are delayed. */
  private tail: Promise<unknown> = Promise.resolve()

  constructor(hub: MemoryHub, from: PeerId, to: PeerId) {
    this.hub = hub
    this.from = from
    this.to = to
  }

  join(other: MemoryLink): void {
    this.other = other
  }

  send(frame: Buffer): boolean {
    if (this.closed) return false
    const copy = Buffer.from(frame)
    this.buffered += copy.length
    const { delayMs, clock } = this.hub
    if (delayMs === 0) setImmediate(() => this.deliver(copy))
    else {
      // All delays run at once; the chain only keeps the order.
      const arrival = clock.sleep(delayMs)
      this.tail = this.tail.then(() => arrival).then(() => this.deliver(copy))
    }
    return true
  }

  private deliver(frame: Buffer): void {
    if (this.closed) return
    const before = this.buffered
    this.buffered -= frame.length
    const arrives = this.hub.alter === undefined ? frame : this.hub.alter(this.from, this.to, frame)
    if (arrives !== null && !this.hub.isSilenced(this.from, this.to)) this.other?.take(arrives)
    if (before > BUFFERED_LOW_BYTES && this.buffered <= BUFFERED_LOW_BYTES) this.listener?.onDrain()
  }

  private take(frame: Buffer): void {
    if (this.closed) return
    if (this.listener === undefined) this.early.push(frame)
    else this.listener.onMessage(frame)
  }

  bufferedBytes(): number {
    return this.buffered
  }

  attach(listener: LinkListener): void {
    this.listener = listener
    const early = this.early
    this.early = []
    for (const frame of early) listener.onMessage(frame)
  }

  /** Both sides learn of it, as from a broken connection. */
  fail(): void {
    if (this.closed) return
    const { listener, other } = this
    this.close()
    listener?.onClosed()
    other?.fail()
  }

  /** This side's process is gone; the other side hears nothing of it. */
  vanish(): void {
    this.other = undefined
    this.close()
  }

  close(): void {
    if (this.closed) return
    this.closed = true
    this.buffered = 0
    this.hub.forget(this)
    const { other } = this
    if (!this.hub.isSilenced(this.from, this.to)) setImmediate(() => other?.fail())
  }
}
