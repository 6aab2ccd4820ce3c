/**
 * The HTTP API of the bridge as types: one schema for each body, the TypeScript type beside it (docs/protocol.md
 * section 1). Both ends check what they receive with these schemas (check.ts): unknown fields are refused, ids are
 * lower-case hex of exact length, integers are safe and unsigned. Tokens, receipts and records travel as in
 * docs/format.md: hex inside JSON, raw as `application/octet-stream`.
 */
import { closed, type Static, type TSchema, Type } from './schema.js'

/** Limits of one message; the bridge refuses more, and the client splits. */
export const API_LIMITS = {
  jsonBytesMax: 1_048_576,
  /** A reply may be larger than a request: 64 segments with their tokens, 256 segments with their shards. */
  jsonReplyBytesMax: 8_388_608,
  bytesMax: 9_437_184,
  chainPageBytesMax: 8_388_608,
  placeSegmentsMax: 64,
  placeShardsMax: 2_048,
  locateSegmentsMax: 256,
  locateShardsMax: 16_384,
  tokenHostsMax: 256,
  receiptsMax: 255,
  /** Of one segment. */
  shardsMax: 255,
  healthShortMax: 1_000,
  labelBytesMax: 1_024,
  clockSkewMs: 300_000,
} as const

const hex = (bytes: number) => Type.String({ pattern: `^[0-9a-f]{${bytes * 2}}$` })
export const Hex16 = hex(16)
export const Hex32 = hex(32)
export const TokenHex = hex(297)
export const ReceiptHex = hex(258)
/** Safe unsigned integer. */
export const Count = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })
export const U32 = Type.Integer({ minimum: 0, maximum: 0xffffffff })
const ShardCount = Type.Integer({ minimum: 1, maximum: API_LIMITS.shardsMax })
export const ShardIndex = Type.Integer({ minimum: 0, maximum: API_LIMITS.shardsMax - 1 })
export const nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()])

export const HEADER = {
  key: 'shardrive-key',
  time: 'shardrive-time',
  nonce: 'shardrive-nonce',
  signature: 'shardrive-signature',
  label: 'shardrive-label',
  reply: 'shardrive-reply',
  bridgeTime: 'shardrive-bridge-time',
} as const

export const BYTES_TYPE = 'application/octet-stream'
export const JSON_TYPE = 'application/json'

export const Policy = Type.Union([Type.Literal('single-machine'), Type.Literal('standard')])
export type Policy = Static<typeof Policy>

export const ErrorReply = closed({
  error: closed({
    code: Type.String({ pattern: '^[a-z][a-z0-9-]{0,63}$' }),
    message: Type.String({ maxLength: 2_048 }),
    retry: Type.Union([Type.Literal('never'), Type.Literal('later'), Type.Literal('elsewhere')]),
    hint: Type.Optional(Type.String({ maxLength: 2_048 })),
    /** `head-moved`: sequence and hash of the head. `clock-skew`: offsetMs, bridge time minus the signer's. */
    details: Type.Optional(
      Type.Record(
        Type.String({ pattern: '^[A-Za-z0-9]{1,64}$' }),
        Type.Union([Type.String({ maxLength: 2_048 }), Type.Number(), Type.Boolean()]),
        { additionalProperties: false, maxProperties: 16 },
      ),
    ),
  }),
})
export type ErrorReply = Static<typeof ErrorReply>

/** Nothing to say but that it is done. */
export const Done = closed({})
export type Done = Static<typeof Done>

// GET /v1/bridge
export const BridgeInfo = closed({
  bridge: Hex32,
  incarnation: U32,
  time: Count,
  policy: Policy,
  version: Type.String({ maxLength: 64 }),
  /** STUN and TURN servers as libdatachannel takes them: `stun:host:port`, `turn:user:password@host:port`. */
  ice: Type.Array(Type.String({ maxLength: 512 }), { maxItems: 16 }),
  /** The scheme to seal new segments with. */
  scheme: closed({ k: ShardCount, n: ShardCount }),
  /** Since when the bridge gathers what it may have lost, Unix ms: until then nothing is forgotten. */
  frozenSince: Type.Optional(Count),
})
export type BridgeInfo = Static<typeof BridgeInfo>

