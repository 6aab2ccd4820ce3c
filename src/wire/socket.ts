/**
 * Messages of the bridge's WebSocket (docs/protocol.md section 2): JSON text, at most 64 KiB, one object each. The
 * payload of a signal is a signed description in base64, opaque to the bridge.
 */

import { Hex16, Hex32, TokenHex } from './api.js'
import { type Static, Type } from './schema.js'

export const SOCKET_PATH = '/v1/socket'
/** Of the path: which process of a key speaks (hosts). Signed with it. */
const PROCESS = /^\/v1\/socket\?process=([0-9a-f]{32})$/

/**
 * When a process began (Unix ms, 8 bytes) and 8 random ones, in hex: as texts the later is the greater. Of two processes with one
 * key the later stays, also after a bridge was started again; one that comes back to the bridge is known as the same.
 */
export type ProcessName = string

export function processName(startedMs: number, random: Uint8Array): ProcessName {
  return startedMs.toString(16).padStart(16, '0') + Buffer.from(random).toString('hex')
}

export function processStartMs(name: ProcessName): number {
  return Number.parseInt(name.slice(0, 16), 16)
}

export function socketPath(process: ProcessName | undefined): string {
  return process === undefined ? SOCKET_PATH : `${SOCKET_PATH}?process=${process}`
}

/** Undefined for what is no path of the socket; `process` undefined for a peer that does not say. */
export function parseSocketPath(path: string): { process: ProcessName | undefined } | undefined {
  if (path === SOCKET_PATH) return { process: undefined }
  const [, process] = PROCESS.exec(path) ?? []
  return process === undefined ? undefined : { process }
}

export const SOCKET_LIMITS = {
  messageBytesMax: 65_536,
  /** Base64 of a signed description: 32 KiB of SDP and less than 256 bytes around it. */
  payloadCharsMax: 44_032,
  pingMs: 15_000,
  deadMs: 45_000,
} as const
/** Close codes that say why, so that a peer knows whether to come back. */
export const SOCKET_CLOSE = {
  replaced: 4001,
  /** Another process runs with this key, and began later: this one is to end. */
  moved: 4006,
  malformed: 4002,
  tooSlow: 4003,
  revoked: 4005,
  goingAway: 1001,
} as const

const closedType = { additionalProperties: false }
const Payload = Type.String({ pattern: '^[A-Za-z0-9+/]*={0,2}$', maxLength: SOCKET_LIMITS.payloadCharsMax })

export const HelloMessage = Type.Object(
  {
    type: Type.Literal('hello'),
    key: Hex32,
    role: Type.Union([Type.Literal('device'), Type.Literal('host')]),
  },
  closedType,
)
/** From a peer without `from`; relayed with `from` set by the bridge. `session` is drawn by the offerer. */
export const SignalMessage = Type.Object(
  {
    type: Type.Literal('signal'),
    to: Hex32,
    from: Type.Optional(Hex32),
    session: Hex16,
    payload: Payload,
  },
  closedType,
)
export const UnreachableMessage = Type.Object(
  { type: Type.Literal('unreachable'), to: Hex32, session: Hex16 },
  closedType,
)
export const DeleteMessage = Type.Object({ type: Type.Literal('delete'), token: TokenHex }, closedType)
export const DeletedMessage = Type.Object(
  {
    type: Type.Literal('deleted'),
    serial: Hex16,
    ok: Type.Boolean(),
    code: Type.Optional(Type.String({ pattern: '^[a-z][a-z0-9-]{0,63}$' })),
  },
  closedType,
)

/** What a peer may send to the bridge. */
export const PeerMessage = Type.Union([SignalMessage, DeletedMessage])
/** What the bridge sends to a peer. */
export const BridgeMessage = Type.Union([HelloMessage, SignalMessage, UnreachableMessage, DeleteMessage])

export type SignalMessage = Static<typeof SignalMessage>
export type UnreachableMessage = Static<typeof UnreachableMessage>
export type DeleteMessage = Static<typeof DeleteMessage>
export type DeletedMessage = Static<typeof DeletedMessage>
export type HelloMessage = Static<typeof HelloMessage>
export type PeerMessage = Static<typeof PeerMessage>
export type BridgeMessage = Static<typeof BridgeMessage>
