/**
 * Walks the records of one volume. Damage never stops the walk: it goes on at the next record whose keyed checksum fits.
 * What is wrong at the very end is reported as tail, because it may be a write that a crash cut short.
 */
import type { KeyObject } from 'node:crypto'
import type fs from 'node:fs'
import { alignUp, payloadOffset, RECORD_HEADER_BYTES, recordBytes } from './offsets.js'
import { decodeRecordHeader, RECORD_MAGIC, RECORD_TYPE, type VolumeRecord } from './record.js'
import { readFully } from './volume-files.js'

export interface ScannedRecord {
  what: 'record'
  offset: number
  bytes: number
  record: VolumeRecord
  /** Its payload was read and does not match the shard id. */
  damaged: boolean
}

export interface ScannedDamage {
  what: 'damage'
  offset: number
  bytes: number
}

export type Scanned = ScannedRecord | ScannedDamage

export interface ScanOptions {
  key: KeyObject
  from: number
  size: number
  /** Compares a payload with its shard id; null: payloads are not read. */
  verify: ((payload: Buffer, record: VolumeRecord) => Promise<boolean>) | null
}

const SEARCH_BYTES = 1_048_576
const ALIGN_BYTES = 8

/** Yields what is certain, in order, and returns the trailing stretch without a sound record (empty when all is sound). */
export async function* scanVolume(
  handle: fs.promises.FileHandle,
  options: ScanOptions,
): AsyncGenerator<Scanned, Scanned[]> {
  const header = Buffer.alloc(RECORD_HEADER_BYTES)
  let doubtful: Scanned[] = []
  let at = options.from
  while (at < options.size) {
    const next = await inspect(handle, header, at, options)
    at = next.offset + next.bytes
    if (next.what === 'damage' || next.damaged) {
      doubtful.push(next)
      continue
    }
    yield* doubtful
    doubtful = []
    yield next
  }
  return doubtful
}

async function inspect(
  handle: fs.promises.FileHandle,
  header: Buffer,
  offset: number,
  options: ScanOptions,
): Promise<Scanned> {
  const { key, size, verify } = options
  const found = await recordAt(handle, header, offset, key, size)
  if (found === null) {
    const next = await findRecord(handle, header, alignUp(offset + 1), key, size)
    return { what: 'damage', offset, bytes: (next ?? size) - offset }
  }
  const bytes = recordBytes(found.length)
  if (verify === null || found.type !== RECORD_TYPE.shard) {
    return { what: 'record', offset, bytes, record: found, damaged: false }
  }
  const payload = Buffer.allocUnsafe(found.length)
  await readFully(handle, payload, payloadOffset(offset))
  return { what: 'record', offset, bytes, record: found, damaged: !(await verify(payload, found)) }
}

async function recordAt(
  handle: fs.promises.FileHandle,
  header: Buffer,
  offset: number,
  key: KeyObject,
  size: number,
): Promise<VolumeRecord | null> {
  if (offset + RECORD_HEADER_BYTES > size) return null
  const bytes = await readFully(handle, header, offset)
  const record = decodeRecordHeader(header.subarray(0, bytes), key)
  return record !== null && offset + recordBytes(record.length) <= size ? record : null
}

/** The first sound record header at or after `from`, or null. Reads every byte of the way. */
async function findRecord(
  handle: fs.promises.FileHandle,
  header: Buffer,
  from: number,
  key: KeyObject,
  size: number,
): Promise<number | null> {
  const chunk = Buffer.allocUnsafe(SEARCH_BYTES)
  for (let start = from; start + RECORD_HEADER_BYTES <= size; start += SEARCH_BYTES) {
    const bytes = await readFully(handle, chunk.subarray(0, Math.min(SEARCH_BYTES, size - start)), start)
    const view = chunk.subarray(0, bytes)
    // Records begin at multiples of 8, so no magic straddles two chunks.
    for (let hit = view.indexOf(RECORD_MAGIC); hit >= 0; hit = view.indexOf(RECORD_MAGIC, hit + 1)) {
      if (hit % ALIGN_BYTES !== 0) continue
      if ((await recordAt(handle, header, start + hit, key, size)) !== null) return start + hit
    }
  }
  return null
}
