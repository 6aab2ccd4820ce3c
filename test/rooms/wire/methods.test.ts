import t from 'tap'
import { AppError } from '../../../src/base/errors.js'
import { hexOf } from '../../../src/base/hex.js'
import { shardId } from '../../../src/model/ids.js'
import { RECEIPT_BYTES as SIGNED_RECEIPT_BYTES } from '../../../src/permits/receipt.js'
import { TOKEN_BYTES as SIGNED_TOKEN_BYTES } from '../../../src/permits/token.js'
import { WITNESS_BYTES as SIGNED_WITNESS_BYTES } from '../../../src/permits/witness.js'
import { HEAD_BYTES_MAX } from '../../../src/wire/frame-limits.js'
import * as methods from '../../../src/wire/methods.js'
import { Dice, testSeed } from '../../support/dice.js'

const seed = testSeed()
const ROUNDS = 2_000
t.comment(`SEED=${seed}`)

/** Each head: how an honest side fills it, its encoder and its decoder. */
interface Head {
  make(dice: Dice): unknown
  encode(fields: never): Buffer
  decode(head: Buffer): unknown
}

const token = (dice: Dice) => dice.bytes(methods.TOKEN_BYTES)
const shard = (dice: Dice) => shardId(hexOf(dice.bytes(32)))
const length = (dice: Dice) => dice.pick([1, 1_024, 75_776, dice.roll(1, 1_966_080), 1_966_080])
const time = (dice: Dice) => dice.pick([0, 1_700_000_000_000, 2 ** 53 - 1])

const heads: Record<string, Head> = {
  'ping reply': {
    make: (dice) => ({ timeMs: time(dice), freeBytes: dice.roll(0, 2 ** 40) }),
    encode: methods.encodePingReply,
    decode: methods.decodePingReply,
  },
  'token head': { make: token, encode: methods.encodeTokenHead, decode: methods.decodeTokenHead },
  'put reply': {
    make: (dice) => dice.bytes(methods.RECEIPT_BYTES),
    encode: methods.encodePutReply,
    decode: methods.decodePutReply,
  },
  'get request': {
    make: (dice) => {
      const firstLeaf = dice.roll(0, methods.LEAVES_MAX - 1)
      const leafCount = dice.roll(1, methods.LEAVES_MAX - firstLeaf)
      return { token: token(dice), shard: shard(dice), firstLeaf, leafCount }
    },
    encode: methods.encodeGetRequest,
    decode: methods.decodeGetRequest,
  },
  'get reply': {
    make: (dice) => {
      const proof = Array.from({ length: dice.roll(0, methods.PROOF_HASHES_MAX) }, () => dice.bytes(32))
      return { shardLength: length(dice), proof }
    },
    encode: methods.encodeGetReply,
    decode: methods.decodeGetReply,
  },
  'head request': {
    make: (dice) => ({ token: token(dice), shard: shard(dice) }),
    encode: methods.encodeHeadRequest,
    decode: methods.decodeHeadRequest,
  },
  'head reply': {
    make: (dice) => ({ shardLength: length(dice), generation: dice.roll(0, 0xffffffff), storedAtMs: time(dice) }),
    encode: methods.encodeHeadReply,
    decode: methods.decodeHeadReply,
  },
  'put-witness request': {
    make: (dice) => ({ token: token(dice), witness: dice.bytes(methods.WITNESS_BYTES) }),
    encode: methods.encodePutWitnessRequest,
    decode: methods.decodePutWitnessRequest,
  },
  'get-witness reply': {
    make: (dice) => (dice.roll(0, 3) === 0 ? null : dice.bytes(methods.WITNESS_BYTES)),
    encode: methods.encodeGetWitnessReply,
    decode: methods.decodeGetWitnessReply,
  },
}

for (const [name, head] of Object.entries(heads)) {
  t.test(`${name}: comes back as it was written`, async (t) => {
    const dice = new Dice(seed)
    for (let i = 0; i < 20; i++) {
      const fields = head.make(dice)
      const bytes = head.encode(fields as never)
      t.ok(bytes.length <= HEAD_BYTES_MAX)
      t.same(head.decode(bytes), fields)
    }
  })

  t.test(`${name}: ${ROUNDS} mutations are read or refused as malformed; wrong lengths always`, async (t) => {
    const dice = new Dice(seed + 7)
    const bytes = head.encode(head.make(dice) as never)
    const strange: unknown[] = []
    for (let i = 0; i < ROUNDS; i++) {
      const mutated = Buffer.from(bytes)
      const wrongLength = dice.roll(0, 2) === 0
      if (mutated.length > 0) mutated[dice.roll(0, mutated.length - 1)] = dice.pick([0, 0xff, dice.roll(0, 255)])
      const cut = mutated.subarray(0, dice.roll(1, Math.max(1, mutated.length - 1)))
      const input = wrongLength ? dice.pick([cut, Buffer.concat([mutated, Buffer.from([0])])]) : mutated
      try {
        head.decode(input)
        if (wrongLength && input.length !== bytes.length && !fitsOtherwise(name, input)) strange.push(input.length)
      } catch (error) {
        if (!(error instanceof AppError && error.code === 'malformed')) strange.push(error)
      }
    }
    t.same(strange, [])
  })
}

/** A proof may have any number of hashes: a cut head can be sound again when its count was mutated as well. */
function fitsOtherwise(name: string, input: Buffer): boolean {
  return name === 'get reply' && (input.length - 6) % 32 === 0
}

t.test('hostile numbers are refused', async (t) => {
  const dice = new Dice(seed)
  const get = methods.encodeGetRequest({ token: token(dice), shard: shard(dice), firstLeaf: 0, leafCount: 1 })
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
