/** What the in-memory network can do to a connection that the real one cannot do on demand. */
import t from 'tap'
import { ECHO, pause, serveEcho, until } from '../../suites/transport-suite.js'
import { memoryNet } from '../../support/memory-net.js'

// Most of the time is waiting: side by side.
t.jobs = 8
const EMPTY = Buffer.alloc(0)

async function pair() {
  const net = memoryNet()
  const alive = setInterval(() => {}, 1_000)
  const stop = async () => {
    clearInterval(alive)
    await net.stop()
  }
  const [a, b] = [await net.node(), await net.node()]
  return { hub: net.hub, a, b, stop, again: net.again }
}

t.test('a peer that falls silent while a request is open is lost within six seconds', { buffered: true }, async (t) => {
  const { hub, a, b, stop } = await pair()
  b.transport.serve(() => new Promise(() => {}))
  const asked = a.transport.request(b.id, { method: 1, head: EMPTY, deadlineMs: 30_000 })
  const refused = t.rejects(asked, { code: 'peer-lost' })
  await until(() => b.transport.counters.requestsServed === 1, 1_000)
  await pause(1_500)
  t.equal(a.transport.connected().length, 1, 'a slow server is not a dead one')
  const from = performance.now()
  hub.silence(a.id, b.id)
  await refused
  const took = performance.now() - from
  t.ok(took > 3_500 && took < 6_000, `after ${took.toFixed(0)} ms`)
  await stop()
})

t.test('a killed node is lost, and found again under the same id', { buffered: true }, async (t) => {
  const { hub, a, b, stop, again } = await pair()
  serveEcho(b)
  await a.transport.request(b.id, ECHO)
  hub.kill(b.id)
  await t.rejects(a.transport.request(b.id, { ...ECHO, deadlineMs: 500 }), { code: 'timed-out' })
  serveEcho(await again(b))
  t.ok(await until(() => a.transport.connected().length === 0, 7_000), 'also when nothing waits for it any more')
  await a.transport.request(b.id, ECHO)
  await stop()
})

t.test('a dial without a cable goes on when the cable is in again', { buffered: true }, async (t) => {
  const { hub, a, b, stop } = await pair()
  serveEcho(b)
  hub.silence(a.id, b.id)
  const asked = a.transport.request(b.id, ECHO)
  await pause(50)
  t.equal(a.transport.connected().length, 0)
  hub.restore(a.id, b.id)
  await asked
  t.equal(a.transport.counters.dials, 1)
  await stop()
})

t.test('a request that was given up does not end a connection that lives', { buffered: true }, async (t) => {
  const { a, b, stop } = await pair()
  b.transport.serve(() => new Promise(() => {}))
  await a.transport.request(b.id, { ...ECHO, deadlineMs: 50 }).catch(() => {})
  await pause(6_000)
  t.same([a.transport.connected().length, a.transport.counters.peersLost], [1, 0])
  await stop()
})

t.test('a cut rejects at once on both sides', { buffered: true }, async (t) => {
  const { hub, a, b, stop } = await pair()
  b.transport.serve(() => new Promise(() => {}))
  const refused = t.rejects(a.transport.request(b.id, ECHO), { code: 'peer-lost' })
  await until(() => b.transport.counters.requestsServed === 1, 1_000)
  hub.cut(a.id, b.id)
  await refused
  t.same([a.transport.connected(), b.transport.connected()], [[], []])
  t.equal(a.transport.counters.peersLost, 1)
  await stop()
})

t.test('falsified frames close the connection, are counted, and lose nobody memory', { buffered: true }, async (t) => {
  const { hub, a, b, stop } = await pair()
  serveEcho(b)
  await a.transport.request(b.id, ECHO)
  hub.alter = (_from, _to, frame) => Buffer.concat([frame, Buffer.from([0])])
  await t.rejects(a.transport.request(b.id, { ...ECHO, replyBytesMax: 0 }), { code: 'peer-lost' })
  hub.alter = undefined
  t.equal(a.transport.counters.malformedFrames + b.transport.counters.malformedFrames, 1)
  await a.transport.request(b.id, ECHO)
  t.same([a.transport.usage().askingBytes, b.transport.usage().servingBytes], [0, 0])
  await stop()
})

t.test('delays keep the order of frames', { buffered: true }, async (t) => {
  const { hub, a, b, stop } = await pair()
  serveEcho(b)
  hub.delayMs = 20
  const from = performance.now()
  const body = Buffer.alloc(1_000_000, 3)
  t.ok((await a.transport.request(b.id, { ...ECHO, body })).body.equals(body))
  t.ok(performance.now() - from >= 100, 'dial, request, credit, body, reply')
  await stop()
})
