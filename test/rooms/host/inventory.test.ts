import t from 'tap'
import { bridgeId, type Pseudonym, shardId } from '../../../src/model/ids.js'
import {
  combineInventory,
  inventoryItemHash,
  PREFIX_END,
  partIndexOf,
  prefixOf,
} from '../../../src/permits/inventory-item.js'
import { decodeToken } from '../../../src/permits/token.js'
import * as inventory from '../../../src/wire/inventory-methods.js'
import * as wire from '../../../src/wire/methods.js'
import { HostBench } from '../../support/host-network.js'
import { rampBytes } from '../../support/ramp.js'

const WHOLE = { fromPrefix: 0, toPrefix: PREFIX_END }

async function filled(dir: string, count: number) {
  const bench = await HostBench.open(dir)
  const items = []
  for (let number = 0; number < count; number++) {
    const payload = rampBytes(number, 1_000 + number)
    const { target, generation, pseudonym } = decodeToken(await bench.putToken(number, payload))
    if (target === null) throw new Error('a put token without a target')
    await bench.put(number, payload)
    items.push({ ...target, pseudonym: pseudonym as Pseudonym, generation, length: payload.length })
  }
  const bridge = bridgeId(bench.bridge.id)
  const ask = (request: inventory.DigestsRequest | inventory.ListRequest) =>
    bench.call(wire.METHOD.inventory, inventory.encodeInventoryRequest(request), undefined, bridge)
  const list = async (asked: Omit<inventory.ListRequest, 'kind'>) => {
    const reply = await ask({ kind: 'list', ...asked })
    return inventory.decodeListReply(reply.head, reply.body as Buffer, asked)
  }
  const digests = async (range: typeof WHOLE, parts: number) => {
    const reply = await ask({ kind: 'digests', ...range, parts })
    return inventory.decodeDigestsBody(reply.body as Buffer, parts)
  }
  return { bench, items, bridge, list, digests }
}

t.test('digests are those of what was stored, part by part', async (t) => {
  const { bench, items, digests } = await filled(t.testdir(), 40)
  for (const [range, parts] of [
    [WHOLE, 1],
    [WHOLE, 256],
    [{ fromPrefix: 0x40000000, toPrefix: 0xc0000001 }, 7],
  ] as const) {
    const expected = Array.from({ length: parts }, () => ({ count: 0, digest: Buffer.alloc(16) }))
    for (const item of items) {
      const prefix = prefixOf(item.shard)
      if (prefix < range.fromPrefix || prefix >= range.toPrefix) continue
      const sum = expected[partIndexOf({ from: range.fromPrefix, to: range.toPrefix }, parts, prefix)]
      if (sum === undefined) throw new Error('no such part')
      sum.count++
      combineInventory(sum.digest, inventoryItemHash(item))
    }
    t.same(await digests(range, parts), expected)
  }
  await bench.stop()
})

t.test('a list comes in pages that miss nothing and repeat nothing', async (t) => {
  const { bench, items, list } = await filled(t.testdir(), 25)
  const seen: inventory.InventoryEntry[] = []
  let after: inventory.InventoryPlace | null = null
  for (;;) {
    const page: inventory.InventoryList = await list({ ...WHOLE, limit: 7, after })
    seen.push(...page.entries)
    after = page.entries[page.entries.length - 1] ?? null
    if (!page.more) break
  }
  t.same(
    seen.map((one) => one.shard),
    items.map((one) => one.shard).sort(),
  )
  const first = items.find((one) => one.shard === seen[0]?.shard)
  const { storedAtMs, ...facts } = seen[0] as inventory.InventoryEntry
  t.same(facts, { ...first, keepUntilMs: 0, state: 'live' })
  t.ok(storedAtMs > 0)
  const narrow = { fromPrefix: prefixOf(shardId(seen[3]?.shard)), toPrefix: prefixOf(shardId(seen[5]?.shard)) }
  t.same((await list({ ...narrow, limit: 9, after: null })).entries, seen.slice(3, 5))
  await bench.stop()
})

t.test('a device is told nothing of what lies here, and takes nothing back', async (t) => {
  const { bench } = await filled(t.testdir(), 1)
  const request = inventory.encodeInventoryRequest({ kind: 'digests', ...WHOLE, parts: 1 })
  await t.rejects(bench.call(wire.METHOD.inventory, request), { code: 'not-the-bridge' })
  const token = await bench.putToken(0, rampBytes(0, 1_000))
  await t.rejects(bench.call(wire.METHOD.restore, wire.encodeTokenHead(token)), { code: 'not-the-bridge' })
  await bench.stop()
})

t.test('a shard that is served is renewed when it is asked back; one that never was here is not found', async (t) => {
  const { bench, items, bridge, list } = await filled(t.testdir(), 1)
  const restore = async (number: number, generation: number) => {
    const token = await bench.putToken(number, rampBytes(number, 1_000 + number), { holder: bridge, generation })
    return bench.call(wire.METHOD.restore, wire.encodeTokenHead(token), undefined, bridge)
  }
  t.equal((await restore(0, 3)).head.length, wire.RECEIPT_BYTES)
  t.same((await list({ ...WHOLE, limit: 9, after: null })).entries[0]?.generation, 3)
  t.equal(items.length, 1)
  await t.rejects(restore(0, 2), { code: 'old-generation' })
  await t.rejects(restore(1, 1), { code: 'shard-not-found' })
  await bench.stop()
})
