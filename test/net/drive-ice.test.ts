/** The bridge's STUN and TURN list reaches whoever opens connections, over real WebRTC. */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import t, { type Test } from 'tap'
import { openPeers, type PeerSettings } from '../../src/app/peers.js'
import { type PeerId, peerId } from '../../src/model/ids.js'
import { METHOD } from '../../src/wire/methods.js'
import { until } from '../suites/transport-suite.js'
import { DriveNet } from '../support/drive-net.js'
import { rampBytes } from '../support/ramp.js'

t.setTimeout(110_000)
const BINDING_REQUEST = 0x0001
const BINDING_SUCCESS = 0x0101
const XOR_MAPPED_ADDRESS = 0x0020
const COOKIE_HIGH = 0x2112

/** A STUN server (RFC 8489): tells everybody 127.0.0.1 and their port, and counts them. */
async function stunServer(t: Test): Promise<{ url: string; asked: () => number }> {
  const socket = createSocket('udp4')
  let asked = 0
  socket.on('message', (request, from) => {
    if (request.readUInt16BE(0) !== BINDING_REQUEST) return
    asked += 1
    const reply = Buffer.alloc(32)
    reply.writeUInt16BE(BINDING_SUCCESS, 0)
    reply.writeUInt16BE(12, 2)
    // Magic cookie and transaction.
    request.copy(reply, 4, 4, 20)
    reply.writeUInt16BE(XOR_MAPPED_ADDRESS, 20)
    reply.writeUInt16BE(8, 22)
    reply.writeUInt16BE(1, 24)
    reply.writeUInt16BE(from.port ^ COOKIE_HIGH, 26)
    for (const [at, byte] of [127, 0, 0, 1].entries()) reply[28 + at] = byte ^ (request[4 + at] ?? 0)
    socket.send(reply, from.port, from.address)
  })
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  t.teardown(() => socket.close())
  return { url: `stun:127.0.0.1:${socket.address().port}`, asked: () => asked }
}

t.test('drives and hosts are told of the servers that the bridge names, and a drive asks them', async (t) => {
  const { url, asked } = await stunServer(t)
  const told = new Map<string, string[]>()
  let asking = ''
  const net = await DriveNet.start(t, {
    hosts: 4,
    config: { scheme: { dataShards: 1, totalShards: 3 }, ice: [url] },
    openPeers: (settings: PeerSettings) => {
      const id = peerId(settings.key.id)
      const iceServers = async () => {
        const servers = (await settings.iceServers?.()) ?? []
        told.set(id, servers)
        // Whoever else asks would hide whether the drive does.
        return id === asking ? servers : []
      }
      return openPeers({ ...settings, iceServers })
    },
  })
  const device = await net.newAccount()
  await device.open()
  asking = device.drive?.identity.device.id ?? 'nobody'
  await device.hand.write('a', rampBytes(1, 100_000))
  await device.sync(60_000)
  t.same(told.get(asking), [url])
  t.ok(await until(() => asked() > 0, 20_000), 'the drive')
  const hosts = net.hosts.map((host) => told.get(host.id)).filter((servers) => servers !== undefined)
  t.ok(hosts.length >= 3, `${hosts.length} hosts were dialed`)
  t.same(
    hosts,
    hosts.map(() => [url]),
  )
})

t.test(
  'a drive that is to hide its address opens its peers so, and without a TURN server reaches nobody',
  async (t) => {
    const { url, asked } = await stunServer(t)
    const hiding: (boolean | undefined)[] = []
    const net = await DriveNet.start(t, {
      hosts: 3,
      config: { scheme: { dataShards: 1, totalShards: 3 }, ice: [url] },
      openPeers: (settings: PeerSettings) => {
        hiding.push(settings.relayOnly)
        return openPeers(settings)
      },
    })
    const device = await net.newAccount()
    const before = hiding.length
    const drive = await device.open({ relayOnly: true })
    t.same(hiding.slice(before), [true])
    t.equal(hiding.slice(0, before).includes(true), false, 'hosts have nothing to hide')
    const asking = drive.network.peers.request(net.hosts[0]?.id as PeerId, {
      ...{ method: METHOD.ping, head: Buffer.alloc(0), deadlineMs: 20_000 },
    })
    await t.rejects(asking, { code: 'peer-unreachable', message: /no TURN server.*--relay-only/ })
    t.equal(asked(), 0, 'not even a STUN server is asked')
    t.same(drive.network.peers.paths(), { direct: 0, relayed: 0 })
  },
)
