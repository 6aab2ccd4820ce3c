/** What a host may ask of how it is reached: knocks to its own address alone, a ping by the bridge's own peer. */
import t from 'tap'
import { systemClock } from '../../../src/base/clock.js'
import { systemRandom } from '../../../src/base/random.js'
import { askDial, askKnock } from '../../../src/bridge-client/reach-calls.js'
import { ProbeSocket } from '../../../src/rtc/probe-socket.js'
import { Net } from '../../support/bridge-net.js'

t.test('a host is knocked at where it asks from, dialed, and held to a pace', async (t) => {
  const net = await Net.start(t.testdir(), 2)
  t.teardown(() => net.stop())
  const [host, other] = net.hosts
  if (host === undefined || other === undefined) throw new Error('two hosts')
  const { client } = host
  const probe = await ProbeSocket.open(0, { clock: systemClock, random: systemRandom })
  t.teardown(() => probe.close())
  const nonce = systemRandom(16)
  const heard = probe.knock(nonce)
  const request = { port: probe.port, nonce: nonce.toString('hex') }
  t.same(await askKnock(client, host.id, request), { address: '127.0.0.1', sent: true })
  t.equal(await heard.within(10_000), true)
  t.match(await askDial(client, host.id), { reached: true, kind: null, outside: null })
  await t.rejects(askKnock(client, other.id, request), { code: 'not-yours' })
  await t.rejects(askDial(client, other.id), { code: 'not-yours' })
  const many = await Promise.allSettled(Array.from({ length: 20 }, () => askKnock(client, host.id, request)))
  t.ok(many.filter((one) => one.status === 'rejected' && one.reason.code === 'rate-limited').length >= 14)
  net.hub.kill(other.id)
  t.match(await askDial(other.client, other.id), { reached: false, code: 'peer-unreachable', kind: null })
})
