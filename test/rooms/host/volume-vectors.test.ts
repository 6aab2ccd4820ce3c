import fs from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { codeOf } from '../../../src/base/errors.js'
import type { PutOrder } from '../../../src/host/shards/store-parts.js'
import { openStore, readWhole, scratchDir, volumeFile } from '../../support/host-folder.js'
import { hex, readVectors } from '../../support/vectors.js'

interface Golden {
  hostSeed: string
  nowMs: number
  steps: { do: 'put' | 'remove'; seed: number; length: number; order: Omit<PutOrder, 'serialExpiresMs'> }[]
  volume: string
  there: number[]
  gone: number[]
  broken: { name: string; at: number; byte?: number; bytes?: string; code: string }[]
}
const golden = readVectors<Golden>('volume/volume')
const options = { hostSeed: hex(golden.hostSeed), nowMs: () => golden.nowMs }

function payloadOf(seed: number, length: number): Buffer {
  return Buffer.from(Array.from({ length }, (_, i) => (i * 31 + (i >> 8) * 7 + seed) & 255))
}

function orderOf(step: Golden['steps'][number]): PutOrder {
  return { ...step.order, serialExpiresMs: golden.nowMs + 1 }
}

function folderWith(t: { teardown(work: () => void): void }, volume: Buffer): string {
  const dir = scratchDir(t)
  fs.mkdirSync(path.join(dir, 'volumes'))
  fs.writeFileSync(volumeFile(dir), volume)
  return dir
}

t.test('the same puts and removes make the golden volume to the byte', async (t) => {
  const dir = scratchDir(t)
  const store = await openStore(dir, options)
  for (const step of golden.steps) {
    if (step.do === 'put') await store.put(orderOf(step), payloadOf(step.seed, step.length))
    else await store.remove(orderOf(step))
  }
  await store.stop()
  t.equal(fs.readFileSync(volumeFile(dir)).toString('hex'), golden.volume)
})

t.test('the golden volume is read back', async (t) => {
  const store = await openStore(folderWith(t, hex(golden.volume)), options)
  const lastOf = (seed: number) => golden.steps.filter((step) => step.seed === seed).at(-1)!
  for (const seed of golden.there) {
    const step = lastOf(seed)
    t.ok((await readWhole(store, orderOf(step))).equals(payloadOf(seed, step.length)), `shard ${seed}`)
    t.equal(store.find(step.order.pseudonym, step.order.shard).generation, step.order.generation)
  }
  for (const seed of golden.gone) {
    t.equal(await readWhole(store, orderOf(lastOf(seed))).then(() => 'there', codeOf), 'shard-not-found')
  }
  for (const step of golden.steps) t.ok(store.serialUsed(orderOf(step)))
  t.equal(store.recovered.cutBytes, 0)
  await store.stop()
})

for (const { name, at, byte, bytes, code } of golden.broken) {
  t.test(`refused with ${code}: ${name}`, async (t) => {
    const volume = hex(golden.volume)
    if (bytes) hex(bytes).copy(volume, at)
    if (byte) volume[at] = byte
    const dir = folderWith(t, volume)
    await t.rejects(openStore(dir, options), { code })
    t.ok(fs.readFileSync(volumeFile(dir)).equals(volume), 'nothing was changed')
  })
}
