/** Two peers that want each other at the same time: one session comes of it, whatever happens to offers and handshakes. */
import t, { type Test } from 'tap'
import { ECHO, serveEcho, type TransportNode, until } from '../../suites/transport-suite.js'
import { webRtcNet } from '../../support/webrtc-net.js'

t.setTimeout(110_000)
const OFFER = 1
/** Where a signed description says what it is. */
const TYPE_AT = 5

type Net = ReturnType<typeof webRtcNet>

/** Both serve; the lower id is the one whose offer counts. */
async function pair(t: Test, options: Parameters<Net['node']>[0] = {}) {
  const net = webRtcNet()
  const nodes = [await net.node(options), await net.node(options)].sort((a, b) => (a.id < b.id ? -1 : 1))
  const [low, high] = nodes as [TransportNode, TransportNode]
  serveEcho(low)
  serveEcho(high)
  const alive = setInterval(() => {}, 1_000)
  t.teardown(async () => {
    await net.stop()
    clearInterval(alive)
  })
  const ask = (from: TransportNode, to: TransportNode) => from.transport.request(to.id, ECHO)
  const lost = () => low.transport.counters.peersLost + high.transport.counters.peersLost
  const open = () => [low.transport.usage().connections, high.transport.usage().connections]
  return { net, low, high, ask, lost, open }
}

function later() {
  let release: () => void = () => {}
  const promise = new Promise<void>((resolve) => {
    release = resolve
  })
  return { promise, release }
}

/** One connection, the same on both sides: a request passes each way, and nothing was lost on the way. */
async function agreed(t: Test, { low, high, ask, lost, open }: Awaited<ReturnType<typeof pair>>) {
  t.ok(await until(() => open().every((count) => count === 1), 2_000), `one connection: ${open()}`)
  await Promise.all([ask(low, high), ask(high, low)])
  t.equal(lost(), 0, 'no connection was lost')
}

t.test('who wants a peer whose offer it is answering waits for that', async (t) => {
  const two = await pair(t)
  const { net, low, high, ask } = two
  let offers = 0
  let asked: Promise<unknown> | undefined
  net.hub.alter = (from, _to, payload) => {
    if (payload[TYPE_AT] !== OFFER) return payload
    offers += 1
    const other = from === low.id ? high : low
    // Behind the offer, before its answer.
    setImmediate(() => {
      asked ??= ask(other, other === low ? high : low)
    })
    return payload
  }
  await ask(high, low)
  await asked
  t.equal(offers, 1)
  await agreed(t, two)
})

t.test('a handshake that fails when both have dialed is repeated by one side, not by each', async (t) => {
  for (let round = 0; round < 5; round++) {
    let made = 0
    const two = await pair(t, {
      falsify: (type, sdp) => {
        if (type === 'offer') return sdp
        made += 1
        // The library takes no such answer: for the dialer, the handshake failed.
        return made === 1 ? sdp.replace('a=setup:passive', 'a=setup:actpass') : sdp
      },
    })
    const { net, low, high, ask } = two
    const second = later()
    let [answers, lowAnswers] = [0, 0]
    net.hub.alter = (from, _to, payload) => {
      if (payload[TYPE_AT] === OFFER) return payload
      if (from === high.id) answers += 1
      else lowAnswers += 1
      if (answers === 2) second.release()
      // Were there two sessions, they would open at the same time.
      return from === low.id ? second.promise.then(() => payload) : payload
    }
    await Promise.all([ask(low, high), ask(high, low)])
    await agreed(t, two)
    t.equal(lowAnswers, 0, 'an offer that its side has given up is not answered')
  }
})

t.test('an offer that is not answered in time makes way for that of the other side', async (t) => {
  const two = await pair(t)
  const { net, low, high, ask } = two
  net.hub.alter = (from, _to, payload) => (from === low.id && payload[TYPE_AT] === OFFER ? null : payload)
  await Promise.all([ask(low, high), ask(high, low)])
  await agreed(t, two)
})

t.test('an offer that comes when the other side has given it up does no lasting harm', async (t) => {
  const two = await pair(t)
  const { net, low, high, ask } = two
  const held = later()
  let isFirst = true
  net.hub.alter = (from, _to, payload) => {
    if (from === high.id) return payload
    if (payload[TYPE_AT] !== OFFER) {
      held.release()
      return payload
    }
    if (!isFirst) return payload
    isFirst = false
    return held.promise.then(() => payload)
  }
  await Promise.all([ask(low, high), ask(high, low)])
  await agreed(t, two)
})
