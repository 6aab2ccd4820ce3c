import fs from 'node:fs'
import t from 'tap'
import { codecAddon } from '../../../src/addon/codec.js'
import * as merkle from '../../../src/crypto/merkle.js'
import { onEveryPath } from '../../support/code-paths.js'
import { Dice, testSeed } from '../../support/dice.js'
import { noiseBytes } from '../../support/noise.js'
import { rampBytes } from '../../support/ramp.js'
import { referenceProof, referenceShardId, referenceSubtrees } from '../../support/reference-codec.js'

interface Claim {
  seed: number
  length: number
  firstLeaf: number
  leafCount: number
  proof: string[]
}
interface Broken extends Claim {
  why: string
  claimedLength: number
  claimedFirstLeaf: number
  cutBytes: number
  flipByte: number | null
}
interface Vectors {
  trees: { seed: number; length: number; id: string; subtrees: string[] }[]
  proofs: Claim[]
  broken: Broken[]
}
const vectors = JSON.parse(fs.readFileSync('test/vectors/codec/shard-tree.json', 'utf8')) as Vectors

const leavesOf = (shard: Buffer, first: number, count: number) => shard.subarray(first * 1024, (first + count) * 1024)
const joined = (hashes: string[]) => Buffer.from(hashes.join(''), 'hex')

/** What a host does: it reads the edge blocks and nothing else. */
function hostProof(shard: Buffer, subtrees: Buffer, firstLeaf: number, leafCount: number): Buffer {
  const range = { shardLength: shard.length, firstLeaf, leafCount }
  const blocks = merkle.edgeBlocks(range).map((i) => [i, shard.subarray(i * 65536, (i + 1) * 65536)] as const)
  const proof = merkle.makeProof(range, subtrees, new Map(blocks))
  if (proof.length !== merkle.proofBytes(range)) throw new Error('proofBytes is wrong')
  return proof
}

t.test('ids and subtrees are the golden ones', async (t) => {
  for (const { seed, length, id, subtrees } of vectors.trees) {
    const shard = noiseBytes(seed, length)
    await onEveryPath(async (path) => {
      const tree = await merkle.shardTree(shard)
      t.same([tree.id.toString('hex'), tree.subtrees], [id, joined(subtrees)], `${length} bytes, ${path}`)
    })
    t.equal(merkle.shardIdOf(joined(subtrees), length).toString('hex'), id)
  }
})

t.test('proofs are the golden ones, and are accepted', async (t) => {
  for (const { seed, length, firstLeaf, leafCount, proof } of vectors.proofs) {
    const shard = noiseBytes(seed, length)
    const { id, subtrees } = await merkle.shardTree(shard)
    t.same(hostProof(shard, subtrees, firstLeaf, leafCount), joined(proof), `${firstLeaf}+${leafCount} of ${length}`)
    const data = leavesOf(shard, firstLeaf, leafCount)
    t.ok(await merkle.verifyLeaves({ shardId: id, shardLength: length, firstLeaf, data, proof: joined(proof) }))
  }
})

t.test('broken proofs are refused', async (t) => {
  for (const broken of vectors.broken) {
    const shard = noiseBytes(broken.seed, broken.length)
    const real = leavesOf(shard, broken.firstLeaf, broken.leafCount)
    const data = Buffer.from(real.subarray(0, real.length - broken.cutBytes))
    if (broken.flipByte !== null) data[broken.flipByte]! ^= 1
    const claim = {
      shardId: referenceShardId(shard),
      shardLength: broken.claimedLength,
      firstLeaf: broken.claimedFirstLeaf,
      data,
      proof: joined(broken.proof),
    }
    await onEveryPath(async (path) => {
      t.notOk(await merkle.verifyLeaves(claim), `${broken.why}, ${path}`)
    })
  }
})

