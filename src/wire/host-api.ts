/**
 * What hosts and the bridge tell each other over HTTP, as types (docs/protocol.md section 1): registration, reports, and
 * what the bridge thinks of a host. Same rules as api.ts.
 */
import { Count, Hex16, Hex32, nullable, ShardIndex, U32 } from './api.js'
import { closed, type Static, Type } from './schema.js'

/** A bridge's signed word how far its books had come: kept by hosts, shown to it again. */
const MarkHex = Type.String({ pattern: '^[0-9a-f]{196}$' })

// POST /v1/hosts. `domain` names who operates the host; hosts of one operator share no segment.
export const HostRequest = closed({
  host: Hex32,
  capacityBytes: Count,
  domain: Type.Optional(Type.String({ pattern: '^[A-Za-z0-9._:-]{1,128}$' })),
})
export type HostRequest = Static<typeof HostRequest>
export const HostReply = closed({ host: Hex32, incarnation: U32, mark: Type.Optional(MarkHex) })
export type HostReply = Static<typeof HostReply>

/** Minutes of a UTC day from which and until which a host serves; `to` before `from` goes over midnight. */
const ServingHours = closed({
  fromMinute: Type.Integer({ minimum: 0, maximum: 1_439 }),
  toMinute: Type.Integer({ minimum: 0, maximum: 1_439 }),
})
export type ServingHours = Static<typeof ServingHours>

// POST /v1/hosts/:host/report. What is absent is not limited, or not known.
export const HostReport = closed({
  usedBytes: Count,
  freeBytes: Count,
  capacityBytes: Count,
  /** Of usedBytes: thrown away, not gone yet. */
  trashBytes: Type.Optional(Count),
  /** Exact: bytes of records that are served. */
  liveBytes: Type.Optional(Count),
  hours: Type.Optional(ServingHours),
  upBytesPerSecondMax: Type.Optional(Count),
  downBytesPerSecondMax: Type.Optional(Count),
  /** Of this month's traffic cap, both ways. */
  monthBytesLeft: Type.Optional(Count),
  /** Why it takes no new shards now: a code of docs/errors.md. */
  refuses: Type.Optional(Type.String({ pattern: '^[a-z][a-z0-9-]{0,63}$' })),
  /** The newest mark that it was told. */
  mark: Type.Optional(MarkHex),
})
export type HostReport = Static<typeof HostReport>
export const ReportReply = closed({ mark: Type.Optional(MarkHex) })
export type ReportReply = Static<typeof ReportReply>

export const HOST_STATES = ['good', 'watch', 'suspended', 'review', 'removed'] as const
export type HostState = (typeof HOST_STATES)[number]

const HostStateName = Type.Union([
  Type.Literal('good'),
  Type.Literal('watch'),
  Type.Literal('suspended'),
  Type.Literal('review'),
  Type.Literal('removed'),
])
const VerdictCounts = closed({ success: Count, fail: Count, offline: Count, timeout: Count, unknown: Count })

// GET /v1/hosts/:host/standing, POST /v1/hosts/:host/exit: what the bridge thinks of a host, to itself.
export const HostStanding = closed({
  state: HostStateName,
  /** Unix ms; null: new, it gets a small share and earns nothing yet. */
  vettedAt: nullable(Count),
  /** 0 to 1: how often its audits succeeded, the latest counting most. */
  score: Type.Number({ minimum: 0, maximum: 1 }),
  /** 0 to 1: of the last 30 days, within its own hours. */
  onlineShare: Type.Number({ minimum: 0, maximum: 1 }),
  verdicts: VerdictCounts,
  shards: Count,
  /** Of their payloads. */
  bytes: Count,
  /** The newest last: what changed, when, and why, for a person. */
  notices: Type.Array(
    closed({ at: Count, state: HostStateName, why: Type.String({ maxLength: 512 }), transcript: nullable(Count) }),
    { maxItems: 100 },
  ),
  exit: closed({
    phase: Type.Union([Type.Literal('none'), Type.Literal('leaving'), Type.Literal('left')]),
    shardsLeft: Count,
  }),
})
export type HostStanding = Static<typeof HostStanding>

// POST /v1/hosts/:host/exit. `cancel`: it stays after all.
export const ExitRequest = closed({ cancel: Type.Optional(Type.Boolean()) })
export type ExitRequest = Static<typeof ExitRequest>

// POST /v1/hosts/:host/losses: shards that the host itself found damaged or gone, in its own name.
export const LossesRequest = closed({
  losses: Type.Array(closed({ pseudonym: Hex16, segment: Hex32, index: ShardIndex, shard: Hex32, generation: U32 }), {
    minItems: 1,
    maxItems: 1_000,
  }),
})
export type LossesRequest = Static<typeof LossesRequest>

// POST /v1/hosts/:host/knock. `port`: of the host, as the outside sees it. `address`: where the request came from.
export const KnockRequest = closed({ port: Type.Integer({ minimum: 1, maximum: 65_535 }), nonce: Hex16 })
export type KnockRequest = Static<typeof KnockRequest>
export const KnockReply = closed({ address: Type.String({ maxLength: 64 }), sent: Type.Boolean() })
export type KnockReply = Static<typeof KnockReply>

// POST /v1/hosts/:host/dial. `kind`: how the bridge's packets reach the host. `outside`: where a STUN server sees the host.
export const DialRequest = closed({})
export type DialRequest = Static<typeof DialRequest>
export const DialReply = closed({
  reached: Type.Boolean(),
  code: Type.Optional(Type.String({ pattern: '^[a-z][a-z0-9-]{0,63}$' })),
  tookMs: Count,
  kind: nullable(Type.Union([Type.Literal('direct'), Type.Literal('relayed')])),
  outside: nullable(
    closed({ address: Type.String({ maxLength: 64 }), port: Type.Integer({ minimum: 1, maximum: 65_535 }) }),
  ),
})
export type DialReply = Static<typeof DialReply>
