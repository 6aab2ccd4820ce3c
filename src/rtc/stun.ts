/**
 * The little of STUN (RFC 8489) that asks a server "where do my packets come from": a binding request, and what a server
 * answers. Replies are hostile: anybody can send one. RFC 5780 servers also name a second address of theirs, by which a
 * client can tell whether its NAT gives it one address for all the world.
 */
import { isIP } from 'node:net'
import { ByteReader } from '../base/byte-reader.js'
import { ByteWriter } from '../base/byte-writer.js'

const BINDING_REQUEST = 0x0001
const BINDING_SUCCESS = 0x0101
const COOKIE = 0x2112a442
export const TRANSACTION_BYTES = 12
const XOR_MAPPED_ADDRESS = 0x0020
const OTHER_ADDRESS = 0x802c
const FAMILY = { 1: 4, 2: 16 } as const
/** A real answer has less than ten. */
const ATTRIBUTES_MAX = 64

export interface Endpoint {
  address: string
  port: number
}

export interface BindingReply {
  /** Where the request came from, as the server saw it. */
  mapped: Endpoint
  /** Of the server: another address and another port. */
  other?: Endpoint
}

export function encodeBindingRequest(transaction: Uint8Array): Buffer {
  return new ByteWriter(20).u16(BINDING_REQUEST).u16(0).u32(COOKIE).fixed(transaction, TRANSACTION_BYTES).bytes()
}

/** `malformed`: no success of this transaction. Attributes that are not known are passed over; of two alike the first counts. */
export function decodeBindingReply(datagram: Uint8Array, transaction: Uint8Array): BindingReply {
  const reader = new ByteReader(datagram, 'STUN reply')
  if (reader.u16() !== BINDING_SUCCESS) throw reader.malformed('no binding success')
  const length = reader.u16()
  if (reader.u32() !== COOKIE) throw reader.malformed('no magic cookie')
  if (!reader.fixed(TRANSACTION_BYTES).equals(transaction)) throw reader.malformed('another transaction')
  if (length !== reader.remaining) throw reader.malformed('another length')
  let mapped: Endpoint | undefined
  let other: Endpoint | undefined
  for (let count = 0; reader.remaining > 0; count++) {
    if (count === ATTRIBUTES_MAX) throw reader.malformed('too many attributes')
    const type = reader.u16()
    const size = reader.u16()
    const value = reader.fixed(size)
    reader.fixed(Math.min(-size & 3, reader.remaining))
    if (type === XOR_MAPPED_ADDRESS) mapped ??= decodeAddress(value, maskOf(transaction))
    else if (type === OTHER_ADDRESS) other ??= decodeAddress(value)
  }
  if (mapped === undefined) throw reader.malformed('no address')
  return other === undefined ? { mapped } : { mapped, other }
}

/** What XOR addresses are hidden behind: cookie, then transaction. */
function maskOf(transaction: Uint8Array): Buffer {
  return new ByteWriter(16).u32(COOKIE).fixed(transaction, TRANSACTION_BYTES).bytes()
}

function decodeAddress(value: Uint8Array, mask?: Buffer): Endpoint {
  const reader = new ByteReader(value, 'STUN address')
  reader.u8()
  const size = FAMILY[reader.u8() as keyof typeof FAMILY]
  if (size === undefined) throw reader.malformed('no address family')
  const port = reader.u16() ^ (mask?.readUInt16BE(0) ?? 0)
  const bytes = Buffer.from(reader.fixed(size)).map((byte, at) => byte ^ (mask?.[at] ?? 0))
  reader.end()
  if (port === 0) throw reader.malformed('port 0')
  return { address: size === 4 ? bytes.join('.') : groupsOf(bytes), port }
}

/** As Node writes IPv6 addresses, but for the `::`. */
function groupsOf(bytes: Uint8Array): string {
  const buffer = Buffer.from(bytes)
  return Array.from({ length: 8 }, (_, at) => buffer.readUInt16BE(at * 2).toString(16)).join(':')
}

/** `203.0.113.9:7411`, `[2001:db8::1]:7411` */
export function endpointText({ address, port }: Endpoint): string {
  return isIP(address) === 6 ? `[${address}]:${port}` : `${address}:${port}`
}
