/** Tokens among real hosts and a real bridge, and clocks that are wrong: refused with a clear code, nothing lost, mended by itself. */
import t, { type Test } from 'tap'
import { codeOf } from '../../src/base/errors.js'
import { systemRandom } from '../../src/base/random.js'
import { type HostId, peerId, serialId } from '../../src/model/ids.js'
import { pseudonymOf } from '../../src/permits/pseudonym.js'
import { decodeToken, signToken, type TokenFields } from '../../src/permits/token.js'
import { type SealedSegment, sealSegment } from '../../src/segment/seal.js'
import * as wire from '../../src/wire/methods.js'
import type { BoxDevice } from '../support/box-device.js'
import type { BoxHost } from '../support/box-host.js'
import { DriveNet } from '../support/drive-net.js'
import { until } from '../support/named.js'
import { rampBytes } from '../support/ramp.js'

const SIZE = 300_000
const HOUR_MS = 3_600_000
const TWO_HOURS_MS = 2 * HOUR_MS
const REFUSED = ['not-yours', 'unknown-drive', 'not-found', 'unknown-device']
const NEVER = new AbortController().signal

t.setTimeout(240_000)

async function box(t: Test): Promise<{ net: DriveNet; device: BoxDevice }> {
  const net = await DriveNet.start(t)
  const device = await net.newAccount()
  await device.open()
  await device.hand.write('a', rampBytes(1, SIZE))
  await device.sync()
  await until(() => net.rows('SELECT 1 FROM segments WHERE stored < n').length === 0)
  return { net, device }
}

function driveOf(device: BoxDevice) {
  if (device.drive === null) throw new Error('not open')
  return device.drive
}

/** A segment that was placed and not pushed, with its tokens. */
async function placed(
  device: BoxDevice,
): Promise<{ segment: SealedSegment; tokens: { index: number; host: HostId; token: Buffer }[] }> {
  const { network, storage, identity } = driveOf(device)
  const { termKey, keyTerm } = storage.terms.current()
  const segment = await sealSegment({ key: termKey, number: keyTerm }, [rampBytes(7, SIZE)], await network.scheme())
  const { info, shardIds } = segment
  const [grant] = await network.client.place(identity.facts.drive, [{ ...info, shards: shardIds }])
  const tokens = (grant?.hosts ?? []).flatMap(({ index, host, token }) =>
    token === null ? [] : [{ index, host, token }],
  )
  return { segment, tokens }
}

function put(device: BoxDevice, host: HostId, token: Buffer, body: Buffer) {
  const head = wire.encodeTokenHead(token)
  return driveOf(device).network.peers.request(host, { method: wire.METHOD.put, head, body, deadlineMs: 10_000 })
}

function get(device: BoxDevice, host: HostId, token: Buffer, shard: SealedSegment['shardIds'][number]) {
  const head = wire.encodeGetRequest({ token, shard, firstLeaf: 0, leafCount: 1 })
  return driveOf(device).network.peers.request(host, { method: wire.METHOD.get, head, deadlineMs: 10_000 })
}

function shardOf({ shards, info }: SealedSegment, index: number): Buffer {
  return shards.subarray(index * info.shardLength, (index + 1) * info.shardLength)
}

/** As the bridge would sign it. */
function forged(net: DriveNet, token: Buffer, changes: Partial<TokenFields>): Buffer {
  return signToken({ ...decodeToken(token), serial: serialId(systemRandom(16)), ...changes }, net.world.key)
}

