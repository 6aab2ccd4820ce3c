/**
 * One open link to one verified peer: frames in and out, both halves, and the watch on the peer's life. While a request
 * is open both sides send something every second (a beat if nothing else; a beat is answered by one), and a peer that
 * is silent for five seconds is dead. So a killed process is noticed in 5-6 s, whatever ICE thinks, and a slow link is
 * never mistaken for one.
 */
import type { Clock } from '../base/clock.js'
import { AppError } from '../base/errors.js'
import type { PeerId } from '../model/ids.js'
import { decodeFrame, FLAG_ANSWER, FRAME, type Frame } from '../wire/frames.js'
import type { Lease } from './budget.js'
import {
  BEAT_MS,
  BUFFERED_HIGH_BYTES,
  CHUNK_BYTES,
  IDLE_BEAT_MS,
  IDLE_SILENCE_MS,
  SILENCE_MS,
  STALL_MS,
} from './limits.js'
import type { FrameLink, LinkPath } from './link.js'
import type { Pending } from './pending.js'
import { Requester } from './requester.js'
import { Responder, type Serving } from './responder.js'
import { lone, SendQueue } from './send-queue.js'
import type { FrameTap } from './transport.js'

export interface ConnectionParts {
  peer: PeerId
  link: FrameLink
  serving: Serving
  clock: Clock
  tap: FrameTap | undefined
  /** Bytes that this channel may have buffered, given how many there are. */
  highWater: () => number
  /** `wanted`: closed by this side's choice, not by failure. `unsent`: requests that may leave by another connection. */
  onClosed: (connection: Connection, wanted: boolean, unsent: Pending[]) => void
}

export class Connection {
  readonly peer: PeerId
  private readonly parts: ConnectionParts
  private readonly queue: SendQueue
  private readonly requester: Requester
  private readonly responder: Responder
  private closed = false
  private heardAtMs: number
  private sentAtMs: number
  private busySinceMs: number | undefined
  /** When this connection last had a request. */
  usedAtMs: number

  constructor(parts: ConnectionParts) {
    this.parts = parts
    this.peer = parts.peer
    const now = parts.clock.monotonicMs()
    this.heardAtMs = now
    this.sentAtMs = now
    this.usedAtMs = now
    this.queue = new SendQueue({
      link: parts.link,
      highWater: parts.highWater,
      pace: parts.serving.up,
      onFrame: (frame) => {
        this.sentAtMs = parts.clock.monotonicMs()
        parts.serving.counters.bytesSent += frame.length
        parts.serving.up.spend(frame.length)
        parts.tap?.(parts.peer, frame)
      },
      onRefused: () => this.fail('the channel is gone'),
    })
    this.requester = new Requester(this.queue, parts.serving.bodies)
    this.responder = new Responder(parts.peer, this.queue, parts.serving)
    parts.link.attach({
      onMessage: (message) => this.onMessage(message),
      onDrain: () => this.queue.pump(),
      onClosed: () => this.fail('the connection ended'),
    })
  }

  get isClosed(): boolean {
    return this.closed
  }

  path(): LinkPath | undefined {
    return this.parts.link.path?.()
  }

  get open(): number {
    return this.requester.open + this.responder.open
  }

  start(pending: Pending, lease: Lease): void {
    this.markBusy()
    this.requester.start(pending, lease)
  }

  /** Nothing was heard since the first of the requests that are or were open. */
  private get inDoubt(): boolean {
    return this.busySinceMs !== undefined && this.heardAtMs < this.busySinceMs
  }

  /** Before a request starts, in either direction. */
  private markBusy(): void {
    this.usedAtMs = this.parts.clock.monotonicMs()
    if (this.open === 0 && !this.inDoubt) this.busySinceMs = this.usedAtMs
  }

  private onMessage(message: Buffer): void {
    if (this.closed) return
    this.heardAtMs = this.parts.clock.monotonicMs()
    this.parts.serving.counters.bytesReceived += message.length
    this.parts.serving.down.spend(message.length)
    try {
      this.take(decodeFrame(message))
    } catch (error) {
      if (!(error instanceof AppError)) throw error
      this.parts.serving.counters.malformedFrames += 1
      this.fail(`closed on a frame: ${error.message}`, error)
    }
  }

  private take(frame: Frame): void {
    const answer = (frame.flags & FLAG_ANSWER) !== 0
    switch (frame.type) {
      case FRAME.request:
        this.markBusy()
        this.responder.request(frame)
        return
      case FRAME.response:
        this.requester.response(frame)
        return
      case FRAME.data:
        answer ? this.requester.data(frame) : this.responder.data(frame)
        return
      case FRAME.credit:
        this.requester.credit(frame)
        return
      case FRAME.cancel:
        this.responder.cancel(frame)
        return
      case FRAME.error:
        this.requester.error(frame)
        return
      case FRAME.beat:
        if (this.parts.clock.monotonicMs() - this.sentAtMs >= BEAT_MS) this.queue.add(lone(FRAME.beat, 0, 0))
        return
    }
  }

  /** The process stood still for so long: what the peer said meanwhile is still in the queue. */
  forgive(stillMs: number): void {
    this.heardAtMs += stillMs
    if (this.busySinceMs !== undefined) this.busySinceMs += stillMs
  }

  tick(nowMs: number): void {
    if (this.closed) return
    this.responder.tick(nowMs)
    this.queue.pump()
    if (this.open > 0) this.usedAtMs = nowMs
    // A request that ended unanswered, with not a word from the peer since it began, leaves a doubt.
    else if (!this.inDoubt) this.busySinceMs = undefined
    const busy = this.busySinceMs !== undefined
    if (this.open === 0 && this.requester.worn) {
      this.close(new AppError('peer-lost', 'renewed', { retry: 'later' }))
      return
    }
    const quietSince = Math.max(this.heardAtMs, this.busySinceMs ?? 0)
    if (nowMs - quietSince > (busy ? SILENCE_MS : IDLE_SILENCE_MS)) {
      this.fail(`silent for ${Math.round(nowMs - quietSince)} ms`)
      return
    }
    const sendQuietMs = nowMs - this.sentAtMs
    if (this.queue.ready > 0 && sendQuietMs > STALL_MS) {
      this.fail('the channel takes nothing')
      return
    }
    if (this.queue.ready === 0 && sendQuietMs >= (busy ? BEAT_MS : IDLE_BEAT_MS)) this.queue.add(lone(FRAME.beat, 0, 0))
  }

  private fail(why: string, cause?: AppError): void {
    this.close(new AppError('peer-lost', why, { retry: 'elsewhere', cause }), false)
  }

  close(error: AppError, wanted = true): void {
    if (this.closed) return
    this.closed = true
    this.queue.stop()
    this.parts.link.close()
    // First out of the set: what is freed below must not start anything here.
    this.parts.onClosed(this, wanted, this.requester.unsent())
    this.requester.rejectAll(error)
    this.responder.endAll(error)
  }
}

/** Bytes buffered by one channel when `connections` are open. */
export function highWaterOf(connections: number, totalMax: number): number {
  return Math.max(CHUNK_BYTES, Math.min(BUFFERED_HIGH_BYTES, Math.floor(totalMax / Math.max(1, connections))))
}
