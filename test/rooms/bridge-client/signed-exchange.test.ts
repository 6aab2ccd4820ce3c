import net from 'node:net'
import t, { type Test } from 'tap'
import { type Clock, systemClock } from '../../../src/base/clock.js'
import { codeOf } from '../../../src/base/errors.js'
import { BridgeClient } from '../../../src/bridge-client/bridge-client.js'
import { fetchBridgeInfo } from '../../../src/bridge-client/bridge-info.js'
import { parseBridgeUrl } from '../../../src/bridge-client/bridge-url.js'
import { bridgeId, driveId } from '../../../src/model/ids.js'
import { HEADER } from '../../../src/wire/api.js'
import { ScriptedBridge } from '../../support/scripted-bridge.js'
import { keyOf } from '../../support/secrets.js'

const drive = driveId('d'.repeat(32))
const space = { totalBytes: 10, freeBytes: 5, hostsOnline: 1, hostsTotal: 2 }
const info = (bridge: string) => ({
  bridge,
  incarnation: 1,
  time: 1,
  policy: 'single-machine',
  version: '1',
  ice: [],
  scheme: { k: 4, n: 8 },
})
/** Delays between attempts pass a hundred times as fast. */
const fastClock: Clock = { ...systemClock, sleep: (delayMs, signal) => systemClock.sleep(delayMs / 100, signal) }

async function setUp(t: Test, clock: Clock = fastClock) {
  const bridge = await new ScriptedBridge().start()
  t.teardown(() => bridge.stop())
  const client = new BridgeClient({ url: bridge.url, bridge: bridge.id, key: keyOf(1), clock }, { timeoutMs: 2_000 })
  return { bridge, client }
}

t.test('a signed request is answered, and teaches bridge time', async (t) => {
  const { bridge, client } = await setUp(t)
  bridge.nowMs = () => Date.now() + 90_000
  bridge.script = () => ({ body: space })
  t.same(await client.space(), space)
  t.equal(bridge.calls[0]?.key, keyOf(1).id)
  t.ok(Math.abs(client.time.nowMs() - Date.now() - 90_000) < 500)
  t.ok(client.time.isLearnt)
})

t.test('what the pinned bridge did not sign over this very request is not believed', async (t) => {
  const { bridge, client } = await setUp(t)
  let earlier: Record<string, string> = {}
  bridge.script = () => ({
    body: space,
    tamper: (reply) => {
      earlier = reply.headers
      return reply
    },
  })
  await client.space()
  const body = Buffer.from(JSON.stringify({ ...space, freeBytes: 9 }))
  const foreign = { [HEADER.reply]: 'ab'.repeat(64), [HEADER.bridgeTime]: '5' }
  const lies: [string, (reply: { status: number; headers: Record<string, string>; body: Buffer }) => object][] = [
    ['another body', (reply) => ({ ...reply, body })],
    ['another status', (reply) => ({ ...reply, status: 201 })],
    ['another time', (reply) => ({ ...reply, headers: { ...reply.headers, [HEADER.bridgeTime]: '1' } })],
    ['the signature of an earlier reply', (reply) => ({ ...reply, headers: earlier })],
    ['a foreign signature', (reply) => ({ ...reply, headers: foreign })],
    ['no signature', (reply) => ({ ...reply, headers: {} })],
    ['a redirect', () => ({ status: 302, headers: { location: `${bridge.url}/v1/space` }, body: Buffer.alloc(0) })],
  ]
  for (const [name, tamper] of lies) {
    bridge.script = () => ({ body: space, tamper: tamper as never })
    await t.rejects(client.space(), { code: 'bridge-signature' }, name)
  }
  const stranger = new BridgeClient({ url: bridge.url, bridge: bridgeId(keyOf(5).id), key: keyOf(1), clock: fastClock })
  await t.rejects(stranger.space(), { code: 'bridge-signature' }, 'another bridge at the address')
})

t.test('a refusal arrives with its code, its hint and its details, and without control characters', async (t) => {
  const { bridge, client } = await setUp(t)
  const details = { sequence: 4, hash: 'ab' }
  bridge.script = () => ({
    status: 409,
    body: { error: { code: 'head-moved', message: 'moved\u001b[2J', retry: 'later', hint: 'look\nagain', details } },
  })
  const error = await client.append(drive, Buffer.from('record')).catch((error: unknown) => error)
  t.match(error, { code: 'head-moved', message: 'moved?[2J', retry: 'later', hint: 'look?again', details })
  t.equal(bridge.calls.length, 1, 'a refusal is an answer: nothing is sent again')
  bridge.script = () => ({ status: 409, body: { error: 'no' } })
  await t.rejects(client.space(), { code: 'malformed' })
})

