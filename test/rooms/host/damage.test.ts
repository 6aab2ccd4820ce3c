import fs from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { AppError, codeOf } from '../../../src/base/errors.js'
import { sha256 } from '../../../src/crypto/hash.js'
import { recordBytes } from '../../../src/host/shards/offsets.js'
import type { ShardStore } from '../../../src/host/shards/shard-store.js'
import type { PutOrder } from '../../../src/host/shards/store-parts.js'
import { Dice, testSeed } from '../../support/dice.js'
import {
  countersAgree,
  NOW_MS,
  openStore,
  orderOf,
  readWhole,
  scratchDir,
  volumeFile,
} from '../../support/host-folder.js'

interface Stored {
  order: PutOrder
  payload: Buffer
  /** Offset of its record. */
  offset: number
}

/** Three small shards, a delete, one more: every type of record but the renewed one. */
async function smallVolume(dir: string): Promise<{ shards: Stored[]; bytes: Buffer }> {
  const store = await openStore(dir)
  const shards: Stored[] = []
  let offset = 64
  for (const [number, size] of [
    [1, 30],
    [2, 90],
    [3, 13],
  ] as const) {
    const { order, payload } = await orderOf(number, size)
    await store.put(order, payload)
    shards.push({ order, payload, offset })
    offset += recordBytes(size)
  }
  const again = await orderOf(2, 90, { generation: 2 })
  await store.put(again.order, again.payload)
  await store.stop()
  return { shards, bytes: fs.readFileSync(volumeFile(dir)) }
}

/** Its bytes, or the code why not. Anything but AppErrors is a bug. */
async function outcome(store: ShardStore, { order }: Stored): Promise<Buffer | string> {
  try {
    return await readWhole(store, order)
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    return codeOf(error)
  }
}

t.test('a volume torn at every length gives back every whole record, and takes new ones', async (t) => {
  const root = scratchDir(t)
  const source = await smallVolume(root)
  for (const withIndex of [false, true]) {
    for (let length = 0; length <= source.bytes.length; length += withIndex ? 61 : 1) {
      const dir = path.join(root, `${withIndex}-${length}`)
      fs.mkdirSync(path.join(dir, 'volumes'), { recursive: true })
      fs.writeFileSync(volumeFile(dir), source.bytes.subarray(0, length))
      if (withIndex) fs.copyFileSync(path.join(root, 'index.db'), path.join(dir, 'index.db'))
      const store = await openStore(dir, { inMemory: !withIndex })
      const wrong: string[] = []
      for (const one of source.shards) {
        const whole = one.offset + recordBytes(one.payload.length) <= length
        const got = await outcome(store, one)
        const fits = whole ? typeof got !== 'string' && got.equals(one.payload) : got === 'shard-not-found'
        if (!fits) wrong.push(`${one.offset}: ${typeof got === 'string' ? got : 'other bytes'}`)
      }
      if (length % 50 === 0) {
        const { order, payload } = await orderOf(9, 400)
        await store.put(order, payload)
        if (!(await readWhole(store, order)).equals(payload)) wrong.push('a new shard')
      }
      if (!countersAgree(store, dir)) wrong.push('counters')
      if (store.totals().damagedRanges > 0) wrong.push('a torn tail is no damage')
      await store.stop()
      fs.rmSync(dir, { recursive: true })
      if (wrong.length > 0) t.same(wrong, [], `length ${length}`)
    }
  }
})

