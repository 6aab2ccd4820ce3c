/** Heads of every method as honest sides fill them. */
import { hexOf } from '../../src/base/hex.js'
import { pseudonymId, segmentId, shardId } from '../../src/model/ids.js'
import * as inventory from '../../src/wire/inventory-methods.js'
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

const place = (dice: Dice): inventory.InventoryPlace => ({
  shard: shard(dice),
  pseudonym: pseudonymId(hexOf(dice.bytes(16))),
  segment: segmentId(hexOf(dice.bytes(32))),
  index: dice.roll(0, 254),
})

function range(dice: Dice) {
  const fromPrefix = dice.roll(0, 0xffffff00)
  return { fromPrefix, toPrefix: dice.pick([2 ** 32, dice.roll(fromPrefix + 256, 2 ** 32)]) }
}

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
  'audit request': {
    make: (dice) => dice.bytes(dice.pick([methods.CHALLENGE_BYTES_MIN, methods.CHALLENGE_BYTES_MAX])),
    encode: methods.encodeAuditRequest,
    decode: methods.decodeAuditRequest,
  },
  'audit reply': {
    make: (dice) => dice.bytes(dice.roll(methods.ANSWER_BYTES_MIN, methods.ANSWER_BYTES_MAX)),
    encode: methods.encodeAuditReply,
    decode: methods.decodeAuditReply,
  },
  'get-witness reply': {
    make: (dice) => (dice.roll(0, 3) === 0 ? null : dice.bytes(methods.WITNESS_BYTES)),
    encode: methods.encodeGetWitnessReply,
    decode: methods.decodeGetWitnessReply,
  },
  'inventory request': {
    make: (dice) => {
      if (dice.roll(0, 1) === 0) return { kind: 'digests', ...range(dice), parts: dice.roll(1, 256) }
      const after = dice.roll(0, 1) === 0 ? null : place(dice)
      return { kind: 'list', ...range(dice), limit: dice.roll(1, 1_000), after }
    },
    encode: inventory.encodeInventoryRequest,
    decode: inventory.decodeInventoryRequest,
  },
}

const WHOLE = { fromPrefix: 0, toPrefix: 2 ** 32 }
const LIST_ASKED = { ...WHOLE, limit: inventory.INVENTORY_LIST_MAX, after: null }

/** Bodies, with the head before them where it says something: whether there is more. */
export const methodBodies: Record<string, MethodHead> = {
  'inventory digests': {
    make: (dice) => Array.from({ length: 16 }, () => ({ count: dice.roll(0, 0xffffffff), digest: dice.bytes(16) })),
    encode: inventory.encodeDigestsBody,
    decode: (body) => inventory.decodeDigestsBody(body, 16),
  },
  'inventory list': {
    make: (dice) => {
      const entries = Array.from({ length: dice.roll(1, 20) }, () => ({
        ...place(dice),
        ...{ generation: dice.roll(0, 0xffffffff), length: length(dice), storedAtMs: time(dice) },
        ...{ keepUntilMs: time(dice), state: dice.pick(['live', 'trash', 'damaged'] as const) },
      }))
      return { entries: entries.sort((a, b) => (a.shard < b.shard ? -1 : 1)), more: dice.roll(0, 1) === 1 }
    },
    encode: (list: inventory.InventoryList) =>
      Buffer.concat([inventory.encodeListHead(list), inventory.encodeListBody(list.entries)]),
    decode: (bytes) => inventory.decodeListReply(bytes.subarray(0, 1), bytes.subarray(1), LIST_ASKED),
  },
}
