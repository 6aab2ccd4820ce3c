import t from 'tap'
import { sha256 } from '../../../src/crypto/hash.js'
import { SecretBytes } from '../../../src/crypto/secret.js'
import { RECORD_KIND } from '../../../src/model/chain.js'
import { deviceId } from '../../../src/model/ids.js'
import {
  makeDeviceAdd,
  makeDeviceRevoke,
  makeEpoch,
  makeKeyTerm,
  makeWriterTerm,
} from '../../../src/permits/chain-author.js'
import { splitRecords } from '../../../src/permits/chain-record.js'
import { appendRecord } from '../../../src/permits/chain-rules.js'
import { World } from '../../support/bridge-world.js'
import { keyOf, segmentNamed } from '../../support/named.js'
import { rawCall } from '../../support/raw-call.js'

t.test('an append confirms and retires with its record, or nothing of it happens', async (t) => {
  const world = await World.start(t.testdir())
  t.teardown(() => world.stop())
  const hosts = await world.hosts(8)
  const drive = await world.drive('a')
  await drive.claim()
  const [one, two, three] = [segmentNamed('1'), segmentNamed('2'), segmentNamed('3')]
  await drive.store(one, hosts)
  await drive.store(two, hosts, 6)
  const short = drive.epoch({ confirm: [one.segment, two.segment] })
  await t.rejects(drive.client.append(drive.id, short.encoded), {
    code: 'not-committed',
    details: { stored: 6, commit: 7 },
  })
  t.match(await drive.client.health(drive.id), { segments: 0, unconfirmed: 2 }, 'the first was not confirmed either')
  const unknown = drive.epoch({ confirm: [one.segment, three.segment] })
  await t.rejects(drive.client.append(drive.id, unknown.encoded), { code: 'unknown-segment' })
  t.equal((await drive.client.head(drive.id)).sequence, 1)

  await drive.store(two, hosts)
  await drive.append(drive.epoch({ confirm: [one.segment, two.segment] }))
  t.match(await drive.client.health(drive.id), { segments: 2, full: 2, unconfirmed: 0, bytes: 2 * 8 * 1_024 })
  await drive.append(drive.epoch({ retire: [one.segment, three.segment] }))
  t.match(await drive.client.health(drive.id), { segments: 1, full: 1 }, 'an unknown one is retired by nobody')
  await drive.append(drive.epoch({ confirm: [one.segment] }))
  t.match(await drive.client.health(drive.id), { segments: 2 }, 'a retired one comes back')
})

t.test('the head moves by one record at a time; a lost reply can be asked for again', async (t) => {
  const world = await World.start(t.testdir())
  t.teardown(() => world.stop())
  const drive = await world.drive('a')
  await drive.claim()
  const first = drive.epoch()
  const rival = drive.epoch({ sealed: Buffer.alloc(64, 2) })
  await drive.append(first)
  const again = await drive.client.append(drive.id, first.encoded)
  t.same([again.sequence, again.hash.equals(first.hash)], [2, true], 'told twice, appended once')
  await t.rejects(drive.client.append(drive.id, rival.encoded), {
    code: 'head-moved',
    details: { sequence: 2, hash: first.hash.toString('hex') },
  })
  const before = await drive.client.append(drive.id, drive.genesis.encoded).catch((error: unknown) => error)
  t.match(before, { code: 'wrong-signer' }, 'a record is brought by who signed it')
  t.same(await drive.owner.append(drive.id, drive.genesis.encoded), again, 'an old record stands, the head is told')
  const damaged = Buffer.from(drive.epoch().encoded)
  damaged.writeUInt8(damaged.readUInt8(200) ^ 1, 200)
  await t.rejects(drive.client.append(drive.id, damaged), { code: 'chain-signature' })
  const appends = Array.from({ length: 8 }, (_, at) => drive.epoch({ sealed: Buffer.alloc(64, at + 10) }))
  const results = await Promise.allSettled(appends.map((one) => drive.client.append(drive.id, one.encoded)))
  t.equal(results.filter((one) => one.status === 'fulfilled').length, 1, 'one of many at once')
})

t.test('the chain is read in pages, whole records, at least one', async (t) => {
  const world = await World.start(t.testdir())
  t.teardown(() => world.stop())
  const drive = await world.drive('a')
  await drive.claim()
  const sealed = Buffer.alloc(5 * 1024 * 1024)
  for (let at = 0; at < 3; at++) await drive.append(drive.epoch({ sealed: Buffer.from(sealed.fill(at)) }))
  const raw = async (from: number) => {
    const records = splitRecords(await drive.client.chainPage(drive.id, from))
    return records.length
  }
  t.equal(await raw(0), 3, 'genesis, claim, and the first epoch')
  t.equal(await raw(3), 1)
  t.equal(await raw(4), 1)
  t.equal(await raw(5), 0)
})

