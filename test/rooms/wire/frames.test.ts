import t from 'tap'
import { FRAME_BYTES_MAX } from '../../../src/wire/frame-limits.js'
import { decodeFrame, FLAG_ANSWER, FLAG_LAST, FRAME, type FrameFields } from '../../../src/wire/frames.js'
import { Dice, testSeed } from '../../support/dice.js'
import { encodeFrame, soundFrames } from '../../support/sound-frames.js'

const EMPTY = Buffer.alloc(0)
const seed = testSeed()
const ROUNDS = 500

t.comment(`SEED=${seed}`)

t.test('a golden request frame', async (t) => {
  const fields = { type: FRAME.request, flags: FLAG_LAST, method: 2, id: 0x01020304, number: 3, windowKib: 2_048 }
  const bytes = encodeFrame(fields, Buffer.from('hd'), Buffer.from('abc'))
  t.equal(bytes.toString('hex'), '01010102010203040000000300020800' + '6864' + '616263')
})

for (const [name, make] of Object.entries(soundFrames)) {
  t.test(`${name}: every sound frame is decoded to what was written, ${ROUNDS} of them`, async (t) => {
    const dice = new Dice(seed)
    let wrong = 0
    for (let i = 0; i < ROUNDS; i++) {
      const { fields, head, payload } = make(dice)
      const frame = decodeFrame(encodeFrame(fields, head, payload))
      const same = Object.entries(fields).every(([key, value]) => frame[key as keyof FrameFields] === value)
      if (!same || !frame.head.equals(head) || !frame.payload.equals(payload)) wrong += 1
    }
    t.equal(wrong, 0)
  })
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
    t.throws(() => decodeFrame(encodeFrame({ ...base, ...change }, head, payload)), { code: 'malformed' }, name)
  }
  t.throws(() => decodeFrame(Buffer.alloc(FRAME_BYTES_MAX + 1)), { code: 'malformed' }, 'a message above 256 KiB')
  const newer = encodeFrame(base)
  newer[0] = 2
  t.throws(() => decodeFrame(newer), { code: 'unsupported-version' }, 'a newer version')
})
