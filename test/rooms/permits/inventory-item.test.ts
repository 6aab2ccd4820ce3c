import { createHash } from 'node:crypto'
import t from 'tap'
import { pseudonymId, segmentId, shardId } from '../../../src/model/ids.js'
import {
  combineInventory,
  type InventoryItem,
  inventoryItemHash,
  PREFIX_END,
  partIndexOf,
  partOf,
  prefixOf,
} from '../../../src/permits/inventory-item.js'
import { Dice, testSeed } from '../../support/dice.js'

const item: InventoryItem = {
  pseudonym: pseudonymId('11'.repeat(16)),
  segment: segmentId('22'.repeat(32)),
  index: 0x0102,
  shard: shardId('33'.repeat(32)),
  generation: 0x03040506,
  length: 0x0708090a,
}

t.test('the hash of an item is over its fields in the order of docs/protocol.md', async (t) => {
  const bytes = Buffer.from(`10${'11'.repeat(16)}${'22'.repeat(32)}0102${'33'.repeat(32)}030405060708090a`, 'hex')
  t.same(inventoryItemHash(item), createHash('sha256').update(bytes).digest().subarray(0, 16))
})

t.test('a digest does not depend on order, and an item taken in twice is out again', async (t) => {
  const hashes = [0, 1, 2].map((index) => inventoryItemHash({ ...item, index }))
  const sum = (order: number[]) => {
    const digest = Buffer.alloc(16)
    for (const at of order) combineInventory(digest, hashes[at] as Buffer)
    return digest
  }
  t.same(sum([0, 1, 2]), sum([2, 0, 1]))
  t.same(sum([0, 1, 2, 1]), sum([0, 2]))
  t.notSame(sum([0, 1]), sum([0, 2]))
})

t.test('every prefix of a range lies in exactly the part that says so', async (t) => {
  const seed = testSeed()
  t.comment(`SEED=${seed}`)
  const dice = new Dice(seed)
  t.equal(prefixOf(shardId(`ffffffff${'0'.repeat(56)}`)), 0xffffffff)
  for (let round = 0; round < 2_000; round++) {
    const from = dice.roll(0, PREFIX_END - 2)
    const to = dice.pick([PREFIX_END, dice.roll(from + 1, PREFIX_END), Math.min(PREFIX_END, from + dice.roll(1, 300))])
    const parts = dice.roll(1, Math.min(256, to - from))
    const at = dice.roll(0, parts - 1)
    const part = partOf({ from, to }, parts, at)
    for (const prefix of [part.from, part.to - 1, dice.roll(part.from, part.to - 1)]) {
      if (partIndexOf({ from, to }, parts, prefix) === at) continue
      t.fail(`prefix ${prefix} of ${from}..${to} in ${parts} parts`)
      return
    }
  }
  t.same(partOf({ from: 0, to: PREFIX_END }, 256, 255), { from: 0xff000000, to: PREFIX_END })
})