t.test('a writer term fences the one before; its heartbeat is advisory and can be released', async (t) => {
  const world = await World.start(t.testdir())
  t.teardown(() => world.stop())
  const drive = await world.drive('a')
  t.equal((await drive.client.head(drive.id)).writer, null)
  await drive.claim()
  t.match(await drive.client.head(drive.id), {
    writer: { device: drive.deviceId, term: 1, heartbeatAtMs: world.clock.nowMs() },
  })
  await world.clock.advance(30_000)
  await drive.client.heartbeat(drive.id, { term: 1 })
  t.match(await drive.client.head(drive.id), { writer: { heartbeatAtMs: world.clock.nowMs() } })
  await t.rejects(drive.client.heartbeat(drive.id, { term: 2 }), { code: 'writer-fenced' })

  const second = keyOf('second device')
  const termKeys = new Map([[1, drive.termKey]])
  const add = { device: deviceId(second.id), termKeys, labelKey: drive.labelKey, timeMs: 0 }
  await t.rejects(world.client(second).head(drive.id), { code: 'unknown-drive' })
  await drive.append(makeDeviceAdd(drive.state, add, drive.account), drive.owner)
  await drive.append(makeWriterTerm(drive.state, 0, second), world.client(second))
  await t.rejects(drive.client.heartbeat(drive.id, { term: 1 }), { code: 'writer-fenced' })
  const body = { epoch: 1, nonce: Buffer.alloc(24), sealed: Buffer.alloc(9), confirm: [], retire: [] }
  const late = makeEpoch(drive.state, RECORD_KIND.epoch, { body, writerTerm: 1, timeMs: 0 }, drive.device)
  await t.rejects(drive.client.append(drive.id, late.encoded), { code: 'writer-fenced' })
  await world.client(second).heartbeat(drive.id, { term: 2, released: true })
  t.equal((await drive.client.head(drive.id)).writer, null)
})

t.test('a revoked device may ask nothing more, and its line ends', async (t) => {
  const world = await World.start(t.testdir())
  t.teardown(() => world.stop())
  const drive = await world.drive('a')
  const second = keyOf('second device')
  const add = {
    device: deviceId(second.id),
    termKeys: new Map([[1, drive.termKey]]),
    labelKey: drive.labelKey,
    timeMs: 0,
  }
  await drive.append(makeDeviceAdd(drive.state, add, drive.account), drive.owner)
  const socket = world.socket(second)
  const states: boolean[] = []
  const ended = new Promise<void>((resolve) => {
    socket.onState((state) => {
      states.push(state.connected)
      if (!state.connected) resolve()
    })
  })
  await new Promise<void>((resolve) => {
    const poll = setInterval(() => {
      if (!socket.state().connected) return
      clearInterval(poll)
      resolve()
    }, 5)
  })
  t.match(await world.client(second).devices(drive.id), [{ revoked: false }, { revoked: false }])
  await drive.append(makeDeviceRevoke(drive.state, deviceId(second.id), 0, drive.account), drive.owner)
  await ended
  t.same(states, [true, false])
  await t.rejects(world.client(second).head(drive.id), { code: 'device-revoked' })
  t.same((await world.client(second).drives()).length, 0)
  const devices = await drive.client.devices(drive.id)
  t.same(devices.find((one) => one.device === deviceId(second.id))?.revoked, true)

  await drive.append(makeKeyTerm(drive.state, SecretBytes.take(sha256('term 2')), 0, drive.account), drive.owner)
  await drive.claim()
  const stale = makeEpoch(
    { ...drive.state, keyTerm: 1 },
    RECORD_KIND.epoch,
    {
      body: { epoch: 1, nonce: Buffer.alloc(24), sealed: Buffer.alloc(9), confirm: [], retire: [] },
      writerTerm: 1,
      timeMs: 0,
    },
    drive.device,
  )
  await t.rejects(drive.client.append(drive.id, stale.encoded), { code: 'key-term-stale' })
})

t.test('a drive is made once, by its account', async (t) => {
  const world = await World.start(t.testdir())
  t.teardown(() => world.stop())
  const drive = await world.drive('a')
  const again = await drive.owner.createDrive(drive.genesis.encoded, Buffer.alloc(3))
  t.equal(again.drive, drive.id, 'idempotent')
  const [entry] = await drive.owner.drives()
  t.same(entry?.label, sha256('sealed label a'), 'the label is the first one')
  const thief = keyOf('account thief')
  await world.client(thief).createAccount(thief.id as never, Buffer.alloc(32, 1))
  await t.rejects(world.client(thief).createDrive(drive.genesis.encoded, Buffer.alloc(0)), { code: 'chain-signature' })
  await t.rejects(world.client(thief).createAccount(thief.id as never, Buffer.alloc(32, 2)), {
    code: 'account-conflict',
  })
  await t.rejects(world.client(thief).append(drive.id, appendable(drive)), { code: 'wrong-signer' })
  const reply = await rawCall({
    ...{ url: world.bridge.url, bridge: world.bridge.id, nowMs: world.clock.nowMs() },
    ...{ method: 'GET', path: '/v1/drives', key: thief },
  })
  t.same(reply.json, { drives: [] })
})

function appendable(drive: Awaited<ReturnType<World['drive']>>): Buffer {
  const record = makeWriterTerm(drive.state, 0, drive.device)
  appendRecord(drive.state, record)
  return record.encoded
}
