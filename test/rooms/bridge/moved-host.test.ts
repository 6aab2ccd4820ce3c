/** Two processes with one host's key: the one that began later stays, and a line that was cut is no second process. */
import { once } from 'node:events'
import t, { type Test } from 'tap'
import WebSocket from 'ws'
import { systemClock } from '../../../src/base/clock.js'
import { hexOf } from '../../../src/base/hex.js'
import { systemRandom } from '../../../src/base/random.js'
import { BridgeSocket } from '../../../src/bridge-client/bridge-socket.js'
import { sha256 } from '../../../src/crypto/hash.js'
import { HEADER } from '../../../src/wire/api.js'
import { requestText } from '../../../src/wire/signed-http.js'
import { parseSocketPath, processName, SOCKET_CLOSE, socketPath } from '../../../src/wire/socket.js'
import { type TestHost, World } from '../../support/bridge-world.js'
import { until } from '../../support/named.js'

async function open(t: Test) {
  const world = await World.start(t.testdir())
  t.teardown(() => world.stop())
  const host = await world.host('a', { online: false })
  return { world, host }
}

/** A bare line of a process of that name. */
function dial(world: World, host: TestHost, name: string | undefined): { socket: WebSocket; closed: Promise<number> } {
  const nonce = hexOf(systemRandom(16))
  const path = socketPath(name)
  const timeMs = world.clock.nowMs()
  const text = requestText({
    method: 'GET',
    path,
    timeMs,
    nonce,
    bridge: world.bridge.id,
    bodyHash: sha256(Buffer.alloc(0)),
  })
  const headers = {
    [HEADER.key]: host.key.id,
    [HEADER.time]: String(timeMs),
    [HEADER.nonce]: nonce,
    [HEADER.signature]: hexOf(host.key.sign(text)),
  }
  const socket = new WebSocket(world.bridge.url.replace('http', 'ws') + path, { headers })
  const closed = once(socket, 'close').then(([code]) => code as number)
  return { socket, closed }
}

function nameAt(world: World, offsetMs: number): string {
  return processName(world.clock.nowMs() + offsetMs, systemRandom(8))
}

t.test('names of processes rise with their start, and nothing else is a path', async (t) => {
  const early = processName(1_800_000_000_000, Buffer.alloc(8, 255))
  const late = processName(1_800_000_000_001, Buffer.alloc(8))
  t.ok(early < late)
  t.same(parseSocketPath(socketPath(early)), { process: early })
  t.same(parseSocketPath(socketPath(undefined)), { process: undefined })
  for (const path of ['/v1/socket?process=', `/v1/socket?process=${early}0`, '/v1/socket?x=1', '/v1/socke', '']) {
    t.equal(parseSocketPath(path), undefined, path)
  }
})

t.test('the process that began later stays, whichever connects last', async (t) => {
  const { world, host } = await open(t)
  const [early, late] = [nameAt(world, -5_000), nameAt(world, -1_000)]
  const first = dial(world, host, early)
  await once(first.socket, 'message')
  const second = dial(world, host, late)
  await once(second.socket, 'message')
  t.equal(await first.closed, SOCKET_CLOSE.moved, 'the first is told to end')
  const again = dial(world, host, early)
  t.equal(await again.closed, SOCKET_CLOSE.moved, 'and so when it comes back')
  t.same(world.bridge.hostsOnline(), [host.id])
  t.equal(second.socket.readyState, WebSocket.OPEN, 'the later one was not disturbed')
  second.socket.close()
})

t.test('a line of the same process that was cut is replaced, and so is one of a peer that says no name', async (t) => {
  const { world, host } = await open(t)
  const name = nameAt(world, 0)
  const first = dial(world, host, name)
  await once(first.socket, 'message')
  const second = dial(world, host, name)
  t.equal(await first.closed, SOCKET_CLOSE.replaced)
  await until(() => world.bridge.hostsOnline().includes(host.id))
  const nameless = dial(world, host, undefined)
  t.equal(await second.closed, SOCKET_CLOSE.replaced)
  nameless.socket.close()
})

t.test('a process that begins in the future is refused: it could never be followed by another', async (t) => {
  const { world, host } = await open(t)
  const { socket, closed } = dial(world, host, nameAt(world, 6 * 60_000))
  closed.catch(() => {})
  const [, response] = (await once(socket, 'unexpected-response')) as [unknown, { statusCode: number }]
  t.equal(response.statusCode, 400)
})

t.test(
  'a host that runs in another place hears it once and dials no more; a bridge that was started again knows it too',
  async (t) => {
    const { world, host } = await open(t)
    const start = () => {
      const socket = new BridgeSocket({ client: world.client(host.key), clock: systemClock, asProcess: true })
      t.teardown(() => socket.stop())
      socket.start()
      return socket
    }
    const first = start()
    await until(() => first.state().connected)
    await world.clock.advance(1_000)
    const second = start()
    const trouble = () => {
      const state = first.state()
      return state.connected ? undefined : state.trouble
    }
    await until(() => second.state().connected && trouble()?.code === 'host-moved')
    t.match(trouble(), { code: 'host-moved', retry: 'never', hint: /one host, one folder/ })
    first.hurry()
    await world.restartBridge()
    await until(() => second.state().connected && world.bridge.hostsOnline().includes(host.id))
    t.notOk(first.state().connected, 'it does not come back')
    t.ok(second.state().connected)
  },
)