t.test('every range of every small shard is proved, and by nothing more or less', async (t) => {
  const wrong: string[] = []
  let count = 0
  for (const length of [1, 1024, 1500, 3072, 5000, 7168, 9 * 1024 + 1]) {
    const shard = rampBytes(length, length)
    const { id, subtrees } = await merkle.shardTree(shard)
    const leaves = merkle.leafCountOf(length)
    for (let first = 0; first < leaves; first++) {
      for (let n = 1; first + n <= leaves; n++) {
        count++
        const proof = hostProof(shard, subtrees, first, n)
        const claim = { shardId: id, shardLength: length, firstLeaf: first, data: leavesOf(shard, first, n), proof }
        const extra = Buffer.concat([proof, proof.subarray(0, 32), Buffer.alloc(proof.length ? 0 : 32)])
        const judged = await Promise.all([
          merkle.verifyLeaves(claim),
          merkle.verifyLeaves({ ...claim, proof: extra }),
          merkle.verifyLeaves({ ...claim, proof: proof.subarray(0, -1) }),
          merkle.verifyLeaves({ ...claim, proof: proof.subarray(32) }),
          merkle.verifyLeaves({ ...claim, data: claim.data.subarray(1) }),
        ])
        const expected = [true, false, proof.length === 0, proof.length === 0, false]
        if (!proof.equals(referenceProof(shard, first, n)) || judged.some((is, i) => is !== expected[i])) {
          wrong.push(`${first}+${n} of ${length}: ${judged}`)
        }
      }
    }
  }
  t.same(wrong, [], `${count} ranges`)
})

t.test(
  'random ranges of large shards are proved from the edge blocks alone; a changed bit anywhere is seen',
  async (t) => {
    const seed = testSeed()
    t.comment(`SEED=${seed}`)
    const dice = new Dice(seed)
    const wrong: string[] = []
    for (let round = 0; round < 60; round++) {
      const length = dice.pick([dice.roll(1, 1_966_080), dice.roll(1, 30) * 65536, 75_776])
      const shard = rampBytes(round, length)
      const { id, subtrees } = await merkle.shardTree(shard)
      const leaves = merkle.leafCountOf(length)
      const first = dice.pick([dice.roll(0, leaves - 1), dice.roll(0, Math.floor((leaves - 1) / 64)) * 64])
      const n = Math.min(dice.pick([1, 64, 65, dice.roll(1, leaves)]), leaves - first)
      const proof = hostProof(shard, subtrees, first, n)
      const data = Buffer.from(leavesOf(shard, first, n))
      const claim = { shardId: id, shardLength: length, firstLeaf: first, data, proof }
      if (!(await merkle.verifyLeaves(claim))) wrong.push(`${first}+${n} of ${length} refused`)
      const target = dice.pick(proof.length > 0 ? [data, proof, id] : [data, id])
      target[dice.roll(0, target.length - 1)]! ^= 1 << dice.roll(0, 7)
      if (await merkle.verifyLeaves(claim)) wrong.push(`${first}+${n} of ${length} accepted with a flipped bit`)
    }
    t.same(wrong, [])
  },
)

t.test('whole blocks need no byte of the shard for their proof', async (t) => {
  const range = { shardLength: 1_966_080, firstLeaf: 64 * 7, leafCount: 64 * 3 }
  t.same(merkle.edgeBlocks(range), [])
  t.same(merkle.edgeBlocks({ ...range, firstLeaf: 64 * 7 + 1 }), [7, 10])
  t.same(merkle.edgeBlocks({ shardLength: 75_776, firstLeaf: 64, leafCount: 10 }), [])
})

t.test('subtrees are those of the reference', async (t) => {
  const shard = rampBytes(4, 200_001)
  t.same((await merkle.shardTree(shard)).subtrees, referenceSubtrees(shard))
  t.same((await merkle.shardTree(shard)).id, referenceShardId(shard))
  t.same(codecAddon().leafHashes(shard.subarray(0, 2500)).length, 96)
})