t.test('a put token is good once, for its device, its host, its shard, its action and its time', async (t) => {
  const { net, device } = await box(t)
  const stranger = await net.newAccount('stranger')
  await stranger.open()
  const { segment, tokens } = await placed(device)
  const [first, second, third] = tokens
  if (!first || !second || !third) throw new Error('three hosts')
  const bytes = (of: typeof first) => shardOf(segment, of.index)
  await t.rejects(put(stranger, first.host, first.token, bytes(first)), { code: 'token-other-holder' })
  await t.rejects(put(device, second.host, first.token, bytes(first)), { code: 'token-other-host' })
  await t.rejects(put(device, first.host, first.token, bytes(first).subarray(1)), { code: 'token-wrong-shard' })
  const wrong = Buffer.from(bytes(first))
  wrong[0] = (wrong[0] as number) ^ 1
  await t.rejects(put(device, first.host, first.token, wrong), { code: 'shard-mismatch' })
  await t.rejects(get(device, first.host, first.token, segment.shardIds[first.index]!), { code: 'token-action' })
  const bent = Buffer.from(first.token)
  bent[100] = (bent[100] as number) ^ 1
  await t.rejects(put(device, first.host, bent, bytes(first)), { code: 'token-signature' })
  await put(device, first.host, first.token, bytes(first))
  await t.rejects(put(device, first.host, first.token, bytes(first)), { code: 'token-used' })
  await net.world.clock.leap(TWO_HOURS_MS)
  await t.rejects(put(device, third.host, third.token, bytes(third)), { code: 'token-expired' })
  await device.hand.write('b', rampBytes(2, SIZE))
  await device.sync()
  t.ok((await device.hand.read('b')).equals(rampBytes(2, SIZE)), 'the drive itself gets new tokens and goes on')
})

t.test('a get token shows nothing of another drive, and nothing to another account', async (t) => {
  const { net, device } = await box(t)
  const stranger = await net.newAccount('stranger')
  await stranger.open()
  const { segment, tokens } = await placed(device)
  const [first] = tokens
  if (!first) throw new Error('a host')
  await put(device, first.host, first.token, shardOf(segment, first.index))
  const shard = segment.shardIds[first.index]!
  const mine = (await driveOf(device).network.tokens([first.host], NEVER)).get(first.host) as Buffer
  const theirs = (await driveOf(stranger).network.tokens([first.host], NEVER)).get(first.host) as Buffer
  t.ok((await get(device, first.host, mine, shard)).body.length > 0)
  await t.rejects(get(stranger, first.host, mine, shard), { code: 'token-other-holder' })
  await t.rejects(get(stranger, first.host, theirs, shard), { code: 'shard-not-found' })
  const drive = device.facts.drive
  const { client } = driveOf(stranger).network
  const calls: (() => Promise<unknown>)[] = [
    () => client.tokens(drive, [first.host]),
    () => client.locate(drive, [segment.info.segment]),
    () => client.head(drive),
    () => client.chainPage(drive, 0),
    () => client.health(drive),
    () => client.place(drive, [{ ...segment.info, shards: segment.shardIds }]),
  ]
  for (const call of calls) {
    const code = await call().then(() => 'none', codeOf)
    t.ok(REFUSED.includes(code), code)
  }
})

t.test('tokens that ran out are replaced, and nobody is accused', async (t) => {
  const { net, device } = await box(t)
  const { drive } = device.facts
  const kept = await Promise.all(
    net.hosts.map(async ({ id }) => (await driveOf(device).network.tokens([id], NEVER)).get(id) as Buffer),
  )
  const spent = kept.map((token) => forged(net, token, { bytes: 10 }))
  await driveOf(device).storage.ledger.putMeta({ 'get-tokens': Buffer.concat(spent) }, true)
  await device.reopenCold()
  t.ok((await device.hand.read('a')).equals(rampBytes(1, SIZE)), 'budgets of 10 bytes')
  await net.world.clock.leap(TWO_HOURS_MS)
  await device.reopenCold()
  t.ok((await device.hand.read('a')).equals(rampBytes(1, SIZE)), 'tokens of two hours ago')
  t.same(net.rows('SELECT * FROM evidence'), [])
  t.equal(pseudonymOf(drive, net.hosts[0]!.id), decodeToken(spent[0] as Buffer).pseudonym)
})

t.test(
  'a delete of an older placement does nothing, nor one before 72 hours; one of this placement then deletes',
  async (t) => {
    const { net, device } = await box(t)
    const { segment, tokens } = await placed(device)
    const [first] = tokens
    if (!first) throw new Error('a host')
    const { generation } = decodeToken(first.token)
    const again = forged(net, first.token, { generation: generation + 1 })
    await put(device, first.host, again, shardOf(segment, first.index))
    const { clock } = net.world
    const remove = (changes: Partial<TokenFields>) => {
      const token = forged(net, first.token, {
        action: 'delete',
        bytes: 0,
        holder: peerId(driveOf(device).identity.device.id),
        notBeforeMs: clock.nowMs(),
        notAfterMs: clock.nowMs() + 3_600_000,
        ...changes,
      })
      const head = wire.encodeTokenHead(token)
      return driveOf(device).network.peers.request(first.host, { method: wire.METHOD.delete, head, deadlineMs: 10_000 })
    }
    await t.rejects(remove({ generation }), { code: 'old-generation' })
    const mine = async () => (await driveOf(device).network.tokens([first.host], NEVER)).get(first.host) as Buffer
    t.ok(
      (await get(device, first.host, await mine(), segment.shardIds[first.index]!)).body.length > 0,
      'it is still there',
    )
    await t.rejects(remove({ generation: generation + 1 }), { code: 'shard-too-young' })
    await clock.leap(72 * 3_600_000)
    await remove({ generation: generation + 1 })
    await t.rejects(get(device, first.host, await mine(), segment.shardIds[first.index]!), { code: 'shard-not-found' })
  },
)

