/** How requests end early, how connections come and go, and what bounds hold meanwhile. */
import type { AppError } from '../../src/base/errors.js'
import { rampBytes } from '../support/ramp.js'
import { ECHO, pause, serveEcho, type TransportCase, type TransportNode, until } from './transport-suite.js'

const SHARD = 1_966_080
const EMPTY = Buffer.alloc(0)
const PING = { method: 1, head: EMPTY, deadlineMs: 10_000 }

/** Never answers; tells when its signal fires. */
function serveSilence(node: TransportNode): { started: number; ended: number } {
  const seen = { started: 0, ended: 0 }
  node.transport.serve((_from, { signal }) => {
    seen.started += 1
    return new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => {
        seen.ended += 1
        reject(signal.reason)
      })
    })
  })
  return seen
}

const cancel: TransportCase = async (t, fixture) => {
  const [a, b] = [await fixture.node(), await fixture.node()]
  const seen = serveSilence(b)
  const abort = new AbortController()
  const asked = a.transport.request(b.id, { ...ECHO, body: rampBytes(1, SHARD), signal: abort.signal })
  const refused = t.rejects(asked, { message: 'enough' }, 'the reason is passed on untouched')
  t.ok(await until(() => seen.started === 1, 5_000))
  abort.abort(new Error('enough'))
  await refused
  t.ok(await until(() => seen.ended === 1, 2_000), 'the serving side is told')
  await t.rejects(a.transport.request(b.id, { ...PING, signal: abort.signal }), { message: 'enough' }, 'fired before')
  serveEcho(b)
  // In the middle of a body, both ways.
  for (let i = 0; i < 8; i++) {
    const half = new AbortController()
    const going = a.transport.request(b.id, { ...ECHO, body: rampBytes(i, SHARD), signal: half.signal })
    await pause(i * 3)
    half.abort(new Error('half-way'))
    await going.catch(() => {})
  }
  const body = rampBytes(9, SHARD)
  t.ok((await a.transport.request(b.id, { ...ECHO, body })).body.equals(body), 'the connection goes on')
  t.equal(a.transport.counters.dials + b.transport.counters.dials, 1)
  t.ok(await until(() => b.transport.usage().servingBytes === 0, 2_000), 'the memory is back')
}

const deadline: TransportCase = async (t, fixture) => {
  const [a, b] = [await fixture.node(), await fixture.node()]
  const seen = serveSilence(b)
  await a.transport.request(b.id, { ...PING, deadlineMs: 3_000 }).catch(() => {})
  const from = performance.now()
  await t.rejects(a.transport.request(b.id, { ...PING, deadlineMs: 300 }), { code: 'timed-out', retry: 'elsewhere' })
  const took = performance.now() - from
  t.ok(took >= 290 && took < 1_500, `after ${took.toFixed(0)} ms`)
  t.ok(await until(() => seen.ended === 2, 2_000), 'the serving side is told')
}

/** Each reserves 2 MiB of the 16 that a peer may have: so many leave, the others wait for their turn. */
const SENT = 8
const MANY = 12

function askMany(from: TransportNode, to: TransportNode): Promise<string>[] {
  return Array.from({ length: MANY }, async (_, i) => {
    const body = rampBytes(i, SHARD)
    try {
      const reply = await from.transport.request(to.id, { ...ECHO, body })
      return reply.body.equals(body) ? 'answered' : 'mixed up'
    } catch (error) {
      return (error as AppError).code
    }
  })
}

/** All that had a turn have reached the other side: some are served, the others wait for memory there. */
const allSent = (to: TransportNode, seen: { started: number }) => seen.started + to.transport.usage().waiting === SENT

const unsent: TransportCase = async (t, fixture) => {
  const [a, b] = [await fixture.node(), await fixture.node()]
  const seen = serveSilence(b)
  const codes = Promise.all(askMany(a, b))
  t.ok(await until(() => allSent(b, seen), 20_000))
  const reborn = await fixture.again(b)
  serveEcho(reborn)
  await b.transport.stop()
  t.same(await codes, [...Array(SENT).fill('peer-lost'), ...Array(MANY - SENT).fill('answered')])
  t.equal(reborn.transport.counters.requestsServed, MANY - SENT, 'nothing is sent twice')
  t.equal(a.transport.counters.dials, 2)
  t.equal(a.transport.usage().askingBytes, 0)
}

const death: TransportCase = async (t, fixture) => {
  const [a, b] = [await fixture.node(), await fixture.node()]
  const seen = serveSilence(b)
  const codes = Promise.all(askMany(a, b))
  t.ok(await until(() => allSent(b, seen), 20_000))
  const from = performance.now()
  await fixture.end(b)
  t.same(
    await codes,
    [...Array(SENT).fill('peer-lost'), ...Array(MANY - SENT).fill('peer-unreachable')],
    'what was sent is lost; what was not fails as the next dial does',
  )
  t.ok(performance.now() - from < 2_500, `within ${(performance.now() - from).toFixed(0)} ms`)
  t.equal(a.transport.usage().askingBytes, 0)
  const reborn = await fixture.again(b)
  serveEcho(reborn)
  await pause(600)
  const body = rampBytes(3, SHARD)
  t.ok((await a.transport.request(b.id, { ...ECHO, body })).body.equals(body), 'it is dialed again when it is back')
}

