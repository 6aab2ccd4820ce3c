import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import t, { type Test } from 'tap'
import { systemClock } from '../../../src/base/clock.js'
import { systemRandom } from '../../../src/base/random.js'
import { parseIceServer } from '../../../src/rtc/ice-server.js'
import { ProbeSocket } from '../../../src/rtc/probe-socket.js'
import { decodeBindingReply, encodeBindingRequest, endpointText } from '../../../src/rtc/stun.js'
import { encodeKnock } from '../../../src/wire/knock.js'
import { stunReply } from '../../support/stun-reply.js'

const parts = { clock: systemClock, random: systemRandom }
const transaction = Buffer.from('b7e7a701bc34d686fa87dfae', 'hex')
const mapped = { address: '192.0.2.1', port: 32_853 }

async function serverOf(
  t: Test,
  answer: (request: Buffer, reply: (datagram: Buffer) => void) => void,
): Promise<Socket> {
  const server = createSocket('udp4')
  server.bind(0, '127.0.0.1')
  await once(server, 'listening')
  server.on('message', (request, from) => answer(request, (datagram) => server.send(datagram, from.port, from.address)))
  t.teardown(() => server.close())
  return server
}

async function probe(t: Test): Promise<ProbeSocket> {
  const socket = await ProbeSocket.open(0, parts)
  t.teardown(() => socket.close())
  return socket
}

t.test('the answers of RFC 5769 are read as it says', async (t) => {
  // Section 2.2 and 2.3, with SOFTWARE, MESSAGE-INTEGRITY and FINGERPRINT as they stand there.
  const software = '8022000b7465737420766563746f7220'
  const ends = (mac: string, print: string) => `00080014${mac}80280004${print}`
  const end4 = ends('2b91f599fd9e90c38c7489f92af9ba53f06be7d7', 'c07d4c96')
  const end6 = ends('a382954e4be67bf11784c97c8292c275bfe3ed41', 'c8fb0b4c')
  const id = transaction.toString('hex')
  const v4 = `0101003c2112a442${id}${software}002000080001a147e112a643${end4}`
  const v6 = `010100482112a442${id}${software}002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9${end6}`
  t.same(decodeBindingReply(Buffer.from(v4, 'hex'), transaction), { mapped })
  const six = decodeBindingReply(Buffer.from(v6, 'hex'), transaction).mapped
  t.same(six, { address: '2001:db8:1234:5678:11:2233:4455:6677', port: 32_853 })
  t.equal(endpointText(six), '[2001:db8:1234:5678:11:2233:4455:6677]:32853')
})

t.test('a reply of another transaction, an error, a request and half a reply are no answer', async (t) => {
  const good = stunReply(transaction, mapped, { address: '192.0.2.2', port: 3_479 })
  t.same(decodeBindingReply(good, transaction), { mapped, other: { address: '192.0.2.2', port: 3_479 } })
  const error = Buffer.from(good)
  error.writeUInt16BE(0x0111, 0)
  for (const bad of [error, encodeBindingRequest(transaction), good.subarray(0, -1), Buffer.concat([good, good])]) {
    t.throws(() => decodeBindingReply(bad, transaction), { code: 'malformed' })
  }
  t.throws(() => decodeBindingReply(good, Buffer.alloc(12)), { code: 'malformed' })
  t.throws(() => decodeBindingReply(stunReply(transaction, { ...mapped, port: 0 }), transaction), { code: 'malformed' })
})

t.test('a question is repeated when it is lost, and noise is passed over', async (t) => {
  let asked = 0
  const server = await serverOf(t, (request, reply) => {
    asked += 1
    reply(Buffer.from('noise'))
    reply(stunReply(Buffer.alloc(12, 1), mapped))
    if (asked > 1) reply(stunReply(request.subarray(8, 20), mapped))
  })
  const socket = await probe(t)
  t.same(await socket.ask({ address: '127.0.0.1', port: server.address().port }), { mapped })
  t.equal(asked, 2)
})

t.test('an answer from another address counts for nothing', async (t) => {
  const liar = createSocket('udp4')
  liar.bind(0, '127.0.0.1')
  await once(liar, 'listening')
  t.teardown(() => liar.close())
  const socket = await probe(t)
  const server = await serverOf(t, (request) => {
    liar.send(stunReply(request.subarray(8, 20), mapped), socket.port, '127.0.0.1')
  })
  const cut = AbortSignal.timeout(400)
  t.equal(await socket.ask({ address: '127.0.0.1', port: server.address().port }, cut), undefined)
})

t.test('a knock is heard from anywhere, by its nonce', async (t) => {
  const socket = await probe(t)
  const stranger = await serverOf(t, () => {})
  const nonce = Buffer.alloc(16, 5)
  const heard = socket.knock(nonce)
  const never = socket.knock(Buffer.alloc(16, 6))
  stranger.send(encodeKnock(nonce), socket.port, '127.0.0.1')
  t.equal(await heard.within(5_000), true)
  t.equal(await never.within(10), false)
})

t.test('a port that is taken is said to be', async (t) => {
  const first = await probe(t)
  await t.rejects(ProbeSocket.open(first.port, parts), { code: 'listen-failed' })
})

t.test('addresses of STUN and TURN servers are read as the library reads them', async (t) => {
  t.same(parseIceServer('stun:stun.example'), { kind: 'stun', host: 'stun.example', port: 3478, credentials: '' })
  t.same(parseIceServer('turn:user:p%40ss@[2001:db8::1]:7000?transport=udp'), {
    ...{ kind: 'turn', host: '2001:db8::1', port: 7000, credentials: 'user:p%40ss@' },
  })
  for (const none of ['turns:u:p@a.example', 'turn:u:p@a.example?transport=tcp', 'stun:', 'stun:a:0', 'stun:a b', '']) {
    t.equal(parseIceServer(none), undefined, none)
  }
})
