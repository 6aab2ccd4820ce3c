/**
 * Tokens: what the bridge allows one holder to do on one host (docs/format.md section 6). PUT and DELETE name exactly
 * one shard and are used once; GET names a drive's pseudonym and a byte budget. Single use, budgets, incarnations and
 * generations are the host's to remember; here is only what the bytes say.
 */
import { ByteReader } from '../base/byte-reader.js'
import { ByteWriter } from '../base/byte-writer.js'
import { AppError } from '../base/errors.js'
import { SIGNATURE_BYTES, type SigningKey } from '../crypto/signing-key.js'
import * as ids from '../model/ids.js'
import { SHARD_BYTES_MAX } from '../model/segment.js'
import { expectHeader, expectZeros, failAs, isZero, signatureFits, signed } from './signed-bytes.js'

export const TOKEN_BYTES = 297
/** Clocks may differ by this much before an expiry is believed. */
export const SKEW_MS = 300_000

const ACTIONS = ['put', 'get', 'delete'] as const
export type TokenAction = (typeof ACTIONS)[number]

export interface TokenFields {
  action: TokenAction
  bridge: ids.BridgeId
  incarnation: number
  host: ids.HostId
  holder: ids.PeerId
  pseudonym: ids.Pseudonym
  generation: number
  /** put: the exact shard length. get: the byte budget. delete: 0. */
  bytes: number
  notBeforeMs: number
  notAfterMs: number
  serial: ids.Serial
  /** put and delete; null for get. */
  target: { segment: ids.SegmentId; index: number; shard: ids.ShardId } | null
}

export function signToken(fields: TokenFields, bridgeKey: SigningKey): Buffer {
  const target = fields.target
  const writer = new ByteWriter(TOKEN_BYTES)
    .fixed(Buffer.from('SDTK'), 4)
    .u8(1)
    .u8(ACTIONS.indexOf(fields.action) + 1)
    .fixed(ids.idBytes(fields.bridge), 32)
    .u32(fields.incarnation)
    .fixed(ids.idBytes(fields.host), 32)
    .fixed(ids.idBytes(fields.holder), 32)
    .fixed(ids.idBytes(fields.pseudonym), 16)
    .u32(fields.generation)
    .u64(fields.bytes)
    .u64(fields.notBeforeMs)
    .u64(fields.notAfterMs)
    .fixed(ids.idBytes(fields.serial), 16)
    .fixed(target ? ids.idBytes(target.segment) : Buffer.alloc(32), 32)
    .u16(target ? target.index : 0xffff)
    .fixed(target ? ids.idBytes(target.shard) : Buffer.alloc(32), 32)
    .u8(0)
  return signed(writer, bridgeKey)
}

/** The fields, unverified. `token-malformed`. */
export function decodeToken(bytes: Uint8Array): TokenFields {
  return failAs('token-malformed', () => {
    const reader = new ByteReader(bytes, 'token')
    expectHeader(reader, 'SDTK', 'token')
    const action = ACTIONS[reader.u8() - 1]
    if (!action) throw reader.malformed('unknown action')
    const fields: TokenFields = {
      action,
      bridge: ids.bridgeId(reader.fixed(32)),
      incarnation: reader.u32(),
      host: ids.hostId(reader.fixed(32)),
      holder: ids.peerId(reader.fixed(32)),
      pseudonym: ids.pseudonymId(reader.fixed(16)),
      generation: reader.u32(),
      bytes: reader.u64(),
      notBeforeMs: reader.u64(),
      notAfterMs: reader.u64(),
      serial: ids.serialId(reader.fixed(16)),
      target: null,
    }
    fields.target = decodeTarget(reader, action)
    expectZeros(reader, 1)
    reader.fixed(SIGNATURE_BYTES)
    reader.end()
    if (fields.notAfterMs < fields.notBeforeMs) throw reader.malformed('ends before it begins')
    if (action === 'put' && (fields.bytes === 0 || fields.bytes > SHARD_BYTES_MAX))
      throw reader.malformed('shard length')
    if (action === 'delete' && fields.bytes !== 0) throw reader.malformed('a delete with bytes')
    return fields
  })
}

function decodeTarget(reader: ByteReader, action: TokenAction): TokenFields['target'] {
  const segment = reader.fixed(32)
  const index = reader.u16()
  const shard = reader.fixed(32)
  if (action !== 'get') {
    if (index > 254) throw reader.malformed('shard index')
    return { segment: ids.segmentId(segment), index, shard: ids.shardId(shard) }
  }
  if (!isZero(segment) || index !== 0xffff || !isZero(shard)) throw reader.malformed('a get that names a shard')
  return null
}

export interface TokenExpectation {
  /** The bridge that the host is registered with. */
  bridge: ids.BridgeId
  host: ids.HostId
  /** The verified identity of the connection. */
  holder: ids.PeerId
  action: TokenAction
  /** Bridge time. */
  nowMs: number
  skewMs?: number
}

/**
 * Fails with `token-malformed`, `token-other-bridge`, `token-signature`, `token-other-host`, `token-other-holder`,
 * `token-action`, `token-not-yet` or `token-expired`, checked in this order.
 */
export function verifyToken(bytes: Uint8Array, expected: TokenExpectation): TokenFields {
  const token = decodeToken(bytes)
  const skewMs = expected.skewMs ?? SKEW_MS
  if (token.bridge !== expected.bridge) throw new AppError('token-other-bridge', 'the token is of another bridge')
  if (!signatureFits(bytes, token.bridge)) throw new AppError('token-signature', 'the bridge did not sign this token')
  if (token.host !== expected.host) throw new AppError('token-other-host', 'the token is for another host')
  if (token.holder !== expected.holder) throw new AppError('token-other-holder', 'the token belongs to someone else')
  if (token.action !== expected.action) {
    throw new AppError('token-action', `the token allows ${token.action}, not ${expected.action}`)
  }
  if (expected.nowMs + skewMs < token.notBeforeMs) {
    throw new AppError('token-not-yet', 'the token is not valid yet', { retry: 'later' })
  }
  if (expected.nowMs - skewMs > token.notAfterMs) throw new AppError('token-expired', 'the token has expired')
  return token
}
