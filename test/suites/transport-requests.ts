/** Requests and replies: bytes, order, fairness, refusals, errors. */
import { AppError } from '../../src/base/errors.js'
import { rampBytes } from '../support/ramp.js'
import { ECHO, pause, serveEcho, type TransportCase, until } from './transport-suite.js'

const SHARD = 1_966_080
const EMPTY = Buffer.alloc(0)

const wholeBodies: TransportCase = async (t, fixture) => {
  const [a, b] = [await fixture.node(), await fixture.node()]
  serveEcho(b)
  // Around the edges of a frame (16 bytes of header, 4 of head), of the free window and of the largest body.
  const edges = [0, 1, 16, 65_515, 65_516, 65_517, 65_536, 131_052, 262_144, 262_145, SHARD, 2_097_152]
  for (const [seed, size] of edges.entries()) {
    const body = rampBytes(seed, size)
    const reply = await a.transport.request(b.id, { ...ECHO, body })
    t.ok(reply.head.equals(ECHO.head) && reply.body.equals(body), `${size} bytes there and back`)
  }
  const heads = await a.transport.request(b.id, { ...ECHO, head: rampBytes(1, 4_096), body: EMPTY })
  t.ok(heads.head.equals(rampBytes(1, 4_096)) && heads.body.length === 0, 'a head of 4 KiB')
}

const parallel: TransportCase = async (t, fixture) => {
  const [a, b] = [await fixture.node(), await fixture.node()]
  serveEcho(a)
  serveEcho(b)
  const one = async (seed: number) => {
    const [from, to] = seed % 2 === 0 ? [a, b] : [b, a]
    const body = rampBytes(seed, 200_000 + seed * 1_001)
    const reply = await from.transport.request(to.id, { ...ECHO, body })
    return reply.body.equals(body)
  }
  const results = await Promise.all(Array.from({ length: 64 }, (_, seed) => one(seed)))
  t.ok(results.every(Boolean), '64 bodies at once, half of them each way, and none is mixed up')
  t.same([a.transport.usage().connections, b.transport.usage().connections], [1, 1], 'over one connection')
  const usage = a.transport.usage()
  t.same([usage.askingBytes, usage.servingBytes, usage.heldBytes, usage.waiting], [0, 0, 0, 0], 'nothing is kept')
}

const order: TransportCase = async (t, fixture) => {
  const [a, b] = [await fixture.node(), await fixture.node()]
  const seen: number[] = []
  b.transport.serve(async (_from, { head }) => {
    seen.push(head.readUInt32BE())
    return { head: EMPTY }
  })
  const numbers = Array.from({ length: 200 }, (_, i) => i)
  const ask = (i: number) => {
    const head = Buffer.alloc(4)
    head.writeUInt32BE(i)
    return a.transport.request(b.id, { method: 1, head, deadlineMs: 10_000 })
  }
  await Promise.all(numbers.map(ask))
  t.same(seen, numbers)
}

const fairness: TransportCase = async (t, fixture) => {
  const [a, b] = [await fixture.node(), await fixture.node()]
  b.transport.serve(async (_from, { method, body }) => ({ head: EMPTY, body: method === 3 ? body : EMPTY }))
  await a.transport.request(b.id, { method: 1, head: EMPTY, deadlineMs: 10_000 })
  let done = 0
  const bulk = Array.from({ length: 16 }, async (_, seed) => {
    await a.transport.request(b.id, { ...ECHO, body: rampBytes(seed, SHARD) })
    done += 1
  })
  await pause(20)
  for (let i = 0; i < 5; i++) await a.transport.request(b.id, { method: 1, head: EMPTY, deadlineMs: 10_000 })
  t.ok(done < 14, `five pings in a row are back while large bodies still move (${done} of 16 were done)`)
  await Promise.all(bulk)
}

const overtaking: TransportCase = async (t, fixture) => {
  const [a, b] = [await fixture.node(), await fixture.node()]
  b.transport.serve(async () => ({ head: EMPTY }))
  const ping = () => a.transport.request(b.id, { method: 1, head: EMPTY, deadlineMs: 20_000 })
  await ping()
  // 2.9 MB at once are more than a channel takes (1 MiB under way, 1 MiB buffered): the last of them wait here.
  const body = rampBytes(1, 65_000)
  const bulk = Array.from({ length: 45 }, () => a.transport.request(b.id, { ...ECHO, body, replyBytesMax: 0 }))
  const pings = Array.from({ length: 5 }, ping)
  const ends = await Promise.allSettled([...bulk, ...pings])
  t.same(
    ends.filter((end) => end.status === 'rejected').map((end) => end.reason.message),
    [],
    'all are answered',
  )
  t.equal(a.transport.counters.peersLost + b.transport.counters.malformedFrames, 0, 'and nobody is offended')
}