const unreachable: TransportCase = async (t, fixture) => {
  const a = await fixture.node({ dialMs: 1_000 })
  const nobody = 'ab'.repeat(32) as TransportNode['id']
  const from = performance.now()
  await t.rejects(a.transport.request(nobody, PING), { code: 'peer-unreachable', retry: 'elsewhere' })
  await t.rejects(a.transport.request(nobody, PING), { code: 'peer-unreachable' }, 'at once the second time')
  t.ok(performance.now() - from < 3_000)
  t.equal(a.transport.counters.dials, 1)
}

const glare: TransportCase = async (t, fixture) => {
  for (let round = 0; round < 3; round++) {
    const [a, b] = [await fixture.node(), await fixture.node()]
    serveEcho(a)
    serveEcho(b)
    const body = rampBytes(round, 300_000)
    const ask = (from: TransportNode, to: TransportNode) => from.transport.request(to.id, { ...ECHO, body })
    const replies = await Promise.all([ask(a, b), ask(b, a), ask(a, b), ask(b, a)])
    t.ok(
      replies.every((reply) => reply.body.equals(body)),
      'both sides dial at once and both are served',
    )
    await pause(50)
    t.same([a.transport.usage().connections, b.transport.usage().connections], [1, 1], 'one connection is left')
  }
}

const warm: TransportCase = async (t, fixture) => {
  const [a, b, c] = [await fixture.node(), await fixture.node(), await fixture.node()]
  a.transport.warm([b.id, c.id, 'ab'.repeat(32) as TransportNode['id']])
  t.ok(await until(() => a.transport.connected().length === 2, 5_000))
  t.same(a.transport.connected().sort(), [b.id, c.id].sort())
  serveEcho(b)
  await a.transport.request(b.id, ECHO)
  a.transport.warm([b.id])
  t.ok(a.transport.counters.dials <= 3, 'a warm connection is used')
}

const stopping: TransportCase = async (t, fixture) => {
  const [a, b] = [await fixture.node(), await fixture.node()]
  serveSilence(b)
  const asked = a.transport.request(b.id, PING)
  const refused = t.rejects(asked, { code: 'stopped' })
  await until(() => a.transport.connected().length === 1, 5_000)
  await a.transport.stop()
  await refused
  await t.rejects(a.transport.request(b.id, PING), { code: 'stopped' })
  await a.transport.stop()
  t.same(a.transport.connected(), [])
}

const bounded: TransportCase = async (t, fixture) => {
  const bounds = { inFlightBytesMax: 8_388_608, inFlightBytesPerPeerMax: 4_194_304 }
  const [a, b, c] = [await fixture.node(), await fixture.node(bounds), await fixture.node()]
  let [inHandBytes, inHandBytesMax, usageMax] = [0, 0, 0]
  b.transport.serve(async (_from, { body }) => {
    inHandBytes += body.length
    inHandBytesMax = Math.max(inHandBytesMax, inHandBytes)
    usageMax = Math.max(usageMax, b.transport.usage().servingBytes)
    await pause(3)
    inHandBytes -= body.length
    return { head: EMPTY }
  })
  const put = (from: TransportNode, seed: number) =>
    from.transport.request(b.id, { method: 2, head: EMPTY, body: rampBytes(seed, SHARD), deadlineMs: 30_000 })
  await Promise.all(Array.from({ length: 24 }, (_, i) => put(i % 3 === 0 ? c : a, i)))
  t.ok(usageMax <= bounds.inFlightBytesMax, `${usageMax} bytes reserved`)
  t.ok(inHandBytesMax <= bounds.inFlightBytesMax && inHandBytesMax > 0, `${inHandBytesMax} bytes in the server's hands`)
  t.equal(b.transport.counters.requestsServed, 24, 'all came through in their turn')
}

const idle: TransportCase = async (t, fixture) => {
  const a = await fixture.node({ idleCloseMs: 300 })
  const b = await fixture.node()
  serveEcho(b)
  await a.transport.request(b.id, ECHO)
  t.same(a.transport.connected(), [b.id])
  t.ok(await until(() => a.transport.connected().length === 0, 3_000), 'closed without use')
  t.ok(await until(() => b.transport.connected().length === 0, 3_000), 'on both sides')
  await a.transport.request(b.id, ECHO)
}

const evicts: TransportCase = async (t, fixture) => {
  const a = await fixture.node({ peersMax: 2 })
  const others = [await fixture.node(), await fixture.node(), await fixture.node()]
  for (const other of others) serveEcho(other)
  for (const other of others) await a.transport.request(other.id, ECHO)
  t.same(
    a.transport.connected(),
    others.slice(1).map((other) => other.id),
    'the least recently used went',
  )
  for (const other of others.slice(1)) serveSilence(other)
  const held = others.slice(1).map((other) => a.transport.request(other.id, { ...PING, deadlineMs: 1_000 }))
  const ends = Promise.allSettled(held)
  await t.rejects(a.transport.request(others[0]?.id as TransportNode['id'], PING), { code: 'busy' }, 'none is idle')
  await ends
}

export const endingCases: Record<string, TransportCase> = {
  'a cancelled request frees both sides and the connection goes on': cancel,
  'a request that is not answered in time is timed-out': deadline,
  'a peer that ends rejects everything that waits for it, and is dialed again': death,
  'what was not sent when its connection ended takes the next one': unsent,
  'a peer that cannot be reached is peer-unreachable': unreachable,
  'two peers that dial at once share one connection': glare,
  'warm opens connections ahead of need': warm,
  'stop rejects what is pending and what comes after': stopping,
  'bodies that are served stay within the bound and nothing is refused for it': bounded,
  'connections without use are closed and opened again': idle,
  'the least recently used peer makes room, a busy one does not': evicts,
}
