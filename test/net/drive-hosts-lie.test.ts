/** Hosts that lie, are silent, refuse or forget: no reader ever sees a wrong byte, and the bridge hears who lied. */
import t, { type Test } from 'tap'
import { codeOf } from '../../src/base/errors.js'
import { errnoOf } from '../../src/mount/fuse/errno.js'
import type { BoxDevice } from '../support/box-device.js'
import { DriveNet } from '../support/drive-net.js'
import type { Lie } from '../support/lying-host.js'
import { until } from '../support/named.js'
import { rampBytes } from '../support/ramp.js'

/** Two segments, the second one short. */
const SIZE = 9_000_000
const PIECE = 1_048_576
const EIO = 5
const TOLERATED = 4
/** A read under way when the hosts came to their senses may still fail. */
const AGAIN_MS = 15_000
const READS_MAX = 5

t.setTimeout(240_000)

interface EvidenceRow {
  host: string
  segment: string
  idx: number
  kind: string
}

function evidence(net: DriveNet): EvidenceRow[] {
  return net.rows('SELECT lower(hex(host)) AS host, lower(hex(segment)) AS segment, idx, kind FROM evidence')
}

async function written(t: Test): Promise<{ net: DriveNet; device: BoxDevice }> {
  const net = await DriveNet.start(t)
  const device = await net.newAccount()
  await device.open()
  await device.hand.write('a', rampBytes(1, SIZE))
  await device.sync()
  await until(() => net.rows('SELECT 1 FROM segments WHERE stored < n').length === 0)
  return { net, device }
}

function lie(net: DriveNet, lies: readonly Lie[]): void {
  for (const [at, host] of net.hosts.entries()) {
    host.liar.lie = lies[at] ?? 'none'
    host.liar.told = 0
  }
}

/** Exactly the hosts that lied are told of, each with a segment and index that the bridge itself placed there. */
function expectEvidence(t: Test, net: DriveNet, kinds: readonly string[]): void {
  const rows = evidence(net)
  const liars = net.hosts.filter((host) => host.liar.told > 0).map((host) => host.id as string)
  t.ok(liars.length > 0, 'somebody lied')
  t.same([...new Set(rows.map((row) => row.host))].sort(), liars.sort(), 'the liars and nobody else')
  const placed = net.rows<EvidenceRow>(
    `SELECT lower(hex(h.host)) AS host, lower(hex(s.segment)) AS segment, d.idx FROM shards d
     JOIN segments s ON s.id = d.segment_row JOIN hosts h ON h.id = d.host_row`,
  )
  for (const row of rows) {
    const { kind, ...place } = row
    t.ok(kinds.includes(kind), `${kind} is what it was`)
    t.ok(
      placed.some((one) => JSON.stringify(one) === JSON.stringify(place)),
      'the very shard of the very segment',
    )
  }
}

/** Reads cold until every host that lied was accused: a lie that came when the bytes were there already is nobody's to see. */
async function readUntilAccused(t: Test, net: DriveNet, device: BoxDevice): Promise<void> {
  for (let round = 0; round < READS_MAX; round++) {
    await device.reopenCold()
    t.ok((await device.hand.read('a')).equals(rampBytes(1, SIZE)))
    await until(() => evidence(net).length > 0)
    await device.close()
    const accused = new Set(evidence(net).map((row) => row.host))
    if (net.hosts.every((host) => host.liar.told === 0 || accused.has(host.id as string))) return
  }
}

function forgetEvidence(net: DriveNet): void {
  net.change('DELETE FROM evidence')
}

/** Each piece is right or absent; answers how many are absent. */
function absentPieces(t: Test, pieces: readonly (Buffer | Error)[]): number {
  const whole = rampBytes(1, SIZE)
  let absent = 0
  for (const [at, piece] of pieces.entries()) {
    if (Buffer.isBuffer(piece)) t.ok(piece.equals(whole.subarray(at * PIECE, (at + 1) * PIECE)), `piece ${at} is right`)
    else {
      absent++
      t.equal(errnoOf(piece), EIO, `piece ${at} is not there: ${codeOf(piece)}`)
    }
  }
  return absent
}

async function readsAgain(t: Test, device: BoxDevice): Promise<void> {
  const isWhole = async () => {
    await new Promise((resolve) => setTimeout(resolve, 250))
    return absentPieces(t, await device.hand.readPieces('a')) === 0
  }
  await until(isWhole, AGAIN_MS)
  t.ok((await device.hand.read('a')).equals(rampBytes(1, SIZE)), 'without a remount')
}

t.test('well hosts: what was written is read from nothing but hosts, and nobody is accused', async (t) => {
  const { net, device } = await written(t)
  await device.reopenCold()
  t.ok((await device.hand.read('a')).equals(rampBytes(1, SIZE)))
  t.same(evidence(net), [])
})

const PLAIN_LIES: [Lie, string[]][] = [
  ['flip-bits', ['wrong-bytes']],
  ['wrong-proof', ['wrong-bytes']],
  ['other-shard', ['wrong-bytes', 'truncated']],
  ['truncate', ['truncated']],
  ['refuse', ['refused']],
]

