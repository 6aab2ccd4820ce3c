import t from 'tap'
import { peerId } from '../../../src/model/ids.js'
import { wireNumberOf } from '../../../src/wire/error-codes.js'
import { FLAG_ANSWER, FLAG_LAST, FRAME, type FrameFields } from '../../../src/wire/frames.js'
import { Dice, testSeed } from '../../support/dice.js'
import { FrameTester } from '../../support/frame-tester.js'

const EMPTY = Buffer.alloc(0)
const SHARD = 1_966_080
const MIB = 1_048_576
const seed = testSeed()
t.comment(`SEED=${seed}`)

const tick = () => new Promise<void>((resolve) => void setImmediate(resolve))
const PING = { method: 1, head: EMPTY, deadlineMs: 60_000 }

/** The one request that the tester has been asked. */
function ask(tester: FrameTester, body?: Buffer, replyBytesMax = 100_000) {
  const asked = tester.network.request(tester.peer, { method: 3, head: EMPTY, body, replyBytesMax, deadlineMs: 60_000 })
  return asked.then(
    () => 'a reply',
    (error) => error.code,
  )
}

t.test('frames that fit no request close the connection and are counted', async (t) => {
  const ANSWER_LAST = FLAG_ANSWER | FLAG_LAST
  const wrong: [string, Partial<FrameFields> & Pick<FrameFields, 'type'>, Buffer?][] = [
    ['a response to a request that was never made', { type: FRAME.response, id: 9, flags: ANSWER_LAST }],
    ['a reply above its window', { type: FRAME.response, id: 1, flags: FLAG_ANSWER, number: 102_401 }],
    ['data before the response', { type: FRAME.data, id: 1, flags: FLAG_ANSWER }, Buffer.from('x')],
    ['credit above the body', { type: FRAME.credit, id: 1, flags: FLAG_ANSWER, number: SHARD }],
    ['an error for a request that was never made', { type: FRAME.error, id: 2, flags: FLAG_ANSWER, number: 1 }],
    ['a response before the body was sent', { type: FRAME.response, id: 1, flags: ANSWER_LAST }],
    ['data of a request that it never made', { type: FRAME.data, id: 1 }, Buffer.from('x')],
    ['a cancel of a request that it never made', { type: FRAME.cancel, id: 1 }],
  ]
  for (const [name, fields, payload] of wrong) {
    const tester = new FrameTester()
    const code = ask(tester, Buffer.alloc(SHARD))
    await tick()
    tester.say(fields, EMPTY, payload)
    t.equal(await code, 'peer-lost', name)
    t.ok(tester.closed)
    t.equal(tester.network.counters.malformedFrames, 1)
    t.equal(tester.network.usage().askingBytes, 0)
    await tester.network.stop()
  }
})

t.test('requests with ids that do not rise, and data beyond the credit, close the connection', async (t) => {
  const tester = new FrameTester()
  tester.network.serve(async () => ({ head: EMPTY }))
  const request = { type: FRAME.request, method: 1, flags: FLAG_LAST }
  tester.say({ ...request, id: 5 })
  tester.say({ ...request, id: 5 })
  t.ok(tester.closed, 'the same id twice')
  tester.open()
  tester.say({ ...request, id: 1, number: 200_000, flags: 0 })
  tester.say({ type: FRAME.data, id: 1, flags: 0 }, EMPTY, Buffer.alloc(150_000))
  t.notOk(tester.closed)
  tester.say({ type: FRAME.data, id: 1, flags: 0 }, EMPTY, Buffer.alloc(150_000))
  t.ok(tester.closed, 'more body than announced')
  tester.open()
  tester.say({ ...request, id: 1, number: 100_000, flags: 0 }, EMPTY, Buffer.alloc(65_537))
  t.ok(tester.closed, 'more in the first frame than is free')
  t.equal(tester.network.counters.malformedFrames, 3)
  t.equal(tester.network.usage().servingBytes, 0)
  await tester.network.stop()
})

t.test('late frames of requests that were given up are no offence', async (t) => {
  const tester = new FrameTester()
  const abort = new AbortController()
  const asked = tester.network.request(tester.peer, { ...PING, body: Buffer.alloc(SHARD), signal: abort.signal })
  const gone = t.rejects(asked, { name: 'AbortError' })
  await tick()
  abort.abort()
  await gone
  tester.say({ type: FRAME.credit, id: 1, flags: FLAG_ANSWER, number: 1_000 })
  tester.say({ type: FRAME.response, id: 1, flags: FLAG_ANSWER | FLAG_LAST })
  tester.say({ type: FRAME.error, id: 1, flags: FLAG_ANSWER, number: wireNumberOf('busy') })
  t.notOk(tester.closed)
  t.equal(tester.sent.at(-1)?.type, FRAME.cancel)
  await tester.network.stop()
})

