/** Frames of every type as an honest peer sends them. */
import { FRAME_HEADER_BYTES } from '../../src/wire/frame-limits.js'
import { FLAG_ANSWER, FLAG_LAST, FRAME, type FrameFields, writeFrame } from '../../src/wire/frames.js'
import type { Dice } from './dice.js'
import { rampBytes } from './ramp.js'

const EMPTY = Buffer.alloc(0)

export function encodeFrame(fields: FrameFields, head: Buffer = EMPTY, payload: Buffer = EMPTY): Buffer {
  const target = Buffer.alloc(FRAME_HEADER_BYTES + head.length + payload.length)
  return target.subarray(0, writeFrame(target, fields, head, payload))
}

export interface SoundFrame {
  fields: FrameFields
  head: Buffer
  payload: Buffer
}

export const soundFrames: Record<keyof typeof FRAME, (dice: Dice) => SoundFrame> = {
  request: (dice) => first(dice, FRAME.request, 0, { method: dice.roll(1, 255), windowKib: dice.roll(0, 2_048) }),
  response: (dice) => first(dice, FRAME.response, FLAG_ANSWER, {}),
  data: (dice) => {
    const flags = dice.pick([0, FLAG_LAST, FLAG_ANSWER, FLAG_LAST | FLAG_ANSWER])
    return { fields: lone(dice, FRAME.data, flags, 0), head: EMPTY, payload: rampBytes(1, dice.roll(1, 3_000)) }
  },
  credit: (dice) => bare(lone(dice, FRAME.credit, FLAG_ANSWER, dice.roll(1, 2_097_152))),
  cancel: (dice) => bare(lone(dice, FRAME.cancel, 0, 0)),
  error: (dice) => ({
    ...bare(lone(dice, FRAME.error, FLAG_ANSWER, dice.roll(1, 65_535))),
    head: dice.bytes(dice.roll(0, 600)),
  }),
  beat: () => bare({ type: FRAME.beat, flags: 0, method: 0, id: 0, number: 0, windowKib: 0 }),
}

function bare(fields: FrameFields): SoundFrame {
  return { fields, head: EMPTY, payload: EMPTY }
}

function lone(dice: Dice, type: FrameFields['type'], flags: number, number: number): FrameFields {
  return { type, flags, method: 0, id: dice.roll(1, 0xffffffff), number, windowKib: 0 }
}

function first(dice: Dice, type: FrameFields['type'], flags: number, more: Partial<FrameFields>): SoundFrame {
  const payload = rampBytes(2, dice.roll(0, 2_000))
  const rest = dice.pick([0, 0, 1, 5_000, 2_000_000])
  const fields = { ...lone(dice, type, flags | (rest === 0 ? FLAG_LAST : 0), payload.length + rest), ...more }
  return { fields, head: dice.bytes(dice.roll(0, 300)), payload }
}