t.test('n - k lying hosts: every byte is right, the bridge learns who, which shard and how', async (t) => {
  const { net, device } = await written(t)
  for (const [kind, kinds] of PLAIN_LIES) {
    await t.test(kind, async (t) => {
      forgetEvidence(net)
      lie(net, Array(TOLERATED).fill(kind))
      await readUntilAccused(t, net, device)
      expectEvidence(t, net, kinds)
    })
  }
  await t.test('four different lies at once', async (t) => {
    forgetEvidence(net)
    lie(net, ['flip-bits', 'truncate', 'other-shard', 'refuse'])
    await readUntilAccused(t, net, device)
    expectEvidence(t, net, ['wrong-bytes', 'truncated', 'refused'])
  })
})

t.test('more than n - k lying hosts: EIO and never a wrong byte; true again, it reads again', async (t) => {
  const { net, device } = await written(t)
  const many: Lie[][] = [
    Array(TOLERATED + 1).fill('flip-bits'),
    ['refuse', 'truncate', 'other-shard', 'flip-bits', 'refuse'],
  ]
  for (const lies of many) {
    lie(net, lies)
    await device.reopenCold()
    t.ok(absentPieces(t, await device.hand.readPieces('a')) > 0, 'something cannot be read')
    t.equal(device.readOnlyReason, null, 'wrong bytes from hosts make no drive read-only')
    lie(net, [])
    await readsAgain(t, device)
  }
})

t.test('forgetful hosts are no liars: the bridge is asked again, nobody is accused', async (t) => {
  const { net, device } = await written(t)
  lie(net, Array(TOLERATED).fill('forgetful'))
  await device.reopenCold()
  t.ok((await device.hand.read('a')).equals(rampBytes(1, SIZE)))
  t.ok(net.hosts.some((host) => host.liar.told > 0))
  lie(net, Array(TOLERATED + 1).fill('forgetful'))
  await device.reopenCold()
  t.ok(absentPieces(t, await device.hand.readPieces('a')) > 0)
  await device.close()
  t.same(evidence(net), [])
})

t.test('silent hosts are raced, and told of when their time is over', async (t) => {
  const { net, device } = await written(t)
  lie(net, Array(TOLERATED).fill('silent'))
  await device.reopenCold()
  const startedMs = performance.now()
  t.ok((await device.hand.read('a')).equals(rampBytes(1, SIZE)))
  t.ok(performance.now() - startedMs < 8_000, 'nobody waits for them')
  await until(() => evidence(net).length > 0, 20_000)
  await device.close()
  const silent = net.hosts.slice(0, TOLERATED).map((host) => host.id as string)
  t.ok(evidence(net).every((row) => row.kind === 'silent' && silent.includes(row.host)))
})

t.test('n - k hosts lie in every way, and one dies: a read ends within 30 s', async (t) => {
  const { net, device } = await written(t)
  lie(net, ['flip-bits', 'truncate', 'silent', 'silent'])
  await device.reopenCold()
  await net.hosts[7]?.kill()
  const startedMs = performance.now()
  t.ok(absentPieces(t, await device.hand.readPieces('a')) > 0)
  t.ok(performance.now() - startedMs < 30_000)
  await net.hosts[7]?.run()
  lie(net, [])
  await readsAgain(t, device)
})

t.test(
  'S-36 what is pinned while hosts lie is verified like every read: nothing wrong comes to this disk',
  async (t) => {
    const { net, device } = await written(t)
    await device.reopenCold()
    const inoOf = async () => (await device.drive?.storage.ledger.lookup(1, Buffer.from('a')))?.ino as number
    const waitFor = (ino: number, ms: number, progress: (told: object) => void = () => undefined) =>
      device.drive?.pins.whenHere([ino], { signal: AbortSignal.timeout(ms), everyMs: 50, progress })

    // One more than can lie: the bytes cannot be had, and no wrong ones are taken for them.
    lie(
      net,
      Array.from({ length: TOLERATED + 1 }, () => 'flip-bits' as const),
    )
    const ino = await inoOf()
    await device.drive?.pins.pin(ino)
    const told: { left: number; total: number; trouble: { code: string } | null }[] = []
    const waited = waitFor(ino, 60_000, (one) => void told.push(one as (typeof told)[number]))?.catch(codeOf)
    await until(() => told.some((one) => one.trouble !== null), 60_000)
    t.ok((told.at(-1)?.left ?? 0) > 0, 'it is not here')
    const liars = net.hosts.filter((host) => host.liar.told > 0)
    t.ok(liars.length > 0, 'they were asked, and lied')
    lie(net, [])
    await device.drive?.pins.unpin(ino)
    t.equal(await waited, 'unpinned')

    // As many as are tolerated; what came into the cache before is still there.
    lie(net, ['flip-bits', 'wrong-proof', 'other-shard', 'truncate'])
    await device.drive?.pins.pin(await inoOf())
    t.match(await waitFor(await inoOf(), 60_000), { bytes: SIZE })
    for (const host of net.hosts) await host.stop()
    t.ok((await device.hand.read('a')).equals(rampBytes(1, SIZE)), 'what is here is what was written')
  },
)
