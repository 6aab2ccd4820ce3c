/**
 * Receipts: a host's signed word that a shard is on its disk (docs/format.md section 7). Given only after fdatasync;
 * the bridge counts them to commit a segment.
 */
import { ByteReader } from '../base/byte-reader.js'
import { ByteWriter } from '../base/byte-writer.js'
import { AppError } from '../base/errors.js'
import { SIGNATURE_BYTES, type SigningKey } from '../crypto/signing-key.js'
import * as ids from '../model/ids.js'
import { SHARD_BYTES_MAX } from '../model/segment.js'
import { expectHeader, expectZeros, failAs, signatureFits, signed } from './signed-bytes.js'

export const RECEIPT_BYTES = 258

export interface Receipt {
  host: ids.HostId
  /** Of the token that allowed the put. */
  serial: ids.Serial
  pseudonym: ids.Pseudonym
  segment: ids.SegmentId
  index: number
  shard: ids.ShardId
  length: number
  generation: number
  storedAtMs: number
  /** 0: until deleted. */
  keepUntilMs: number
  incarnation: number
}

export function signReceipt(receipt: Receipt, hostKey: SigningKey): Buffer {
  const writer = new ByteWriter(RECEIPT_BYTES)
    .fixed(Buffer.from('SDRC'), 4)
    .u8(1)
    .u8(0)
    .fixed(ids.idBytes(receipt.host), 32)
    .fixed(ids.idBytes(receipt.serial), 16)
    .fixed(ids.idBytes(receipt.pseudonym), 16)
    .fixed(ids.idBytes(receipt.segment), 32)
    .u16(receipt.index)
    .fixed(ids.idBytes(receipt.shard), 32)
    .u32(receipt.length)
    .u32(receipt.generation)
    .u64(receipt.storedAtMs)
    .u64(receipt.keepUntilMs)
    .u32(receipt.incarnation)
    .fixed(Buffer.alloc(30), 30)
  return signed(writer, hostKey)
}

/** The fields, unverified. `receipt-malformed`. */
export function decodeReceipt(bytes: Uint8Array): Receipt {
  return failAs('receipt-malformed', () => {
    const reader = new ByteReader(bytes, 'receipt')
    expectHeader(reader, 'SDRC', 'receipt')
    expectZeros(reader, 1)
    const receipt: Receipt = {
      host: ids.hostId(reader.fixed(32)),
      serial: ids.serialId(reader.fixed(16)),
      pseudonym: ids.pseudonymId(reader.fixed(16)),
      segment: ids.segmentId(reader.fixed(32)),
      index: reader.u16(),
      shard: ids.shardId(reader.fixed(32)),
      length: reader.u32(),
      generation: reader.u32(),
      storedAtMs: reader.u64(),
      keepUntilMs: reader.u64(),
      incarnation: reader.u32(),
    }
    expectZeros(reader, 30)
    reader.fixed(SIGNATURE_BYTES)
    reader.end()
    if (receipt.index > 254) throw reader.malformed('shard index')
    if (receipt.length === 0 || receipt.length > SHARD_BYTES_MAX) throw reader.malformed('shard length')
    return receipt
  })
}

/** What the placement said; fields that are left out are not compared. */
export type ReceiptExpectation = { host: ids.HostId } & Partial<Omit<Receipt, 'storedAtMs' | 'keepUntilMs'>>

/** `receipt-malformed`, `receipt-mismatch` (names the first field that differs), `receipt-signature`. */
export function verifyReceipt(bytes: Uint8Array, expected: ReceiptExpectation): Receipt {
  const receipt = decodeReceipt(bytes)
  for (const [field, value] of Object.entries(expected)) {
    if (value === undefined || receipt[field as keyof Receipt] === value) continue
    throw new AppError('receipt-mismatch', `the receipt is for another ${field}`, { details: { field } })
  }
  if (!signatureFits(bytes, receipt.host)) {
    throw new AppError('receipt-signature', 'the host did not sign this receipt')
  }
  return receipt
}
