/** Several devices of one account: one writes, others follow; who is fenced keeps what it had. Recovery from snapshots and from the log. */
import t, { type Test } from 'tap'
import { codeOf } from '../../src/base/errors.js'
import { RECORD_KIND } from '../../src/model/chain.js'
import type { BoxDevice } from '../support/box-device.js'
import { DriveNet } from '../support/drive-net.js'
import { until } from '../support/named.js'
import { rampBytes } from '../support/ramp.js'

const SIZE = 200_000
const LIVE = 1

t.setTimeout(240_000)

async function box(t: Test): Promise<{ net: DriveNet; device: BoxDevice }> {
  const net = await DriveNet.start(t)
  const device = await net.newAccount()
  return { net, device }
}

async function store(device: BoxDevice, name: string, seed: number, size = SIZE): Promise<void> {
  await device.hand.write(name, rampBytes(seed, size))
  await device.sync()
}

function driveOf(device: BoxDevice) {
  if (device.drive === null) throw new Error('not open')
  return device.drive
}

const follow = (device: BoxDevice) => driveOf(device).sync.chain.follow(new AbortController().signal)

function sameTree(t: Test, found: Map<string, Buffer | null>, wanted: Map<string, Buffer | null>): void {
  t.same([...found.keys()].sort(), [...wanted.keys()].sort())
  for (const [name, bytes] of wanted) t.same(found.get(name), bytes, name)
}

t.test(
  'the second mount looks on while the first lives, follows its epochs, and writes when it has gone',
  async (t) => {
    const { net, device } = await box(t)
    await device.open()
    await store(device, 'a', 1)
    const second = await net.joinAccount(device, 'second')
    await second.open()
    t.match(second.readOnlyReason, /another device has this drive mounted/)
    t.equal(await second.hand.write('x', rampBytes(9, 10)).catch(codeOf), 'read-only')
    t.ok((await second.hand.read('a')).equals(rampBytes(1, SIZE)))
    await store(device, 'b', 2)
    await device.hand.rename('a', 'c')
    await device.hand.write('b', rampBytes(3, 50))
    await device.sync()
    await follow(second)
    t.same([...(await second.hand.tree()).keys()].sort(), ['b', 'c'])
    t.ok((await second.hand.read('b')).equals(rampBytes(3, 50)), 'an open tree shows what the writer published')
    await second.close()
    await device.close()
    await second.open()
    t.equal(second.readOnlyReason, null, 'an unmount says that it is gone')
    await store(second, 'd', 4)
    await second.close()
    await device.open()
    t.equal(device.readOnlyReason, null)
    t.ok((await device.hand.read('d')).equals(rampBytes(4, SIZE)), 'the first takes in what came meanwhile')
  },
)

t.test('a takeover fences the first: its next epoch is refused, what it holds stays with it', async (t) => {
  const { net, device } = await box(t)
  await device.open()
  await store(device, 'a', 1)
  const second = await net.joinAccount(device, 'second')
  await second.open({ takeover: true })
  t.equal(second.readOnlyReason, null)
  await store(second, 'theirs', 2)
  const before = net.records(device).length
  await device.hand.write('mine', rampBytes(3, SIZE))
  t.equal(await device.sync().catch(codeOf), 'writer-fenced')
  await until(() => device.readOnlyReason !== null)
  t.match(device.readOnlyReason, /writer-fenced/)
  t.equal(((await device.status()).trouble as { code: string }).code, 'writer-fenced')
  t.equal(await device.hand.write('more', rampBytes(3, 10)).catch(codeOf), 'read-only')
  t.equal((await driveOf(device).storage.ledger.pendingEpochs(10)).length, 1, 'kept')
  t.equal(driveOf(device).storage.ledger.progress().pendingBytes, SIZE)
  t.ok((await device.hand.read('mine')).equals(rampBytes(3, SIZE)), 'and readable')
  await device.close()
  await device.open()
  await until(() => device.readOnlyReason !== null)
  t.ok((await device.hand.read('mine')).equals(rampBytes(3, SIZE)), 'also after a remount')
  t.not((await device.status()).readOnly, null)
  t.equal((await driveOf(device).storage.ledger.pendingEpochs(10)).length, 1)
  t.equal(net.records(device).length, before, 'nothing of it was published')
  await store(second, 'after', 4)
})

