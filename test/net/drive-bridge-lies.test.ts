/** A bridge that lies to a drive: what it says is checked against what the device knows; the device says what happened. */
import t, { type Test } from 'tap'
import { AppError, codeOf } from '../../src/base/errors.js'
import { RECORD_KIND } from '../../src/model/chain.js'
import type { BoxDevice } from '../support/box-device.js'
import { DriveNet } from '../support/drive-net.js'
import type { LyingBridge } from '../support/lying-bridge.js'
import { until } from '../support/named.js'
import { rampBytes } from '../support/ramp.js'

const SIZE = 700_000

t.setTimeout(240_000)

async function written(t: Test): Promise<{ net: DriveNet; device: BoxDevice }> {
  const net = await DriveNet.start(t)
  const device = await net.newAccount()
  await device.open()
  await device.hand.write('a', rampBytes(1, SIZE))
  await device.sync()
  return { net, device }
}

async function store(device: BoxDevice, name: string, seed: number, size = 1_000): Promise<void> {
  await device.hand.write(name, rampBytes(seed, size))
  await device.sync()
}

async function failure(work: Promise<unknown>): Promise<AppError> {
  return work.then(
    () => Promise.reject(new Error('it did not fail')),
    (error: unknown) => (error instanceof AppError ? error : Promise.reject(error)),
  )
}

/** Read-only and loud: to the program that writes, in the status, in the log. What is here stays readable. */
async function expectDistrust(t: Test, net: DriveNet, device: BoxDevice, codes: string[]): Promise<void> {
  await until(() => device.readOnlyReason !== null && codes.some((code) => device.readOnlyReason?.includes(code)))
  const { readOnly, trouble } = (await device.status()) as { readOnly: string; trouble: { code: string } }
  t.ok(codes.includes(trouble.code), `status: ${trouble.code}`)
  t.match(readOnly, trouble.code)
  t.ok(net.logged(trouble.code).length > 0, 'the log has it')
  t.equal(codeOf(await failure(device.hand.write('new', rampBytes(9, 10)))), 'read-only')
  t.ok((await device.hand.read('a')).equals(rampBytes(1, SIZE)), 'local data is untouched')
}

const LOCATE_LIES: [keyof LyingBridge['lies'], string][] = [
  ['wrongShardIds', 'placement-wrong'],
  ['wrongHosts', 'shards-unreachable'],
  ['forgetSegments', 'placement-unknown'],
]

for (const [lie, code] of LOCATE_LIES) {
  t.test(`${lie}: nothing wrong is served, nobody is accused; true again, all is read`, async (t) => {
    const { net, device } = await written(t)
    const second = await net.joinAccount(device, 'second')
    Object.assign(net.liar.lies, { [lie]: true })
    await second.open({ readOnly: true })
    const error = await failure(second.hand.read('a'))
    t.equal(error.code, 'offline')
    t.equal(codeOf(error.cause), code)
    t.ok(net.liar.told > 0)
    Object.assign(net.liar.lies, { [lie]: false })
    const isRead = async () => {
      await new Promise((resolve) => setTimeout(resolve, 250))
      return second.hand.read('a').then(
        (bytes) => bytes.equals(rampBytes(1, SIZE)),
        () => false,
      )
    }
    await until(isRead, 20_000)
    t.same(net.rows('SELECT * FROM evidence'), [])
  })
}

t.test('a chain cut short before a device with state: read-only and loud, nothing published', async (t) => {
  const { net, device } = await written(t)
  await store(device, 'b', 2)
  await store(device, 'c', 3)
  await device.close()
  const before = net.records(device)
  net.liar.lies.truncateAt = before.length - 3
  await device.open()
  await expectDistrust(t, net, device, ['drive-rolled-back'])
  t.ok((await device.hand.read('c')).equals(rampBytes(3, 1_000)), 'what the bridge hides is here')
  await device.close()
  t.same(net.records(device), before, 'nothing was appended')
  net.liar.lies.truncateAt = null
  await device.open()
  t.equal(device.readOnlyReason, null)
  await store(device, 'd', 4)
})

t.test('a bridge set back under a mounted writer: its next epoch finds out', async (t) => {
  const { net, device } = await written(t)
  await net.keepBridge()
  await store(device, 'b', 2)
  await store(device, 'c', 3)
  await net.rewindBridge()
  const before = net.records(device)
  await device.hand.write('d', rampBytes(4, 1_000))
  t.equal(codeOf(await failure(device.sync())), 'drive-rolled-back')
  await expectDistrust(t, net, device, ['drive-rolled-back'])
  t.same(net.records(device), before)
  t.ok((await device.hand.read('d')).equals(rampBytes(4, 1_000)), 'what was not published is here')
})

