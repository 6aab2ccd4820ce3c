import fs from 'node:fs'
import t from 'tap'
import { layoutOf, padme, plainLengthMax } from '../../../src/segment/layout.js'
import { leavesOfRow, unitAt, unitPlace, unitsOfRange } from '../../../src/segment/offsets.js'
import { Dice, testSeed } from '../../support/dice.js'
import { rampBytes } from '../../support/ramp.js'
import { referenceShards } from '../../support/reference-codec.js'

const vectors = JSON.parse(fs.readFileSync('test/vectors/segment/layout.json', 'utf8')) as {
  padme: [number, number][]
  cases: [number, number, number, number, number, number][]
}

t.test('padded lengths are the golden ones', async (t) => {
  for (const [length, padded] of vectors.padme) t.equal(padme(length), padded, `${length}`)
})

t.test('padding never shortens, costs at most 12 %, and is stable', async (t) => {
  const dice = new Dice(7)
  let worst = 0
  for (let i = 1; i < 20_000; i++) {
    const length = i < 10_000 ? i : dice.roll(1, 500_000_000)
    const padded = padme(length)
    if (padded < length || padme(padded) !== padded) t.fail(`${length} -> ${padded}`)
    worst = Math.max(worst, padded / length - 1)
  }
  t.ok(worst <= 0.12, `worst is ${worst}`)
})

t.test('layouts are the golden ones', async (t) => {
  for (const [dataShards, plainLength, ...expected] of vectors.cases) {
    const { paddedLength, rows, lastUnitLength, shardLength, unitCount } = layoutOf({ plainLength, dataShards })
    t.same([paddedLength, rows, lastUnitLength, shardLength], expected, `${plainLength} bytes on ${dataShards}`)
    t.equal(unitCount, rows * dataShards)
  }
})

t.test('lengths that no segment has are broken beliefs', async (t) => {
  for (const [plainLength, dataShards] of [
    [0, 4],
    [-1, 4],
    [1.5, 4],
    [plainLengthMax(4) + 1, 4],
    [1, 0],
    [1, 256],
  ] as const) {
    t.throws(() => layoutOf({ plainLength, dataShards }), /assertion/)
  }
})

t.test('units are where the shards hold them, and ranges find each byte once', async (t) => {
  const seed = testSeed()
  t.comment(`SEED=${seed}`)
  const dice = new Dice(seed)
  for (let round = 0; round < 40; round++) {
    const dataShards = dice.pick([1, 2, 3, 4, 13])
    const plainLength = dice.pick([1, 1025, dataShards * 65_536, dice.roll(1, 900_000)])
    const layout = layoutOf({ plainLength, dataShards })
    const sealed = rampBytes(round, layout.paddedLength)
    const shards = referenceShards(sealed, dataShards, dataShards)
    t.equal(shards[0]?.length, layout.shardLength)

    const offset = dice.roll(0, layout.paddedLength - 1)
    const length = dice.roll(0, layout.paddedLength - offset)
    const read = unitsOfRange(layout, offset, length).map(({ place, from, length }) => {
      const start = place.offsetInShard + from
      return (shards[place.shard] as Buffer).subarray(start, start + length)
    })
    t.ok(Buffer.concat(read).equals(sealed.subarray(offset, offset + length)), `${offset}+${length} of ${plainLength}`)

    let sealedBytes = 0
    for (let unit = 0; unit < layout.unitCount; unit++) {
      const place = unitPlace(layout, unit)
      sealedBytes += place.sealedLength
      if (place.sealedLength > 0 && unitAt(layout, place.offsetInSegment) !== unit) t.fail(`unit ${unit}`)
      const { firstLeaf, leafCount } = leavesOfRow(layout, place.row)
      if (firstLeaf * 1024 !== place.offsetInShard || leafCount * 1024 !== place.length) t.fail(`leaves of ${unit}`)
    }
    t.equal(sealedBytes, layout.paddedLength)
  }
})

t.test('a sequential range touches each unit once, in order', async (t) => {
  const layout = layoutOf({ plainLength: 300_000, dataShards: 4 })
  const ranges = unitsOfRange(layout, 0, layout.paddedLength)
  t.same(
    ranges.map(({ place }) => [place.unit, place.shard, place.row]),
    Array.from({ length: 8 }, (_, u) => [u, u % 4, Math.floor(u / 4)]),
  )
  t.same(unitsOfRange(layout, 5, 0), [])
  t.throws(() => unitsOfRange(layout, 0, layout.paddedLength + 1), /assertion/)
})
