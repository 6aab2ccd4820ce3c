import { once } from 'node:events'
import type { Socket } from 'node:net'
import t, { type Test } from 'tap'
import WebSocket from 'ws'
import { hexOf } from '../../../src/base/hex.js'
import { systemRandom } from '../../../src/base/random.js'
import { sha256 } from '../../../src/crypto/hash.js'
import type { SigningKey } from '../../../src/crypto/signing-key.js'
import { type PeerId, peerId } from '../../../src/model/ids.js'
import { HEADER } from '../../../src/wire/api.js'
import { requestText } from '../../../src/wire/signed-http.js'
import { SOCKET_PATH } from '../../../src/wire/socket.js'
import { World } from '../../support/bridge-world.js'
import { keyOf, until } from '../../support/named.js'

const SESSION = 'ab'.repeat(16)

async function open(t: Test) {
  const world = await World.start(t.testdir())
  t.teardown(() => world.stop())
  return world
}

/** A bare line: what is sent is up to the test. */
function dial(
  world: World,
  key: SigningKey,
  changes: { path?: string; timeMs?: number; bridge?: string } = {},
): WebSocket {
  const { path = SOCKET_PATH, timeMs = world.clock.nowMs(), bridge = world.bridge.id } = changes
  const nonce = hexOf(systemRandom(16))
  const text = requestText({ method: 'GET', path, timeMs, nonce, bridge, bodyHash: sha256(Buffer.alloc(0)) })
  const headers = {
    [HEADER.key]: key.id,
    [HEADER.time]: String(timeMs),
    [HEADER.nonce]: nonce,
    [HEADER.signature]: hexOf(key.sign(text)),
  }
  return new WebSocket(world.bridge.url.replace('http', 'ws') + path, { headers })
}

async function refusal(socket: WebSocket): Promise<{ status: number; code: string }> {
  const [, response] = (await once(socket, 'unexpected-response')) as [
    unknown,
    AsyncIterable<Buffer> & { statusCode: number },
  ]
  const chunks: Buffer[] = []
  for await (const chunk of response) chunks.push(chunk)
  return { status: response.statusCode, code: JSON.parse(Buffer.concat(chunks).toString()).error.code }
}

t.test('signals pass between devices and hosts, and between nobody else', async (t) => {
  const world = await open(t)
  const [hostA, hostB] = await world.hosts(2)
  const driveA = await world.drive('a')
  const driveB = await world.drive('b')
  const a = world.socket(driveA.device)
  const b = world.socket(driveB.device)
  await until(() => a.state().connected && b.state().connected)
  const heard: string[] = []
  const lost: string[] = []
  const note = (name: string) => (from: PeerId, session: string, payload: Buffer) =>
    void heard.push(`${name} hears ${payload.toString()} from ${from.slice(0, 6)} in ${session.slice(0, 2)}`)
  a.onSignal(note('a'))
  b.onSignal(note('b'))
  hostA!.socket!.onSignal(note('host'))
  a.onUnreachable((to) => void lost.push(to))
  hostA!.socket!.onUnreachable((to) => void lost.push(to))
  a.send(hostA!.id, SESSION, Buffer.from('offer'))
  await until(() => heard.length === 1)
  hostA!.socket!.send(driveA.deviceId, SESSION, Buffer.from('answer'))
  await until(() => heard.length === 2)
  t.same(heard, [
    `host hears offer from ${driveA.deviceId.slice(0, 6)} in ab`,
    `a hears answer from ${hostA!.id.slice(0, 6)} in ab`,
  ])
  const nobody = peerId(keyOf('nobody').id)
  a.send(driveB.deviceId, SESSION, Buffer.from('x'))
  a.send(nobody, SESSION, Buffer.from('x'))
  a.send(world.bridge.id, SESSION, Buffer.from('x'))
  hostA!.socket!.send(hostB!.id, SESSION, Buffer.from('x'))
  await until(() => lost.length === 4)
  t.same(new Set(lost), new Set([driveB.deviceId, nobody, world.bridge.id, hostB!.id]))
  await hostA!.leave()
  a.send(hostA!.id, SESSION, Buffer.from('x'))
  await until(() => lost.length === 5)
  t.equal(heard.length, 2)
})

t.test('the bridge itself is a peer of hosts', async (t) => {
  const world = await open(t)
  const [host] = await world.hosts(1)
  const { signaling, id } = world.bridge
  const heard: string[] = []
  host!.socket!.onSignal((from, session, payload) => {
    heard.push(payload.toString())
    host!.socket!.send(from, session, Buffer.from('answer'))
  })
  signaling.onSignal((from, _session, payload) => void heard.push(`${from === host!.id} ${payload}`))
  signaling.onUnreachable((to) => void heard.push(`no ${to.slice(0, 4)}`))
  signaling.send(host!.id, SESSION, Buffer.from('offer'))
  await until(() => heard.length === 2)
  signaling.send(id, SESSION, Buffer.from('x'))
  await until(() => heard.length === 3)
  t.same(heard, ['offer', 'true answer', `no ${id.slice(0, 4)}`])
})

