/**
 * host.json: which bridge, what is lent and on what terms, as the owner said it. Everything but the first four is optional, so that
 * files of older versions open; what is absent is not limited.
 */
import { AppError } from '../base/errors.js'
import { Hex32 } from '../wire/api.js'
import { decodeJson } from '../wire/check.js'
import { type Static, Type } from '../wire/schema.js'
import type { TermsSettings } from './terms/terms.js'
import { isZone, systemZone } from './terms/zoned-time.js'

const Time = Type.String({ pattern: '^([01][0-9]|2[0-3]):[0-5][0-9]$' })
/** At less a shard comes too late for every put (rtc/limits.ts). */
export const RATE_MIN = 100_000
/** Below it a host would be full of reserve and empty of use. */
export const MONTH_BYTES_MIN = 1_000_000_000
const Rate = Type.Integer({ minimum: RATE_MIN, maximum: Number.MAX_SAFE_INTEGER })

export const HostConfig = Type.Object(
  {
    version: Type.Literal(1),
    bridgeUrl: Type.String({ minLength: 1, maxLength: 2_048 }),
    /** The bridge's key, pinned. */
    bridge: Hex32,
    capacityBytes: Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER }),
    /** Who operates it: hosts of one operator share no segment. */
    domain: Type.Optional(Type.String({ pattern: '^[A-Za-z0-9._:-]{1,128}$' })),
    /** Fixed UDP port; without it any. */
    udpPort: Type.Optional(Type.Integer({ minimum: 1, maximum: 65_535 })),
    /** Where earnings go; an address, never a key. */
    payoutAddress: Type.Optional(Type.String({ pattern: '^0x[0-9a-fA-F]{40}$' })),
    /** In local time of `zone`; `to` before `from` goes over midnight. */
    hours: Type.Optional(Type.Object({ from: Time, to: Time }, { additionalProperties: false })),
    /** IANA name, for hours and for the month of the traffic cap; absent: this machine's. */
    zone: Type.Optional(Type.String({ minLength: 1, maxLength: 64 })),
    upBytesPerSecondMax: Type.Optional(Rate),
    downBytesPerSecondMax: Type.Optional(Rate),
    /** Both ways, of a calendar month. */
    monthBytesMax: Type.Optional(Type.Integer({ minimum: MONTH_BYTES_MIN, maximum: Number.MAX_SAFE_INTEGER })),
  },
  { additionalProperties: false },
)
export type HostConfig = Static<typeof HostConfig>

/** `malformed` also for a zone that this machine does not know. */
export function decodeHostConfig(bytes: Uint8Array, file: string): HostConfig {
  const config = decodeJson(HostConfig, bytes, file)
  if (config.zone === undefined || isZone(config.zone)) return config
  throw new AppError('malformed', `${file}: zone is no time zone that this machine knows`)
}

export function termsOf(config: HostConfig): TermsSettings {
  const { hours, zone = systemZone(), upBytesPerSecondMax, downBytesPerSecondMax, monthBytesMax } = config
  return { hours, zone, upBytesPerSecondMax, downBytesPerSecondMax, monthBytesMax }
}
