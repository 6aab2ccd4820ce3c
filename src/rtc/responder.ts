/**
 * The answering half of a connection: requests in, replies out. A request goes through four states:
 * waiting (for memory; only its first frame is held), receiving (its body), serving, replying.
 */
import { AppError } from '../base/errors.js'
import type { PeerId } from '../model/ids.js'
import { encodeError } from '../wire/error-codes.js'
import { FREE_WINDOW_BYTES, HEAD_BYTES_MAX } from '../wire/frame-limits.js'
import { FLAG_ANSWER, FRAME, type Frame } from '../wire/frames.js'
import { BodyAssembly } from './body-assembly.js'
import type { BodyPool } from './body-pool.js'
import type { Budget, Lease } from './budget.js'
import type { TransportCounters } from './counters.js'
import { HELD_BYTES_MAX, STALL_MS } from './limits.js'
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
  nowMs: () => number
}

interface Served {
  id: number
  method: number
  head: Buffer
  bodyLength: number
  replyBytesMax: number
  state: 'waiting' | 'receiving' | 'serving' | 'replying' | 'over'
  lease: Lease
  /** Body bytes of the request frame, until there is memory for the rest. */
  first: Buffer
  heldBytes: number
  body: BodyAssembly | undefined
  movedAtMs: number
  abort: AbortController
  out: Outbound | undefined
}

export class Responder {
  private readonly open_ = new Map<number, Served>()
  private lastId = 0
  private readonly peer: PeerId
  private readonly queue: SendQueue
  private readonly serving: Serving

  constructor(peer: PeerId, queue: SendQueue, serving: Serving) {
    this.peer = peer
    this.queue = queue
    this.serving = serving
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
    const lease = serving.budget.acquire(this.peer, cost, cost, () => this.receive(served))
    const served: Served = {
      id: frame.id,
      method: frame.method,
      head: frame.head,
      bodyLength: frame.number,
      replyBytesMax,
      state: 'waiting',
      lease,
      first: frame.payload,
      heldBytes: sizeOf(frame),
      body: undefined,
      movedAtMs: serving.nowMs(),
      abort: new AbortController(),
      out: undefined,
    }
    if (!lease.granted && serving.heldBytes + sizeOf(frame) > HELD_BYTES_MAX) {
      lease.release()
      throw new AppError('busy', 'no memory for more requests', { retry: 'later' })
    }
    serving.heldBytes += served.heldBytes
    this.open_.set(served.id, served)
    if (lease.granted) this.receive(served)
  }

  /** Memory is there: the rest of the body may come. */
  private receive(served: Served): void {
    served.state = 'receiving'
    served.movedAtMs = this.serving.nowMs()
    served.body = new BodyAssembly(served.bodyLength, this.unhold(served), this.serving.bodies)
    const rest = served.bodyLength - served.body.received
    if (rest === 0) this.serve(served)
    else this.queue.add(lone(FRAME.credit, FLAG_ANSWER, served.id, rest))
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
    served.lease.shrink(served.bodyLength)
    const fields = {
      type: FRAME.response,
      flags: FLAG_ANSWER,
      method: 0,
      id: served.id,
      number: body.length,
      windowKib: 0,
    }
    served.out = outbound(fields, reply.head, body, body.length, { onSent: () => this.forget(served) })
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
    this.unhold(served)
    served.body = undefined
    this.open_.delete(served.id)
    if (!keepLease) served.lease.release()
  }

  /** Gives up on bodies that stopped coming. */
  tick(nowMs: number): void {
    for (const served of [...this.open_.values()]) {
      if (served.state !== 'receiving' || nowMs - served.movedAtMs < STALL_MS) continue
      this.fail(served, new AppError('timed-out', `no body bytes for ${STALL_MS} ms`, { retry: 'later' }))
    }
  }

  endAll(reason: AppError): void {
    for (const served of [...this.open_.values()]) this.end(served, reason)
  }
}

function sizeOf(frame: Frame): number {
  return frame.head.length + frame.payload.length
}

function errorFrame(id: number, error: unknown): Outbound {
  const { number, head } = encodeError(error)
  return lone(FRAME.error, FLAG_ANSWER, id, number, head)
}
