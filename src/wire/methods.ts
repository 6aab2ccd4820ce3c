/**
 * Heads of the methods that hosts serve (docs/protocol.md section 5). Tokens, receipts and witnesses pass as whole
 * buffers of fixed size: permits reads them. Decoders take hostile bytes and throw `malformed`; nothing may be left over.
 */
import { assert } from '../base/assert.js'
import { ByteReader } from '../base/byte-reader.js'
import { ByteWriter } from '../base/byte-writer.js'
import { idBytes, type ShardId, shardId } from '../model/ids.js'
import { LEAF_BYTES, SHARD_BYTES_MAX } from '../model/segment.js'

export const METHOD = {
  ping: 1,
  put: 2,
  get: 3,
  head: 4,
  delete: 5,
  putWitness: 6,
  getWitness: 7,
  audit: 8,
  inventory: 9,
  restore: 10,
} as const

export const TOKEN_BYTES = 297
export const RECEIPT_BYTES = 258
export const WITNESS_BYTES = 166

/** Leaves of one challenge: one deadline for all, so that fetching them from others means sixteen connections at once. */
export const AUDIT_ITEMS_MAX = 16
export const CHALLENGE_BYTES_MIN = 166 + 52
export const CHALLENGE_BYTES_MAX = 166 + AUDIT_ITEMS_MAX * 52
export const ANSWER_BYTES_MIN = 190 + 1
export const ANSWER_BYTES_MAX = 190 + AUDIT_ITEMS_MAX
/** Of each leaf: length of the shard, the leaf, at most 11 hashes above it. */
export const AUDIT_BODY_BYTES_MAX = AUDIT_ITEMS_MAX * (4 + LEAF_BYTES + 11 * 32)

/** Leaves of the largest shard. */
export const LEAVES_MAX = SHARD_BYTES_MAX / LEAF_BYTES
/** A range proof has at most two hashes a level, 22 for the largest shard; twice that leaves room and fits the head. */
export const PROOF_HASHES_MAX = 44
const HASH_BYTES = 32

/** Largest reply body of a method; what a requester does not narrow is set aside for it. */
export function replyBytesMaxOf(method: number): number {
  if (method === METHOD.audit) return AUDIT_BODY_BYTES_MAX
  return method === METHOD.get ? SHARD_BYTES_MAX : 0
}

/** Above it a request or reply is bulk, whatever its method. */
const PROMPT_BYTES_MAX = 65_536

/** Shards on their way wait for a rate limit; everything else is prompt: pings, audits, deletes. `bytes`: of its bodies. */
export function isBulk(method: number, bytes: number): boolean {
  return method === METHOD.put || method === METHOD.get || bytes > PROMPT_BYTES_MAX
}

const EMPTY = Buffer.alloc(0)

/** Heads without fields: ping, delete's reply, put-witness's reply. */
export function encodeEmpty(): Buffer {
  return EMPTY
}

export function decodeEmpty(head: Uint8Array): void {
  new ByteReader(head, 'empty head').end()
}

export interface PingReply {
  /** Unix time of the host, milliseconds. */
  timeMs: number
  freeBytes: number
}

export function encodePingReply(reply: PingReply): Buffer {
  return new ByteWriter(16).u64(reply.timeMs).u64(reply.freeBytes).bytes()
}

export function decodePingReply(head: Uint8Array): PingReply {
  const reader = new ByteReader(head, 'ping reply')
  const reply = { timeMs: reader.u64(), freeBytes: reader.u64() }
  reader.end()
  return reply
}

/** Requests of put, delete, get-witness and restore: the token alone. */
export function encodeTokenHead(token: Uint8Array): Buffer {
  return new ByteWriter(TOKEN_BYTES).fixed(token, TOKEN_BYTES).bytes()
}

export function decodeTokenHead(head: Uint8Array): Buffer {
  const reader = new ByteReader(head, 'token head')
  const token = reader.fixed(TOKEN_BYTES)
  reader.end()
  return token
}

export function encodePutReply(receipt: Uint8Array): Buffer {
  return new ByteWriter(RECEIPT_BYTES).fixed(receipt, RECEIPT_BYTES).bytes()
}

/** The receipt. */
export function decodePutReply(head: Uint8Array): Buffer {
  const reader = new ByteReader(head, 'put reply')
  const receipt = reader.fixed(RECEIPT_BYTES)
  reader.end()
  return receipt
}

export interface GetRequest {
  token: Buffer
  shard: ShardId
  /** Leaves of 1 KiB; the last leaf of a shard may be short. */
  firstLeaf: number
  leafCount: number
}

export function encodeGetRequest(request: GetRequest): Buffer {
  assert(leavesFit(request.firstLeaf, request.leafCount), 'leaf range of a get')
  const writer = new ByteWriter(TOKEN_BYTES + 40).fixed(request.token, TOKEN_BYTES)
  return writer.fixed(idBytes(request.shard), 32).u32(request.firstLeaf).u32(request.leafCount).bytes()
}

export function decodeGetRequest(head: Uint8Array): GetRequest {
  const reader = new ByteReader(head, 'get request')
  const token = reader.fixed(TOKEN_BYTES)
  const shard = shardId(reader.fixed(32))
  const firstLeaf = reader.u32()
  const leafCount = reader.u32()
  reader.end()
  if (!leavesFit(firstLeaf, leafCount)) throw reader.malformed(`leaves ${firstLeaf} + ${leafCount}`)
  return { token, shard, firstLeaf, leafCount }
}