const codes: TransportCase = async (t, fixture) => {
  const [a, b] = [await fixture.node(), await fixture.node()]
  b.transport.serve(async (_from, { method }) => {
    if (method === 1) throw new AppError('host-full', 'no room for 7 bytes', { retry: 'elsewhere' })
    if (method === 2) throw new Error('the secret is 42')
    throw new AppError('never-heard-of', 'the secret is 42')
  })
  const ask = (method: number) =>
    a.transport.request(b.id, { method, head: EMPTY, body: rampBytes(1, 500_000), deadlineMs: 10_000 })
  await t.rejects(ask(1), { code: 'host-full', retry: 'elsewhere', message: 'no room for 7 bytes' })
  for (const method of [2, 5]) {
    const error = await ask(method).catch((error: unknown) => error as AppError)
    t.match(error, { code: 'internal' }, 'what is not meant for peers crosses as internal')
    t.notMatch((error as AppError).message, /42/)
  }
}

const refusals: TransportCase = async (t, fixture) => {
  const [a, b] = [await fixture.node(), await fixture.node()]
  await t.rejects(a.transport.request(b.id, { ...ECHO }), { code: 'busy' }, 'nobody serves yet')
  b.transport.serve(async () => ({ head: EMPTY, body: rampBytes(1, 100_000) }))
  const oversize = [{ head: Buffer.alloc(4_097) }, { body: Buffer.alloc(2_097_153) }, { replyBytesMax: 2_097_153 }]
  for (const wrong of oversize) await t.rejects(a.transport.request(b.id, { ...ECHO, ...wrong }), { code: 'too-large' })
  await t.rejects(
    a.transport.request(b.id, { ...ECHO, replyBytesMax: 99_000 }),
    { code: 'too-large' },
    'a reply above what was asked for',
  )
  t.equal((await a.transport.request(b.id, { ...ECHO, replyBytesMax: 100_000 })).body.length, 100_000)
}

const gate: TransportCase = async (t, fixture) => {
  const [a, b] = [await fixture.node(), await fixture.node()]
  let served = 0
  const server = async () => {
    served += 1
    return { head: EMPTY }
  }
  b.transport.serve(server, (from, { method, head, bodyLength }) => {
    if (from !== a.id || method !== 2 || !head.equals(Buffer.from('head')) || bodyLength !== SHARD) return
    throw new AppError('token-expired', 'expired', { retry: 'never' })
  })
  const put = { method: 2, head: Buffer.from('head'), body: rampBytes(1, SHARD), deadlineMs: 10_000 }
  await t.rejects(a.transport.request(b.id, put), { code: 'token-expired' })
  t.ok(b.transport.counters.bytesReceived < 200_000, 'the body was not sent')
  await a.transport.request(b.id, { ...put, head: Buffer.from('other') })
  t.equal(served, 1)
}

const tapped: TransportCase = async (t, fixture) => {
  const frames: Buffer[] = []
  let named = true
  const a = await fixture.node({
    tap: (to, frame) => {
      frames.push(Buffer.from(frame))
      named &&= to === b.id
    },
  })
  const b = await fixture.node()
  serveEcho(b)
  const body = rampBytes(7, 300_000)
  body.write('a canary of sixteen', 290_000)
  await a.transport.request(b.id, { ...ECHO, body })
  t.ok(frames.some((frame) => frame.includes('a canary of sixteen')) && frames.some((frame) => frame.includes('echo')))
  t.ok(named, 'the observer is told whom a frame is for')
  t.ok(frames.every((frame) => frame.length <= 262_144))
  t.equal(
    frames.reduce((sum, frame) => sum + frame.length, 0),
    a.transport.counters.bytesSent,
  )
  await until(() => a.transport.usage().servingBytes === 0, 1_000)
}

export const requestCases: Record<string, TransportCase> = {
  'bodies of every awkward size arrive whole': wholeBodies,
  '64 parallel requests do not mix': parallel,
  'small requests arrive in the order in which they were made': order,
  'a small request does not wait behind large bodies': fairness,
  'small requests overtake large ones that wait for the channel': overtaking,
  'codes of expected errors reach the requester, others become internal': codes,
  'what is too large is refused on either side': refusals,
  'a gate refuses a request before its body is sent': gate,
  'the tap sees every frame before encryption': tapped,
}