t.test('any damaged byte: no crash, no wrong byte, and what lies behind it is still found', async (t) => {
  const seed = testSeed()
  t.comment(`SEED=${seed}`)
  const dice = new Dice(seed)
  const root = scratchDir(t)
  const source = await smallVolume(root)
  for (let round = 0; round < 600; round++) {
    const dir = path.join(root, `r${round}`)
    fs.mkdirSync(path.join(dir, 'volumes'), { recursive: true })
    const bytes = Buffer.from(source.bytes)
    const flips = dice.pick([1, 1, 1, 2, 5, 40])
    const touched: number[] = []
    for (let i = 0; i < flips; i++) {
      const at = dice.roll(0, bytes.length - 1)
      bytes[at] = (bytes[at] as number) ^ dice.roll(1, 255)
      touched.push(at)
    }
    fs.writeFileSync(volumeFile(dir), bytes)
    if (round % 3 === 0) fs.copyFileSync(path.join(root, 'index.db'), path.join(dir, 'index.db'))
    const store = await openStore(dir, { inMemory: round % 3 !== 0 }).catch((error) => {
      // The version byte, or the whole header, may be what was hit.
      if (!(error instanceof AppError)) throw error
      t.match(codeOf(error), /^(unsupported-version|host-folder-wrong)$/)
      t.ok(touched.some((at) => at < 64))
      return null
    })
    if (store) {
      for (const one of source.shards) {
        const got = await outcome(store, one)
        const end = one.offset + recordBytes(one.payload.length)
        const isHit = touched.some((at) => at >= one.offset && at < end)
        if (typeof got === 'string' ? !isHit : !got.equals(one.payload)) {
          t.fail(`round ${round}: record at ${one.offset}: ${typeof got === 'string' ? got : 'wrong bytes'}`)
        }
      }
      const { order, payload } = await orderOf(9, 400)
      await store.put(order, payload)
      if (!(await readWhole(store, order)).equals(payload)) t.fail(`round ${round}: a new shard`)
      if (!countersAgree(store, dir)) t.fail(`round ${round}: counters`)
      await store.stop()
    }
    fs.rmSync(dir, { recursive: true })
  }
})

t.test(
  'damage in the middle is quarantined and reported; bytes inside a payload never pass for a record',
  async (t) => {
    const dir = scratchDir(t)
    let store = await openStore(dir)
    const victim = await orderOf(1, 5000)
    await store.put(victim.order, victim.payload)
    await store.stop()
    // A payload that holds the sound bytes of a delete record, as an uploader might try.
    const elsewhere = path.join(dir, 'elsewhere')
    const other = await openStore(elsewhere)
    await other.put((await orderOf(1, 5000)).order, victim.payload)
    const stays = await orderOf(4, 5000)
    await other.put(stays.order, stays.payload)
    await other.remove((await orderOf(1, 5000, { generation: 9 })).order)
    await other.stop()
    const forged = fs.readFileSync(volumeFile(elsewhere)).subarray(64 + 2 * recordBytes(5000))
    t.equal(forged.toString('latin1', 0, 4), 'SDVR')
    store = await openStore(dir)
    const filler = await orderOf(2, 5000)
    await store.put(filler.order, filler.payload)
    const last = await orderOf(3, 5000)
    await store.put(last.order, last.payload)
    await store.stop()
    const bytes = fs.readFileSync(volumeFile(dir))
    const at = 64 + recordBytes(5000)
    bytes[at + 50]! ^= 1
    // All fields are right: only the key of the checksum is what a stranger does not have.
    const fields = forged.subarray(0, 128)
    Buffer.concat([fields, sha256(fields).subarray(0, 8)]).copy(bytes, at + 136)
    fs.writeFileSync(volumeFile(dir), bytes)
    fs.rmSync(path.join(dir, 'index.db'))
    store = await openStore(dir)
    t.ok((await readWhole(store, victim.order)).equals(victim.payload))
    t.ok((await readWhole(store, last.order)).equals(last.payload))
    t.same(store.damagedRanges(10), [{ volume: 1, offset: at, bytes: recordBytes(5000), reason: 'unreadable' }])
    t.ok(countersAgree(store, dir))
    await store.stop()
  },
)

t.test('an index that is damaged, foreign, behind or ahead is built again', async (t) => {
  const dir = scratchDir(t)
  const { shards } = await smallVolume(dir)
  const index = path.join(dir, 'index.db')
  const fresh = fs.readFileSync(index)
  const attempts: [string, () => void][] = [
    ['noise', () => fs.writeFileSync(index, Buffer.alloc(20_000, 0xa7))],
    ['empty', () => fs.writeFileSync(index, '')],
    ['gone', () => fs.rmSync(index)],
    ['cut', () => fs.writeFileSync(index, fresh.subarray(0, 4096))],
    ['foreign', () => fs.copyFileSync(path.join(dir, 'kept.db'), index)],
  ]
  for (const [name, spoil] of attempts) {
    spoil()
    const store = await openStore(dir)
    for (const one of shards) {
      const got = await outcome(store, one)
      t.ok(typeof got !== 'string' && got.equals(one.payload), `${name}: ${typeof got === 'string' ? got : 'bytes'}`)
    }
    t.ok(countersAgree(store, dir), name)
    await store.stop()
  }
})

