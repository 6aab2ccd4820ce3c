/**
 * What repair workers and the operator ask of a bridge, as types (docs/protocol.md section 1). Same rules as api.ts.
 */
import { API_LIMITS, Count, Hex32, nullable, ReceiptHex, ShardIndex, TokenHex, U32 } from './api.js'
import { HOST_STATES } from './host-api.js'
import { closed, type Static, Type } from './schema.js'

const ShardCount = Type.Integer({ minimum: 1, maximum: API_LIMITS.shardsMax })
const From = closed({ host: Hex32, token: TokenHex })

// POST /v1/repairs/lease. One segment to work on until `until` (Unix ms, bridge time), or null: nothing to do now.
// `first`: the worker has just started: what it leased before is free again, and nothing is leased yet.
export const LeaseRequest = closed({ first: Type.Optional(Type.Boolean()) })
export type LeaseRequest = Static<typeof LeaseRequest>
export const LeasedJob = closed({
  lease: U32,
  until: Count,
  segment: Hex32,
  k: ShardCount,
  n: ShardCount,
  shardLength: Type.Integer({ minimum: 1, maximum: 1_966_080 }),
  /** Ids of all n shards. */
  shards: Type.Array(Hex32, { minItems: 1, maxItems: API_LIMITS.shardsMax }),
  /** In the order in which they are to be asked, each with a get token. */
  sources: Type.Array(closed({ index: ShardIndex, host: Hex32, token: TokenHex }), { maxItems: API_LIMITS.shardsMax }),
  /** Each with a put token, and where its shard can be copied instead of rebuilt. */
  targets: Type.Array(closed({ index: ShardIndex, host: Hex32, token: TokenHex, copyFrom: nullable(From) }), {
    minItems: 1,
    maxItems: API_LIMITS.shardsMax,
  }),
})
export type LeasedJob = Static<typeof LeasedJob>
export const LeaseReply = closed({ job: nullable(LeasedJob) })
export type LeaseReply = Static<typeof LeaseReply>

const Code = Type.String({ pattern: '^[a-z][a-z0-9-]{0,63}$' })

// POST /v1/repairs/done. What came of a lease; told again it counts for nothing. `code`: why not all of it was done.
export const DoneRequest = closed({
  lease: U32,
  receipts: Type.Array(ReceiptHex, { maxItems: API_LIMITS.receiptsMax }),
  faults: Type.Array(
    closed({
      index: ShardIndex,
      host: Hex32,
      way: Type.Union([Type.Literal('fetch'), Type.Literal('push')]),
      code: Code,
    }),
    { maxItems: 2 * API_LIMITS.shardsMax },
  ),
  code: nullable(Code),
})
export type DoneRequest = Static<typeof DoneRequest>
/** Shards that lie where they should now. */
export const DoneReply = closed({ stored: Count })
export type DoneReply = Static<typeof DoneReply>

const states = Object.fromEntries(HOST_STATES.map((state) => [state, Count])) as Record<
  (typeof HOST_STATES)[number],
  typeof Count
>

// GET /v1/status, by the bridge's own key: its operator, on its machine.
export const BridgeStatus = closed({
  time: Count,
  scheme: closed({ k: ShardCount, n: ShardCount }),
  frozen: Type.Boolean(),
  hosts: closed({ online: Count, total: Count, away: Count, leaving: Count, states: closed(states) }),
  repairs: closed({
    /** Segments that wait for their repair. */
    queued: Count,
    /** Of these: at most two losses from their end. */
    endangered: Count,
    /** Segments that cannot be read now, and the drives that have the most of them. */
    waiting: Count,
    waitingDrives: Type.Array(closed({ drive: Type.String({ pattern: '^[0-9a-f]{32}$' }), segments: Count }), {
      maxItems: 20,
    }),
    /** Segments that their uploaders made unrepairable. */
    dead: Count,
    leased: Count,
    /** Nothing but the most endangered is repaired until then (Unix ms): too many hosts vanished at once. */
    heldUntil: nullable(Count),
    /** Losses of hosts per host and day, as the queue is ordered by. */
    lossesPerHostDay: Type.Number({ minimum: 0 }),
  }),
  /** Orders to hosts that were not answered yet. */
  deletions: Count,
})
export type BridgeStatus = Static<typeof BridgeStatus>
