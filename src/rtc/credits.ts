/**
 * Credit for the bodies of a connection's requests: all at once, or under a rate limit a frame at a time, in turns with other
 * connections. What is not granted does not come, so this is what keeps the limit of what is taken in.
 */
import { AppError } from '../base/errors.js'
import { FRAME_HEADER_BYTES } from '../wire/frame-limits.js'
import { FLAG_ANSWER, FRAME } from '../wire/frames.js'
import { CHUNK_BYTES } from './limits.js'
import type { Pace, Paced } from './pace.js'
import { lone, type SendQueue } from './send-queue.js'

/** What one data frame carries. */
const CREDIT_BYTES = CHUNK_BYTES - FRAME_HEADER_BYTES

/** One body on its way in, beyond what came with its request. */
export interface Incoming {
  id: number
  /** Bytes that need credit. */
  wanted: number
  granted: number
  received: number
  /** Bytes that the pace knows as owed: those of bulk that are not granted yet. */
  owed: number
}

export class Credits implements Paced {
  /** The first is let in whole before the next. */
  private waiting: Incoming[] = []
  private readonly queue: SendQueue
  private readonly pace: Pace
  private readonly onGrant: (id: number) => void

  constructor(queue: SendQueue, pace: Pace, onGrant: (id: number) => void) {
    this.queue = queue
    this.pace = pace
    this.onGrant = onGrant
  }

  /** There will be such a body. */
  expect(id: number, wanted: number, bulk: boolean): Incoming {
    const owed = bulk ? wanted : 0
    this.pace.owe(this, owed)
    return { id, wanted, granted: 0, received: 0, owed }
  }

  /** How long it would take to let in so many bytes. */
  waitMs(bytes: number): number {
    return this.pace.waitMs(this, bytes)
  }

  /** There is memory for it. */
  open(incoming: Incoming): void {
    if (this.pace.limited && incoming.owed > 0) {
      this.waiting.push(incoming)
      this.pace.join(this)
    } else this.grant(incoming, incoming.wanted)
  }

  step(): boolean {
    const [incoming] = this.waiting
    if (incoming === undefined) return false
    const left = incoming.wanted - incoming.granted
    this.grant(incoming, Math.min(left, CREDIT_BYTES))
    if (left <= CREDIT_BYTES) this.waiting = this.waiting.filter((one) => one !== incoming)
    return this.waiting.length > 0
  }

  private grant(incoming: Incoming, bytes: number): void {
    incoming.granted += bytes
    this.settle(incoming, Math.min(bytes, incoming.owed))
    // Before they come: turns go by what is let in.
    this.pace.spend(bytes)
    this.onGrant(incoming.id)
    this.queue.add(lone(FRAME.credit, FLAG_ANSWER, incoming.id, bytes))
  }

  /** Bytes came. */
  take(incoming: Incoming, bytes: number): void {
    if (incoming.received + bytes > incoming.granted) throw new AppError('malformed', 'data above its credit')
    incoming.received += bytes
    this.pace.refund(bytes)
  }

  /** No more of it comes, or it is whole. */
  end(incoming: Incoming): void {
    this.settle(incoming, incoming.owed)
    this.pace.refund(incoming.granted - incoming.received)
    incoming.received = incoming.granted
    this.waiting = this.waiting.filter((one) => one !== incoming)
  }

  stop(): void {
    this.waiting = []
    this.pace.leave(this)
  }

  private settle(incoming: Incoming, bytes: number): void {
    incoming.owed -= bytes
    this.pace.owe(this, -bytes)
  }
}
