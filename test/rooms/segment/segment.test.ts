import { createHash } from 'node:crypto'
import fs from 'node:fs'
import t from 'tap'
import { codecAddon } from '../../../src/addon/codec.js'
import { SecretBytes } from '../../../src/crypto/secret.js'
import { idBytes, type SegmentId, type ShardId, segmentId } from '../../../src/model/ids.js'
import type { SegmentInfo } from '../../../src/model/segment.js'
import { hasSoundLengths, layoutOf } from '../../../src/segment/layout.js'
import { unitPlace } from '../../../src/segment/offsets.js'
import { joinShardIds, ownsShards, segmentRoot } from '../../../src/segment/root.js'
import { openRange, sealSegment } from '../../../src/segment/seal.js'
import { noiseBytes } from '../../support/noise.js'
import { rampBytes } from '../../support/ramp.js'
import { referenceSeal, referenceShardId, referenceShards } from '../../support/reference-codec.js'

interface Case {
  plainSeed: number
  plainLength: number
  dataShards: number
  totalShards: number
  id: SegmentId
  paddedLength: number
  shardLength: number
  sealedSha256: string
  shardIds: ShardId[]
  root: string
}
const vectors = JSON.parse(fs.readFileSync('test/vectors/segment/segment.json', 'utf8')) as {
  termKey: string
  cases: Case[]
}
const termKeyBytes = Buffer.from(vectors.termKey, 'hex')
const termKey = () => SecretBytes.take(Buffer.from(termKeyBytes))

/** The sealed bytes of a segment, gathered from its data shards. */
function gather(info: SegmentInfo, shards: Buffer): Buffer {
  const layout = layoutOf(info)
  const units = Array.from({ length: layout.unitCount }, (_, u) => {
    const place = unitPlace(layout, u)
    const start = place.shard * info.shardLength + place.offsetInShard
    return shards.subarray(start, start + place.sealedLength)
  })
  return Buffer.concat(units)
}

t.test('golden segments: sealed bytes, shard ids and root', async (t) => {
  for (const { plainSeed, plainLength, dataShards, totalShards, id, ...expected } of vectors.cases) {
    const plain = noiseBytes(plainSeed, plainLength)
    const layout = layoutOf({ plainLength, dataShards })
    t.match(layout, { paddedLength: expected.paddedLength, shardLength: expected.shardLength })
    const sealed = referenceSeal(termKeyBytes, idBytes(id), plain, layout.paddedLength)
    t.equal(createHash('sha256').update(sealed).digest('hex'), expected.sealedSha256)
    const shards = referenceShards(sealed, dataShards, totalShards)
    const trees = await Promise.all(shards.map((shard) => codecAddon().shardId(shard)))
    const ids = Buffer.concat(trees.map((tree) => tree.id))
    t.same(ids, joinShardIds(expected.shardIds))
    t.same(
      shards.map(referenceShardId),
      trees.map((tree) => tree.id),
    )
    const root = segmentRoot({ plainLength, dataShards, totalShards, ...expected }, ids)
    t.equal(root.toString('hex'), expected.root, `${plainLength} bytes, ${dataShards} of ${totalShards}`)
    const opened = await openRange(termKey(), id, 0, Buffer.from(sealed))
    t.ok(plain.equals(opened.subarray(0, plainLength)))
  }
})

t.test('what was sealed opens again, and the ledger knows its shards', async (t) => {
  for (const [k, n, size] of [
    [4, 8, 300_000],
    [1, 3, 5],
    [3, 12, 1_000_001],
  ] as const) {
    const plain = rampBytes(k, size)
    const parts = [plain.subarray(0, 3), plain.subarray(3)]
    const key = { key: termKey(), number: 7 }
    const { info, shards, shardIds } = await sealSegment(key, parts, { dataShards: k, totalShards: n })
    t.match(info, { dataShards: k, totalShards: n, keyTerm: 7, plainLength: size })
    t.equal(shards.length, n * info.shardLength)
    t.ok(hasSoundLengths(info))
    t.ok(ownsShards(info, shardIds))
    const opened = await openRange(termKey(), info.segment, 0, gather(info, shards))
    t.ok(plain.equals(opened.subarray(0, size)), 'plain bytes')
    t.ok(
      opened.subarray(size).every((byte) => byte === 0),
      'padding',
    )
    const other = await openRange(termKey(), segmentId(Buffer.alloc(32, 9)), 0, gather(info, shards))
    t.notOk(plain.equals(other.subarray(0, size)), 'another id is another key')
  }
})

t.test('no other list of shards hashes to the root', async (t) => {
  const scheme = { dataShards: 2, totalShards: 4 }
  const { info, shardIds } = await sealSegment({ key: termKey(), number: 1 }, [rampBytes(1, 5000)], scheme)
  const [a, b, c, d] = shardIds as [ShardId, ShardId, ShardId, ShardId]
  t.ok(ownsShards(info, [a, b, c, d]))
  for (const wrong of [[b, a, c, d], [a, b, c], [a, b, c, d, d], [a, a, c, d], []]) {
    t.notOk(ownsShards(info, wrong), `${wrong.length} ids`)
  }
  const lies: Partial<SegmentInfo>[] = [
    { plainLength: 4999 },
    { paddedLength: info.paddedLength + 1 },
    { shardLength: info.shardLength + 1024 },
    { dataShards: 1 },
    { dataShards: 3 },
  ]
  for (const lie of lies) {
    t.notOk(ownsShards({ ...info, ...lie }, shardIds), JSON.stringify(lie))
    t.equal(
      hasSoundLengths({ ...info, ...lie }),
      lie.plainLength === 4999 && layoutOf({ ...info, ...lie }).paddedLength === info.paddedLength,
      JSON.stringify(lie),
    )
  }
})

t.test('lengths from outside are judged, never believed', async (t) => {
  const sound = { dataShards: 4, totalShards: 8, plainLength: 300_000, paddedLength: 303_104, shardLength: 75_776 }
  t.ok(hasSoundLengths(sound))
  for (const lie of [
    { plainLength: 0 },
    { plainLength: -5 },
    { plainLength: Number.NaN },
    { plainLength: 4 * 1_966_080 + 1 },
    { dataShards: 0 },
    { dataShards: 9 },
    { totalShards: 256 },
    { totalShards: 7.5 },
    { shardLength: 75_775 },
    { paddedLength: 303_105 },
  ]) {
    t.notOk(hasSoundLengths({ ...sound, ...lie }), JSON.stringify(lie))
  }
})

t.test('bytes of no segment are a broken belief, not a crash', async (t) => {
  const scheme = { dataShards: 1, totalShards: 2 }
  const key = { key: termKey(), number: 1 }
  await t.rejects(sealSegment(key, [], scheme), /assertion/)
  await t.rejects(sealSegment(key, [Buffer.alloc(1_966_081)], scheme), /assertion/)
})
