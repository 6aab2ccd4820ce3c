/**
 * Frames on a data channel (docs/protocol.md section 4): 16 bytes of header, then head, then body bytes. One message is
 * one frame. Decoding takes hostile bytes, copies nothing, and throws `malformed` or `unsupported-version`; a frame that
 * passes is sound by itself (lengths, flags, fields that its type does not use are zero). Whether it fits the state of
 * its request is for rtc to judge.
 *
 *   0 version u8 | 1 type u8 | 2 flags u8 | 3 method u8 | 4 id u32 | 8 number u32 | 12 head length u16 | 14 window u16
 */
import { assert } from '../base/assert.js'
import { AppError } from '../base/errors.js'
import { BODY_BYTES_MAX, FRAME_BYTES_MAX, FRAME_HEADER_BYTES, HEAD_BYTES_MAX } from './frame-limits.js'

export const FRAME_VERSION = 1

export const FRAME = { request: 1, response: 2, data: 3, credit: 4, cancel: 5, error: 6, beat: 7 } as const
export type FrameType = (typeof FRAME)[keyof typeof FRAME]

/** The last frame of its direction: with it the body is complete. */
export const FLAG_LAST = 1
/** From the side that answers: the id is one of the receiver's own requests. */
export const FLAG_ANSWER = 2

export interface FrameFields {
  type: FrameType
  flags: number
  /** Requests only. */
  method: number
  /** Rising, from 1; 0 in beats. */
  id: number
  /** request, response: length of the whole body; credit: bytes granted; error: code number. */
  number: number
  /** Requests only: the largest reply body that the requester takes, in KiB. */
  windowKib: number
}

export interface Frame extends FrameFields {
  head: Buffer
  /** Body bytes in this frame. */
  payload: Buffer
}

/** Writes a frame into `target` and returns its length. */
export function writeFrame(target: Buffer, fields: FrameFields, head: Uint8Array, payload: Uint8Array): number {
  const size = FRAME_HEADER_BYTES + head.length + payload.length
  assert(size <= target.length && size <= FRAME_BYTES_MAX, `frame of ${size} bytes`)
  target[0] = FRAME_VERSION
  target[1] = fields.type
  target[2] = fields.flags
  target[3] = fields.method
  target.writeUInt32BE(fields.id, 4)
  target.writeUInt32BE(fields.number, 8)
  target.writeUInt16BE(head.length, 12)
  target.writeUInt16BE(fields.windowKib, 14)
  target.set(head, FRAME_HEADER_BYTES)
  target.set(payload, FRAME_HEADER_BYTES + head.length)
  return size
}

export function decodeFrame(message: Buffer): Frame {
  if (message.length < FRAME_HEADER_BYTES) throw malformed(`${message.length} bytes`)
  if (message.length > FRAME_BYTES_MAX) throw malformed(`${message.length} bytes, at most ${FRAME_BYTES_MAX}`)
  const version = message[0] as number
  if (version > FRAME_VERSION) throw new AppError('unsupported-version', `frame of version ${version}`)
  if (version !== FRAME_VERSION) throw malformed(`version ${version}`)
  const headEnd = FRAME_HEADER_BYTES + message.readUInt16BE(12)
  if (headEnd > message.length) throw malformed('head longer than the frame')
  const frame: Frame = {
    type: message[1] as FrameType,
    flags: message[2] as number,
    method: message[3] as number,
    id: message.readUInt32BE(4),
    number: message.readUInt32BE(8),
    windowKib: message.readUInt16BE(14),
    head: message.subarray(FRAME_HEADER_BYTES, headEnd),
    payload: message.subarray(headEnd),
  }
  checkFrame(frame)
  return frame
}

function checkFrame(frame: Frame): void {
  const rule = RULES[frame.type]
  if (rule === undefined) throw malformed(`type ${frame.type}`)
  if ((frame.flags & ~rule.flagsMay) !== 0 || (frame.flags & rule.flagsMust) !== rule.flagsMust) {
    throw malformed(`flags ${frame.flags} on type ${frame.type}`)
  }
  if (frame.head.length > rule.headBytesMax) throw malformed(`head of ${frame.head.length} bytes`)
  if (frame.number > rule.numberMax || frame.number < rule.numberMin) throw malformed(`number ${frame.number}`)
  if ((frame.id === 0) !== (frame.type === FRAME.beat)) throw malformed(`id ${frame.id}`)
  if ((frame.method === 0) !== (frame.type !== FRAME.request)) throw malformed(`method ${frame.method}`)
  const windowKibMax = frame.type === FRAME.request ? BODY_BYTES_MAX / 1024 : 0
  if (frame.windowKib > windowKibMax) throw malformed(`window of ${frame.windowKib} KiB`)
  if (rule.payload === 'none' && frame.payload.length > 0) throw malformed('bytes left over')
  if (rule.payload === 'some' && frame.payload.length === 0) throw malformed('no data')
  if (rule.payload === 'first') checkFirst(frame)
}

/** The first frame of a direction knows the whole length: its last flag must agree. */
function checkFirst(frame: Frame): void {
  if (frame.payload.length > frame.number) throw malformed('more body than announced')
  const last = (frame.flags & FLAG_LAST) !== 0
  if (last !== (frame.payload.length === frame.number)) throw malformed('last flag against the length')
}

interface Rule {
  flagsMay: number
  flagsMust: number
  headBytesMax: number
  numberMin: number
  numberMax: number
  payload: 'none' | 'some' | 'first'
}

const BOTH = FLAG_LAST | FLAG_ANSWER

function rule(
  flags: [may: number, must: number],
  headBytesMax: number,
  number: [min: number, max: number],
  payload: Rule['payload'],
): Rule {
  const [flagsMay, flagsMust] = flags
  return { flagsMay, flagsMust, headBytesMax, numberMin: number[0], numberMax: number[1], payload }
}

const RULES: Record<number, Rule | undefined> = {
  [FRAME.request]: rule([FLAG_LAST, 0], HEAD_BYTES_MAX, [0, BODY_BYTES_MAX], 'first'),
  [FRAME.response]: rule([BOTH, FLAG_ANSWER], HEAD_BYTES_MAX, [0, BODY_BYTES_MAX], 'first'),
  [FRAME.data]: rule([BOTH, 0], 0, [0, 0], 'some'),
  [FRAME.credit]: rule([FLAG_ANSWER, FLAG_ANSWER], 0, [1, BODY_BYTES_MAX], 'none'),
  [FRAME.cancel]: rule([0, 0], 0, [0, 0], 'none'),
  [FRAME.error]: rule([FLAG_ANSWER, FLAG_ANSWER], HEAD_BYTES_MAX, [1, 0xffff], 'none'),
  [FRAME.beat]: rule([0, 0], 0, [0, 0], 'none'),
}

function malformed(why: string): AppError {
  return new AppError('malformed', `frame: ${why}`)
}
