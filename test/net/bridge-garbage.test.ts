import t from 'tap'
import { recordBytes } from '../../src/host/shards/offsets.js'
import type { Stored } from '../support/repair-net.js'
import { HOUR_MS, storedNet } from '../support/repair-net.js'

const DAY_MS = 24 * HOUR_MS

/** Bytes of records on each host, and what the books say that they should be. */
async function compared({ net, shardLength }: Stored): Promise<{ live: number[]; books: number[] }> {
  const live: number[] = []
  const books: number[] = []
  for (const host of net.hosts) {
    if (host.host === null) continue
    live.push(host.host.store.totals().liveBytes)
    books.push((await net.held(host)).shards * recordBytes(shardLength))
  }
  return { live, books }
}

t.test('half of a drive is deleted: after the kept times hosts hold exactly what the books say', async (t) => {
  const stored = await storedNet(t, 10, 16, { ownTime: true })
  const { net, drive, segments } = stored
  const { bridge, clock } = net.world
  const [gone, kept] = [segments.slice(0, 8), segments.slice(8)]
  const away = net.hosts[3]!
  await drive.append(drive.epoch({ retire: gone }))
  await clock.leap(29 * DAY_MS)
  await bridge.pull.sweep()
  t.same(
    await compared(stored).then(({ live, books }) => live.map((one, at) => one - books[at]!)),
    net.hosts.map(() => 0),
  )
  await away.kill()
  await clock.leap(2 * DAY_MS)
  t.equal(await bridge.pull.sweep(), 8)
  await bridge.pull.forget()
  await clock.leap(8 * DAY_MS)
  await bridge.pull.collect()
  const there = await compared(stored)
  t.same(there.live, there.books)
  await away.run()
  await bridge.pull.collect()
  await bridge.pull.forget()
  const all = await compared(stored)
  t.same(all.live, all.books, 'the one that was away has caught up')
  const located = await drive.client.locate(drive.id, segments)
  t.same(new Set(located.map((one) => one.segment)), new Set(kept))
  t.ok(located.every((one) => one.shards.every((shard) => shard.stored)))
  t.same(
    await bridge.pull.collect(),
    net.hosts.map(() => ({ unknown: 0, missing: 0, lost: 0, restored: 0 })),
  )
})

t.test(
  'what lies on a host and in no book is deleted there; what is in the books and not there is asked for',
  async (t) => {
    const stored = await storedNet(t, 9, 16, { ownTime: true })
    const { net } = stored
    const { bridge, rooms, clock } = net.world
    const host = net.hosts[0]!
    const row = net.known(host).row
    const held = await net.held(host)
    t.ok(held.shards > 2, `${held.shards} shards`)
    const [forgotten, moved] = await rooms.store.books.list(row, { from: 0, to: 2 ** 32 }, null, 2)
    net.edit((db) => {
      db.prepare('DELETE FROM segments WHERE id = ?').run(forgotten!.segmentRow)
    })
    await host.lose(moved!)
    await clock.leap(4 * DAY_MS)
    t.same(await bridge.pull.collect(host.id), [{ unknown: 1, missing: 1, lost: 0, restored: 0 }])
    let asked: unknown
    net.edit((db) => {
      asked = db
        .prepare('SELECT segment_row AS segmentRow, idx AS "index" FROM audit_requests WHERE host_row = ?')
        .all(row)
    })
    t.match(asked, [{ segmentRow: moved!.segmentRow, index: moved!.index }], 'an audit is asked for')
    t.same(await bridge.pull.collect(host.id), [{ unknown: 0, missing: 1, lost: 0, restored: 0 }], 'noted once')
    await bridge.pull.forget()
    // Its counters still count the one that it lost unawares.
    t.equal(host.shards(), held.shards - 1)
    t.equal((await net.held(host)).shards, held.shards - 1, 'no verdict here')
  },
)

t.test('a shard that the host itself calls damaged is lost at once', async (t) => {
  const stored = await storedNet(t, 9, 4)
  const { net } = stored
  const { bridge, rooms } = net.world
  const host = net.hosts[0]!
  const [book] = await rooms.store.books.list(net.known(host).row, { from: 0, to: 2 ** 32 }, null, 1)
  await host.damage(book!)
  t.same(await bridge.pull.collect(host.id), [{ unknown: 0, missing: 0, lost: 1, restored: 0 }])
  const segment = await rooms.store.segments.loadRow(book!.segmentRow)
  t.match(segment!.shards[book!.index], { stored: false, lost: true })
  t.equal(segment!.stored, 7)
})

t.test('while the books may be old nothing is swept, deleted, moved or compared', async (t) => {
  const stored = await storedNet(t, 10, 4)
  const { net, drive, segments } = stored
  const { bridge, clock, rooms } = net.world
  await drive.append(drive.epoch({ retire: segments }))
  Object.defineProperty(rooms.store, 'frozen', { value: true, configurable: true })
  await clock.leap(31 * DAY_MS)
  t.equal(await bridge.pull.sweep(), 0)
  await bridge.pull.repair()
  await bridge.pull.forget()
  t.same(await bridge.pull.collect(), [])
  t.equal((await drive.client.locate(drive.id, segments)).length, 4)
  Object.defineProperty(rooms.store, 'frozen', { value: false, configurable: true })
  t.equal(await bridge.pull.sweep(), 4)
})

t.test(
  'a host forgets nothing before it has reported to this run of the bridge: its report shows whether the books are old',
  async (t) => {
    const stored = await storedNet(t, 9, 4, { ownTime: true })
    const { net, drive, segments } = stored
    const { bridge, clock, rooms } = net.world
    await drive.append(drive.epoch({ retire: segments }))
    await clock.leap(31 * DAY_MS)
    t.equal(await bridge.pull.sweep(), 4)
    const before = net.hosts.map((host) => host.shards())
    for (const host of rooms.hosts.all()) host.hasReported = false
    await bridge.pull.forget()
    t.same(
      net.hosts.map((host) => host.shards()),
      before,
    )
    for (const host of rooms.hosts.all()) host.hasReported = true
    await bridge.pull.forget()
    t.same(
      net.hosts.map((host) => host.shards()),
      net.hosts.map(() => 0),
    )
  },
)
