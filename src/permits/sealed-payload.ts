/**
 * The sealed payload of epochs and snapshots (docs/format.md section 8): compressed, padded to one of a few sizes, sealed
 * with the batch key of a key term. The previous hash is no part of the associated data: the same epoch can be signed
 * again on another head. Errors: `payload-too-large` at sealing; `seal-broken`, `malformed` at opening.
 */
import { promisify } from 'node:util'
import { deflateRaw, inflateRaw } from 'node:zlib'
import { assert } from '../base/assert.js'
import { ByteReader } from '../base/byte-reader.js'
import { ByteWriter } from '../base/byte-writer.js'
import { AppError } from '../base/errors.js'
import { NONCE_BYTES, open, seal, TAG_BYTES } from '../crypto/aead.js'
import { deriveBatchKey } from '../crypto/keys.js'
import { type SecretBytes, wipeAfter } from '../crypto/secret.js'
import type { RECORD_KIND } from '../model/chain.js'
import { type DriveId, idBytes } from '../model/ids.js'
import { isZero } from './signed-bytes.js'

const KIB = 1_024
/** Sizes of the plain: what an observer learns of a batch is one of these. */
const CLASSES = [4 * KIB, 16 * KIB, 64 * KIB, 256 * KIB, 1_024 * KIB, 4_096 * KIB, 8_192 * KIB] as const
const CLASS_MAX = 8_192 * KIB
const HEADER_BYTES = 9
export const PAYLOAD_UNPACKED_MAX = 16_384 * KIB
const PACKED_MAX = CLASS_MAX - HEADER_BYTES

export interface PayloadPlace {
  kind: typeof RECORD_KIND.epoch | typeof RECORD_KIND.snapshot
  drive: DriveId
  epoch: number
  keyTerm: number
}

export interface SealedPayload {
  nonce: Buffer
  sealed: Buffer
}

/** `nonce`: 24 fresh random bytes, never used before under this term key. */
export async function sealPayload(
  termKey: SecretBytes,
  place: PayloadPlace,
  plain: Uint8Array,
  nonce: Buffer,
): Promise<SealedPayload> {
  assert(nonce.length === NONCE_BYTES, 'nonce size')
  if (plain.length > PAYLOAD_UNPACKED_MAX) throw tooLarge(plain.length)
  const deflated: Buffer = await promisify(deflateRaw)(plain)
  const packed = deflated.length < plain.length ? deflated : plain
  const padded = Buffer.alloc(classOf(packed.length))
  const header = new ByteWriter(HEADER_BYTES)
    .u8(packed === plain ? 0 : 1)
    .u32(packed.length)
    .u32(plain.length)
  padded.set(header.bytes())
  padded.set(packed, HEADER_BYTES)
  const key = deriveBatchKey(termKey)
  return wipeAfter([key], () => ({ nonce, sealed: seal(key, nonce, padded, associatedOf(place)) }))
}

/** The plain payload. A signed payload may still be hostile to a reader: sizes are checked before memory is taken. */
export async function openPayload(termKey: SecretBytes, place: PayloadPlace, payload: SealedPayload): Promise<Buffer> {
  if (payload.nonce.length !== NONCE_BYTES || !isClass(payload.sealed.length - TAG_BYTES)) {
    throw new AppError('malformed', `sealed payload of ${payload.sealed.length} bytes`)
  }
  const key = deriveBatchKey(termKey)
  const padded = wipeAfter([key], () => open(key, payload.nonce, payload.sealed, associatedOf(place)))
  const reader = new ByteReader(padded, 'payload')
  const compression = reader.u8()
  const packedLength = reader.u32()
  const unpackedLength = reader.u32()
  if (compression > 1) throw new AppError('unsupported-version', `payload compression ${compression}`)
  if (unpackedLength > PAYLOAD_UNPACKED_MAX) throw reader.malformed(`unpacked length ${unpackedLength}`)
  const packed = reader.fixed(packedLength)
  if (classOf(packedLength) !== padded.length) throw reader.malformed('padded to another class')
  if (!isZero(reader.fixed(reader.remaining))) throw reader.malformed('padding is not zero')
  if (compression === 1) return inflate(packed, unpackedLength)
  if (packedLength !== unpackedLength) throw reader.malformed('lengths differ without compression')
  return packed
}

function inflate(packed: Buffer, unpackedLength: number): Promise<Buffer> {
  const malformed = (why: string) => new AppError('malformed', `payload: ${why}`)
  return new Promise((resolve, reject) => {
    const limits = { maxOutputLength: Math.max(unpackedLength, 1), info: true }
    inflateRaw(packed, limits, (error, result) => {
      if (error) return reject(malformed('does not unpack'))
      const { buffer, engine } = result as unknown as { buffer: Buffer; engine: { bytesWritten: number } }
      if (buffer.length !== unpackedLength) return reject(malformed('unpacked length'))
      if (engine.bytesWritten !== packed.length) return reject(malformed('bytes after the end'))
      resolve(buffer)
    })
  })
}

/** Smallest class for so many packed bytes. */
function classOf(packedLength: number): number {
  const size = CLASSES.find((one) => one >= packedLength + HEADER_BYTES)
  if (size === undefined) throw tooLarge(packedLength)
  return size
}

function isClass(size: number): boolean {
  return (CLASSES as readonly number[]).includes(size)
}

function associatedOf(place: PayloadPlace): Buffer {
  return new ByteWriter(34)
    .fixed(Buffer.from('SDEB'), 4)
    .u8(1)
    .u8(place.kind)
    .fixed(idBytes(place.drive), 16)
    .u64(place.epoch)
    .u32(place.keyTerm)
    .bytes()
}

function tooLarge(size: number): AppError {
  return new AppError('payload-too-large', `a payload of ${size} bytes, at most ${PACKED_MAX} packed`)
}
