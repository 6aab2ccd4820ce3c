import { createHash } from 'node:crypto'
import fs from 'node:fs'
import t from 'tap'
import { codingMatrix, encode, type IndexedBytes, reconstruct } from '../../../src/erasure/code.js'
import { onEveryPath } from '../../support/code-paths.js'
import { Dice, testSeed } from '../../support/dice.js'
import { noiseBytes } from '../../support/noise.js'
import { rampBytes } from '../../support/ramp.js'

interface Case {
  dataShards: number
  totalShards: number
  unitBytes: number
  seed: number
  matrixSha256: string
  parityIndexes: number[]
  parity: { start: string; sha256: string }[]
}
const vectors = JSON.parse(fs.readFileSync('test/vectors/codec/erasure.json', 'utf8')) as { cases: Case[] }
const hashOf = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

async function allShards(dataShards: number, totalShards: number, unitBytes: number): Promise<IndexedBytes[]> {
  const data = Array.from({ length: dataShards }, (_, i) => rampBytes(i + 1, unitBytes))
  const parity = await encode({ dataShards, totalShards }, data)
  return [...data, ...parity].map((bytes, index) => ({ index, bytes }))
}

/** All choices of `count` out of `from`. */
function* choices<T>(from: readonly T[], count: number): Generator<T[]> {
  if (count === 0) yield []
  for (let i = 0; i + count <= from.length && count > 0; i++) {
    for (const rest of choices(from.slice(i + 1), count - 1)) yield [from[i] as T, ...rest]
  }
}

/** Rebuilds all n from these k; returns the indexes that came out wrong. */
async function rebuiltWrong(all: IndexedBytes[], present: IndexedBytes[]): Promise<number[]> {
  const scheme = { dataShards: present.length, totalShards: all.length }
  const wanted = all.map((one) => one.index)
  const rebuilt = await reconstruct(scheme, present, wanted)
  return wanted.filter((i) => !(rebuilt[i] as Buffer).equals((all[i] as IndexedBytes).bytes))
}

t.test('parity is what ISA-L makes', async (t) => {
  for (const { dataShards, totalShards, unitBytes, seed, ...expected } of vectors.cases) {
    const data = Array.from({ length: dataShards }, (_, j) => noiseBytes(seed * 1000 + j, unitBytes))
    t.equal(hashOf(codingMatrix({ dataShards, totalShards })), expected.matrixSha256)
    await onEveryPath(async (path) => {
      const parity = await encode({ dataShards, totalShards }, data)
      const chosen = expected.parityIndexes.map((i) => parity[i - dataShards] as Buffer)
      const got = chosen.map((unit) => ({ start: unit.subarray(0, 16).toString('hex'), sha256: hashOf(unit) }))
      t.same(got, expected.parity, `${dataShards} of ${totalShards}, ${path}`)
    })
  }
})

t.test('every k of n give back all n, for every k and n up to 8', async (t) => {
  const wrong: string[] = []
  let count = 0
  for (let n = 1; n <= 8; n++) {
    for (let k = 1; k <= n; k++) {
      const all = await allShards(k, n, 96)
      for (const present of choices(all, k)) {
        count++
        if ((await rebuiltWrong(all, present)).length > 0) wrong.push(`${present.map((one) => one.index)} of ${n}`)
      }
    }
  }
  t.same(wrong, [], `${count} choices`)
})

t.test('any k of n, in any order, give back all n on large schemes', async (t) => {
  const seed = testSeed()
  t.comment(`SEED=${seed}`)
  const dice = new Dice(seed)
  for (const [k, n, rounds] of [
    [4, 8, 30],
    [6, 18, 20],
    [13, 30, 20],
    [32, 60, 20],
    [128, 255, 2],
    [254, 255, 1],
  ] as const) {
    const all = await allShards(k, n, 1024)
    const wrong: number[] = []
    for (let round = 0; round < rounds; round++) {
      wrong.push(...(await rebuiltWrong(all, dice.shuffle(all).slice(0, k))))
    }
    t.same(wrong, [], `${k} of ${n}`)
  }
})

t.test('with one data shard every host holds other bytes', async (t) => {
  const all = await allShards(1, 255, 64)
  t.equal(new Set(all.map((one) => Buffer.from(one.bytes).toString('hex'))).size, 255)
  for (const one of all) t.same(await rebuiltWrong(all, [one]), [])
})

t.test('more than k are fine: the first k count', async (t) => {
  const all = await allShards(3, 6, 1024)
  const [rebuilt] = await reconstruct({ dataShards: 3, totalShards: 6 }, all.slice(1), [0])
  t.same(rebuilt, all[0]?.bytes)
})

t.test('a whole shard is rebuilt like a unit', async (t) => {
  const all = await allShards(4, 8, 1_966_080)
  t.same(await rebuiltWrong(all, all.slice(4)), [])
})

t.test('too few, twice the same, or of different lengths: refused', async (t) => {
  const all = await allShards(2, 4, 1024)
  const [a, b] = all as [IndexedBytes, IndexedBytes]
  const scheme = { dataShards: 2, totalShards: 4 }
  t.throws(() => reconstruct(scheme, [a], [3]), /assertion/)
  for (const present of [
    [a, a],
    [a, { index: 4, bytes: b.bytes }],
    [a, { index: 1, bytes: b.bytes.subarray(1) }],
  ]) {
    t.throws(() => reconstruct(scheme, present, [3]), { code: 'ERR_CODEC_ARGUMENT' })
  }
})
