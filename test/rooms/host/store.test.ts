import fs from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { codeOf } from '../../../src/base/errors.js'
import { verifyLeaves } from '../../../src/crypto/merkle.js'
import { recordBytes } from '../../../src/host/shards/offsets.js'
import { YOUNG_MS } from '../../../src/host/shards/shard-store.js'
import { idBytes } from '../../../src/model/ids.js'
import {
  countersAgree,
  NOW_MS,
  openStore,
  orderOf,
  readWhole,
  scratchDir,
  volumeFile,
} from '../../support/host-folder.js'

async function codeFrom(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => 'nothing was thrown',
    (error) => codeOf(error),
  )
}

t.test('what was put is read back with proofs, for whole shards and for ranges, also after a restart', async (t) => {
  const dir = scratchDir(t)
  let store = await openStore(dir)
  const sizes = [1, 1023, 1024, 1025, 65_536, 65_537, 200_000, 1_966_080]
  const orders = await Promise.all(sizes.map((size, i) => orderOf(i, size)))
  await Promise.all(orders.map(({ order, payload }) => store.put(order, payload)))
  for (const pass of ['running', 'restarted']) {
    for (const { order, payload } of orders) {
      const leaves = Math.ceil(payload.length / 1024)
      const ranges: [number, number][] = [
        [0, leaves],
        [0, 1],
        [leaves - 1, 1],
        [leaves >> 1, Math.min(70, leaves - (leaves >> 1))],
      ]
      for (const [first, count] of ranges) {
        const got = await store.read(order.pseudonym, order.shard, first, count)
        t.ok(got.leaves.equals(payload.subarray(first * 1024, (first + count) * 1024)), `${pass}: bytes at ${first}`)
        const claim = { shardId: idBytes(order.shard), shardLength: got.length, firstLeaf: first, data: got.leaves }
        t.ok(await verifyLeaves({ ...claim, proof: got.proof }), `${pass}: ${leaves} leaves, ${first} + ${count}`)
      }
    }
    if (pass === 'running') {
      await store.stop()
      store = await openStore(dir)
      t.equal(store.recovered.replayedRecords, 0)
    }
  }
  t.ok(countersAgree(store, dir))
  t.equal(store.totals().shards, sizes.length)
  await store.stop()
})

t.test('a read outside of the shard, of another drive or of an unknown shard is refused', async (t) => {
  const store = await openStore(scratchDir(t))
  const { order, payload } = await orderOf(1, 3000)
  await store.put(order, payload)
  t.equal(await codeFrom(store.read(order.pseudonym, order.shard, 2, 2)), 'malformed')
  t.equal(await codeFrom(store.read(order.pseudonym, order.shard, 3, 1)), 'malformed')
  const other = await orderOf(1, 3000, { drive: 1 })
  t.equal(await codeFrom(store.read(other.order.pseudonym, order.shard, 0, 1)), 'shard-not-found')
  await store.stop()
})

t.test('bytes that are not the named shard are refused and leave nothing', async (t) => {
  const dir = scratchDir(t)
  const store = await openStore(dir)
  const { order, payload } = await orderOf(1, 5000)
  const wrong = Buffer.from(payload)
  wrong[4999]! ^= 1
  t.equal(await codeFrom(store.put(order, wrong)), 'shard-mismatch')
  t.equal(store.totals().volumeBytes, 0)
  await store.put(order, payload)
  const elsewhere = await orderOf(2, 5000)
  const samePlace = { ...elsewhere.order, segment: order.segment }
  t.equal(await codeFrom(store.put(samePlace, elsewhere.payload)), 'shard-mismatch')
  t.ok((await readWhole(store, order)).equals(payload))
  await store.stop()
})

t.test('a serial counts once: in flight, afterwards, after a restart, and when the index is gone', async (t) => {
  const dir = scratchDir(t)
  let store = await openStore(dir)
  const { order, payload } = await orderOf(1, 5000)
  const both = await Promise.all([codeFrom(store.put(order, payload)), codeFrom(store.put(order, payload))])
  t.same(both.sort(), ['nothing was thrown', 'token-used'])
  const { order: del } = await orderOf(1, 5000)
  await store.remove(del)
  t.equal(await codeFrom(store.remove(del)), 'token-used')
  await store.stop()
  store = await openStore(dir)
  t.equal(await codeFrom(store.put(order, payload)), 'token-used')
  await store.stop()
  fs.rmSync(path.join(dir, 'index.db'))
  store = await openStore(dir)
  t.equal(await codeFrom(store.put(order, payload)), 'token-used')
  t.equal(await codeFrom(store.remove(del)), 'token-used')
  t.equal(await codeFrom(store.read(order.pseudonym, order.shard, 0, 1)), 'shard-not-found')
  await store.stop()
})

t.test('a second put of a shard renews it without storing it twice; the generation never goes back', async (t) => {
  const dir = scratchDir(t)
  let store = await openStore(dir)
  const first = await orderOf(1, 100_000, { generation: 3 })
  await store.put(first.order, first.payload)
  const before = store.totals()
  const again = await orderOf(1, 100_000, { generation: 5 })
  t.equal((await store.put(again.order, again.payload)).generation, 5)
  t.equal(store.totals().volumeBytes - before.volumeBytes, recordBytes(0))
  t.equal(store.totals().liveBytes, before.liveBytes)
  const old = await orderOf(1, 100_000, { generation: 4 })
  t.equal(await codeFrom(store.put(old.order, old.payload)), 'old-generation')
  t.equal(await codeFrom(store.remove((await orderOf(1, 100_000, { generation: 4 })).order)), 'old-generation')
  await store.stop()
  fs.rmSync(path.join(dir, 'index.db'))
  store = await openStore(dir)
  t.equal(await codeFrom(store.remove(old.order)), 'old-generation', 'also after the index was built again')
  await store.remove((await orderOf(1, 100_000, { generation: 5 })).order)
  t.equal(await codeFrom(store.read(first.order.pseudonym, first.order.shard, 0, 1)), 'shard-not-found')
  t.ok(countersAgree(store, dir))
  await store.stop()
})

