/**
 * The answering half of a connection: requests in, replies out. A request goes through four states:
 * waiting (for memory; only its first frame is held), receiving (its body), serving, replying.
 * Under a rate limit a request that would wait too long for its bytes is refused before them.
 */
import { AppError } from '../base/errors.js'
import type { PeerId } from '../model/ids.js'
import { encodeError } from '../wire/error-codes.js'
import { FREE_WINDOW_BYTES, HEAD_BYTES_MAX } from '../wire/frame-limits.js'
import { FLAG_ANSWER, FRAME, type Frame } from '../wire/frames.js'
import { isBulk } from '../wire/methods.js'
import { BodyAssembly } from './body-assembly.js'
import type { BodyPool } from './body-pool.js'
import type { Budget, Lease } from './budget.js'
import type { TransportCounters } from './counters.js'
import { Credits, type Incoming } from './credits.js'
import { DOWN_WAIT_MS_MAX, HELD_BYTES_MAX, STALL_MS, UP_WAIT_MS_MAX } from './limits.js'
import type { Pace } from './pace.js'
import { lone, type Outbound, outbound, type SendQueue } from './send-queue.js'
import type { OutgoingReply, RequestGate, RequestServer } from './transport.js'

const EMPTY = Buffer.alloc(0)

/** What all connections of a process share for serving. */
export interface Serving {
  server: RequestServer | undefined
  gate: RequestGate | undefined
  budget: Budget
  bodies: BodyPool
  /** First frames held while their requests wait for memory. */
  heldBytes: number
  counters: TransportCounters
  /** What leaves, and what is taken in. */
  up: Pace
  down: Pace
  nowMs: () => number
}

interface Served {
  id: number
  method: number
  head: Buffer
  bodyLength: number
  replyBytesMax: number
  bulk: boolean
  state: 'waiting' | 'receiving' | 'serving' | 'replying' | 'over'
  lease: Lease
  /** Body bytes of the request frame, until there is memory for the rest. */
  first: Buffer
  heldBytes: number
  body: BodyAssembly | undefined
  incoming: Incoming
  /** Bytes of the reply that the pace knows as owed. */
  owedUp: number
  movedAtMs: number
  abort: AbortController
  out: Outbound | undefined
}

export class Responder {
  private readonly open_ = new Map<number, Served>()
  private readonly credits: Credits
  private lastId = 0
  private readonly peer: PeerId
  private readonly queue: SendQueue
  private readonly serving: Serving

  constructor(peer: PeerId, queue: SendQueue, serving: Serving) {
    this.peer = peer
    this.queue = queue
    this.serving = serving
    this.credits = new Credits(queue, serving.down, (id) => this.noteMoved(id))
  }

  get open(): number {
    return this.open_.size
  }

  request(frame: Frame): void {
    if (frame.id <= this.lastId) throw new AppError('malformed', `request ${frame.id} after ${this.lastId}`)
    if (frame.payload.length > FREE_WINDOW_BYTES) throw new AppError('malformed', 'body above the free window')
    this.lastId = frame.id
    try {
      this.admit(frame)
    } catch (error) {
      this.serving.counters.requestsRefused += 1
      this.queue.add(errorFrame(frame.id, error))
    }
  }

  private admit(frame: Frame): void {
    const { serving } = this
    const refused = new AppError('busy', 'not serving', { retry: 'later' })
    if (serving.server === undefined) throw refused
    serving.gate?.(this.peer, { method: frame.method, head: frame.head, bodyLength: frame.number })
    const replyBytesMax = frame.windowKib * 1024
    const cost = frame.number + replyBytesMax
    const bulk = isBulk(frame.method, cost)
    const wanted = frame.number - frame.payload.length
    if (bulk) this.expectInTime(wanted, replyBytesMax)
    // What is prompt does not wait behind the memory of bulk.
    const counted = bulk ? cost : 0
    const lease = serving.budget.acquire(this.peer, counted, counted, () => this.receive(served))
    const served: Served = {
      id: frame.id,
      method: frame.method,
      head: frame.head,
      bodyLength: frame.number,
      replyBytesMax,
      bulk,
      state: 'waiting',
      lease,
      first: frame.payload,
      heldBytes: sizeOf(frame),
      body: undefined,
      incoming: this.credits.expect(frame.id, wanted, bulk),
      owedUp: bulk ? replyBytesMax : 0,
      movedAtMs: serving.nowMs(),
      abort: new AbortController(),
      out: undefined,
    }
    if (!lease.granted && serving.heldBytes + sizeOf(frame) > HELD_BYTES_MAX) {
      lease.release()
      this.credits.end(served.incoming)
      throw new AppError('busy', 'no memory for more requests', { retry: 'later' })
    }
    serving.heldBytes += served.heldBytes
    serving.up.owe(this, served.owedUp)
    this.open_.set(served.id, served)
    if (lease.granted) this.receive(served)
  }

  /** One alone is always let in: there is a lowest limit at which it still comes in time. */
  private expectInTime(wanted: number, replyBytes: number): void {
    const { up, down } = this.serving
    const late = (pace: Pace, waitMs: number, waitMsMax: number) => pace.isOwed && waitMs > waitMsMax
    const isLate =
      (wanted > 0 && late(down, this.credits.waitMs(wanted), DOWN_WAIT_MS_MAX)) ||
      (replyBytes > 0 && late(up, up.waitMs(this, replyBytes), UP_WAIT_MS_MAX))
    if (!isLate) return
    throw new AppError('busy', 'the rate limit leaves no room for more requests now', { retry: 'elsewhere' })
  }