t.test('a peer that announces bodies and sends none holds no more than its part', async (t) => {
  const tester = new FrameTester()
  tester.network.serve(async () => ({ head: EMPTY }))
  for (let id = 1; id <= 1_000; id++) {
    tester.say({ type: FRAME.request, method: 2, id, number: 2 * MIB, windowKib: 2_048 }, EMPTY, Buffer.alloc(65_536))
  }
  const usage = tester.network.usage()
  t.ok(usage.servingBytes <= 16 * MIB, `${usage.servingBytes} bytes reserved`)
  t.ok(usage.heldBytes <= 64 * 65_536, `${usage.heldBytes} bytes held`)
  const refused = tester.sent.filter((frame) => frame.type === FRAME.error && frame.number === wireNumberOf('busy'))
  t.equal(refused.length, 1_000 - 64 - 4, '4 fit, 64 wait, the others are told to come later')
  await tester.network.stop()
  t.same([tester.network.usage().servingBytes, tester.network.usage().heldBytes], [0, 0], 'all of it comes back')
})

t.test('many peers that do so hold no more than the bound together', async (t) => {
  const tester = new FrameTester()
  tester.network.serve(async () => ({ head: EMPTY }))
  for (let n = 0; n < 100; n++) {
    tester.open(peerId(n.toString(16).padStart(64, '0')))
    for (let id = 1; id <= 68; id++) {
      tester.say({ type: FRAME.request, method: 2, id, number: 2 * MIB, windowKib: 2_048 }, EMPTY, Buffer.alloc(65_536))
    }
  }
  const usage = tester.network.usage()
  t.ok(usage.servingBytes <= 64 * MIB && usage.heldBytes <= 16 * MIB, JSON.stringify(usage))
  await tester.network.stop()
  t.same([tester.network.usage().servingBytes, tester.network.usage().heldBytes], [0, 0])
})

t.test('a peer that asks and never reads is cut off', async (t) => {
  const tester = new FrameTester()
  tester.buffered = 100 * MIB
  for (let id = 1; id <= 6_000 && !tester.closed; id++) {
    tester.say({ type: FRAME.request, method: 1, id, flags: FLAG_LAST })
  }
  t.ok(tester.closed)
  t.equal(tester.network.counters.peersLost, 1)
  await tester.network.stop()
})

t.test('20,000 frames at random leave the network whole', async (t) => {
  const dice = new Dice(seed)
  const tester = new FrameTester()
  tester.network.serve(async (_from, { body, replyBytesMax, method }) => {
    if (method === 3) await tick()
    return { head: EMPTY, body: body.subarray(0, replyBytesMax) }
  })
  let [nextId, closings] = [1, 0]
  const asked: Promise<string>[] = []
  for (let i = 0; i < 20_000; i++) {
    if (tester.closed) {
      closings += 1
      nextId = 1
      tester.sent.length = 0
      tester.open()
    }
    if (dice.roll(0, 50) === 0) asked.push(ask(tester, dice.pick([undefined, Buffer.alloc(dice.roll(0, 200_000))])))
    if (dice.roll(0, 20) === 0) await tick()
    nextId += sayAnything(tester, dice, nextId)
  }
  t.comment(`${closings} connections were closed, ${asked.length} requests made`)
  await tester.network.stop()
  const codes = new Set(await Promise.all(asked))
  for (const code of ['a reply', 'peer-lost', 'stopped', 'peer-error']) codes.delete(code)
  t.ok(
    [...codes].every((code) => typeof code === 'string'),
    [...codes].join(', '),
  )
  // Servers that still run keep their memory until they end.
  await tick()
  await tick()
  const usage = tester.network.usage()
  t.same([usage.askingBytes, usage.servingBytes, usage.heldBytes, usage.waiting], [0, 0, 0, 0])
  t.ok(closings > 100 && closings < 19_000)
})

/** Mostly plausible: wrong frames end a connection, and only a living one has states to break. */
function sayAnything(tester: FrameTester, dice: Dice, nextId: number): number {
  const known = dice.roll(Math.max(1, nextId - 5), nextId)
  const size = dice.pick([0, 1, 1_000, 65_536, 70_000])
  const payload = Buffer.alloc(Math.min(size, 65_536))
  const last = payload.length === size ? FLAG_LAST : 0
  const kind = dice.roll(0, 60)
  switch (kind > 9 ? kind % 4 : kind) {
    case 0:
    case 1:
    case 2:
      tester.say(
        { type: FRAME.request, method: dice.roll(1, 4), id: nextId, number: size, flags: last, windowKib: 100 },
        EMPTY,
        payload,
      )
      return 1
    case 3:
    case 4:
      tester.say(
        { type: FRAME.data, id: known, flags: FLAG_LAST },
        EMPTY,
        Buffer.alloc(dice.pick([4_464, 70_000 - 65_536, 9])),
      )
      return 0
    case 5:
      tester.say({ type: FRAME.cancel, id: known })
      return 0
    case 6:
      tester.say(
        { type: FRAME.response, id: dice.roll(1, 20), flags: FLAG_ANSWER | FLAG_LAST, number: 9 },
        EMPTY,
        Buffer.alloc(9),
      )
      return 0
    case 7:
      tester.say({ type: FRAME.error, id: dice.roll(1, 20), flags: FLAG_ANSWER, number: dice.roll(1, 65_535) })
      return 0
    case 8:
      tester.say({ type: FRAME.credit, id: dice.roll(1, 20), flags: FLAG_ANSWER, number: dice.roll(1, 200_000) })
      return 0
    default:
      tester.sayBytes(dice.bytes(dice.roll(0, 40)))
      return 0
  }
}
