/** Compaction where the disk is nearly full: what it makes room for is what a full disk waits for. */
import fs from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { codeOf } from '../../../src/base/errors.js'
import { TRASH_MS } from '../../../src/host/shards/upkeep.js'
import {
  checkStore,
  countersAgree,
  NOW_MS,
  openStore,
  orderOf,
  readWhole,
  scratchDir,
} from '../../support/host-folder.js'
import { freeBytes, mountSmallDisk, noSmallDisks } from '../../support/small-disk.js'

const SIZE = 100_000
/** Index and its log need some of it: they grow after a look at the disk. */
const FLOOR_BYTES = 12 * 1_048_576
const { signal } = new AbortController()

t.test(
  'a disk that puts filled to its floor is compacted; one without any room waits',
  { skip: noSmallDisks() },
  async (t) => {
    const dir = scratchDir(t)
    mountSmallDisk(t, dir, 40 * 1_048_576)
    let nowMs = NOW_MS
    const options = { volumeBytesMax: 1_000_000, diskFloorBytes: FLOOR_BYTES, nowMs: () => nowMs }
    const store = await openStore(dir, options)
    let stored = 0
    for (; stored < 400; stored++) {
      const { order, payload } = await orderOf(stored, SIZE)
      if ((await store.put(order, payload).then(() => 'stored', codeOf)) !== 'stored') break
    }
    t.ok(stored > 50, `${stored} shards fill it`)
    for (let number = 0; number < stored; number += 2) await store.remove((await orderOf(number, SIZE)).order)
    nowMs += TRASH_MS
    t.equal(await store.upkeep.purgeTrash(), Math.ceil(stored / 2))
    const before = store.totals()
    const filler = path.join(dir, 'filler')
    fs.writeFileSync(filler, Buffer.alloc(freeBytes(dir) - FLOOR_BYTES / 2))
    t.equal(await store.upkeep.compact({ signal }), 0, 'no room for any')
    t.same(store.totals(), before, 'nothing was begun')
    fs.rmSync(filler)
    t.ok(freeBytes(dir) < FLOOR_BYTES + SIZE, 'puts would still be refused')
    t.ok((await store.upkeep.compact({ signal })) >= 5)
    t.ok(freeBytes(dir) > FLOOR_BYTES + 5_000_000)
    for (let number = 1; number < stored; number += 2) {
      const { order, payload } = await orderOf(number, SIZE)
      if (!(await readWhole(store, order)).equals(payload)) t.fail(`shard ${number}`)
    }
    t.ok(countersAgree(store, dir))
    await store.stop()
    t.same((await checkStore(dir, options.nowMs)).findings, [])
  },
)

t.test('what lies twice while a volume is compacted keeps no put out', async (t) => {
  const dir = scratchDir(t)
  let nowMs = NOW_MS
  const volumeBytesMax = 64 + 4 * 100_288
  // Four volumes, and a shard more.
  const options = { volumeBytesMax, capacityBytes: 4 * volumeBytesMax, nowMs: () => nowMs }
  const store = await openStore(dir, options)
  for (let number = 0; number < 15; number++) {
    const { order, payload } = await orderOf(number, SIZE)
    await store.put(order, payload)
  }
  for (const number of [1, 2]) await store.remove((await orderOf(number, SIZE)).order)
  nowMs += TRASH_MS
  await store.upkeep.purgeTrash()
  const codes: string[] = []
  const pace = async () => {
    const { order, payload } = await orderOf(20 + codes.length, 1_000)
    codes.push(await store.put(order, payload).then(() => 'stored', codeOf))
  }
  await store.upkeep.compact({ pace, signal })
  t.ok(codes.length > 0)
  t.same([...new Set(codes)], ['stored'])
  t.ok(store.totals().volumeBytes <= options.capacityBytes)
  await store.stop()
})