function leavesFit(first: number, count: number): boolean {
  return count >= 1 && count <= LEAVES_MAX && first >= 0 && first + count <= LEAVES_MAX
}

/** Body of the reply to a get of so many leaves, at most. */
export function getReplyBytesMax(leafCount: number): number {
  return leafCount * LEAF_BYTES
}

export interface GetReply {
  shardLength: number
  /** Hashes in the order of crypto/merkle.ts. */
  proof: Buffer[]
}

export function encodeGetReply(reply: GetReply): Buffer {
  assert(reply.proof.length <= PROOF_HASHES_MAX, 'hashes of a range proof')
  const writer = new ByteWriter(6 + reply.proof.length * HASH_BYTES).u32(reply.shardLength).u16(reply.proof.length)
  for (const hash of reply.proof) writer.fixed(hash, HASH_BYTES)
  return writer.bytes()
}

export function decodeGetReply(head: Uint8Array): GetReply {
  const reader = new ByteReader(head, 'get reply')
  const shardLength = decodeShardLength(reader)
  const count = reader.u16()
  if (count > PROOF_HASHES_MAX) throw reader.malformed(`${count} hashes in a proof`)
  const proof: Buffer[] = []
  for (let i = 0; i < count; i++) proof.push(reader.fixed(HASH_BYTES))
  reader.end()
  return { shardLength, proof }
}

export interface HeadRequest {
  token: Buffer
  shard: ShardId
}

export function encodeHeadRequest(request: HeadRequest): Buffer {
  const writer = new ByteWriter(TOKEN_BYTES + 32).fixed(request.token, TOKEN_BYTES)
  return writer.fixed(idBytes(request.shard), 32).bytes()
}

export function decodeHeadRequest(head: Uint8Array): HeadRequest {
  const reader = new ByteReader(head, 'head request')
  const request = { token: reader.fixed(TOKEN_BYTES), shard: shardId(reader.fixed(32)) }
  reader.end()
  return request
}

export interface HeadReply {
  shardLength: number
  generation: number
  /** Unix time, milliseconds. */
  storedAtMs: number
}

export function encodeHeadReply(reply: HeadReply): Buffer {
  return new ByteWriter(16).u32(reply.shardLength).u32(reply.generation).u64(reply.storedAtMs).bytes()
}

export function decodeHeadReply(head: Uint8Array): HeadReply {
  const reader = new ByteReader(head, 'head reply')
  const reply = { shardLength: decodeShardLength(reader), generation: reader.u32(), storedAtMs: reader.u64() }
  reader.end()
  return reply
}

export interface PutWitnessRequest {
  token: Buffer
  witness: Buffer
}

export function encodePutWitnessRequest(request: PutWitnessRequest): Buffer {
  const writer = new ByteWriter(TOKEN_BYTES + WITNESS_BYTES).fixed(request.token, TOKEN_BYTES)
  return writer.fixed(request.witness, WITNESS_BYTES).bytes()
}

export function decodePutWitnessRequest(head: Uint8Array): PutWitnessRequest {
  const reader = new ByteReader(head, 'put-witness request')
  const request = { token: reader.fixed(TOKEN_BYTES), witness: reader.fixed(WITNESS_BYTES) }
  reader.end()
  return request
}

/** null: the host holds none for this pseudonym. */
export function encodeGetWitnessReply(witness: Uint8Array | null): Buffer {
  return witness === null ? EMPTY : new ByteWriter(WITNESS_BYTES).fixed(witness, WITNESS_BYTES).bytes()
}

export function decodeGetWitnessReply(head: Uint8Array): Buffer | null {
  if (head.length === 0) return null
  const reader = new ByteReader(head, 'get-witness reply')
  const witness = reader.fixed(WITNESS_BYTES)
  reader.end()
  return witness
}

/** Requests of audit: the challenge alone. */
export function encodeAuditRequest(challenge: Uint8Array): Buffer {
  return bounded(challenge, CHALLENGE_BYTES_MIN, CHALLENGE_BYTES_MAX, 'challenge')
}

export function decodeAuditRequest(head: Uint8Array): Buffer {
  return bounded(head, CHALLENGE_BYTES_MIN, CHALLENGE_BYTES_MAX, 'challenge')
}

/** The answer; its proofs are the body. */
export function encodeAuditReply(answer: Uint8Array): Buffer {
  return bounded(answer, ANSWER_BYTES_MIN, ANSWER_BYTES_MAX, 'answer')
}

export function decodeAuditReply(head: Uint8Array): Buffer {
  return bounded(head, ANSWER_BYTES_MIN, ANSWER_BYTES_MAX, 'answer')
}

function bounded(head: Uint8Array, bytesMin: number, bytesMax: number, what: string): Buffer {
  const reader = new ByteReader(head, what)
  if (head.length < bytesMin || head.length > bytesMax) throw reader.malformed(`${head.length} bytes`)
  return reader.fixed(head.length)
}

function decodeShardLength(reader: ByteReader): number {
  const length = reader.u32()
  if (length < 1 || length > SHARD_BYTES_MAX) throw reader.malformed(`shard of ${length} bytes`)
  return length
}
