/**
 * Signed session descriptions (docs/protocol.md section 3). The SDP carries the DTLS fingerprint, the signature binds
 * it to the identity of the peer: whoever relays it cannot put itself in between.
 */
import { ByteReader } from '../base/byte-reader.js'
import { ByteWriter } from '../base/byte-writer.js'
import { AppError } from '../base/errors.js'
import { SIGNATURE_BYTES, type SigningKey } from '../crypto/signing-key.js'
import { idBytes, type PeerId, peerId } from '../model/ids.js'
import { expectHeader, signatureFits, signed } from './signed-bytes.js'

const SDP_BYTES_MAX = 32_768
/** A relayed offer is seconds old; the rest is for clocks that differ. */
const AGE_MS_MAX = 300_000
const TYPES = ['offer', 'answer'] as const
export type DescriptionType = (typeof TYPES)[number]

export interface Description {
  type: DescriptionType
  /** 16 bytes as lower-case hex. */
  session: string
  from: PeerId
  to: PeerId
  timeMs: number
  sdp: string
}

export function signDescription(fields: Omit<Description, 'from'>, key: SigningKey): Buffer {
  const sdp = Buffer.from(fields.sdp, 'utf8')
  if (sdp.length > SDP_BYTES_MAX) throw new AppError('too-large', `a description of ${sdp.length} bytes`)
  const writer = new ByteWriter(sdp.length + 256)
    .fixed(Buffer.from('SDSD'), 4)
    .u8(1)
    .u8(TYPES.indexOf(fields.type) + 1)
    .fixed(Buffer.from(fields.session, 'hex'), 16)
    .fixed(key.publicKey, 32)
    .fixed(idBytes(fields.to), 32)
    .u64(fields.timeMs)
    .blob(sdp)
  return signed(writer, key)
}

/** The fields, unverified. `malformed`, `unsupported-version`. */
export function decodeDescription(bytes: Uint8Array): Description {
  const reader = new ByteReader(bytes, 'description')
  expectHeader(reader, 'SDSD', 'description')
  const type = TYPES[reader.u8() - 1]
  if (!type) throw reader.malformed('unknown type')
  const description: Description = {
    type,
    session: reader.fixed(16).toString('hex'),
    from: peerId(reader.fixed(32)),
    to: peerId(reader.fixed(32)),
    timeMs: reader.u64(),
    sdp: decodeSdp(reader),
  }
  reader.fixed(SIGNATURE_BYTES)
  reader.end()
  return description
}

/** SDP is ASCII text of lines: anything else would only feed a parser that is not ours. */
function decodeSdp(reader: ByteReader): string {
  const sdp = reader.blob(SDP_BYTES_MAX)
  for (const byte of sdp) {
    if (byte !== 10 && byte !== 13 && (byte < 32 || byte > 126)) throw reader.malformed('SDP is not printable ASCII')
  }
  return sdp.toString('latin1')
}

export interface DescriptionExpectation {
  from: PeerId
  to: PeerId
  session: string
  nowMs: number
}

/** `malformed`, `fingerprint-mismatch` (not signed by `from`, or for another session or peer), `clock-skew`. */
export function verifyDescription(bytes: Uint8Array, expected: DescriptionExpectation): Description {
  const description = decodeDescription(bytes)
  const { from, to, session, timeMs } = description
  if (from !== expected.from || to !== expected.to || session !== expected.session) {
    throw new AppError('fingerprint-mismatch', 'the description is of another peer or session')
  }
  if (!signatureFits(bytes, from)) {
    throw new AppError('fingerprint-mismatch', 'the peer did not sign this description: someone is in between')
  }
  const offsetMs = timeMs - expected.nowMs
  if (Math.abs(offsetMs) > AGE_MS_MAX) {
    const message = `the peer's clock is ${Math.round(offsetMs / 1000)} s from ours`
    throw new AppError('clock-skew', message, { details: { offsetMs } })
  }
  return description
}

/** Conforms to the DescriptionSigner that rtc declares. `nowMs` is bridge time. */
export function makeDescriptionSigner(key: SigningKey, nowMs: () => number) {
  return {
    sign: (type: DescriptionType, session: string, to: PeerId, sdp: string): Buffer =>
      signDescription({ type, session, to, timeMs: Math.max(0, Math.round(nowMs())), sdp }, key),
    verify: (bytes: Buffer, expected: { from: PeerId; to: PeerId; session: string }) =>
      verifyDescription(bytes, { ...expected, nowMs: nowMs() }),
  }
}
