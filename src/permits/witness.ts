/**
 * Head witnesses: a device's signed word how far its drive's chain had come, left on hosts (docs/format.md section 8).
 * A recovery that finds a newer witness than the bridge's head knows that the bridge went back.
 */
import { ByteReader } from '../base/byte-reader.js'
import { ByteWriter } from '../base/byte-writer.js'
import { AppError } from '../base/errors.js'
import { SIGNATURE_BYTES, type SigningKey } from '../crypto/signing-key.js'
import * as ids from '../model/ids.js'
import { expectHeader, expectZeros, failAs, signatureFits, signed } from './signed-bytes.js'

export const WITNESS_BYTES = 166

export interface Witness {
  pseudonym: ids.Pseudonym
  sequence: number
  /** Hash of the record at `sequence`. */
  hash: Buffer
  timeMs: number
  device: ids.DeviceId
}

export function signWitness(witness: Omit<Witness, 'device'>, deviceKey: SigningKey): Buffer {
  const writer = new ByteWriter(WITNESS_BYTES)
    .fixed(Buffer.from('SDHW'), 4)
    .u8(1)
    .u8(0)
    .fixed(ids.idBytes(witness.pseudonym), 16)
    .u64(witness.sequence)
    .fixed(witness.hash, 32)
    .u64(witness.timeMs)
    .fixed(deviceKey.publicKey, 32)
  return signed(writer, deviceKey)
}

/** The fields, unverified. `witness-malformed`. */
export function decodeWitness(bytes: Uint8Array): Witness {
  return failAs('witness-malformed', () => {
    const reader = new ByteReader(bytes, 'witness')
    expectHeader(reader, 'SDHW', 'witness')
    expectZeros(reader, 1)
    const witness: Witness = {
      pseudonym: ids.pseudonymId(reader.fixed(16)),
      sequence: reader.u64(),
      hash: Buffer.from(reader.fixed(32)),
      timeMs: reader.u64(),
      device: ids.deviceId(reader.fixed(32)),
    }
    reader.fixed(SIGNATURE_BYTES)
    reader.end()
    return witness
  })
}

/**
 * `witness-malformed`, `witness-signature`, `witness-mismatch` (another pseudonym or device). Whether the device
 * belongs to the drive is the reader's to ask of the chain (chain-rules.ts: checkWitness); a host cannot know.
 */
export function verifyWitness(bytes: Uint8Array, expected: { pseudonym: ids.Pseudonym; device?: ids.PeerId }): Witness {
  const witness = decodeWitness(bytes)
  if (!signatureFits(bytes, witness.device)) {
    throw new AppError('witness-signature', 'the device did not sign this head witness')
  }
  const otherDevice = expected.device !== undefined && (witness.device as string) !== expected.device
  if (witness.pseudonym !== expected.pseudonym || otherDevice) {
    throw new AppError('witness-mismatch', 'the head witness is of another drive or device')
  }
  return witness
}
