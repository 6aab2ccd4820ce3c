/** Trash, compaction and scrub against a small model: what is served, what is in the trash, what is gone. */
import fs from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { codeOf } from '../../../src/base/errors.js'
import { payloadOffset, recordBytes } from '../../../src/host/shards/offsets.js'
import type { ShardStore } from '../../../src/host/shards/shard-store.js'
import { TRASH_MS } from '../../../src/host/shards/upkeep.js'
import { Dice, testSeed } from '../../support/dice.js'
import {
  checkStore,
  countersAgree,
  NOW_MS,
  openStore,
  orderOf,
  readWhole,
  scratchDir,
} from '../../support/host-folder.js'

const { signal } = new AbortController()
const SIZE = 3_000
const NUMBERS = 24

async function served(store: ShardStore, number: number): Promise<boolean> {
  const { order, payload } = await orderOf(number, SIZE)
  try {
    return (await readWhole(store, order)).equals(payload)
  } catch (error) {
    if (codeOf(error) === 'shard-not-found') return false
    throw error
  }
}

t.test('a deleted shard is not served, can be had back for a week, and is gone then', async (t) => {
  let nowMs = NOW_MS
  const dir = scratchDir(t)
  let store = await openStore(dir, { nowMs: () => nowMs })
  for (const number of [1, 2, 3]) {
    const { order, payload } = await orderOf(number, SIZE)
    await store.put(order, payload)
    await store.remove((await orderOf(number, SIZE)).order)
  }
  t.same(await Promise.all([1, 2, 3].map((number) => served(store, number))), [false, false, false])
  t.match(store.totals(), { shards: 0, trashShards: 3, liveBytes: 0, trashBytes: 3 * recordBytes(SIZE) })
  nowMs += TRASH_MS - 1
  t.equal(await store.upkeep.purgeTrash(), 0)
  await store.restore((await orderOf(1, SIZE, { generation: 1 })).order)
  const again = await orderOf(2, SIZE)
  const before = store.totals().volumeBytes
  await store.put(again.order, again.payload)
  t.equal(store.totals().volumeBytes - before, recordBytes(0), 'its bytes were here still')
  await store.stop()
  fs.rmSync(path.join(dir, 'index.db'))
  store = await openStore(dir, { nowMs: () => nowMs })
  t.match(store.totals(), { shards: 2, trashShards: 1 }, 'a rebuilt index knows the trash and its times')
  nowMs += 1
  t.equal(await store.upkeep.purgeTrash(), 1)
  t.same(await Promise.all([1, 2, 3].map((number) => served(store, number))), [true, true, false])
  t.equal(
    codeOf(await store.restore((await orderOf(3, SIZE)).order).catch((error: unknown) => error)),
    'shard-not-found',
  )
  t.ok(countersAgree(store, dir))
  await store.stop()
})

t.test('random lives: what is served is what the model says, also after crashes and without the index', async (t) => {
  const seed = testSeed()
  t.comment(`SEED=${seed}`)
  const dice = new Dice(seed)
  const dir = scratchDir(t)
  let nowMs = NOW_MS
  const live = new Set<number>()
  const trash = new Map<number, number>()
  const open = () => openStore(dir, { nowMs: () => nowMs, volumeBytesMax: 40_000 })
  let store = await open()
  for (let step = 0; step < 500; step++) {
    const number = dice.roll(0, NUMBERS - 1)
    const { order, payload } = await orderOf(number, SIZE)
    const what = dice.roll(0, 9)
    if (what <= 3) {
      await store.put(order, payload)
      live.add(number)
      trash.delete(number)
    } else if (what <= 5 && live.has(number)) {
      await store.remove(order)
      live.delete(number)
      trash.set(number, nowMs)
    } else if (what === 6 && trash.has(number)) {
      await store.restore(order)
      live.add(number)
      trash.delete(number)
    } else if (what === 7) {
      nowMs += dice.roll(0, TRASH_MS)
      await store.upkeep.purgeTrash()
      for (const [one, atMs] of trash) if (atMs <= nowMs - TRASH_MS) trash.delete(one)
    } else if (what === 8) {
      await store.upkeep.compact({ deadShareMin: dice.pick([0, 0.1, 0.5]), signal })
    } else if (what === 9 && dice.roll(0, 3) === 0) {
      await store.stop()
      if (dice.roll(0, 1) === 0) fs.rmSync(path.join(dir, 'index.db'))
      store = await open()
      // Whose time was over may be back in the trash, until it is emptied again.
      await store.upkeep.purgeTrash()
    }
    if (step % 50 !== 49) continue
    for (let one = 0; one < NUMBERS; one++) t.equal(await served(store, one), live.has(one), `step ${step}: ${one}`)
    t.match(store.totals(), { shards: live.size, trashShards: trash.size })
    t.ok(countersAgree(store, dir))
    await store.stop()
    t.same((await checkStore(dir, () => nowMs)).findings, [], `fsck after step ${step}`)
    store = await open()
  }
  await store.upkeep.compact({ deadShareMin: 0, signal })
  const { liveBytes, trashBytes, volumeBytes, volumes, deadBytes } = store.totals()
  t.equal(liveBytes, live.size * recordBytes(SIZE))
  t.equal(deadBytes, 0, 'nothing dead is left')
  t.equal(volumeBytes, liveBytes + trashBytes + 64 * volumes)
  await store.stop()
  t.same((await checkStore(dir, () => nowMs)).findings, [])
  fs.rmSync(path.join(dir, 'index.db'))
  store = await open()
  t.match(store.totals(), { shards: live.size, trashShards: trash.size, deadBytes: 0 }, 'from the copies alone')
  await store.stop()
})

t.test('the scrub finds every flipped byte, once, and goes on where it was', async (t) => {
  const dir = scratchDir(t)
  let store = await openStore(dir)
  for (let number = 0; number < 40; number++) {
    const { order, payload } = await orderOf(number, SIZE)
    await store.put(order, payload)
  }
  const [file] = fs.readdirSync(path.join(dir, 'volumes')).filter((name) => name.endsWith('.vol'))
  const volume = path.join(dir, 'volumes', file as string)
  await store.stop()
  const bytes = fs.readFileSync(volume)
  for (const at of [3, 17, 39])
    bytes.writeUInt8(
      bytes.readUInt8(payloadOffset(64 + at * recordBytes(SIZE)) + 99) ^ 1,
      payloadOffset(64 + at * recordBytes(SIZE)) + 99,
    )
  fs.writeFileSync(volume, bytes)
  store = await openStore(dir)
  const first = await store.upkeep.scrub(20 * SIZE, signal)
  t.match(first, { bytes: 20 * SIZE, damaged: 2, isThrough: false })
  await store.stop()
  store = await openStore(dir)
  t.match(await store.upkeep.scrub(1_000_000, signal), { damaged: 1, isThrough: true })
  t.equal(store.totals().damagedShards, 3)
  const losses = store.upkeep.losses(10)
  t.same(losses.length, 3)
  t.equal(await store.upkeep.compact({ deadShareMin: 0, signal }), 0, 'what was not told yet stays')
  await store.upkeep.settleLosses(losses)
  t.match(store.totals(), { damagedShards: 0, shards: 37, trashShards: 0 })
  t.same(store.upkeep.losses(10), [])
  t.ok((await store.upkeep.compact({ deadShareMin: 0, signal })) >= 1)
  t.ok(countersAgree(store, dir))
  await store.stop()
})
