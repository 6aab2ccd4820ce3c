/**
 * Common ground of the signed objects of this room: fields, then an Ed25519 signature over every byte before it.
 * The room: tokens, receipts, chain records, witnesses, descriptions, signed requests. It encodes, signs, decodes and
 * verifies; it knows no network, no storage and no policy. Everything decoded is hostile. It imports wire, crypto,
 * model and base.
 */
import type { ByteReader } from '../base/byte-reader.js'
import type { ByteWriter } from '../base/byte-writer.js'
import { AppError, isCode } from '../base/errors.js'
import { SIGNATURE_BYTES, type SigningKey, verifySignature } from '../crypto/signing-key.js'
import { idBytes } from '../model/ids.js'

/** Ends an object: a fresh buffer with the signature over what was written. */
export function signed(writer: ByteWriter, key: SigningKey): Buffer {
  const fields = writer.bytes()
  return Buffer.concat([fields, key.sign(fields)])
}

/** Is the tail of `encoded` the signer's signature over the rest? */
export function signatureFits(encoded: Uint8Array, signer: string): boolean {
  if (encoded.length <= SIGNATURE_BYTES) return false
  const at = encoded.length - SIGNATURE_BYTES
  return verifySignature(idBytes(signer), encoded.subarray(0, at), encoded.subarray(at))
}

/** Magic and version of every object here; all are at version 1. */
export function expectHeader(reader: ByteReader, magic: string, what: string): void {
  reader.expectMagic(magic)
  const version = reader.u8()
  if (version > 1) throw new AppError('unsupported-version', `${what} of version ${version}: this program is too old`)
  if (version !== 1) throw reader.malformed('version')
}

/** Reserved bytes are zero, so that a later version can use them. */
export function expectZeros(reader: ByteReader, size: number): void {
  if (!isZero(reader.fixed(size))) throw reader.malformed('reserved bytes are not zero')
}

export function isZero(bytes: Uint8Array): boolean {
  for (const byte of bytes) if (byte !== 0) return false
  return true
}

/** Turns `malformed` and `unsupported-version` of one decoder into the object's own code. */
export function failAs<T>(code: string, decode: () => T): T {
  try {
    return decode()
  } catch (error) {
    if (!isCode(error, 'malformed') && !isCode(error, 'unsupported-version')) throw error
    throw new AppError(code, (error as AppError).message)
  }
}
