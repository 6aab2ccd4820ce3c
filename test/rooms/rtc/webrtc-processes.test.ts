/** Real WebRTC between processes: what becomes of the living when a process is killed, and a clean end. */
import t from 'tap'
import { ECHO, pause } from '../../suites/transport-suite.js'
import { until } from '../../support/named.js'
import { rampBytes } from '../../support/ramp.js'
import { forkNode } from '../../support/rtc-fork.js'
import { webRtcNet } from '../../support/webrtc-net.js'

t.setTimeout(110_000)
const PING = { method: 1, head: Buffer.alloc(0), deadlineMs: 60_000 }

t.test('a process killed with SIGKILL is peer-lost within seven seconds, in the middle of a body too', async (t) => {
  const net = webRtcNet()
  const node = await net.node()
  const child = await forkNode(net.hub, 'silent')
  const waits = node.transport.request(child.id, PING).catch((error) => error.code)
  const sends = node.transport.request(child.id, { ...ECHO, body: rampBytes(1, 1_966_080), deadlineMs: 60_000 })
  const sent = sends.catch((error) => error.code)
  await until(() => node.transport.connected().includes(child.id), 20_000)
  await pause(500)
  child.process.kill('SIGKILL')
  const killedAt = performance.now()
  t.equal(await child.ended, 'SIGKILL')
  t.same([await waits, await sent], ['peer-lost', 'peer-lost'])
  const took = performance.now() - killedAt
  t.comment(`peer-lost after ${took.toFixed(0)} ms`)
  t.ok(took < 7_000)
  await net.stop()
})

t.test('a process that stops says so at once, and ends by itself without a complaint', async (t) => {
  const net = webRtcNet()
  const node = await net.node()
  const child = await forkNode(net.hub, 'echo')
  const body = rampBytes(2, 1_966_080)
  const reply = await node.transport.request(child.id, { ...ECHO, body })
  t.ok(reply.body.equals(body))
  const waits = node.transport.request(child.id, { ...ECHO, body: rampBytes(3, 1_966_080), deadlineMs: 60_000 })
  const lost = waits.catch((error) => error.code)
  const from = performance.now()
  child.process.send({ stop: true })
  const code = await lost
  t.ok(code === 'peer-lost' || code.body !== undefined)
  t.ok(performance.now() - from < 3_000)
  t.equal(await child.ended, 0)
  await net.stop()
})