t.test('a damaged shard is never served, is reported, and a put of the same shard heals it', async (t) => {
  const dir = scratchDir(t)
  let store = await openStore(dir)
  const { order, payload } = await orderOf(1, 200_000)
  await store.put(order, payload)
  const file = fs.openSync(volumeFile(dir), 'r+')
  fs.writeSync(file, Buffer.from([0xee]), 0, 1, 64 + 136 + 100_000)
  fs.closeSync(file)
  t.ok(
    (await store.read(order.pseudonym, order.shard, 0, 64)).leaves.equals(payload.subarray(0, 65_536)),
    'block 0 is sound',
  )
  t.equal(await codeFrom(store.read(order.pseudonym, order.shard, 70, 1)), 'shard-damaged')
  t.equal(store.totals().damagedShards, 1)
  t.equal(store.damagedShards(10)[0]?.segment, order.segment)
  const again = await orderOf(1, 200_000)
  await store.put(again.order, payload)
  t.ok((await readWhole(store, order)).equals(payload))
  t.equal(store.totals().damagedShards, 0)
  await store.stop()
  fs.rmSync(path.join(dir, 'index.db'))
  store = await openStore(dir)
  t.ok((await readWhole(store, order)).equals(payload))
  t.ok(countersAgree(store, dir))
  await store.stop()
})

t.test('a shard is removed when it is 72 hours old, not before; storing it again begins them anew', async (t) => {
  const dir = scratchDir(t)
  const hourMs = 3_600_000
  let nowMs = NOW_MS
  let bridgeMs = NOW_MS
  const settings = { youngMs: YOUNG_MS, nowMs: () => bridgeMs, ownMs: () => nowMs }
  let store = await openStore(dir, settings)
  const { order, payload } = await orderOf(1, 5000)
  const remove = async () => codeFrom(store.remove((await orderOf(1, 5000)).order))
  await store.put(order, payload)
  t.equal(await remove(), 'shard-too-young')
  bridgeMs += 1_000 * hourMs
  t.equal(await remove(), 'shard-too-young', 'whatever time a bridge says it is')
  bridgeMs = NOW_MS
  nowMs += 72 * hourMs - 1
  t.equal(await remove(), 'shard-too-young')
  await store.put((await orderOf(1, 5000)).order, payload)
  nowMs += 71 * hourMs
  await store.stop()
  fs.rmSync(path.join(dir, 'index.db'))
  store = await openStore(dir, settings)
  t.equal(await remove(), 'shard-too-young', 'also after the index was built again')
  t.ok((await readWhole(store, order)).equals(payload))
  nowMs += hourMs
  t.equal(await remove(), 'nothing was thrown')
  t.equal(await remove(), 'shard-not-found')
  await store.stop()
})

t.test('capacity is exact, and deleted space comes back when its time in the trash is over', async (t) => {
  const dir = scratchDir(t)
  const size = 1_000_000
  const capacityBytes = 64 + 4 * recordBytes(size)
  const store = await openStore(dir, { capacityBytes })
  const orders = await Promise.all([1, 2, 3, 4, 5, 6].map((number) => orderOf(number, size)))
  const codes = await Promise.all(orders.map(({ order, payload }) => codeFrom(store.put(order, payload))))
  t.same(codes.filter((code) => code === 'nothing was thrown').length, 4)
  t.same(codes.filter((code) => code === 'host-full').length, 2)
  t.equal(await store.freeBytes(), 0)
  t.equal(store.totals().volumeBytes, capacityBytes)
  const stored = orders.filter((_, i) => codes[i] === 'nothing was thrown')
  for (const { payload, order } of stored) {
    const { order: del } = await orderOf(0, 10)
    await store.remove({ ...order, serial: del.serial })
    t.equal(payload.length, size)
  }
  t.match(store.totals(), { shards: 0, liveBytes: 0, trashShards: 4, volumes: 1 })
  t.equal(await store.freeBytes(), 0, 'what was thrown away still takes its space')
  t.equal(await store.upkeep.purgeTrash(0), 4)
  const refused = orders.find((_, i) => codes[i] === 'host-full')!
  for (let turn = 0; turn < 100 && store.totals().volumes > 0; turn++) await new Promise((done) => setTimeout(done, 5))
  t.same(fs.readdirSync(path.join(dir, 'volumes')), [])
  const { order: fresh } = await orderOf(0, 10)
  await store.put({ ...refused.order, serial: fresh.serial }, refused.payload)
  t.ok((await readWhole(store, refused.order)).equals(refused.payload))
  t.ok(countersAgree(store, dir))
  await store.stop()
})

t.test('a disk at its floor refuses puts and still takes deletes', async (t) => {
  const dir = scratchDir(t)
  let store = await openStore(dir)
  const { order, payload } = await orderOf(1, 5000)
  await store.put(order, payload)
  await store.stop()
  store = await openStore(dir, { diskFloorBytes: 2 ** 50 })
  const other = await orderOf(2, 5000)
  t.equal(await codeFrom(store.put(other.order, other.payload)), 'no-space')
  await store.remove((await orderOf(1, 5000)).order)
  await store.stop()
})
