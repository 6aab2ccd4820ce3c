/**
 * What one connection has to send, in fair turns: small frames first (at most eight in a row), then one frame of the
 * next body. Pauses while the channel has enough buffered. Under a rate limit (pace.ts) what is prompt goes first and
 * bulk, of any size, frame by frame in turns with other connections. One copy: header, head and body bytes go into one reused
 * buffer, because the channel takes one contiguous message (two messages a frame cost more than the copy).
 */

import { FRAME_HEADER_BYTES } from '../wire/frame-limits.js'
import { FLAG_LAST, FRAME, type FrameFields, writeFrame } from '../wire/frames.js'
import { CHUNK_BYTES, SMALL_FRAME_BYTES_MAX, SMALL_FRAMES_IN_A_ROW_MAX, SMALL_FRAMES_QUEUED_MAX } from './limits.js'
import type { FrameLink } from './link.js'
import type { Pace, Paced } from './pace.js'

const EMPTY = Buffer.alloc(0)

/** One direction of one request, or a frame alone. */
export interface Outbound {
  fields: FrameFields
  /** `control`: a frame alone. `bulk` waits for the rate limit. */
  kind: 'control' | 'prompt' | 'bulk'
  head: Buffer
  body: Buffer
  /** Body bytes that have left. */
  sent: number
  /** Body bytes that may leave. */
  allowed: number
  /** The channel took its first frame. */
  opened: boolean
  queued: boolean
  dropped: boolean
  /** Its first frame is the next to leave. Small ones overtake: what must rise in that order is drawn here. */
  onOpen: (() => void) | undefined
  /** So many body bytes were handed to the channel. */
  onBytes: ((bytes: number) => void) | undefined
  /** The last byte was handed to the channel. */
  onSent: (() => void) | undefined
}

export interface OutboundOptions {
  bulk: boolean
  onOpen?: () => void
  onBytes?: (bytes: number) => void
  onSent?: () => void
}

export function outbound(
  fields: FrameFields,
  head: Buffer,
  body: Buffer,
  allowed: number,
  { bulk, onOpen, onBytes, onSent }: OutboundOptions,
): Outbound {
  const kind = bulk ? ('bulk' as const) : ('prompt' as const)
  const state = { sent: 0, allowed, opened: false, queued: false, dropped: false }
  return { fields, kind, head, body, ...state, onOpen, onBytes, onSent }
}

/** A frame without a body. */
export function lone(type: FrameFields['type'], flags: number, id: number, number = 0, head: Buffer = EMPTY): Outbound {
  const fields = { type, flags, method: 0, id, number, windowKib: 0 }
  return { ...outbound(fields, head, EMPTY, 0, { bulk: false }), kind: 'control' }
}

export interface SendQueueParts {
  link: FrameLink
  /** Bytes that this channel may have buffered. */
  highWater: () => number
  pace: Pace
  onFrame: (frame: Buffer) => void
  /** The channel refused a frame: it is gone. */
  onRefused: () => void
}

// One buffer for all connections: a frame is written and handed over without a yield between.
const scratch = Buffer.allocUnsafeSlow(CHUNK_BYTES)

export class SendQueue implements Paced {
  private small: Outbound[] = []
  private bodies: Outbound[] = []
  private smallInARow = 0
  private stopped = false
  /** Bulk waits for its turn under the rate limit. */
  private paced = false
  private readonly parts: SendQueueParts

  constructor(parts: SendQueueParts) {
    this.parts = parts
  }

  /** Frames that could leave if the channel had room. */
  get ready(): number {
    return this.small.length + (this.paced ? 0 : this.bodies.length)
  }

  add(item: Outbound): void {
    if (item.queued || item.dropped || this.stopped) return
    item.queued = true
    if (this.isSmall(item)) this.small.push(item)
    else this.bodies.push(item)
    if (this.small.length > SMALL_FRAMES_QUEUED_MAX) {
      this.parts.onRefused()
      return
    }
    this.pump()
  }

