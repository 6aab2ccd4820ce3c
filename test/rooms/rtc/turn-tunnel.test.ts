import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import t, { type Test } from 'tap'
import { systemClock } from '../../../src/base/clock.js'
import { TurnTunnels } from '../../../src/rtc/turn-tunnel.js'

async function socketOf(t: Test): Promise<Socket> {
  const socket = createSocket('udp4')
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  t.teardown(() => socket.close())
  return socket
}

async function said(socket: Socket): Promise<string> {
  const [datagram] = await once(socket, 'message')
  return String(datagram)
}

t.test('each socket of the library has a way of its own to the server, and nobody else is heard on it', async (t) => {
  const server = await socketOf(t)
  const from: number[] = []
  server.on('message', (datagram, { port, address }) => {
    from.push(port)
    server.send(`re ${datagram}`, port, address)
  })
  const tunnels = new TurnTunnels(systemClock)
  t.teardown(() => tunnels.close())
  const named = [`turn:user:pass@127.0.0.1:${server.address().port}`, 'stun:127.0.0.1:1', 'turns:u:p@127.0.0.1']
  const [offered = '', ...more] = await tunnels.through(named)
  t.same(more, [], 'only TURN over UDP is offered')
  t.match(offered, /^turn:user:pass@127\.0\.0\.1:\d+$/)
  const port = Number(offered.split(':').at(-1))
  t.not(port, server.address().port)
  t.same(await tunnels.through(named), [offered], 'one tunnel a server')
  const [one, other] = [await socketOf(t), await socketOf(t)]
  one.send('one', port, '127.0.0.1')
  t.equal(await said(one), 're one')
  other.send('other', port, '127.0.0.1')
  t.equal(await said(other), 're other')
  t.equal(new Set(from).size, 2)
  const heard: string[] = []
  one.on('message', (datagram) => heard.push(String(datagram)))
  const stranger = await socketOf(t)
  stranger.send('from a stranger', from[0] as number, '127.0.0.1')
  one.send('again', port, '127.0.0.1')
  await once(one, 'message')
  t.same(heard, ['re again'])
})

t.test('without a TURN server there is no way, and it is said', async (t) => {
  const tunnels = new TurnTunnels(systemClock)
  await t.rejects(tunnels.through(['stun:127.0.0.1:3478']), { code: 'peer-unreachable', message: /no TURN server/ })
  await tunnels.close()
})
