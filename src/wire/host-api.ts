/**
 * What hosts and the bridge tell each other over HTTP, as types (docs/protocol.md section 1): registration, reports, and
 * what the bridge thinks of a host. Same rules as api.ts.
 */
import { Count, Hex32, U32 } from './api.js'
import { closed, type Static, Type } from './schema.js'

// POST /v1/hosts. `domain` names who operates the host; hosts of one operator share no segment.
export const HostRequest = closed({
  host: Hex32,
  capacityBytes: Count,
  domain: Type.Optional(Type.String({ pattern: '^[A-Za-z0-9._:-]{1,128}$' })),
})
export type HostRequest = Static<typeof HostRequest>
export const HostReply = closed({ host: Hex32, incarnation: U32 })
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
})
export type HostReport = Static<typeof HostReport>

export const HOST_STATES = ['good', 'watch', 'suspended', 'review', 'removed'] as const
export type HostState = (typeof HOST_STATES)[number]
