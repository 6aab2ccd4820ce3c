/** What a host knows to be lost, it names; and what only looks lost comes back. */
import fs from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { codeOf } from '../../../src/base/errors.js'
import { payloadOffset, recordBytes } from '../../../src/host/shards/offsets.js'
import { TRASH_MS } from '../../../src/host/shards/upkeep.js'
import {
  checkStore,
  countersAgree,
  NOW_MS,
  openStore,
  orderOf,
  readWhole,
  scratchDir,
  volumeFile,
} from '../../support/host-folder.js'

const SIZE = 4_000
const { signal } = new AbortController()
type Test = { teardown(work: () => void): void }

async function filled(t: Test, count: number, volumeBytesMax?: number): Promise<string> {
  const dir = scratchDir(t)
  const store = await openStore(dir, volumeBytesMax === undefined ? {} : { volumeBytesMax })
  for (let number = 0; number < count; number++) {
    const { order, payload } = await orderOf(number, SIZE)
    await store.put(order, payload)
  }
  await store.stop()
  return dir
}

function spoil(dir: string, at: number): void {
  const file = fs.openSync(volumeFile(dir), 'r+')
  fs.writeSync(file, Buffer.from([0xee, 0xee, 0xee]), 0, 3, at)
  fs.closeSync(file)
}

async function codeFrom(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => 'nothing was thrown',
    (error) => codeOf(error),
  )
}

t.test('an index that is built again names what only the old one knew', async (t) => {
  const dir = await filled(t, 6)
  fs.truncateSync(volumeFile(dir), 64 + 4 * recordBytes(SIZE))
  const store = await openStore(dir)
  t.equal(store.recovered.lostShards, 2)
  const wanted = await Promise.all([4, 5].map(async (number) => (await orderOf(number, SIZE)).order.segment))
  t.same(
    store.upkeep
      .losses(10)
      .map((one) => one.segment)
      .sort(),
    wanted.sort(),
  )
  t.same(
    fs.readdirSync(dir).filter((name) => name.includes('before')),
    [],
    'the old index is gone',
  )
  await store.stop()
  t.same((await checkStore(dir)).findings, [])
})

t.test('the loss list outlives the index, and the bridge settles it', async (t) => {
  const dir = await filled(t, 3)
  spoil(dir, payloadOffset(64) + 9)
  let store = await openStore(dir)
  await store.upkeep.scrub(1_000_000, signal)
  t.equal(store.upkeep.losses(10).length, 1)
  await store.stop()
  fs.rmSync(path.join(dir, 'index.db'))
  store = await openStore(dir)
  t.equal(store.totals().damagedShards, 1, 'a rebuilt index knows the damage')
  await store.stop()
  t.same(
    (await checkStore(dir)).findings.map((one) => one.code),
    ['shard-damaged'],
  )
  store = await openStore(dir)
  await store.upkeep.settleLosses(store.upkeep.losses(10))
  t.match(store.totals(), { damagedShards: 0, shards: 2, trashShards: 0 })
  t.equal(await store.upkeep.compact({ deadShareMin: 0, signal }), 1)
  t.ok(countersAgree(store, dir))
  await store.stop()
  t.same((await checkStore(dir)).findings, [])
})

t.test('what reads well after all is served again, not thrown away', async (t) => {
  const dir = await filled(t, 4, 2 * recordBytes(SIZE) + 64)
  const aside = path.join(dir, 'aside')
  fs.renameSync(volumeFile(dir, 2), aside)
  let store = await openStore(dir)
  const { order, payload } = await orderOf(2, SIZE)
  t.equal(await codeFrom(readWhole(store, order)), 'shard-damaged')
  t.ok(countersAgree(store, dir), 'its bytes are counted nowhere')
  await store.stop()
  fs.renameSync(aside, volumeFile(dir, 2))
  store = await openStore(dir)
  const losses = store.upkeep.losses(10)
  t.equal(losses.length, 2)
  await store.upkeep.settleLosses(losses)
  t.ok((await readWhole(store, order)).equals(payload))
  t.ok(countersAgree(store, dir))
  await store.stop()
  t.same((await checkStore(dir)).findings, [])
})

t.test('a damaged record around a sound payload is written again', async (t) => {
  const dir = await filled(t, 3)
  spoil(dir, 64 + recordBytes(SIZE) + 40)
  spoil(dir, payloadOffset(64 + 2 * recordBytes(SIZE)) + SIZE + 5)
  let store = await openStore(dir)
  t.match(await store.upkeep.scrub(1_000_000, signal), { damaged: 0, mended: 2 })
  t.same(store.upkeep.losses(10), [])
  t.equal(await store.upkeep.compact({ deadShareMin: 0, signal }), 1)
  await store.stop()
  fs.rmSync(path.join(dir, 'index.db'))
  store = await openStore(dir)
  for (let number = 0; number < 3; number++) {
    const { order, payload } = await orderOf(number, SIZE)
    t.ok((await readWhole(store, order)).equals(payload), `shard ${number}`)
  }
  await store.stop()
  t.same((await checkStore(dir)).findings, [])
})

t.test('what rotted in the trash is not taken back', async (t) => {
  const dir = await filled(t, 2)
  let store = await openStore(dir)
  await store.remove((await orderOf(0, SIZE)).order)
  await store.stop()
  spoil(dir, payloadOffset(64) + 9)
  store = await openStore(dir)
  t.equal(await codeFrom(store.restore((await orderOf(0, SIZE)).order)), 'shard-damaged')
  t.same(store.upkeep.losses(10), [], 'nobody waits for it')
  const { order, payload } = await orderOf(0, SIZE)
  await store.put(order, payload)
  t.ok((await readWhole(store, order)).equals(payload))
  await store.stop()
})

t.test('a restore and the end of the trash at the same moment: either, and never both', async (t) => {
  const dir = scratchDir(t)
  let nowMs = NOW_MS
  const store = await openStore(dir, { nowMs: () => nowMs })
  for (let number = 0; number < 40; number++) {
    const { order, payload } = await orderOf(number, SIZE)
    await store.put(order, payload)
    await store.remove((await orderOf(number, SIZE)).order)
  }
  nowMs += TRASH_MS
  const restores = Array.from({ length: 40 }, async (_, number) => {
    const { order, payload } = await orderOf(number, SIZE)
    return number % 2 === 0 ? store.restore(order) : store.put(order, payload)
  })
  const [answers] = await Promise.all([Promise.allSettled(restores), store.upkeep.purgeTrash()])
  for (const [number, answer] of answers.entries()) {
    const { order, payload } = await orderOf(number, SIZE)
    const is = await readWhole(store, order).then(
      (bytes) => bytes.equals(payload),
      () => false,
    )
    t.equal(is, answer.status === 'fulfilled', `shard ${number}: ${answer.status}`)
  }
  t.ok(countersAgree(store, dir))
  await store.stop()
  t.same((await checkStore(dir, () => nowMs)).findings, [])
})
