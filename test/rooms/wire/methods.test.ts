import t from 'tap'
import { pseudonymId, segmentId, shardId } from '../../../src/model/ids.js'
import { RECEIPT_BYTES as SIGNED_RECEIPT_BYTES } from '../../../src/permits/receipt.js'
import { TOKEN_BYTES as SIGNED_TOKEN_BYTES } from '../../../src/permits/token.js'
import { WITNESS_BYTES as SIGNED_WITNESS_BYTES } from '../../../src/permits/witness.js'
import { HEAD_BYTES_MAX } from '../../../src/wire/frame-limits.js'
import {
  decodeDigestsBody,
  decodeInventoryRequest,
  decodeListReply,
  encodeInventoryRequest,
  encodeListBody,
  encodeListHead,
  type InventoryEntry,
} from '../../../src/wire/inventory-methods.js'
import * as methods from '../../../src/wire/methods.js'
import { Dice, testSeed } from '../../support/dice.js'
import { methodBodies, methodHeads } from '../../support/method-heads.js'

const seed = testSeed()
t.comment(`SEED=${seed}`)

for (const [name, head] of Object.entries({ ...methodHeads, ...methodBodies })) {
  t.test(`${name}: comes back as it was written`, async (t) => {
    const dice = new Dice(seed)
    for (let i = 0; i < 20; i++) {
      const fields = head.make(dice)
      const bytes = head.encode(fields as never)
      t.ok(name in methodBodies || bytes.length <= HEAD_BYTES_MAX)
      t.same(head.decode(bytes), fields)
    }
  })
}

t.test('hostile numbers are refused', async (t) => {
  const token = Buffer.alloc(methods.TOKEN_BYTES, 1)
  const get = methods.encodeGetRequest({ token, shard: shardId('ab'.repeat(32)), firstLeaf: 0, leafCount: 1 })
  for (const [first, count] of [
    [0, 0],
    [1_920, 1],
    [1_919, 2],
    [0xffffffff, 1],
    [0, 0xffffffff],
  ] as const) {
    get.writeUInt32BE(first, 329)
    get.writeUInt32BE(count, 333)
    t.throws(() => methods.decodeGetRequest(get), { code: 'malformed' }, `leaves ${first} + ${count}`)
  }
  for (const shardLength of [0, 1_966_081, 0xffffffff]) {
    const reply = methods.encodeGetReply({ shardLength: 1, proof: [] })
    reply.writeUInt32BE(shardLength)
    t.throws(() => methods.decodeGetReply(reply), { code: 'malformed' }, `a shard of ${shardLength} bytes`)
  }
  t.throws(() => methods.decodeEmpty(Buffer.from('x')), { code: 'malformed' })
})

t.test('an inventory that a host makes up is refused', async (t) => {
  const id = (digit: string) => shardId(digit.repeat(64))
  const entry = (shard: string, index = 0): InventoryEntry => ({
    ...{ shard: id(shard), pseudonym: pseudonymId('1'.repeat(32)), segment: segmentId('2'.repeat(64)), index },
    ...{ generation: 1, length: 1_024, storedAtMs: 5, keepUntilMs: 0, state: 'live' },
  })
  const asked = { fromPrefix: 0x30000000, toPrefix: 0x50000000, limit: 2, after: null }
  const read = (entries: InventoryEntry[], more = false, request: Parameters<typeof decodeListReply>[2] = asked) =>
    decodeListReply(encodeListHead({ more }), encodeListBody(entries), request)
  t.equal(read([entry('3'), entry('4')], true).entries.length, 2)
  const refused: Record<string, () => unknown> = {
    'more than were asked for': () => read([entry('3'), entry('4'), entry('4', 1)]),
    'out of order': () => read([entry('4'), entry('3')]),
    'one place twice': () => read([entry('4'), entry('4')]),
    'below the range': () => read([entry('2')]),
    'above the range': () => read([entry('5')]),
    'not behind the place to go on from': () => read([entry('3')], false, { ...asked, after: entry('3') }),
    'more of nothing': () => read([], true),
    'a shard without bytes': () => read([{ ...entry('3'), length: 0 }]),
    'an index beyond all shards': () => read([entry('3', 255)]),
    'no flag': () => decodeListReply(Buffer.from([2]), Buffer.alloc(0), asked),
    'digests of fewer parts': () => decodeDigestsBody(Buffer.alloc(20), 2),
    'digests of more parts': () => decodeDigestsBody(Buffer.alloc(60), 2),
  }
  for (const [name, call] of Object.entries(refused)) t.throws(call, { code: 'malformed' }, name)
  const request = encodeInventoryRequest({ kind: 'digests', fromPrefix: 8, toPrefix: 16, parts: 8 })
  t.same(decodeInventoryRequest(request), { kind: 'digests', fromPrefix: 8, toPrefix: 16, parts: 8 })
  const head = (kind: number, to: bigint, count: number) => {
    const bytes = Buffer.from(request)
    bytes[0] = kind
    bytes.writeBigUInt64BE(to, 5)
    bytes.writeUInt16BE(count, 13)
    return bytes
  }
  for (const hostile of [
    head(1, 16n, 9),
    head(1, 16n, 0),
    head(1, 2n ** 32n, 257),
    head(1, 8n, 1),
    head(1, 2n ** 32n + 1n, 1),
    head(1, 2n ** 64n - 1n, 1),
    head(2, 16n, 0),
    head(2, 16n, 1_001),
    head(3, 16n, 1),
  ])
    t.throws(() => decodeInventoryRequest(hostile), { code: 'malformed' }, hostile.toString('hex'))
})

t.test('the sizes are those of the signed objects', async (t) => {
  t.same(
    [methods.TOKEN_BYTES, methods.RECEIPT_BYTES, methods.WITNESS_BYTES],
    [SIGNED_TOKEN_BYTES, SIGNED_RECEIPT_BYTES, SIGNED_WITNESS_BYTES],
  )
})
