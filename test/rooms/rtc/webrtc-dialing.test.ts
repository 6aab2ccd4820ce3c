/** Opening connections over WebRTC: who is who, what a relay may try, and many that come and go. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t from 'tap'
import { ECHO, pause, serveEcho, until } from '../../suites/transport-suite.js'
import { webRtcNet } from '../../support/webrtc-net.js'

t.setTimeout(110_000)

async function pair() {
  const net = webRtcNet()
  const [a, b] = [await net.node(), await net.node()]
  serveEcho(b)
  return { net, a, b }
}

/** Where the SDP lies in a signed description, its fingerprint is text: another one breaks the signature. */
function swapFingerprint(payload: Buffer): Buffer {
  const at = payload.indexOf('a=fingerprint:sha-256 ') + 'a=fingerprint:sha-256 '.length
  const swapped = Buffer.from(payload)
  swapped[at] = swapped[at] === 0x41 ? 0x42 : 0x41
  return swapped
}

t.test('a relay that swaps the fingerprint in the answer is noticed by the dialer', async (t) => {
  const { net, a, b } = await pair()
  net.hub.alter = (from, _to, payload) => (from === b.id ? swapFingerprint(payload) : payload)
  await t.rejects(a.transport.request(b.id, ECHO), { code: 'fingerprint-mismatch' })
  t.equal(a.transport.counters.descriptionsRefused, 1)
  net.hub.alter = undefined
  await pause(600)
  await a.transport.request(b.id, ECHO)
  await net.stop()
})

t.test('a relay that swaps the fingerprint in the offer gets no answer', async (t) => {
  const net = webRtcNet()
  const [a, b] = [await net.node({ dialMs: 700 }), await net.node()]
  net.hub.alter = (from, _to, payload) => (from === a.id ? swapFingerprint(payload) : payload)
  await t.rejects(a.transport.request(b.id, ECHO), { code: 'peer-unreachable' })
  t.equal(b.transport.counters.descriptionsRefused, 1)
  await net.stop()
})

t.test('an answer of another peer, garbage, and repeated offers come to nothing', async (t) => {
  const { net, a, b } = await pair()
  const c = await net.node()
  const offers: Buffer[] = []
  net.hub.alter = (from, _to, payload) => {
    if (from === a.id) offers.push(payload)
    return payload
  }
  await a.transport.request(b.id, ECHO)
  const relay = net.hub.connect(a.id)
  const session = (offers[0] as Buffer).subarray(6, 22).toString('hex')
  for (let i = 0; i < 5; i++) relay.send(b.id, session, offers[0] as Buffer)
  relay.send(b.id, 'ab'.repeat(16), offers[0] as Buffer)
  relay.send(c.id, session, offers[0] as Buffer)
  relay.send(b.id, 'cd'.repeat(16), Buffer.from('SDSD and then nothing'))
  await pause(100)
  t.equal(b.transport.counters.accepted, 1, 'an offer is good once')
  t.equal(b.transport.counters.descriptionsRefused, 2)
  t.equal(c.transport.counters.descriptionsRefused, 1)
  await net.stop()
})

t.test('a peer that comes back under its id is found though its old end said nothing', async (t) => {
  const { net, a, b } = await pair()
  await a.transport.request(b.id, ECHO)
  const again = await net.again(b)
  serveEcho(again)
  serveEcho(a)
  await again.transport.request(a.id, ECHO)
  t.ok(await until(() => a.transport.usage().connections === 1, 1_000), 'the newer connection is kept')
  await a.transport.request(b.id, ECHO)
  await net.stop()
})

t.test(
  'more than a hundred connections come and go, half of them unfinished, and nothing breaks or stays',
  async (t) => {
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    const net = webRtcNet()
    const a = await net.node({ peersMax: 4 })
    for (let round = 0; round < 12; round++) {
      const others = await Promise.all(Array.from({ length: 10 }, () => net.node()))
      for (const other of others) serveEcho(other)
      const asked = others.map((other, i) => {
        if (i % 2 === 1) setTimeout(() => void other.transport.stop(), i)
        return a.transport.request(other.id, { ...ECHO, deadlineMs: 400 }).catch((error) => error.code)
      })
      await Promise.all(asked)
      await Promise.all(others.map((other) => other.transport.stop()))
      collect()
    }
    t.ok(await until(() => a.transport.usage().connections === 0, 5_000))
    const from = performance.now()
    await net.stop()
    t.ok(performance.now() - from < 1_000, 'no object of the library is left to wait for')
  },
)