t.test('a volume that lost synced records is noticed and counted', async (t) => {
  const dir = scratchDir(t)
  const { shards, bytes } = await smallVolume(dir)
  fs.truncateSync(volumeFile(dir), shards[1]!.offset)
  const store = await openStore(dir)
  t.equal(store.recovered.lostShards, 2)
  t.equal(store.recovered.rebuilt, true)
  t.ok((await readWhole(store, shards[0]!.order)).equals(shards[0]!.payload))
  t.ok(countersAgree(store, dir))
  t.ok(bytes.length > shards[1]!.offset)
  await store.stop()
})

t.test('used serials are forgotten when their tokens have ended', async (t) => {
  const dir = scratchDir(t)
  let nowMs = NOW_MS
  const store = await openStore(dir, { nowMs: () => nowMs })
  const { order, payload } = await orderOf(1, 500)
  await store.put(order, payload)
  await store.purgeSerials()
  t.ok(store.serialUsed(order))
  nowMs = order.serialExpiresMs + 1
  await store.purgeSerials()
  t.notOk(store.serialUsed(order))
  await store.stop()
})

t.test('a missing volume is told, its shards are damaged and on the loss list, the rest goes on', async (t) => {
  const dir = scratchDir(t)
  let store = await openStore(dir, { volumeBytesMax: 200_000 })
  const all = await Promise.all([1, 2, 3].map((number) => orderOf(number, 150_000)))
  for (const { order, payload } of all) await store.put(order, payload)
  t.equal(store.totals().volumes, 3)
  await store.stop()
  fs.rmSync(volumeFile(dir, 2))
  store = await openStore(dir, { volumeBytesMax: 200_000 })
  t.same(store.recovered.missing, [2])
  t.ok((await readWhole(store, all[0]!.order)).equals(all[0]!.payload))
  t.equal(await outcome(store, { ...all[1]!, offset: 64 }), 'shard-damaged')
  t.match(store.upkeep.losses(10), [{ shard: all[1]!.order.shard, segment: all[1]!.order.segment }])
  t.equal(store.upkeep.losses(10).length, 1)
  await store.put((await orderOf(2, 150_000)).order, all[1]!.payload)
  t.ok((await readWhole(store, all[1]!.order)).equals(all[1]!.payload), 'a put heals it')
  await store.stop()
})

t.test('deletes survive the loss of the index although volumes were reclaimed around them', async (t) => {
  const seed = testSeed()
  t.comment(`SEED=${seed}`)
  const dice = new Dice(seed)
  const dir = scratchDir(t)
  const live = new Map<number, Buffer>()
  const used: { order: PutOrder; payload: Buffer }[] = []
  for (let session = 0; session < 6; session++) {
    let store = await openStore(dir, { volumeBytesMax: 60_000 })
    for (let step = 0; step < 40; step++) {
      const number = dice.roll(0, 11)
      const made = await orderOf(number, 5_000 + number * 1_000, { generation: 1 })
      if (live.has(number) && dice.roll(0, 2) > 0) {
        await store.remove(made.order)
        live.delete(number)
      } else {
        await store.put(made.order, made.payload)
        live.set(number, made.payload)
      }
      used.push(made)
    }
    await store.stop()
    if (dice.roll(0, 1) === 0) fs.rmSync(path.join(dir, 'index.db'))
    store = await openStore(dir, { volumeBytesMax: 60_000 })
    if (dice.roll(0, 1) === 0) await store.upkeep.purgeTrash(0)
    if (dice.roll(0, 1) === 0)
      await store.upkeep.compact({ deadShareMin: dice.roll(0, 1) / 4, signal: new AbortController().signal })
    for (let number = 0; number < 12; number++) {
      const { order } = await orderOf(number, 5_000 + number * 1_000)
      const got = await outcome(store, { order, payload: Buffer.alloc(0), offset: 0 })
      const expected = live.get(number)
      const fits = expected ? typeof got !== 'string' && got.equals(expected) : got === 'shard-not-found'
      t.ok(fits, `session ${session}: shard ${number}: ${typeof got === 'string' ? got : 'bytes'}`)
    }
    const forgotten = used.filter(({ order }) => !store.serialUsed(order))
    t.equal(forgotten.length, 0, 'every serial is remembered')
    t.ok(countersAgree(store, dir))
    t.equal(store.totals().shards, live.size)
    await store.stop()
  }
})
