import t from 'tap'
import { codecAddon, type SealedShards } from '../../../src/addon/codec.js'
import { layoutOf } from '../../../src/segment/layout.js'
import { onEveryPath } from '../../support/code-paths.js'
import { Dice, testSeed } from '../../support/dice.js'
import { rampBytes } from '../../support/ramp.js'
import { referenceSeal, referenceShardId, referenceShards, referenceSubtrees } from '../../support/reference-codec.js'

const codec = codecAddon()
const termKey = rampBytes(77, 32)

/** Every part of a sealed segment against the reference; returns what differs. */
function differences(sealed: SealedShards, plain: Uint8Array, paddedLength: number, k: number, n: number): string[] {
  const expected = referenceShards(referenceSeal(termKey, sealed.id, plain, paddedLength), k, n)
  const length = (expected[0] as Buffer).length
  const subtreeBytes = Math.ceil(length / 65536) * 32
  const wrong: string[] = []
  if (sealed.shards.length !== n * length) wrong.push('length of the shards')
  if (sealed.subtrees.length !== n * subtreeBytes) wrong.push('length of the subtrees')
  expected.forEach((shard, i) => {
    if (!sealed.shards.subarray(i * length, (i + 1) * length).equals(shard)) wrong.push(`shard ${i}`)
    if (!sealed.shardIds.subarray(i * 32, (i + 1) * 32).equals(referenceShardId(shard))) wrong.push(`id ${i}`)
    const subtrees = sealed.subtrees.subarray(i * subtreeBytes, (i + 1) * subtreeBytes)
    if (!subtrees.equals(referenceSubtrees(shard))) wrong.push(`subtrees ${i}`)
  })
  return wrong
}

t.test('a sealed segment is what the format says, byte for byte, on every path', async (t) => {
  const cases: [plainLength: number, k: number, n: number][] = [
    [1, 1, 1],
    [1, 4, 8],
    [1023, 1, 3],
    [1025, 2, 3],
    [65_536, 4, 8],
    [262_144, 4, 8],
    [262_145, 4, 8],
    [300_000, 4, 8],
    [524_288 + 5000, 4, 8],
    [40_000, 32, 60],
    [100_000, 3, 12],
    [1_000, 254, 255],
  ]
  await onEveryPath(async (path) => {
    for (const [plainLength, k, n] of cases) {
      const plain = rampBytes(plainLength, plainLength)
      const { paddedLength, shardLength } = layoutOf({ plainLength, dataShards: k })
      const sealed = await codec.sealSegment(termKey, plain, paddedLength, k, n)
      t.equal(sealed.shards.length, n * shardLength)
      t.same(differences(sealed, plain, paddedLength, k, n), [], `${plainLength} bytes, ${k} of ${n}, ${path}`)
    }
  })
})

t.test('parts are sealed as if they were joined', async (t) => {
  const seed = testSeed()
  t.comment(`SEED=${seed}`)
  const dice = new Dice(seed)
  for (let round = 0; round < 12; round++) {
    const parts = Array.from({ length: dice.roll(1, 40) }, (_, i) =>
      rampBytes(i, dice.pick([0, 1, 15, 16, 17, 1000, 16_384, dice.roll(1, 40_000)])),
    )
    const plain = Buffer.concat(parts)
    if (plain.length === 0) continue
    const { paddedLength } = layoutOf({ plainLength: plain.length, dataShards: 3 })
    const sealed = await codec.sealSegment(termKey, parts, paddedLength, 3, 5)
    t.same(differences(sealed, plain, paddedLength, 3, 5), [], `${parts.length} parts`)
  }
})

t.test('the longest segment fills thirty rows and no more', async (t) => {
  const plain = rampBytes(5, 2 * 1_966_080)
  const sealed = await codec.sealSegment(termKey, plain, plain.length, 2, 3)
  t.equal(sealed.shards.length, 3 * 1_966_080)
  t.same(differences(sealed, plain, plain.length, 2, 3), [])
  t.throws(() => codec.sealSegment(termKey, plain, plain.length + 1, 2, 3), { code: 'ERR_CODEC_ARGUMENT' })
})

t.test('every seal draws an id of its own, and the key it was given is left alone', async (t) => {
  const key = Buffer.from(termKey)
  const sealed = await Promise.all(Array.from({ length: 50 }, () => codec.sealSegment(key, rampBytes(1, 64), 64, 1, 2)))
  t.equal(new Set(sealed.map((one) => one.id.toString('hex'))).size, 50)
  t.equal(new Set(sealed.map((one) => one.shards.toString('hex'))).size, 50)
  t.same(key, termKey)
})

t.test('the key may be wiped as soon as the call returned, and the plain bytes dropped', async (t) => {
  const key = Buffer.from(termKey)
  const plain = rampBytes(9, 200_000)
  const pending = codec.sealSegment(key, [plain.subarray(0, 5), Buffer.from(plain.subarray(5))], 200_704, 4, 8)
  key.fill(0)
  const sealed = await pending
  t.same(differences(sealed, plain, 200_704, 4, 8), [])
})

t.test('any range opens by itself, in place or beside, at once or later', async (t) => {
  const seed = testSeed()
  t.comment(`SEED=${seed}`)
  const dice = new Dice(seed)
  const id = rampBytes(3, 32)
  const plain = rampBytes(8, 400_000)
  const sealed = referenceSeal(termKey, id, plain, plain.length)
  await onEveryPath(async (path) => {
    for (let round = 0; round < 40; round++) {
      const offset = dice.roll(0, plain.length - 1)
      const length = Math.min(dice.pick([1, 7, 16, 17, 100, 65_536, 262_144]), plain.length - offset)
      const expected = plain.subarray(offset, offset + length)
      const cut = Buffer.from(sealed.subarray(offset, offset + length))
      const now = codec.openRangeSync(termKey, id, offset, cut, false)
      const later = await codec.openRange(termKey, id, offset, cut, false)
      const changed = Buffer.from(cut)
      const inPlace = round % 2 ? codec.openRangeSync : codec.openRange
      const same = (await inPlace(termKey, id, offset, changed, true)) === changed
      if (![now, later, changed].every((one) => expected.equals(one)) || !same) t.fail(`${offset}+${length}, ${path}`)
    }
  })
  t.throws(() => codec.openRangeSync(termKey, id, 0, sealed, false), { code: 'ERR_CODEC_ARGUMENT' })
  t.same(await codec.openRange(termKey, id, 0, sealed, false), plain)
})
