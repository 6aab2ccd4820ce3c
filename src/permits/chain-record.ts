/**
 * Chain records (docs/format.md section 8): the envelope. Bodies are in chain-bodies.ts, the rules of a chain in
 * chain-rules.ts. `keyTerm` is the key term in force once the record stands: 1 at the genesis, the new term in a
 * key-term record. Errors: `malformed`, `unsupported-version`, `chain-signature`.
 */
import { assert } from '../base/assert.js'
import { ByteReader } from '../base/byte-reader.js'
import { ByteWriter } from '../base/byte-writer.js'
import { AppError } from '../base/errors.js'
import { sha256 } from '../crypto/hash.js'
import { SIGNATURE_BYTES, type SigningKey } from '../crypto/signing-key.js'
import { type ChainRecord, RECORD_KIND, type RecordKind } from '../model/chain.js'
import { driveId, idBytes, peerId } from '../model/ids.js'
import { expectHeader, signatureFits, signed } from './signed-bytes.js'

/** 8 MiB of sealed payload and room for the lists of a very large epoch. */
export const RECORD_BODY_BYTES_MAX = 8_912_896
const FIELDS_BYTES = 118
/** The largest encoded record. */
export const RECORD_BYTES_MAX = FIELDS_BYTES + RECORD_BODY_BYTES_MAX + SIGNATURE_BYTES

export const GENESIS_PREVIOUS: Buffer = Buffer.alloc(32)

const KINDS: ReadonlySet<number> = new Set(Object.values(RECORD_KIND))

export type RecordFields = Pick<
  ChainRecord,
  'kind' | 'drive' | 'sequence' | 'previous' | 'timeMs' | 'writerTerm' | 'keyTerm' | 'body'
>

/** Signs and encodes; the signer is the key. `record-too-large`: the body does not fit. */
export function signRecord(fields: RecordFields, key: SigningKey): ChainRecord {
  if (fields.body.length > RECORD_BODY_BYTES_MAX) {
    throw new AppError(
      'record-too-large',
      `a record body of ${fields.body.length} bytes, at most ${RECORD_BODY_BYTES_MAX}`,
    )
  }
  assert(KINDS.has(fields.kind), 'record kind')
  const writer = new ByteWriter(FIELDS_BYTES + fields.body.length)
    .fixed(Buffer.from('SDCR'), 4)
    .u8(1)
    .u8(fields.kind)
    .fixed(idBytes(fields.drive), 16)
    .u64(fields.sequence)
    .fixed(fields.previous, 32)
    .u64(fields.timeMs)
    .fixed(key.publicKey, 32)
    .u64(fields.writerTerm)
    .u32(fields.keyTerm)
    .u32(fields.body.length)
    .fixed(fields.body, fields.body.length)
  const encoded = signed(writer, key)
  return { ...fields, signer: peerId(key.publicKey), hash: sha256(encoded), encoded }
}

/** Unverified. Buffers of the result are views of `encoded`, which must not change afterwards. */
export function decodeRecord(encoded: Uint8Array): ChainRecord {
  const reader = new ByteReader(encoded, 'chain record')
  expectHeader(reader, 'SDCR', 'chain record')
  const kind = reader.u8()
  if (kind === 0) throw reader.malformed('record kind')
  if (!KINDS.has(kind)) throw new AppError('unsupported-version', `chain record of unknown kind ${kind}`)
  const record = {
    kind: kind as RecordKind,
    drive: driveId(reader.fixed(16)),
    sequence: reader.u64(),
    previous: reader.fixed(32),
    timeMs: reader.u64(),
    signer: peerId(reader.fixed(32)),
    writerTerm: reader.u64(),
    keyTerm: reader.u32(),
  }
  const bodyLength = reader.u32()
  if (bodyLength > RECORD_BODY_BYTES_MAX) throw reader.malformed(`body of ${bodyLength} bytes`)
  const body = reader.fixed(bodyLength)
  reader.fixed(SIGNATURE_BYTES)
  reader.end()
  const whole = Buffer.from(encoded.buffer, encoded.byteOffset, encoded.byteLength)
  return { ...record, body, hash: sha256(whole), encoded: whole }
}

/** `chain-signature` unless the record is signed by the key that it names. */
export function expectRecordSignature(record: ChainRecord): void {
  if (signatureFits(record.encoded, record.signer)) return
  throw new AppError('chain-signature', `record ${record.sequence} is not signed by the key that it names`)
}

/** A reply of the chain call: records, each u32 length and bytes (docs/protocol.md section 1). */
export function splitRecords(page: Uint8Array): Buffer[] {
  const reader = new ByteReader(page, 'chain page')
  const records: Buffer[] = []
  while (reader.remaining > 0) {
    const size = reader.u32()
    if (size > RECORD_BYTES_MAX) throw reader.malformed(`record of ${size} bytes`)
    records.push(reader.fixed(size))
  }
  return records
}

export function joinRecords(records: readonly Uint8Array[]): Buffer {
  const size = records.reduce((sum, record) => sum + 4 + record.length, 0)
  const writer = new ByteWriter(Math.max(size, 1))
  for (const record of records) writer.u32(record.length).fixed(record, record.length)
  return writer.bytes()
}
