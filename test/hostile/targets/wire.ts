/** Frames and heads on a data channel, and what a peer's connection makes of them. */
import { AppError } from '../../../src/base/errors.js'
import { decodeError, ERROR_TEXT_BYTES_MAX, encodeError } from '../../../src/wire/error-codes.js'
import { decodeFrame, FRAME } from '../../../src/wire/frames.js'
import * as methods from '../../../src/wire/methods.js'
import { Dice } from '../../support/dice.js'
import { FrameTester } from '../../support/frame-tester.js'
import { type MethodHead, methodBodies, methodHeads } from '../../support/method-heads.js'
import { encodeFrame, soundFrames } from '../../support/sound-frames.js'
import { decoder, type Opened, type Target } from '../target.js'

const FRAMES = ['src/wire/frames.ts']
const METHODS = ['src/wire/methods.ts', 'src/wire/inventory-methods.ts']
const RTC = ['connection', 'requester', 'responder', 'body-assembly'].map((name) => `src/rtc/${name}.ts`)
const frameNames = Object.keys(FRAME) as (keyof typeof FRAME)[]

function framesOf(name: keyof typeof FRAME): Buffer[] {
  const dice = new Dice(1)
  return Array.from({ length: 8 }, () => {
    const { fields, head, payload } = soundFrames[name](dice)
    return Buffer.from(encodeFrame(fields, head, payload))
  })
}

/** What was read is what stands there: an object has one encoding. */
function sameAgain(input: Buffer, again: Buffer): void {
  if (!again.equals(input)) throw new Error(`read as something else: ${again.toString('hex')}`)
}

const frames = frameNames.map((name) =>
  decoder(
    `frame ${name}`,
    FRAMES,
    {
      samples: framesOf(name),
      take: (input) => {
        const { head, payload, ...fields } = decodeFrame(input)
        sameAgain(input, encodeFrame(fields, head, payload))
      },
      codes: ['malformed', 'unsupported-version'],
    },
    [`FRAME.${name}`],
  ),
)

/** More than rides in a request's first frame. */
const BODY = Buffer.alloc(70_000)

/** A peer that has asked us and is asked by us, and says one wrong thing after the other. */
function liveConnection(): Target {
  const open = (): Opened => {
    const sound = frameNames.flatMap(framesOf)
    const tester = new FrameTester()
    tester.network.serve(async () => ({ head: Buffer.alloc(0) }))
    const ask = () => {
      const asked = { method: 3, head: Buffer.alloc(0), body: BODY, deadlineMs: 60_000 }
      tester.network.request(tester.peer, asked).catch(() => undefined)
    }
    return {
      // Most say something of a request that was never made: that is the point, and alone it proves nothing.
      samples: [Buffer.from(encodeFrame({ type: FRAME.beat, flags: 0, method: 0, id: 0, number: 0, windowKib: 0 }))],
      spoil: (dice) => {
        const frame = Buffer.from(dice.pick(sound))
        if (dice.roll(0, 1) === 0 && frame.readUInt32BE(4) !== 0) frame.writeUInt32BE(dice.roll(1, 3), 4)
        for (let changes = dice.roll(0, 2); changes > 0; changes--) frame[dice.roll(0, 15)] = dice.roll(0, 255)
        return frame
      },
      take: async (input) => {
        if (tester.closed) {
          tester.sent.length = 0
          tester.open()
          ask()
          await new Promise((resolve) => setImmediate(resolve))
        }
        tester.sayBytes(input)
        if (tester.closed) throw new AppError('malformed', 'the connection was closed')
      },
      codes: ['malformed'],
      taken: 'sometimes',
      conclude: async () => {
        await tester.network.stop()
        await new Promise((resolve) => setImmediate(resolve))
        const { askingBytes, servingBytes, heldBytes, waiting } = tester.network.usage()
        return askingBytes + servingBytes + heldBytes + waiting === 0 ? [] : [JSON.stringify(tester.network.usage())]
      },
    }
  }
  return { name: 'live connection', of: RTC, open }
}

function head(is: string, made: MethodHead): Target {
  const dice = new Dice(2)
  const samples = Array.from({ length: 6 }, () => made.encode(made.make(dice) as never))
  const take = (input: Buffer) => sameAgain(input, made.encode(made.decode(input) as never))
  return decoder(`head ${is}`, METHODS, { samples, take, codes: ['malformed'] }, [is])
}

const empty: MethodHead = { make: () => undefined, encode: methods.encodeEmpty, decode: methods.decodeEmpty }
const known = (name: string) => methodHeads[name] as MethodHead
const headOf: Record<keyof typeof methods.METHOD, [request: MethodHead, reply: MethodHead]> = {
  ping: [empty, known('ping reply')],
  put: [known('token head'), known('put reply')],
  get: [known('get request'), known('get reply')],
  head: [known('head request'), known('head reply')],
  delete: [known('token head'), empty],
  putWitness: [known('put-witness request'), empty],
  getWitness: [known('token head'), known('get-witness reply')],
  audit: [known('audit request'), known('audit reply')],
  inventory: [known('inventory request'), methodBodies['inventory list'] as MethodHead],
  restore: [known('token head'), known('put reply')],
}
const heads = Object.entries(headOf).flatMap(([name, [request, reply]]) => [
  head(`METHOD.${name} request`, request),
  head(`METHOD.${name} reply`, reply),
])
const digests = head('inventory digests', methodBodies['inventory digests'] as MethodHead)

/** Never refused: an error that cannot be read is still an error. Its words are a stranger's. */
const errorFrame = decoder('error of a peer', ['src/wire/error-codes.ts'], {
  samples: [
    encodeError(new AppError('host-full', 'the space is used up', { retry: 'elsewhere' })).head,
    encodeError(new AppError('malformed', '\u00e9'.repeat(400))).head,
  ],
  taken: 'always',
  codes: [],
  take: (input) => {
    const { message, code, retry } = decodeError(input[0] ?? 0, input)
    const plain = !/[\u0000-\u001f\u007f-\u009f]/.test(message) && message.length <= ERROR_TEXT_BYTES_MAX + 32
    if (!plain || !/^[a-z-]+$/.test(code) || !['never', 'later', 'elsewhere'].includes(retry)) throw new Error(message)
  },
})

export const wireTargets: readonly Target[] = [...frames, liveConnection(), ...heads, digests, errorFrame]