t.test('a refusal speaks with the voice of a bridge alone, and not without end', async (t) => {
  const { bridge, client } = await setUp(t)
  const refuse = (error: object) => {
    bridge.script = () => ({ status: 409, body: { error: { message: 'm', retry: 'later', ...error } } })
    return client.space().catch((error: unknown) => error)
  }
  t.match(await refuse({ code: 'drive-forked' }), { code: 'bridge-refused', retry: 'later', message: /drive-forked/ })
  t.match(await refuse({ code: 'busy', details: { a: 'x\u001by' } }), { code: 'busy', details: { a: 'x?y' } })
  const full = { code: 'no-space', message: 'the disk is full', hint: 'free some disk space' }
  t.match(await refuse(full), { code: 'no-space', message: /bridge's machine/, hint: /its operator/ }, 'not this disk')
  const many = Object.fromEntries(Array.from({ length: 17 }, (_, at) => [`a${at}`, 1]))
  for (const details of [{ ['x'.repeat(900_000)]: 1 }, { 'a\nb': 1 }, { a: 'x'.repeat(2_049) }, many]) {
    const error = (await refuse({ code: 'busy', details })) as Error
    t.match(error, { code: 'malformed' })
    t.ok(error.message.length < 200)
  }
})

t.test('a bridge that is away is asked three times, evidence is sent once', async (t) => {
  const { bridge, client } = await setUp(t)
  bridge.script = () => 'cut'
  await t.rejects(client.space(), { code: 'bridge-unreachable', retry: 'later' })
  t.equal(bridge.calls.length, 3)
  const nonces = new Set(bridge.calls.map(({ headers }) => headers[HEADER.nonce]))
  t.equal(nonces.size, 3, 'each with a nonce of its own')
  const evidence = { host: 'a'.repeat(64), segment: 'b'.repeat(64), index: 1, kind: 'silent' as const, detail: '' }
  await t.rejects(client.evidence(drive, evidence), { code: 'bridge-unreachable' })
  t.equal(bridge.calls.length, 4)
  let times = 0
  bridge.script = () => (++times === 1 ? 'cut' : { body: space })
  t.same(await client.space(), space, 'one that comes back is heard')
})

t.test('a proxy that says that the bridge is down is no lying bridge', async (t) => {
  const { bridge, client } = await setUp(t)
  bridge.script = () => ({ body: {}, tamper: () => ({ status: 502, headers: {}, body: Buffer.from('<html>') }) })
  await t.rejects(client.space(), { code: 'bridge-unreachable' })
})

t.test('a closed port, a silent bridge and an endless answer end in time', async (t) => {
  const { bridge, client } = await setUp(t)
  bridge.script = () => 'hang'
  await t.rejects(client.space({ timeoutMs: 50 }), { code: 'bridge-unreachable', message: /within 50 ms/ })
  bridge.script = () => ({ body: Buffer.alloc(9_000_000, ' ') })
  await t.rejects(client.space(), { code: 'malformed' })
  await bridge.stop()
  await t.rejects(client.space(), { code: 'bridge-unreachable', message: /ECONNREFUSED/ })
})

t.test('an abort passes with its reason, also between attempts', async (t) => {
  const { bridge, client } = await setUp(t, systemClock)
  bridge.script = () => 'hang'
  const stop = new AbortController()
  const reason = new Error('enough')
  const call = client.space({ signal: stop.signal })
  setTimeout(() => stop.abort(reason), 30)
  await t.rejects(call, reason)
  await t.rejects(client.space({ signal: stop.signal }), reason)
  const late = new AbortController()
  const pausing: Clock = {
    ...systemClock,
    sleep: async () => {
      late.abort(reason)
      return false
    },
  }
  bridge.script = () => 'cut'
  const other = new BridgeClient({ url: bridge.url, bridge: bridge.id, key: keyOf(1), clock: pausing })
  await t.rejects(other.space({ signal: late.signal }), reason)
})

t.test(
  'what is stopped signs nothing any more: a call between two attempts ends, and so does a later one',
  async (t) => {
    const { client, bridge } = await setUp(t)
    await bridge.stop()
    const waiting = client.space().catch(codeOf)
    await new Promise((resolve) => setImmediate(resolve))
    client.stop()
    client.key.wipe()
    t.equal(await waiting, 'stopped')
    t.equal(await client.space().catch(codeOf), 'stopped')
  },
)

t.test('a clock that is two hours off is named, until it is set', async (t) => {
  let shiftMs = 7_200_000
  const clock: Clock = { ...fastClock, nowMs: () => Date.now() - shiftMs }
  const { bridge, client } = await setUp(t, clock)
  bridge.script = () => ({ body: space })
  for (let i = 0; i < 2; i++) {
    const error = await client.space().catch((error: unknown) => error)
    t.match(error, { code: 'clock-skew', message: /120 min behind/ })
    const { offsetMs } = (error as { details: { offsetMs: number } }).details
    t.ok(Math.abs(offsetMs - 7_200_000) < 500)
  }
  t.equal(bridge.calls.length, 0, 'nothing was carried out')
  shiftMs = 0
  t.same(await client.space(), space, 'the clock was set')
  shiftMs = -7_200_000
  await t.rejects(client.space(), { code: 'clock-skew', message: /120 min ahead/ })
})

t.test('a clock that was set within the tolerance goes unnoticed', async (t) => {
  let shiftMs = -280_000
  const clock: Clock = { ...fastClock, nowMs: () => Date.now() + shiftMs }
  const { bridge, client } = await setUp(t, clock)
  bridge.script = () => ({ body: space })
  await client.space()
  shiftMs = 280_000
  t.same(await client.space(), space, 'signed 560 s off at first, then with the time that the refusal taught')
})

t.test('init learns who the bridge is from a reply that it signed', async (t) => {
  const { bridge } = await setUp(t)
  bridge.script = () => ({ body: info(bridge.id) })
  const parts = { url: bridge.url, clock: systemClock }
  t.match(await fetchBridgeInfo(parts), { bridge: bridge.id, scheme: { k: 4, n: 8 } })
  t.ok(await fetchBridgeInfo({ ...parts, bridge: bridge.id }))
  await t.rejects(fetchBridgeInfo({ ...parts, bridge: bridgeId(keyOf(3).id) }), { code: 'bridge-signature' })
  bridge.script = () => ({ body: info(keyOf(3).id) })
  await t.rejects(fetchBridgeInfo(parts), { code: 'bridge-signature' }, 'a key that it does not have')
  bridge.script = () => ({ body: { hello: 'world' } })
  await t.rejects(fetchBridgeInfo(parts), { code: 'malformed' }, 'no bridge')
  bridge.script = () => ({ status: 404, body: {} })
  await t.rejects(fetchBridgeInfo(parts), { code: 'not-a-bridge' })
  bridge.script = () => ({ body: info(bridge.id) })
  bridge.nowMs = () => Date.now() + 7_200_000
  await t.rejects(fetchBridgeInfo(parts), { code: 'clock-skew' })
})

t.test('a mute server behind the port is no bridge', async (t) => {
  const server = net.createServer((socket) => socket.end('SSH-2.0-OpenSSH\r\n'))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  const { port } = server.address() as net.AddressInfo
  await t.rejects(fetchBridgeInfo({ url: `http://127.0.0.1:${port}`, clock: systemClock }), {
    code: 'bridge-unreachable',
  })
})

t.test('http is for this machine, unless it is allowed', async (t) => {
  for (const url of [
    'http://127.0.0.1:80',
    'http://localhost:1',
    'http://[::1]:9',
    'https://bridge.example',
    'http://127.8.9.1',
  ]) {
    t.ok(parseBridgeUrl(url), url)
  }
  for (const url of ['http://bridge.example', 'http://192.168.1.4:80', 'http://127.0.0.1.example', 'http://[::2]']) {
    t.throws(() => parseBridgeUrl(url), { code: 'bridge-insecure' }, url)
    t.ok(parseBridgeUrl(url, { allowInsecure: true }))
  }
  for (const url of [
    '',
    'bridge',
    'ftp://a',
    'https://a/b',
    'https://a?x',
    'https://a#x',
    'https://u:p@a',
    'file:///a',
  ]) {
    t.throws(() => parseBridgeUrl(url), { code: 'bridge-url' }, url)
  }
})
