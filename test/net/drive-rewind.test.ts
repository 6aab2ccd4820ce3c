/** A bridge that was set back, before a device that knows nothing: hosts remember. And a description that was changed on its way. */
import t, { type Test } from 'tap'
import { openPeers } from '../../src/app/peers.js'
import { codeOf } from '../../src/base/errors.js'
import type { BoxDevice } from '../support/box-device.js'
import { type BoxOptions, DriveNet } from '../support/drive-net.js'
import { until } from '../support/named.js'
import { rampBytes } from '../support/ramp.js'

const SIZE = 50_000

t.setTimeout(240_000)

async function box(t: Test, options: BoxOptions = {}): Promise<{ net: DriveNet; device: BoxDevice }> {
  const net = await DriveNet.start(t, options)
  const device = await net.newAccount()
  await device.open()
  return { net, device }
}

async function store(device: BoxDevice, name: string, seed: number): Promise<void> {
  await device.hand.write(name, rampBytes(seed, SIZE))
  await device.sync()
}

interface Status {
  readOnly: string | null
  trouble: { code: string; message: string } | null
  chain: { sequence: number; witness: { sequence: number; timeMs: number } | null }
  hosts: { refused: number }
}

const statusOf = async (device: BoxDevice) => (await device.status()) as unknown as Status

t.test('hosts keep a newer head than the bridge shows: a recovery without any state notices', async (t) => {
  const { net, device } = await box(t)
  await store(device, 'a', 1)
  await net.keepBridge()
  for (let at = 0; at < 5; at++) await store(device, `later ${at}`, 10 + at)
  await device.close()
  await net.rewindBridge()
  const fresh = await net.joinAccount(device, 'fresh')
  const before = net.records(device)
  await fresh.open()
  t.match(fresh.readOnlyReason, /drive-rolled-back/)
  const { readOnly, trouble } = await statusOf(fresh)
  t.equal(trouble?.code, 'drive-rolled-back')
  t.match(readOnly, /drive-rolled-back/)
  t.ok(net.logged('drive-rolled-back').length > 0, 'the log has it')
  t.equal(await fresh.hand.write('x', rampBytes(1, 10)).catch(codeOf), 'read-only')
  t.ok((await fresh.hand.read('a')).equals(rampBytes(1, SIZE)), 'what the bridge still knows is read')
  await fresh.close()
  t.same(net.records(device), before, 'no writer term was claimed on the shorter chain, nothing was published')
  await device.open()
  t.equal((await statusOf(device)).trouble?.code, 'drive-rolled-back', 'the device with state says it too')
  t.ok((await device.hand.read('later 4')).equals(rampBytes(14, SIZE)), 'and still has everything')
})

t.test('the bridge went back and others wrote on: the record that a host saw is another one', async (t) => {
  const { net, device } = await box(t)
  const second = await net.joinAccount(device, 'second')
  await store(device, 'a', 1)
  await net.keepBridge()
  await store(device, 'b', 2)
  await device.close()
  await net.rewindBridge()
  const seen = await Promise.all(net.hosts.map((host) => host.witnesses()))
  await Promise.all(net.hosts.map((host) => host.forgetWitnesses()))
  await second.open({ takeover: true })
  for (let at = 0; at < 4; at++) await store(second, `other ${at}`, 20 + at)
  await second.close()
  await Promise.all(net.hosts.map((host, at) => host.restoreWitnesses(seen[at] ?? [])))
  const fresh = await net.joinAccount(device, 'fresh')
  await fresh.open()
  t.equal((await statusOf(fresh)).trouble?.code, 'drive-forked', 'also where the chain is longer than the witness')
  t.match(fresh.readOnlyReason, /drive-forked/)
})

t.test('an older bridge that no host contradicts is believed, and the newest witness is told', async (t) => {
  const { net, device } = await box(t)
  await store(device, 'a', 1)
  await device.close()
  const witnessedMs = net.world.clock.nowMs()
  await net.world.clock.leap(600_000)
  await net.keepBridge()
  await device.open()
  await store(device, 'b', 2)
  await device.close()
  await net.rewindBridge()
  await Promise.all(net.hosts.map((host) => host.forgetWitnesses()))
  const fresh = await net.joinAccount(device, 'fresh')
  await fresh.open()
  t.equal(fresh.readOnlyReason, null)
  t.equal((await statusOf(fresh)).chain.witness, null)
  t.ok(net.logged('no host keeps a witness').some((line) => line.includes('"name":"fresh"')))
  t.same([...(await fresh.hand.tree()).keys()], ['a'])
  await store(fresh, 'c', 3)
  const sequence = net.records(device).length - 1
  await fresh.close()
  const third = await net.joinAccount(device, 'third')
  await net.world.clock.leap(600_000)
  await third.open()
  t.equal(third.readOnlyReason, null)
  const { witness } = (await statusOf(third)).chain
  t.equal(witness?.sequence, sequence)
  t.ok((witness?.timeMs ?? 0) >= witnessedMs)
  const told = new Date(witness?.timeMs ?? 0).toISOString()
  t.ok(net.logged('newest head witness').some((line) => line.includes(told) && line.includes('"name":"third"')))
})

t.test('a bridge that swaps DTLS fingerprints (real WebRTC): no connection, and both sides say why', async (t) => {
  const net = await DriveNet.start(t, { hosts: 4, openPeers, config: { scheme: { dataShards: 1, totalShards: 3 } } })
  const device = await net.newAccount()
  net.liar.lies.swapFingerprints = true
  net.liar.lies.swapAnswersOnly = true
  await device.open()
  await device.hand.write('a', rampBytes(1, SIZE))
  await t.rejects(device.sync(8_000))
  t.ok(net.liar.told > 0)
  const { trouble, hosts } = await statusOf(device)
  t.equal(trouble?.code, 'not-enough-hosts')
  t.ok(hosts.refused > 0, `${hosts.refused} refused`)
  const own = net.logged('fingerprint-mismatch').filter((line) => line.includes('"name":"first"'))
  t.ok(own.length > 0, 'the log of the device has it')
  t.same(device.drive?.network.peers.connected(), [], 'nobody is connected')
  net.liar.lies.swapAnswersOnly = false
  await until(() => net.logged('fingerprint-mismatch').some((line) => line.includes('"name":"host-')), 20_000)
  t.pass('an offer that was changed is refused by the host')
  t.equal(
    net.hosts.reduce((sum, host) => sum + host.shards, 0),
    0,
    'nothing passed',
  )
  net.liar.lies.swapFingerprints = false
  await device.sync(60_000)
  await device.reopenCold()
  t.ok((await device.hand.read('a')).equals(rampBytes(1, SIZE)), 'true again, all goes on')
})
