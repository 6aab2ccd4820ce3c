/**
 * The asking half of a connection: own requests, their bodies out, their replies in. A request gets its id when its first
 * frame leaves, not when it is made: the other side wants ids that rise, and small requests overtake large ones here.
 */
import { AppError } from '../base/errors.js'
import { decodeError } from '../wire/error-codes.js'
import { FRAME_HEADER_BYTES, FREE_WINDOW_BYTES } from '../wire/frame-limits.js'
import { FRAME, type Frame } from '../wire/frames.js'
import { isBulk } from '../wire/methods.js'
import { BodyAssembly } from './body-assembly.js'
import type { BodyPool } from './body-pool.js'
import type { Lease } from './budget.js'
import { CHUNK_BYTES } from './limits.js'
import type { Pending } from './pending.js'
import { lone, type Outbound, outbound, type SendQueue } from './send-queue.js'

const EMPTY = Buffer.alloc(0)

interface Asked {
  pending: Pending
  lease: Lease
  out: Outbound
  reply: { head: Buffer; body: BodyAssembly } | undefined
  /** The other side has forgotten it: no cancel is due. */
  over: boolean
}

export class Requester {
  private readonly asked = new Set<Asked>()
  /** Those whose first frame has left. */
  private readonly numbered = new Map<number, Asked>()
  private lastId = 0
  private readonly queue: SendQueue
  private readonly bodies: BodyPool

  constructor(queue: SendQueue, bodies: BodyPool) {
    this.queue = queue
    this.bodies = bodies
  }

  /** Ids are nearly used up: the connection should be renewed when it is idle. */
  get worn(): boolean {
    return this.lastId >= 2 ** 31
  }

  get open(): number {
    return this.asked.size
  }

  /** The lease covers the reply; it is released when the request settles. */
  start(pending: Pending, lease: Lease): void {
    const { method, head } = pending.request
    const body = pending.request.body ?? EMPTY
    const fields = {
      type: FRAME.request,
      flags: 0,
      method,
      id: 0,
      number: body.length,
      windowKib: pending.replyBytesMax / 1024,
    }
    const free = Math.min(body.length, FREE_WINDOW_BYTES, CHUNK_BYTES - FRAME_HEADER_BYTES - head.length)
    const onOpen = () => {
      fields.id = ++this.lastId
      this.numbered.set(fields.id, asked)
    }
    const out = outbound(fields, head, body, free, { bulk: isBulk(method, body.length), onOpen })
    const asked: Asked = { pending, lease, out, reply: undefined, over: false }
    this.asked.add(asked)
    pending.onSettled = () => this.forget(asked)
    this.queue.add(out)
  }

  private forget(asked: Asked): void {
    const { id } = asked.out.fields
    this.asked.delete(asked)
    this.numbered.delete(id)
    asked.lease.release()
    this.queue.drop(asked.out)
    if (asked.out.opened && !asked.over) this.queue.add(lone(FRAME.cancel, 0, id))
  }

  /** Frames of requests that have settled are late, not wrong. */
  private find(frame: Frame): Asked | undefined {
    if (frame.id > this.lastId) throw new AppError('malformed', `answer to request ${frame.id} that was never made`)
    return this.numbered.get(frame.id)
  }

  response(frame: Frame): void {
    const asked = this.find(frame)
    if (asked === undefined) return
    const { out } = asked
    if (out.sent < out.body.length || asked.reply !== undefined)
      throw new AppError('malformed', 'a response out of turn')
    if (frame.number > asked.pending.replyBytesMax) throw new AppError('malformed', 'a reply above its window')
    asked.reply = { head: frame.head, body: new BodyAssembly(frame.number, frame.payload, this.bodies) }
    this.settleWhenWhole(asked)
  }

  data(frame: Frame): void {
    const asked = this.find(frame)
    if (asked === undefined) return
    if (asked.reply === undefined) throw new AppError('malformed', 'data before the response')
    asked.reply.body.append(frame)
    this.settleWhenWhole(asked)
  }

  private settleWhenWhole(asked: Asked): void {
    const { reply } = asked
    if (!reply?.body.whole) return
    asked.over = true
    asked.pending.resolve({ head: reply.head, body: reply.body.bytes })
  }

  credit(frame: Frame): void {
    const asked = this.find(frame)
    if (asked === undefined) return
    const { out } = asked
    if (out.allowed + frame.number > out.body.length) throw new AppError('malformed', 'credit above the body')
    this.queue.allow(out, frame.number)
  }

  error(frame: Frame): void {
    const asked = this.find(frame)
    if (asked === undefined) return
    asked.over = true
    asked.pending.reject(decodeError(frame.number, frame.head))
  }

  /** Those of which nothing was sent. */
  unsent(): Pending[] {
    return [...this.asked].filter(({ out }) => !out.opened).map(({ pending }) => pending)
  }

  rejectAll(error: unknown): void {
    for (const asked of [...this.asked]) {
      asked.over = true
      asked.pending.reject(error)
    }
  }
}
