/** The two ways of a handshake: who probes and who starts, and when the second way is taken. */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import t, { type Test } from 'tap'
import { systemClock } from '../../../src/base/clock.js'
import { AppError } from '../../../src/base/errors.js'
import { silentLog } from '../../../src/base/log.js'
import { acquireLibrary } from '../../../src/rtc/webrtc-library.js'
import { WebRtcSession } from '../../../src/rtc/webrtc-session.js'
import { ECHO, serveEcho, until } from '../../suites/transport-suite.js'
import { webRtcNet } from '../../support/webrtc-net.js'

t.setTimeout(110_000)
const CONFIG = { iceServers: [], bindAddress: '127.0.0.1' }
/** What a line of an SDP says after its name. */
const sdpValue = (sdp: string, name: string) => sdp.match(new RegExp(`^a=${name}:(.*)\r$`, 'm'))?.[1]

t.test('the attempt after a failed handshake is careful', async (t) => {
  const net = webRtcNet()
  const alive = setInterval(() => {}, 1_000)
  const said: string[] = []
  const falsify = (type: string, sdp: string) => {
    said.push(`${type} ${sdpValue(sdp, 'setup')}`)
    // The library takes no such answer: for the dialer, the handshake failed.
    return said.length === 2 ? sdp.replace('a=setup:passive', 'a=setup:actpass') : sdp
  }
  const [a, b] = [await net.node({ falsify }), await net.node({ falsify })]
  serveEcho(b)
  await a.transport.request(b.id, ECHO)
  t.same(said, ['offer active', 'answer passive', 'offer actpass', 'answer active'])
  t.equal(a.transport.counters.dials, 1)
  await net.stop()
  clearInterval(alive)
})

/** Answers an offer whose only address is ours; counts what arrives there. */
async function answered(t: Test, careful: boolean) {
  const socket = createSocket('udp4')
  let probes = 0
  socket.on('message', () => {
    probes += 1
  })
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  let wake: () => void = () => {}
  const held = new Promise<boolean>((resolve) => {
    wake = () => resolve(true)
  })
  // What is to happen later waits for the test.
  const clock = { ...systemClock, sleep: () => held }
  const library = await acquireLibrary(silentLog)
  const sessions = ['offerer', 'answerer'].map((name) => new WebRtcSession(library.open(name, CONFIG), clock))
  const [offerer, answerer] = sessions as [WebRtcSession, WebRtcSession]
  t.teardown(async () => {
    for (const session of sessions) session.end(new AppError('stopped', 'the test is over'))
    await library.release(systemClock)
    socket.close()
  })
  const offer = await offerer.offer(careful)
  const address = sdpValue(offer, 'candidate')?.match(/127\.0\.0\.1 \d+/)?.[0] ?? 'no address'
  await answerer.answer(offer.replaceAll(address, `127.0.0.1 ${socket.address().port}`))
  return { probes: () => probes, wake }
}

t.test('a careful offer is probed later, if its side does not come first; others at once', async (t) => {
  const fast = await answered(t, false)
  t.ok(await until(() => fast.probes() > 0, 20_000), 'at once')
  const careful = await answered(t, true)
  t.notOk(await until(() => careful.probes() > 0, 300), 'the answer has time to arrive')
  careful.wake()
  t.ok(await until(() => careful.probes() > 0, 20_000), 'in the end')
})