  private isSmall(item: Outbound): boolean {
    if (item.opened) return false
    if (this.parts.pace.limited) return item.kind !== 'bulk'
    return item.head.length + item.body.length <= SMALL_FRAME_BYTES_MAX
  }

  /** The other side lets more of the body come. */
  allow(item: Outbound, bytes: number): void {
    item.allowed += bytes
    this.add(item)
  }

  /** Nothing more of it leaves; an opened one is the other side's to forget. */
  drop(item: Outbound): void {
    item.dropped = true
    item.body = EMPTY
  }

  stop(): void {
    this.stopped = true
    this.small = []
    this.bodies = []
    this.parts.pace.leave(this)
  }

  /** Sends until the channel has enough. Called when it has drained and when something was added. */
  pump(): void {
    const { limited } = this.parts.pace
    while (this.hasRoom()) {
      const item = limited ? this.nextPrompt() : this.next()
      if (item === undefined) break
      if (!item.dropped) this.sendFrame(item)
    }
    if (!limited || this.paced || this.bodies.length === 0 || !this.hasRoom()) return
    this.paced = true
    this.parts.pace.join(this)
  }

  /** One frame of bulk. */
  step(): boolean {
    while (this.bodies[0]?.dropped) this.bodies.shift()
    const item = this.hasRoom() ? this.bodies.shift() : undefined
    if (item !== undefined) {
      item.queued = false
      this.sendFrame(item)
    }
    // Without room the channel says when there is some, and pump asks for turns again.
    this.paced = this.bodies.length > 0 && this.hasRoom()
    return this.paced
  }

  private hasRoom(): boolean {
    const { highWater, pace, link } = this.parts
    // Under a limit, what is prompt does not wait long behind what was handed over before it.
    return !this.stopped && link.bufferedBytes() < Math.min(highWater(), pace.burstBytes)
  }

  /** Past the reserve of prompt bytes only frames that keep the connection going. */
  private nextPrompt(): Outbound | undefined {
    if (this.small.length === 0) return undefined
    const at = this.parts.pace.mayPrompt ? 0 : this.small.findIndex((one) => one.kind === 'control' || one.dropped)
    const [item] = at < 0 ? [] : this.small.splice(at, 1)
    if (item !== undefined) item.queued = false
    return item
  }

  private next(): Outbound | undefined {
    const takeSmall =
      this.small.length > 0 && (this.smallInARow < SMALL_FRAMES_IN_A_ROW_MAX || this.bodies.length === 0)
    const item = takeSmall ? this.small.shift() : this.bodies.shift()
    if (item === undefined) return undefined
    item.queued = false
    this.smallInARow = takeSmall ? this.smallInARow + 1 : 0
    return item
  }

  private sendFrame(item: Outbound): void {
    const opening = !item.opened
    if (opening) item.onOpen?.()
    const room = CHUNK_BYTES - FRAME_HEADER_BYTES - (opening ? item.head.length : 0)
    const end = Math.min(item.allowed, item.sent + room)
    const payload = item.body.subarray(item.sent, end)
    const last = end === item.body.length && hasBody(item.fields.type) ? FLAG_LAST : 0
    const fields = opening ? item.fields : dataFields(item.fields)
    const size = writeFrame(scratch, { ...fields, flags: fields.flags | last }, opening ? item.head : EMPTY, payload)
    const frame = scratch.subarray(0, size)
    this.parts.onFrame(frame)
    if (!this.parts.link.send(frame)) {
      this.parts.onRefused()
      return
    }
    item.opened = true
    item.onBytes?.(end - item.sent)
    item.sent = end
    if (end === item.body.length) item.onSent?.()
    else if (end < item.allowed) {
      item.queued = true
      this.bodies.push(item)
    }
  }
}

function hasBody(type: FrameFields['type']): boolean {
  return type === FRAME.request || type === FRAME.response
}

function dataFields(first: FrameFields): FrameFields {
  return { type: FRAME.data, flags: first.flags, method: 0, id: first.id, number: 0, windowKib: 0 }
}
