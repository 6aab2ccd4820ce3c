import t, { type Test } from 'tap'
import { type Clock, systemClock } from '../../../src/base/clock.js'
import { BridgeClient } from '../../../src/bridge-client/bridge-client.js'
import { BridgeSocket } from '../../../src/bridge-client/bridge-socket.js'
import { type PeerId, peerId } from '../../../src/model/ids.js'
import type { Signaling } from '../../../src/rtc/signaling.js'
import { SOCKET_CLOSE } from '../../../src/wire/socket.js'
import { Dice, testSeed } from '../../support/dice.js'
import { mutate } from '../../support/mutate.js'
import { ScriptedBridge } from '../../support/scripted-bridge.js'
import { keyOf } from '../../support/secrets.js'

const key = keyOf(1)
const peer = peerId(keyOf(2).id)
const session = 'ab'.repeat(16)
/** A second passes in ten milliseconds. */
const fastClock: Clock = {
  ...systemClock,
  monotonicMs: () => systemClock.monotonicMs() * 100,
  sleep: (delayMs, signal) => systemClock.sleep(delayMs / 100, signal),
}

interface Heard {
  signals: [PeerId, string, string][]
  unreachable: [PeerId, string][]
  deletes: string[]
}

async function setUp(t: Test) {
  const bridge = await new ScriptedBridge().start()
  const client = new BridgeClient({ url: bridge.url, bridge: bridge.id, key, clock: fastClock })
  const socket = new BridgeSocket({ client, clock: fastClock })
  const heard: Heard = { signals: [], unreachable: [], deletes: [] }
  const signaling: Signaling = socket
  signaling.onSignal((from, session, payload) => heard.signals.push([from, session, payload.toString()]))
  signaling.onUnreachable((to, session) => heard.unreachable.push([to, session]))
  socket.onDelete((token) => heard.deletes.push(token.toString('hex')))
  // The socket's own timers keep no process alive; a test waits for them.
  const alive = setInterval(() => {}, 1_000)
  t.teardown(async () => {
    await socket.stop()
    await bridge.stop()
    clearInterval(alive)
  })
  return { bridge, client, socket, heard }
}

