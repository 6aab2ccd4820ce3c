/**
 * Heads and bodies of inventory (method 9): what lies on a host, asked by its bridge (docs/protocol.md section 5). As
 * methods.ts: decoders take hostile bytes and throw `malformed`.
 */
import { assert } from '../base/assert.js'
import { ByteReader } from '../base/byte-reader.js'
import { ByteWriter } from '../base/byte-writer.js'
import { idBytes, type Pseudonym, pseudonymId, type SegmentId, type ShardId, segmentId, shardId } from '../model/ids.js'
import { SHARD_BYTES_MAX } from '../model/segment.js'

export const INVENTORY_PARTS_MAX = 256
export const INVENTORY_LIST_MAX = 1_000

const PREFIX_END = 2 ** 32
const DIGEST_BYTES = 16
const PART_BYTES = 4 + DIGEST_BYTES
const PLACE_BYTES = 32 + 16 + 32 + 2
const ENTRY_BYTES = PLACE_BYTES + 4 + 4 + 8 + 8 + 1
const INDEX_MAX = 254
const KIND = { digests: 1, list: 2 } as const
const STATES = ['live', 'trash', 'damaged'] as const

/** Prefixes: the first four bytes of shard ids as numbers; `toPrefix` is exclusive, at most 2^32. */
interface Range {
  fromPrefix: number
  toPrefix: number
}

export interface DigestsRequest extends Range {
  kind: 'digests'
  /** 1 to 256, and no more than there are prefixes. */
  parts: number
}

/** Where an entry stands in the order of a list: by shard, pseudonym, segment, index. */
export interface InventoryPlace {
  shard: ShardId
  pseudonym: Pseudonym
  segment: SegmentId
  index: number
}

export interface ListRequest extends Range {
  kind: 'list'
  /** 1 to 1,000. */
  limit: number
  /** Entries behind this one; null: from the beginning of the range. */
  after: InventoryPlace | null
}

/** live: served. trash: deleted, and can be restored for some days. damaged: found wrong, not served. */
export type InventoryState = (typeof STATES)[number]

export interface InventoryEntry extends InventoryPlace {
  generation: number
  length: number
  storedAtMs: number
  keepUntilMs: number
  state: InventoryState
}

/** What is live in one part. */
export interface InventoryDigest {
  count: number
  digest: Buffer
}

export interface InventoryList {
  entries: InventoryEntry[]
  /** There are more behind the last one. */
  more: boolean
}

export function encodeInventoryRequest(request: DigestsRequest | ListRequest): Buffer {
  const writer = new ByteWriter(15 + PLACE_BYTES).u8(KIND[request.kind]).u32(request.fromPrefix).u64(request.toPrefix)
  if (request.kind === 'digests') return writer.u16(request.parts).bytes()
  writer.u16(request.limit)
  if (request.after !== null) writePlace(writer, request.after)
  return writer.bytes()
}

export function decodeInventoryRequest(head: Uint8Array): DigestsRequest | ListRequest {
  const reader = new ByteReader(head, 'inventory request')
  const kind = reader.u8()
  const fromPrefix = reader.u32()
  const toPrefix = reader.u64()
  const count = reader.u16()
  if (toPrefix > PREFIX_END || toPrefix <= fromPrefix) throw reader.malformed(`prefixes ${fromPrefix} to ${toPrefix}`)
  const range = { fromPrefix, toPrefix }
  if (kind === KIND.digests) {
    reader.end()
    if (count < 1 || count > INVENTORY_PARTS_MAX || count > toPrefix - fromPrefix) throw reader.malformed('parts')
    return { kind: 'digests', ...range, parts: count }
  }
  if (kind !== KIND.list) throw reader.malformed(`kind ${kind}`)
  const after = reader.remaining === 0 ? null : readPlace(reader)
  reader.end()
  if (count < 1 || count > INVENTORY_LIST_MAX) throw reader.malformed(`a list of ${count}`)
  return { kind: 'list', ...range, limit: count, after }
}

export function digestsReplyBytesMax(parts: number): number {
  return parts * PART_BYTES
}