  /** Memory is there: the rest of the body may come. */
  private receive(served: Served): void {
    served.state = 'receiving'
    served.movedAtMs = this.serving.nowMs()
    served.body = new BodyAssembly(served.bodyLength, this.unhold(served), this.serving.bodies)
    if (served.body.whole) this.serve(served)
    else this.credits.open(served.incoming)
  }

  private noteMoved(id: number): void {
    const served = this.open_.get(id)
    if (served !== undefined) served.movedAtMs = this.serving.nowMs()
  }

  private settleUp(served: Served, bytes: number): void {
    const settled = Math.min(bytes, served.owedUp)
    served.owedUp -= settled
    this.serving.up.owe(this, -settled)
  }

  private unhold(served: Served): Buffer {
    const { first } = served
    this.serving.heldBytes -= served.heldBytes
    served.heldBytes = 0
    served.first = EMPTY
    return first
  }

  data(frame: Frame): void {
    if (frame.id > this.lastId) throw new AppError('malformed', `data of request ${frame.id} that was never made`)
    const served = this.open_.get(frame.id)
    // Cancelled or refused while these bytes were under way.
    if (served === undefined || served.state === 'over') return
    if (served.state !== 'receiving' || served.body === undefined)
      throw new AppError('malformed', 'data without credit')
    this.credits.take(served.incoming, frame.payload.length)
    served.body.append(frame)
    served.movedAtMs = this.serving.nowMs()
    if (served.body.whole) this.serve(served)
  }

  private serve(served: Served): void {
    served.state = 'serving'
    const { server, counters } = this.serving
    if (server === undefined) {
      this.fail(served, new AppError('stopped', 'not serving', { retry: 'elsewhere' }))
      return
    }
    counters.requestsServed += 1
    const { method, head, replyBytesMax, abort } = served
    const body = served.body?.bytes ?? EMPTY
    served.body = undefined
    const request = { method, head, body, replyBytesMax, signal: abort.signal }
    // A server that throws before its first await is treated alike.
    Promise.resolve()
      .then(() => server(this.peer, request))
      .then(
        (reply) => this.reply(served, reply),
        (error) => this.fail(served, error),
      )
  }

  private reply(served: Served, reply: OutgoingReply): void {
    if (served.state === 'over') {
      served.lease.release()
      return
    }
    const body = reply.body ?? EMPTY
    if (reply.head.length > HEAD_BYTES_MAX || body.length > served.replyBytesMax) {
      this.fail(served, new AppError('too-large', 'the reply is larger than what was asked for'))
      return
    }
    served.state = 'replying'
    if (served.bulk) served.lease.shrink(served.bodyLength)
    const fields = {
      type: FRAME.response,
      flags: FLAG_ANSWER,
      method: 0,
      id: served.id,
      number: body.length,
      windowKib: 0,
    }
    // A range may be smaller than the window that was set aside for it.
    if (served.bulk) this.settleUp(served, served.owedUp - body.length)
    served.out = outbound(fields, reply.head, body, body.length, {
      bulk: served.bulk,
      onBytes: (bytes) => this.settleUp(served, bytes),
      onSent: () => this.forget(served),
    })
    this.queue.add(served.out)
  }

  private fail(served: Served, error: unknown): void {
    if (served.state === 'over') {
      served.lease.release()
      return
    }
    this.queue.add(errorFrame(served.id, error))
    this.forget(served)
  }

  cancel(frame: Frame): void {
    if (frame.id > this.lastId) throw new AppError('malformed', `cancel of request ${frame.id} that was never made`)
    const served = this.open_.get(frame.id)
    if (served !== undefined) this.end(served, new AppError('cancelled', 'the requester cancelled'))
  }

  /** Gives everything back; a server that still runs keeps its lease until it settles. */
  private end(served: Served, reason: AppError): void {
    const running = served.state === 'serving'
    if (served.out !== undefined) this.queue.drop(served.out)
    this.forget(served, running)
    served.abort.abort(reason)
  }

  private forget(served: Served, keepLease = false): void {
    if (served.state === 'over') return
    served.state = 'over'
    this.settleUp(served, served.owedUp)
    this.credits.end(served.incoming)
    this.unhold(served)
    served.body = undefined
    this.open_.delete(served.id)
    if (!keepLease) served.lease.release()
  }

  /** Gives up on bodies that stopped coming. */
  tick(nowMs: number): void {
    for (const served of [...this.open_.values()]) {
      // One that waits for our credit is not late.
      const { state, incoming } = served
      const isComing = state === 'receiving' && incoming.granted > incoming.received
      if (!isComing || nowMs - served.movedAtMs < STALL_MS) continue
      this.fail(served, new AppError('timed-out', `no body bytes for ${STALL_MS} ms`, { retry: 'later' }))
    }
  }

  endAll(reason: AppError): void {
    for (const served of [...this.open_.values()]) this.end(served, reason)
    this.credits.stop()
  }
}

function sizeOf(frame: Frame): number {
  return frame.head.length + frame.payload.length
}

function errorFrame(id: number, error: unknown): Outbound {
  const { number, head } = encodeError(error)
  return lone(FRAME.error, FLAG_ANSWER, id, number, head)
}