async function until(what: () => unknown, name: string): Promise<void> {
  const endMs = Date.now() + 5_000
  while (!what()) {
    if (Date.now() > endMs) throw new Error(`never: ${name}`)
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}

t.test('signals pass both ways, unreachable peers and delete tokens are told', async (t) => {
  const { bridge, socket, heard } = await setUp(t)
  socket.start()
  socket.send(peer, session, Buffer.from('early'))
  await until(() => bridge.heard.length === 1, 'a signal sent while dialing arrives')
  t.same(JSON.parse(bridge.heard[0] as string), {
    type: 'signal',
    to: peer,
    session,
    payload: Buffer.from('early').toString('base64'),
  })
  t.same(socket.state(), { connected: true })
  const payload = Buffer.from('answer').toString('base64')
  bridge.tell({ type: 'signal', to: key.id, from: peer, session, payload })
  bridge.tell({ type: 'signal', to: key.id, session, payload })
  bridge.tell({ type: 'signal', to: peer, from: peer, session, payload })
  bridge.tell({ type: 'unreachable', to: peer, session })
  bridge.tell({ type: 'delete', token: 'ab'.repeat(297) })
  await until(() => heard.deletes.length === 1, 'the delete arrives')
  t.same(heard.signals, [[peer, session, 'answer']], 'not the one without a sender, nor the one for somebody else')
  t.same(heard.unreachable, [[peer, session]])
  t.same(heard.deletes, ['ab'.repeat(297)])
  t.ok(socket.sendDeleted({ serial: session, ok: false, code: 'token-used' }))
  await until(() => bridge.heard.length === 2, 'the answer arrives')
  t.same(JSON.parse(bridge.heard[1] as string), { type: 'deleted', serial: session, ok: false, code: 'token-used' })
})

t.test('without a line every peer is unreachable, and nothing throws', async (t) => {
  const { socket, heard } = await setUp(t)
  socket.send(peer, session, Buffer.from('x'))
  t.same(heard.unreachable, [], 'told later, never from inside send')
  await until(() => heard.unreachable.length === 1, 'told')
  t.notOk(socket.sendDeleted({ serial: session, ok: true }))
  t.same(socket.state(), { connected: false, trouble: null })
  socket.start()
  await until(() => socket.state().connected, 'connects')
  socket.send(peer, session, Buffer.alloc(60_000))
  await until(() => heard.unreachable.length === 2, 'a signal that is too large goes nowhere')
})

t.test('the line comes back when the bridge does', async (t) => {
  const { bridge, socket, heard } = await setUp(t)
  const states: boolean[] = []
  socket.onState(({ connected }) => states.push(connected))
  socket.start()
  await until(() => socket.state().connected, 'connects')
  await bridge.stop()
  await until(() => !socket.state().connected, 'notices')
  t.match(socket.state(), { trouble: { code: 'bridge-unreachable' } })
  socket.send(peer, session, Buffer.from('x'))
  await until(() => heard.unreachable.length === 1, 'unreachable meanwhile')
  await bridge.start()
  await until(() => socket.state().connected, 'connects again')
  t.same([states[0], states.at(-1)], [true, true])
})

/** Pauses between two attempts, from the first on; each passes at once while `running`. */
function pausesOf() {
  const asked: number[] = []
  const state = { running: true }
  const sleep: Clock['sleep'] = (delayMs, signal) => {
    asked.push(delayMs)
    return systemClock.sleep(state.running ? 1 : delayMs, signal)
  }
  return { asked, state, clock: { ...systemClock, sleep } }
}

t.test('the pauses of a line grow to 2 s while nobody answers, to 10 s when it is refused', async (t) => {
  const bridge = await new ScriptedBridge().start()
  const { asked, state, clock } = pausesOf()
  const client = new BridgeClient({ url: bridge.url, bridge: bridge.id, key, clock })
  const socket = new BridgeSocket({ client, clock })
  const alive = setInterval(() => {}, 1_000)
  t.teardown(async () => {
    await socket.stop()
    await bridge.stop()
    clearInterval(alive)
  })
  await bridge.stop()
  socket.start()
  await until(() => asked.length >= 40, 'tried often')
  t.ok(Math.max(...asked) <= 2_000, `${Math.max(...asked)} ms`)
  t.ok((asked[0] as number) <= 250)
  t.ok(new Set(asked.slice(-20)).size > 10, 'drawn, so that not all come at once')
  bridge.refuseSocket = { status: 401, body: { error: { code: 'unknown-key', message: 'who?', retry: 'later' } } }
  await bridge.start()
  await until(() => codeIn(socket) === 'unknown-key', 'refused')
  const from = asked.length
  await until(() => asked.length >= from + 20, 'refused often')
  const refused = asked.slice(from)
  t.ok(Math.min(...refused.slice(-10)) >= 5_000 && Math.max(...refused) <= 10_000)

  state.running = false
  bridge.refuseSocket = null
  await until(() => (asked.at(-1) as number) >= 5_000 && !socket.state().connected, 'a long pause')
  await new Promise((resolve) => setTimeout(resolve, 20))
  socket.hurry()
  await until(() => socket.state().connected, 'dialed at once when somebody waits')
})

t.test('a line that fell silent is dead after 45 s', async (t) => {
  const { bridge, socket } = await setUp(t)
  const startMs = fastClock.monotonicMs()
  socket.start()
  await until(() => socket.state().connected, 'connects')
  const [first] = bridge.sockets
  first?.pause()
  await until(() => [...bridge.sockets].some((one) => one !== first), 'a new line is opened')
  t.ok(fastClock.monotonicMs() - startMs >= 45_000)
})

t.test('a bridge that never says hello is not taken for connected', async (t) => {
  const { bridge, socket, heard } = await setUp(t)
  bridge.sayHello = false
  socket.start()
  await until(() => bridge.sockets.size === 1, 'the socket opens')
  socket.send(peer, session, Buffer.from('x'))
  t.notOk(socket.state().connected)
  bridge.tell('{"type":"hello","key":"no","role":"host"}')
  await until(() => heard.unreachable.length === 1, 'a hello that does not fit ends the line')
  t.match(socket.state(), { connected: false, trouble: { code: 'malformed' } })
})

t.test('a refusal is told with the code of the bridge, an unsigned one is not believed', async (t) => {
  const { bridge, socket } = await setUp(t)
  const body = { error: { code: 'unknown-key', message: 'who?', retry: 'later' } }
  bridge.refuseSocket = { status: 401, body }
  socket.start()
  await until(() => !socket.state().connected && 'trouble' in socket.state() && socket.state(), 'refused')
  await until(() => (socket.state() as { trouble: object | null }).trouble, 'told')
  t.match(socket.state(), { trouble: { code: 'unknown-key' } })
  bridge.refuseSocket = { status: 401, body, tamper: (reply) => ({ ...reply, headers: {} }) }
  await until(() => codeIn(socket) === 'bridge-signature', 'not believed')
  bridge.refuseSocket = { status: 502, body, tamper: (reply) => ({ ...reply, headers: {} }) }
  await until(() => codeIn(socket) === 'bridge-unreachable', 'a proxy')
  bridge.refuseSocket = null
  await until(() => socket.state().connected, 'connects in the end')
})

t.test('of two processes with one key the older waits long before it comes back', async (t) => {
  const { bridge, socket } = await setUp(t)
  socket.start()
  await until(() => socket.state().connected, 'connects')
  const startMs = fastClock.monotonicMs()
  for (const one of bridge.sockets) one.close(SOCKET_CLOSE.replaced)
  await until(() => codeIn(socket) === 'replaced', 'told')
  await until(() => socket.state().connected, 'comes back')
  t.ok(fastClock.monotonicMs() - startMs >= 30_000)
})

t.test('messages that do not fit end the line, and only the line', async (t) => {
  const seed = testSeed()
  t.comment(`SEED=${seed}`)
  const dice = new Dice(seed)
  const { bridge, socket, heard } = await setUp(t)
  socket.start()
  await until(() => socket.state().connected, 'connects')
  let ends = 0
  socket.onState(({ connected }) => {
    if (!connected) ends++
  })
  const message = JSON.stringify({ type: 'signal', to: key.id, from: peer, session, payload: 'AAAA' })
  const unfit = ['', 'null', '[]', '{"type":"delete"}', '{"__proto__":1}', 'x'.repeat(70_000)]
  for (const [at, text] of unfit.entries()) {
    bridge.tell(text)
    await until(() => ends === at + 1, `ends at ${text.slice(0, 20)}`)
    await until(() => socket.state().connected, 'comes back')
  }
  for (let i = 0; i < 200; i++) {
    await until(() => socket.state().connected && bridge.sockets.size > 0, 'connected')
    bridge.tell(mutate(dice, Buffer.from(message)).toString('latin1'))
  }
  await until(() => socket.state().connected, 'still there')
  t.ok(heard.signals.every(([from]) => /^[0-9a-f]{64}$/.test(from)))
})

t.test('stopping ends the line and brings none back', async (t) => {
  const { bridge, socket } = await setUp(t)
  socket.start()
  await until(() => socket.state().connected, 'connects')
  await socket.stop()
  await until(() => bridge.sockets.size === 0, 'closed')
  t.notOk(socket.state().connected)
  await new Promise((resolve) => setTimeout(resolve, 60))
  t.equal(bridge.sockets.size, 0)
})

t.test('stopping while the bridge is away returns at once', async (t) => {
  const { bridge, socket } = await setUp(t)
  await bridge.stop()
  socket.start()
  await until(() => codeIn(socket) === 'bridge-unreachable', 'away')
  await socket.stop()
  t.pass()
})

function codeIn(socket: BridgeSocket): string | null {
  const state = socket.state()
  return state.connected ? null : (state.trouble?.code ?? null)
}