t.test('a writer that died without a word is taken for gone after its time', async (t) => {
  const { net, device } = await box(t)
  await device.open()
  await store(device, 'a', 1)
  net.liar.lies.loseReleases = true
  await device.drop()
  const second = await net.joinAccount(device, 'second')
  await second.open()
  t.match(second.readOnlyReason, /another device/)
  await second.close()
  await net.world.clock.leap(61_000)
  await second.open()
  t.equal(second.readOnlyReason, null)
  await store(second, 'b', 2)
})

/** Many small epochs, each with a snapshot behind it; files come, change and go. */
async function manySnapshots(device: BoxDevice): Promise<Map<string, Buffer | null>> {
  await device.open({ snapshotLogBytes: 400 })
  await device.hand.makeFolder('folder')
  for (let at = 0; at < 10; at++) {
    await device.hand.write(`folder/f${at}`, rampBytes(at, 3_000 + at))
    await device.hand.write('again', rampBytes(100 + at, 40_000))
    if (at >= 2) await device.hand.remove(`folder/f${at - 2}`)
    await device.sync()
    // A snapshot is made behind its epoch; the next cut may come before it is there.
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  return device.hand.tree()
}

function segmentStates(net: DriveNet): Map<string, number> {
  const rows = net.rows<{ segment: string; state: number }>(
    'SELECT lower(hex(segment)) AS segment, state FROM segments',
  )
  return new Map(rows.map((row) => [row.segment, row.state]))
}

t.test('dead segments are retired at the bridge; no living one ever is', async (t) => {
  const { net, device } = await box(t)
  await manySnapshots(device)
  t.ok(net.records(device).filter((one) => one.kind === RECORD_KIND.snapshot).length >= 3)
  const { ledger } = driveOf(device).storage
  const states = segmentStates(net)
  const dead = [...states.values()].filter((state) => state !== LIVE).length
  t.ok(dead >= 4, `${dead} are retired`)
  const living = new Set<string>()
  for (let ino = 1; ino < 40; ino++) {
    const { segments } = await ledger.stateOf(ino).catch(() => ({ segments: [] as string[] }))
    for (const segment of segments) living.add(segment)
  }
  const kept = await ledger.snapshots()
  t.equal(kept.length, 2, 'the last two are kept')
  for (const segment of kept.flatMap((one) => one.segments)) living.add(segment)
  t.ok(living.size >= 4)
  for (const segment of living) t.equal(states.get(segment), LIVE, 'alive here, alive there')
})

/** The bridge does not know where these segments lie any more. */
function loseSegments(net: DriveNet, segments: readonly string[]): void {
  const ids = segments.map((one) => `x'${one}'`).join(', ')
  net.change(`DELETE FROM shards WHERE segment_row IN (SELECT id FROM segments WHERE segment IN (${ids}));
    DELETE FROM segments WHERE segment IN (${ids})`)
}

t.test('recovery: from the newest snapshot, from the older, from the log alone: always the same tree', async (t) => {
  const { net, device } = await box(t)
  const wanted = await manySnapshots(device)
  const [older, newest] = [...(await driveOf(device).storage.ledger.snapshots())].sort((a, b) => a.epoch - b.epoch)
  await device.close()
  const recover = async (name: string, unusable: number) => {
    const before = net.logged('a snapshot cannot be used').length
    const fresh = await net.joinAccount(device, name)
    await fresh.open()
    sameTree(t, await fresh.hand.tree(), wanted)
    t.equal(net.logged('a snapshot cannot be used').length - before, unusable)
    await store(fresh, `of ${name}`, 7)
    wanted.set(`of ${name}`, rampBytes(7, SIZE))
    await fresh.close()
  }
  await recover('newest', 0)
  loseSegments(net, newest!.segments)
  await recover('older', 1)
  loseSegments(net, older!.segments)
  await recover('log', 2)
})
