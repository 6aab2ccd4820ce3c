import t from 'tap'
import { shardId } from '../../../src/model/ids.js'
import { RECEIPT_BYTES as SIGNED_RECEIPT_BYTES } from '../../../src/permits/receipt.js'
import { TOKEN_BYTES as SIGNED_TOKEN_BYTES } from '../../../src/permits/token.js'
import { WITNESS_BYTES as SIGNED_WITNESS_BYTES } from '../../../src/permits/witness.js'
import { HEAD_BYTES_MAX } from '../../../src/wire/frame-limits.js'
import * as methods from '../../../src/wire/methods.js'
import { Dice, testSeed } from '../../support/dice.js'
import { methodHeads } from '../../support/method-heads.js'

const seed = testSeed()
t.comment(`SEED=${seed}`)

for (const [name, head] of Object.entries(methodHeads)) {
  t.test(`${name}: comes back as it was written`, async (t) => {
    const dice = new Dice(seed)
    for (let i = 0; i < 20; i++) {
      const fields = head.make(dice)
      const bytes = head.encode(fields as never)
      t.ok(bytes.length <= HEAD_BYTES_MAX)
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

t.test('the sizes are those of the signed objects', async (t) => {
  t.same(
    [methods.TOKEN_BYTES, methods.RECEIPT_BYTES, methods.WITNESS_BYTES],
    [SIGNED_TOKEN_BYTES, SIGNED_RECEIPT_BYTES, SIGNED_WITNESS_BYTES],
  )
})