t.test('one live line a key: the newer wins', async (t) => {
  const world = await open(t)
  const host = await world.host('a', { online: false })
  const first = dial(world, host.key)
  await once(first, 'message')
  const closed = once(first, 'close')
  const second = dial(world, host.key)
  await once(second, 'message')
  t.equal((await closed)[0], 4001)
  t.same(world.bridge.hostsOnline(), [host.id], 'the end of the older does not take the newer offline')
  second.close()
  await until(() => world.bridge.hostsOnline().length === 0)
})

t.test('a line is refused with a reason', async (t) => {
  const world = await open(t)
  const host = await world.host('a', { online: false })
  t.same(await refusal(dial(world, keyOf('nobody'))), { status: 401, code: 'unknown-key' })
  t.same(await refusal(dial(world, host.key, { path: '/v1/other' })), { status: 404, code: 'unknown-call' })
  t.same(await refusal(dial(world, host.key, { timeMs: 0 })), { status: 401, code: 'clock-skew' })
  t.same(await refusal(dial(world, host.key, { bridge: host.id })), { status: 401, code: 'request-signature' })
})

t.test('a message that does not fit ends the line; a long one too', async (t) => {
  const world = await open(t)
  const host = await world.host('a', { online: false })
  const drive = await world.drive('a')
  const signal = { type: 'signal', to: host.id, session: SESSION, payload: 'AAAA' }
  const bad: [key: SigningKey, message: string | Buffer, code: number][] = [
    [host.key, '{', 4002],
    [host.key, JSON.stringify({ ...signal, more: 1 }), 4002],
    [host.key, JSON.stringify({ ...signal, payload: '<>' }), 4002],
    [host.key, JSON.stringify({ type: 'hello', key: host.id, role: 'host' }), 4002],
    [host.key, Buffer.from(JSON.stringify(signal)), 4002],
    [drive.device, JSON.stringify({ type: 'deleted', serial: SESSION, ok: true }), 4002],
    [host.key, JSON.stringify({ ...signal, payload: 'A'.repeat(70_000) }), 1009],
  ]
  for (const [key, message, code] of bad) {
    const socket = dial(world, key)
    await once(socket, 'message')
    socket.send(message)
    t.equal((await once(socket, 'close'))[0], code, String(message).slice(0, 40))
  }
})

t.test('what comes behind a message that does not fit is not passed on', async (t) => {
  const world = await open(t)
  const host = await world.host('a')
  const drive = await world.drive('a')
  const heard: string[] = []
  host.socket?.onSignal((_from, session) => heard.push(session))
  const signal = (session: string) => JSON.stringify({ type: 'signal', to: host.id, session, payload: 'AAAA' })
  const socket = dial(world, drive.device)
  await once(socket, 'message')
  const wire = Reflect.get(socket, '_socket') as Socket
  wire.cork()
  for (const text of [signal('1'.repeat(32)), '{', signal('2'.repeat(32))]) socket.send(text)
  wire.uncork()
  t.equal((await once(socket, 'close'))[0], 4002)
  const other = dial(world, drive.device)
  await once(other, 'message')
  other.send(signal('3'.repeat(32)))
  await until(() => heard.includes('3'.repeat(32)))
  t.same(heard, ['1'.repeat(32), '3'.repeat(32)])
  other.close()
})

t.test('who does not answer pings for 45 s is gone', async (t) => {
  const world = await open(t)
  const host = await world.host('a', { online: false })
  const socket = dial(world, host.key)
  await once(socket, 'message')
  const pongs: number[] = []
  socket.on('ping', () => pongs.push(1))
  world.bridge.pull.ping()
  await until(() => pongs.length === 1)
  await new Promise((resolve) => setTimeout(resolve, 30))
  socket.pause()
  for (const [waitMs, online] of [
    [15_000, 1],
    [15_000, 1],
    [15_000, 0],
  ] as const) {
    await world.clock.leap(waitMs)
    world.bridge.pull.ping()
    await new Promise((resolve) => setTimeout(resolve, 30))
    t.equal(world.bridge.hostsOnline().length, online)
  }
  socket.terminate()
})

t.test('a flood of signals is told unreachable instead of passed on', async (t) => {
  const world = await open(t)
  const [host] = await world.hosts(1)
  const drive = await world.drive('a')
  const socket = dial(world, drive.device)
  await once(socket, 'message')
  let passed = 0
  host!.socket!.onSignal(() => void passed++)
  let refused = 0
  socket.on('message', () => void refused++)
  const text = JSON.stringify({ type: 'signal', to: host!.id, session: SESSION, payload: 'AAAA' })
  for (let at = 0; at < 1_200; at++) socket.send(text)
  await until(() => passed + refused === 1_200)
  t.same([passed, refused], [1_000, 200])
  socket.close()
})
