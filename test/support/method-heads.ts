/** Heads of every method as honest sides fill them. */
import { hexOf } from '../../src/base/hex.js'
import { shardId } from '../../src/model/ids.js'
import * as methods from '../../src/wire/methods.js'
import type { Dice } from './dice.js'

/** Each head: how an honest side fills it, its encoder and its decoder. */
export interface MethodHead {
  make(dice: Dice): unknown
  encode(fields: never): Buffer
  decode(head: Buffer): unknown
}

const token = (dice: Dice) => dice.bytes(methods.TOKEN_BYTES)
const shard = (dice: Dice) => shardId(hexOf(dice.bytes(32)))
const length = (dice: Dice) => dice.pick([1, 1_024, 75_776, dice.roll(1, 1_966_080), 1_966_080])
const time = (dice: Dice) => dice.pick([0, 1_700_000_000_000, 2 ** 53 - 1])

export const methodHeads: Record<string, MethodHead> = {
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
