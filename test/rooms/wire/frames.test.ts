import t from 'tap'
import { AppError } from '../../../src/base/errors.js'
import { FRAME_BYTES_MAX } from '../../../src/wire/frame-limits.js'
import { decodeFrame, FLAG_ANSWER, FLAG_LAST, FRAME, type FrameFields, writeFrame } from '../../../src/wire/frames.js'
import { Dice, testSeed } from '../../support/dice.js'
import { rampBytes } from '../../support/ramp.js'

const EMPTY = Buffer.alloc(0)
const seed = testSeed()
const ROUNDS = 2_000

function encode(fields: FrameFields, head: Buffer = EMPTY, payload: Buffer = EMPTY): Buffer {
  const target = Buffer.alloc(FRAME_BYTES_MAX)
  return target.subarray(0, writeFrame(target, fields, head, payload))
}

interface Sound {
  fields: FrameFields
  head: Buffer
  payload: Buffer
}

/** A frame of every type as an honest peer sends it. */
const sound: Record<keyof typeof FRAME, (dice: Dice) => Sound> = {
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

function bare(fields: FrameFields): Sound {
  return { fields, head: EMPTY, payload: EMPTY }
}

function lone(dice: Dice, type: FrameFields['type'], flags: number, number: number): FrameFields {
  return { type, flags, method: 0, id: dice.roll(1, 0xffffffff), number, windowKib: 0 }
}

function first(dice: Dice, type: FrameFields['type'], flags: number, more: Partial<FrameFields>): Sound {
  const payload = rampBytes(2, dice.roll(0, 2_000))
  const rest = dice.pick([0, 0, 1, 5_000, 2_000_000])
  const fields = { ...lone(dice, type, flags | (rest === 0 ? FLAG_LAST : 0), payload.length + rest), ...more }
  return { fields, head: dice.bytes(dice.roll(0, 300)), payload }
}

t.comment(`SEED=${seed}`)

t.test('a golden request frame', async (t) => {
  const fields = { type: FRAME.request, flags: FLAG_LAST, method: 2, id: 0x01020304, number: 3, windowKib: 2_048 }
  const bytes = encode(fields, Buffer.from('hd'), Buffer.from('abc'))
  t.equal(bytes.toString('hex'), '01010102010203040000000300020800' + '6864' + '616263')
})

for (const [name, make] of Object.entries(sound)) {
  t.test(`${name}: every sound frame is decoded to what was written, ${ROUNDS} of them`, async (t) => {
    const dice = new Dice(seed)
    let wrong = 0
    for (let i = 0; i < ROUNDS; i++) {
      const { fields, head, payload } = make(dice)
      const frame = decodeFrame(encode(fields, head, payload))
      const same = Object.entries(fields).every(([key, value]) => frame[key as keyof FrameFields] === value)
      if (!same || !frame.head.equals(head) || !frame.payload.equals(payload)) wrong += 1
    }
    t.equal(wrong, 0)
  })

  t.test(`${name}: ${ROUNDS} mutated frames are decoded or refused with a code, never more`, async (t) => {
    const dice = new Dice(seed + 1)
    const strange: unknown[] = []
    let refused = 0
    for (let i = 0; i < ROUNDS; i++) {
      const { fields, head, payload } = make(dice)
      const bytes = mutate(dice, Buffer.from(encode(fields, head, payload)))
      try {
        decodeFrame(bytes)
      } catch (error) {
        refused += 1
        const known = error instanceof AppError && ['malformed', 'unsupported-version'].includes(error.code)
        if (!known) strange.push(error)
      }
    }
    t.same(strange, [])
    t.ok(refused > ROUNDS / 10, `${refused} refused`)
  })
}

function mutate(dice: Dice, bytes: Buffer): Buffer {
  for (let i = dice.roll(1, 3); i > 0; i--) {
    const at = dice.roll(0, Math.min(bytes.length, 24) - 1)
    bytes[at] = dice.pick([0, 1, 0x7f, 0xff, (bytes[at] as number) ^ (1 << dice.roll(0, 7))])
  }
  if (dice.roll(0, 3) === 0) return bytes.subarray(0, dice.roll(0, bytes.length))
  return dice.roll(0, 3) === 0 ? Buffer.concat([bytes, dice.bytes(dice.roll(1, 40))]) : bytes
}

t.test('what a frame must not be', async (t) => {
  const base = { type: FRAME.request, flags: FLAG_LAST, method: 1, id: 1, number: 0, windowKib: 0 }
  const bad: [string, Partial<FrameFields>, Buffer?, Buffer?][] = [
    ['a request without an id', { id: 0 }],
    ['a request without a method', { method: 0 }],
    ['a request with the answer flag', { flags: FLAG_LAST | FLAG_ANSWER }],
    ['a body above 2 MiB', { number: 2_097_153, flags: 0 }],
    ['a window above 2 MiB', { windowKib: 2_049 }],
    ['a head above 4 KiB', {}, Buffer.alloc(4_097)],
    ['more body than announced', {}, EMPTY, Buffer.from('x')],
    ['a last flag on a body that goes on', { number: 2 }, EMPTY, Buffer.from('x')],
    ['no last flag on a body that is whole', { number: 1, flags: 0 }, EMPTY, Buffer.from('x')],
    ['a type that does not exist', { type: 9 as FrameFields['type'] }],
    ['data without data', { type: FRAME.data, method: 0, flags: 0 }],
    ['credit of nothing', { type: FRAME.credit, method: 0, flags: FLAG_ANSWER }],
    ['credit that the requester gives', { type: FRAME.credit, method: 0, flags: 0, number: 1 }],
    ['a cancel from the side that answers', { type: FRAME.cancel, method: 0, flags: FLAG_ANSWER }],
    ['a beat of a request', { type: FRAME.beat, method: 0, flags: 0 }],
    ['an error without a code', { type: FRAME.error, method: 0, flags: FLAG_ANSWER }],
  ]
  for (const [name, change, head, payload] of bad) {
    t.throws(() => decodeFrame(encode({ ...base, ...change }, head, payload)), { code: 'malformed' }, name)
  }
  t.throws(() => decodeFrame(Buffer.alloc(FRAME_BYTES_MAX + 1)), { code: 'malformed' }, 'a message above 256 KiB')
  const newer = encode(base)
  newer[0] = 2
  t.throws(() => decodeFrame(newer), { code: 'unsupported-version' }, 'a newer version')
})