export function encodeDigestsBody(digests: readonly InventoryDigest[]): Buffer {
  const writer = new ByteWriter(digests.length * PART_BYTES)
  for (const { count, digest } of digests) writer.u32(count).fixed(digest, DIGEST_BYTES)
  return writer.bytes()
}

export function decodeDigestsBody(body: Uint8Array, parts: number): InventoryDigest[] {
  const reader = new ByteReader(body, 'inventory digests')
  const digests = Array.from({ length: parts }, () => ({ count: reader.u32(), digest: reader.fixed(DIGEST_BYTES) }))
  reader.end()
  return digests
}

export function listReplyBytesMax(limit: number): number {
  return limit * ENTRY_BYTES
}

/** Of a list: whether there is more. Of digests: empty. */
export function encodeListHead(list: Pick<InventoryList, 'more'>): Buffer {
  return new ByteWriter(1).u8(list.more ? 1 : 0).bytes()
}

export function encodeListBody(entries: readonly InventoryEntry[]): Buffer {
  assert(entries.length <= INVENTORY_LIST_MAX, 'entries of an inventory list')
  const writer = new ByteWriter(entries.length * ENTRY_BYTES)
  for (const entry of entries) {
    writePlace(writer, entry).u32(entry.generation).u32(entry.length)
    writer.u64(entry.storedAtMs).u64(entry.keepUntilMs).u8(STATES.indexOf(entry.state))
  }
  return writer.bytes()
}

/** What a host answered to this request: within its range and limit, each place once and in order. */
export function decodeListReply(head: Uint8Array, body: Uint8Array, asked: Omit<ListRequest, 'kind'>): InventoryList {
  const headReader = new ByteReader(head, 'inventory list')
  const more = headReader.u8()
  headReader.end()
  if (more > 1) throw headReader.malformed('more')
  const reader = new ByteReader(body, 'inventory list')
  const entries: InventoryEntry[] = []
  let last = asked.after === null ? '' : orderOf(asked.after)
  while (reader.remaining > 0) {
    if (entries.length === asked.limit) throw reader.malformed('more entries than were asked for')
    const entry = readEntry(reader)
    const order = orderOf(entry)
    const prefix = Number.parseInt(entry.shard.slice(0, 8), 16)
    if (order <= last) throw reader.malformed('entries out of order')
    if (prefix < asked.fromPrefix || prefix >= asked.toPrefix) throw reader.malformed('an entry out of the range')
    last = order
    entries.push(entry)
  }
  // Else a host could keep its bridge asking for ever.
  if (more === 1 && entries.length === 0) throw reader.malformed('more of nothing')
  return { entries, more: more === 1 }
}

function readEntry(reader: ByteReader): InventoryEntry {
  const place = readPlace(reader)
  const generation = reader.u32()
  const length = reader.u32()
  const times = { storedAtMs: reader.u64(), keepUntilMs: reader.u64() }
  const state = STATES[reader.u8()]
  if (state === undefined) throw reader.malformed('state')
  if (length < 1 || length > SHARD_BYTES_MAX) throw reader.malformed(`shard of ${length} bytes`)
  return { ...place, generation, length, ...times, state }
}

function orderOf(place: InventoryPlace): string {
  return `${place.shard}${place.pseudonym}${place.segment}${place.index.toString(16).padStart(4, '0')}`
}

function writePlace(writer: ByteWriter, place: InventoryPlace): ByteWriter {
  writer.fixed(idBytes(place.shard), 32).fixed(idBytes(place.pseudonym), 16).fixed(idBytes(place.segment), 32)
  return writer.u16(place.index)
}

function readPlace(reader: ByteReader): InventoryPlace {
  const shard = shardId(reader.fixed(32))
  const pseudonym = pseudonymId(reader.fixed(16))
  const segment = segmentId(reader.fixed(32))
  const index = reader.u16()
  if (index > INDEX_MAX) throw reader.malformed(`shard index ${index}`)
  return { shard, pseudonym, segment, index }
}
