/**
 * One record of a volume: header bytes <-> fields (docs/format.md section 11). The checksum is keyed with a key that
 * only this host has: payloads are written by strangers, and one that contains the bytes of a record must never be taken
 * for one when a damaged volume is searched.
 */
import { createHmac, type KeyObject, timingSafeEqual } from 'node:crypto'
import { ByteReader } from '../../base/byte-reader.js'
import { ByteWriter } from '../../base/byte-writer.js'
import { AppError } from '../../base/errors.js'
import {
  idBytes,
  type Pseudonym,
  pseudonymId,
  type SegmentId,
  type Serial,
  type ShardId,
  segmentId,
  serialId,
  shardId,
} from '../../model/ids.js'
import { SHARD_BYTES_MAX } from '../../model/segment.js'
import { CHECKSUM_BYTES, RECORD_HEADER_BYTES } from './offsets.js'

export const RECORD_MAGIC = 'SDVR'
const VERSION = 1

/**
 * trashed: a copy of a shard that lies in the trash, made by compaction. One record, because a crash between a copy and the
 * end that belongs to it would bring the shard back. keepUntil is when it was thrown away.
 */
export const RECORD_TYPE = { shard: 1, deleted: 2, renewed: 3, trashed: 4 } as const
export type RecordType = (typeof RECORD_TYPE)[keyof typeof RECORD_TYPE]

export interface VolumeRecord {
  type: RecordType
  index: number
  shard: ShardId
  segment: SegmentId
  pseudonym: Pseudonym
  /** Payload bytes: 0 for the types that hold none. */
  length: number
  generation: number
  storedAtMs: number
  keepUntilMs: number
  serial: Serial
}

export function hasPayload(type: RecordType): boolean {
  return type === RECORD_TYPE.shard || type === RECORD_TYPE.trashed
}

export function encodeRecordHeader(record: VolumeRecord, volumeKey: KeyObject): Buffer {
  const writer = new ByteWriter(RECORD_HEADER_BYTES)
    .fixed(Buffer.from(RECORD_MAGIC, 'latin1'), 4)
    .u8(VERSION)
    .u8(record.type)
    .u16(record.index)
    .fixed(idBytes(record.shard), 32)
    .fixed(idBytes(record.segment), 32)
    .fixed(idBytes(record.pseudonym), 16)
    .u32(record.length)
    .u32(record.generation)
    .u64(record.storedAtMs)
    .u64(record.keepUntilMs)
    .fixed(idBytes(record.serial), 16)
  return writer.fixed(checksum(writer.bytes(), volumeKey), CHECKSUM_BYTES).bytes()
}

/**
 * The fields, or null when this is no record of this volume: damage, or never written. A record that this host wrote in a
 * newer version throws `unsupported-version`: an older program must not take it for damage.
 */
export function decodeRecordHeader(header: Buffer, volumeKey: KeyObject): VolumeRecord | null {
  if (header.length < RECORD_HEADER_BYTES || header.toString('latin1', 0, 4) !== RECORD_MAGIC) return null
  const checked = header.subarray(0, RECORD_HEADER_BYTES - CHECKSUM_BYTES)
  const found = header.subarray(RECORD_HEADER_BYTES - CHECKSUM_BYTES, RECORD_HEADER_BYTES)
  if (!timingSafeEqual(found, checksum(checked, volumeKey))) return null
  const reader = new ByteReader(checked, 'volume record')
  reader.expectMagic(RECORD_MAGIC)
  const version = reader.u8()
  const type = reader.u8()
  if (version !== VERSION || type < RECORD_TYPE.shard || type > RECORD_TYPE.trashed) {
    throw new AppError('unsupported-version', `a volume record has version ${version}, type ${type}`, {
      hint: 'use the newer shardrive that wrote it',
    })
  }
  const record: VolumeRecord = {
    type: type as RecordType,
    index: reader.u16(),
    shard: shardId(reader.fixed(32)),
    segment: segmentId(reader.fixed(32)),
    pseudonym: pseudonymId(reader.fixed(16)),
    length: reader.u32(),
    generation: reader.u32(),
    storedAtMs: reader.u64(),
    keepUntilMs: reader.u64(),
    serial: serialId(reader.fixed(16)),
  }
  const fits = hasPayload(record.type) ? record.length >= 1 && record.length <= SHARD_BYTES_MAX : record.length === 0
  return fits ? record : null
}

function checksum(fields: Uint8Array, volumeKey: KeyObject): Buffer {
  return createHmac('sha256', volumeKey).update(fields).digest().subarray(0, CHECKSUM_BYTES)
}