// POST /v1/accounts
export const AccountRequest = closed({ account: Hex32, recoveryKey: Hex32 })
export type AccountRequest = Static<typeof AccountRequest>
export const AccountReply = closed({ account: Hex32 })
export type AccountReply = Static<typeof AccountReply>

export const HeadReply = closed({ sequence: Count, hash: Hex32 })
export type HeadReply = Static<typeof HeadReply>

// POST /v1/drives, POST /v1/drives/:drive/chain
export const DriveReply = closed({ drive: Hex16, head: HeadReply })
export type DriveReply = Static<typeof DriveReply>

// GET /v1/drives
export const DriveList = closed({
  drives: Type.Array(
    closed({ drive: Hex16, label: Type.String({ pattern: '^([0-9a-f]{2}){0,1024}$' }), head: HeadReply, bytes: Count }),
  ),
})
export type DriveList = Static<typeof DriveList>

// GET /v1/drives/:drive/devices
export const DeviceList = closed({
  devices: Type.Array(closed({ device: Hex32, addedAt: Count, revoked: Type.Boolean(), lastSeenAt: nullable(Count) })),
})
export type DeviceList = Static<typeof DeviceList>

// GET /v1/drives/:drive/head. The writer is the device of the last heartbeat; null when it released or never came.
export const WriterHead = closed({
  sequence: Count,
  hash: Hex32,
  writer: nullable(closed({ device: Hex32, term: Count, heartbeatAt: Count })),
})
export type WriterHead = Static<typeof WriterHead>

// POST /v1/drives/:drive/heartbeat
export const HeartbeatRequest = closed({ term: Count, released: Type.Optional(Type.Boolean()) })
export type HeartbeatRequest = Static<typeof HeartbeatRequest>

/** What the bridge knows of a segment: never its plain length. `root` is opaque to it. */
const segmentFields = {
  segment: Hex32,
  root: Hex32,
  k: ShardCount,
  n: ShardCount,
  paddedLength: U32,
  shardLength: U32,
}

// POST /v1/drives/:drive/place
export const PlaceRequest = closed({
  segments: Type.Array(closed({ ...segmentFields, shards: Type.Array(Hex32, { minItems: 1, maxItems: 255 }) }), {
    minItems: 1,
    maxItems: API_LIMITS.placeSegmentsMax,
  }),
})
export type PlaceRequest = Static<typeof PlaceRequest>
export const PlaceReply = closed({
  segments: Type.Array(
    closed({
      segment: Hex32,
      generation: U32,
      commit: ShardCount,
      hosts: Type.Array(closed({ index: ShardIndex, host: Hex32, token: nullable(TokenHex) })),
    }),
  ),
})
export type PlaceReply = Static<typeof PlaceReply>

// POST /v1/drives/:drive/commit
export const CommitRequest = closed({
  segment: Hex32,
  receipts: Type.Array(ReceiptHex, { minItems: 1, maxItems: API_LIMITS.receiptsMax }),
})
export type CommitRequest = Static<typeof CommitRequest>
export const CommitReply = closed({
  segment: Hex32,
  stored: Type.Integer({ minimum: 0, maximum: 255 }),
  committed: Type.Boolean(),
})
export type CommitReply = Static<typeof CommitReply>