async function troubleOf(device: BoxDevice): Promise<{ code: string; message: string }> {
  const seen = async () => ((await device.status()).trouble as { code: string; message: string } | null) ?? null
  await until(async () => (await seen()) !== null, 20_000)
  return (await seen()) as { code: string; message: string }
}

for (const [side, stepMs] of [
  ['ahead', TWO_HOURS_MS],
  ['behind', -TWO_HOURS_MS],
] as const) {
  t.test(`a device two hours ${side} is told so, loses nothing, and goes on when its clock is set`, async (t) => {
    const { net, device } = await box(t)
    device.clock.stepMs = stepMs
    await device.hand.write('b', rampBytes(2, SIZE))
    await t.rejects(device.sync(4_000))
    const trouble = await troubleOf(device)
    t.equal(trouble.code, 'clock-skew')
    t.match(trouble.message, /120 min/)
    t.ok((await device.hand.read('b')).equals(rampBytes(2, SIZE)))
    await device.drop()
    await device.open()
    t.equal((await troubleOf(device)).code, 'clock-skew', 'also when it starts like that')
    t.ok((await device.hand.read('b')).equals(rampBytes(2, SIZE)), 'what is here is here')
    t.ok(net.logged('clock-skew').length > 0)
    device.clock.stepMs = 0
    await until(async () => device.readOnlyReason === null && driveOf(device).sync.upkeep.trouble() === null, 20_000)
    await device.sync()
    await device.reopenCold()
    t.ok((await device.hand.read('b')).equals(rampBytes(2, SIZE)))
    t.same(net.rows('SELECT * FROM evidence'), [])
  })
}

t.test('a host two hours off is offline and says why; set right, it is back', async (t) => {
  const { net, device } = await box(t)
  const wrong = net.hosts[0] as BoxHost
  wrong.clock.stepMs = TWO_HOURS_MS
  await device.hand.write('b', rampBytes(2, SIZE))
  await device.sync()
  await device.reopenCold()
  t.ok((await device.hand.read('b')).equals(rampBytes(2, SIZE)), 'one wrong clock of eight hinders nobody')
  await wrong.stop()
  const before = net.logged('clock-skew').length
  const running = wrong.run()
  await until(() => net.logged('clock-skew').length > before, 10_000)
  t.notOk(wrong.isOnline)
  wrong.clock.stepMs = 0
  await running
  t.ok(wrong.isOnline)
  t.same(net.rows('SELECT * FROM evidence'), [], 'a wrong clock is no lie')
})

t.test('a bridge two hours off: everybody is told, what is stored is read, nothing is lost', async (t) => {
  const { net, device } = await box(t)
  await device.reopenCold()
  t.ok((await device.hand.read('a')).equals(rampBytes(1, SIZE)))
  net.world.clock.stepMs = TWO_HOURS_MS
  for (const one of [...net.hosts, device]) one.clock.stepMs = -TWO_HOURS_MS
  await device.hand.write('b', rampBytes(2, SIZE))
  await t.rejects(device.sync(4_000))
  const trouble = await troubleOf(device)
  t.equal(trouble.code, 'clock-skew')
  t.match(trouble.message, /120 min/)
  t.ok((await device.hand.read('a')).equals(rampBytes(1, SIZE)))
  net.world.clock.stepMs = 0
  for (const one of [...net.hosts, device]) one.clock.stepMs = 0
  await until(() => driveOf(device).sync.upkeep.trouble() === null, 20_000)
  await device.sync()
  await device.reopenCold()
  t.ok((await device.hand.read('b')).equals(rampBytes(2, SIZE)))
})