t.test('appends that are answered and forgotten: the next one finds out', async (t) => {
  const { net, device } = await written(t)
  net.liar.lies.dropAppends = true
  await store(device, 'b', 2)
  net.liar.lies.dropAppends = false
  await device.hand.write('c', rampBytes(3, 1_000))
  t.equal(codeOf(await failure(device.sync())), 'drive-rolled-back')
  await expectDistrust(t, net, device, ['drive-rolled-back'])
})

t.test('two histories: the device that knows one refuses the other', async (t) => {
  const { net, device } = await written(t)
  const second = await net.joinAccount(device, 'second')
  await net.keepBridge()
  await store(device, 'b', 2)
  await device.close()
  await net.rewindBridge()
  await Promise.all(net.hosts.map((host) => host.forgetWitnesses()))
  await second.open({ takeover: true })
  t.equal(second.readOnlyReason, null, 'without a witness nobody can tell')
  await store(second, 'x', 5)
  await store(second, 'y', 6)
  await second.close()
  const before = net.records(device)
  await device.open()
  await expectDistrust(t, net, device, ['drive-forked'])
  await device.close()
  t.same(net.records(device), before)
})

t.test("another drive's chain is nobody's history", async (t) => {
  const { net, device } = await written(t)
  const stranger = await net.newAccount('stranger')
  await stranger.open()
  for (let at = 0; at < 6; at++) await store(stranger, `s${at}`, at)
  await stranger.close()
  await device.close()
  const caller = { key: stranger.id, address: '127.0.0.1' }
  net.liar.lies.otherDrive = { caller, drive: stranger.facts.drive }
  await device.open()
  await expectDistrust(t, net, device, ['chain-broken', 'drive-forked', 'drive-rolled-back'])
  await t.rejects(net.joinAccount(device, 'second'), { code: 'chain-broken' }, 'nor the one of a new device')
})

t.test('a changed byte in a record: not believed with state, and not without', async (t) => {
  const { net, device } = await written(t)
  const reader = await net.joinAccount(device, 'reader')
  await reader.open({ readOnly: true })
  await store(device, 'b', 2)
  net.liar.lies.damageRecord = net.records(device).length - 1
  await failure((reader.drive as NonNullable<typeof reader.drive>).sync.chain.follow(new AbortController().signal))
  await reader.close()
  await reader.open({ readOnly: true })
  await until(async () => ((await reader.status()).trouble as { code: string } | null) !== null)
  t.equal(((await reader.status()).trouble as { code: string }).code, 'chain-signature')
  t.ok(net.logged('chain-signature').length > 0)
  t.notOk((await reader.hand.tree()).has('b'), 'nothing of the record is taken')
  t.ok((await reader.hand.read('a')).equals(rampBytes(1, SIZE)))
  await t.rejects(net.joinAccount(device, 'third'), { code: 'chain-signature' })
  net.liar.lies.damageRecord = null
  await reader.close()
  await reader.open({ readOnly: true })
  t.ok((await reader.hand.read('b')).equals(rampBytes(2, 1_000)))
})

t.test('invented commits free nothing: what few hosts signed for stays here and is stored later', async (t) => {
  const net = await DriveNet.start(t)
  const device = await net.newAccount()
  await device.open()
  net.liar.lies.inventReceipts = true
  for (const host of net.hosts.slice(0, 5)) await host.kill()
  await device.hand.write('a', rampBytes(1, SIZE))
  await t.rejects(device.sync(3_000))
  const { trouble, local } = (await device.status()) as { trouble: { code: string }; local: { bytes: number } }
  t.equal(trouble.code, 'not-enough-hosts')
  t.equal(local.bytes, SIZE)
  t.same(net.rows(`SELECT 1 FROM chain WHERE kind = ${RECORD_KIND.epoch}`), [], 'nothing was published')
  for (const host of net.hosts.slice(0, 5)) await host.run()
  net.liar.lies.inventReceipts = false
  await device.sync()
  await device.reopenCold()
  t.ok((await device.hand.read('a')).equals(rampBytes(1, SIZE)))
})

t.test('segments that the bridge forgot before their epoch was appended are stored again', async (t) => {
  const net = await DriveNet.start(t)
  const device = await net.newAccount()
  await device.open()
  await device.hand.write('a', rampBytes(1, SIZE))
  const honest = net.liar.honest.appendRecord
  let lost = 0
  net.liar.honest.appendRecord = async (caller, drive, bytes) => {
    if (lost++ === 0) net.change('DELETE FROM shards; DELETE FROM segments')
    return honest(caller, drive, bytes)
  }
  await device.sync()
  t.ok(lost > 1)
  await device.reopenCold()
  t.ok((await device.hand.read('a')).equals(rampBytes(1, SIZE)))
})