// POST /v1/drives/:drive/locate. Segments that the bridge does not know are absent from the reply.
export const LocateRequest = closed({
  segments: Type.Array(Hex32, { minItems: 1, maxItems: API_LIMITS.locateSegmentsMax }),
})
export type LocateRequest = Static<typeof LocateRequest>
export const LocateReply = closed({
  segments: Type.Array(
    closed({
      ...segmentFields,
      generation: U32,
      shards: Type.Array(closed({ index: ShardIndex, shard: Hex32, host: nullable(Hex32), stored: Type.Boolean() }), {
        maxItems: 255,
      }),
    }),
  ),
})
export type LocateReply = Static<typeof LocateReply>

// POST /v1/drives/:drive/tokens. Hosts that the bridge does not know are absent from the reply.
export const TokensRequest = closed({
  hosts: Type.Array(Hex32, { minItems: 1, maxItems: API_LIMITS.tokenHostsMax }),
})
export type TokensRequest = Static<typeof TokensRequest>
export const TokensReply = closed({ tokens: Type.Array(closed({ host: Hex32, token: TokenHex })) })
export type TokensReply = Static<typeof TokensReply>

// GET /v1/drives/:drive/health. Counts are of confirmed segments but for `unconfirmed`; bytes is what lies on hosts.
export const HealthReply = closed({
  segments: Count,
  full: Count,
  short: Type.Array(closed({ segment: Hex32, stored: Type.Integer({ minimum: 0, maximum: 255 }), n: ShardCount })),
  unconfirmed: Count,
  bytes: Count,
  policy: Policy,
  /** False for placements that survive no loss of a machine. */
  durable: Type.Boolean(),
})
export type HealthReply = Static<typeof HealthReply>

// POST /v1/drives/:drive/evidence
export const EvidenceRequest = closed({
  host: Hex32,
  segment: Hex32,
  index: ShardIndex,
  kind: Type.Union([
    Type.Literal('wrong-bytes'),
    Type.Literal('truncated'),
    Type.Literal('silent'),
    Type.Literal('refused'),
  ]),
  detail: Type.String({ maxLength: 512 }),
})
export type EvidenceRequest = Static<typeof EvidenceRequest>

// GET /v1/space. Bytes are plain bytes: host bytes x k / n.
export const SpaceReply = closed({ totalBytes: Count, freeBytes: Count, hostsOnline: Count, hostsTotal: Count })
export type SpaceReply = Static<typeof SpaceReply>

// POST /v1/drives/:drive/restate: what a device knows of its segments, for a bridge that lost its books. `shards`: as far as
// the device knows them. `end`: this was all; `unfound`: of how many segments the bridge found nothing.
export const RestateRequest = closed({
  incarnation: U32,
  segments: Type.Array(
    closed({
      ...segmentFields,
      generation: U32,
      shards: Type.Array(closed({ index: ShardIndex, shard: Hex32, host: nullable(Hex32) }), { maxItems: 255 }),
    }),
    { maxItems: API_LIMITS.placeSegmentsMax },
  ),
  end: Type.Optional(closed({ head: HeadReply, unfound: Count })),
})
export type RestateRequest = Static<typeof RestateRequest>
export const RestateReply = closed({
  added: Count,
  unfound: Count,
  /** The bridge counts the drive as told. */
  told: Type.Boolean(),
})
export type RestateReply = Static<typeof RestateReply>

// POST /v1/bridge/reconcile, signed with the bridge's own key: by its operator. `begin`: its books were put back.
export const ReconcileRequest = closed({ begin: Type.Optional(Type.Boolean()), force: Type.Optional(Type.Boolean()) })
export type ReconcileRequest = Static<typeof ReconcileRequest>
export const ReconcileReply = closed({
  incarnation: U32,
  frozenSince: nullable(Count),
  hosts: closed({ known: Count, listed: Count }),
  drives: closed({ known: Count, told: Count }),
  /** Lies on hosts, of drives that nobody has brought back. */
  unclaimed: closed({ shards: Count, bytes: Count }),
  /** Of the last comparison: what the books took over from hosts, and what hosts do not have. */
  adopted: Count,
  lost: Count,
})
export type ReconcileReply = Static<typeof ReconcileReply>
