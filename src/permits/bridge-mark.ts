/**
 * A bridge's mark: its own signed word how far its books had come, kept by hosts (docs/format.md section 8). A bridge that is
 * shown a mark of its own that its books do not know has older books than it once had.
 */
import { ByteReader } from '../base/byte-reader.js'
import { ByteWriter } from '../base/byte-writer.js'
import { AppError } from '../base/errors.js'
import { SIGNATURE_BYTES, type SigningKey } from '../crypto/signing-key.js'
import type { BridgeId } from '../model/ids.js'
import { expectHeader, expectZeros, failAs, signatureFits, signed } from './signed-bytes.js'

export const MARK_BYTES = 98
export const MARK_NONCE_BYTES = 16

export interface BridgeMark {
  incarnation: number
  /** Rises with every start and every minute of a bridge's life. */
  tick: number
  /** Drawn for this tick: two lives of one bridge have different ones. */
  nonce: Buffer
}

export function signMark(mark: BridgeMark, key: SigningKey): Buffer {
  const writer = new ByteWriter(MARK_BYTES)
    .fixed(Buffer.from('SDBM'), 4)
    .u8(1)
    .u8(0)
    .u32(mark.incarnation)
    .u64(mark.tick)
    .fixed(mark.nonce, MARK_NONCE_BYTES)
  return signed(writer, key)
}

/** `mark-malformed`; unverified. */
export function decodeMark(bytes: Uint8Array): BridgeMark {
  return failAs('mark-malformed', () => {
    const reader = new ByteReader(bytes, 'bridge mark')
    expectHeader(reader, 'SDBM', 'bridge mark')
    expectZeros(reader, 1)
    const incarnation = reader.u32()
    const tick = reader.u64()
    const nonce = Buffer.from(reader.fixed(MARK_NONCE_BYTES))
    reader.fixed(SIGNATURE_BYTES)
    reader.end()
    return { incarnation, tick, nonce }
  })
}

/** `mark-malformed`, `mark-signature`: not of this bridge. */
export function verifyMark(bytes: Uint8Array, bridge: BridgeId): BridgeMark {
  const mark = decodeMark(bytes)
  if (signatureFits(bytes, bridge)) return mark
  throw new AppError('mark-signature', 'the mark is not signed by this bridge')
}
