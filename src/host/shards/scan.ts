/**
 * Walks the records of one volume. Damage never stops the walk: it goes on at the next record whose keyed checksum fits.
 * What is wrong at the very end is reported as tail, because it may be a write that a crash cut short.
 */
import type { KeyObject } from 'node:crypto'
import type fs from 'node:fs'
import { alignUp, payloadOffset, RECORD_HEADER_BYTES, recordBytes } from './offsets.js'
import { decodeRecordHeader, hasPayload, RECORD_MAGIC, type VolumeRecord } from './record.js'
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
/** Headers alone: as much as a disk reads for one of them anyway. */
const HEADERS_AHEAD_BYTES = 16_384
const PAYLOADS_AHEAD_BYTES = 1_048_576
const ALIGN_BYTES = 8

/** Yields what is certain, in order, and returns the trailing stretch without a sound record (empty when all is sound). */
export async function* scanVolume(
  handle: fs.promises.FileHandle,
  options: ScanOptions,
): AsyncGenerator<Scanned, Scanned[]> {
  const reader = new ReadAhead(handle, options.verify === null ? HEADERS_AHEAD_BYTES : PAYLOADS_AHEAD_BYTES)
  let doubtful: Scanned[] = []
  let at = options.from
  while (at < options.size) {
    const next = await inspect(reader, at, options)
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

async function inspect(reader: ReadAhead, offset: number, options: ScanOptions): Promise<Scanned> {
  const { key, size, verify } = options
  const found = await recordAt(reader, offset, key, size)
  if (found === null) {
    const next = await findRecord(reader, alignUp(offset + 1), key, size)
    return { what: 'damage', offset, bytes: (next ?? size) - offset }
  }
  const bytes = recordBytes(found.length)
  const sound = { what: 'record', offset, bytes, record: found, damaged: false } as const
  if (verify === null || !hasPayload(found.type)) return sound
  const payload = await reader.at(payloadOffset(offset), found.length)
  return { ...sound, damaged: !(await verify(payload, found)) }
}

async function recordAt(reader: ReadAhead, offset: number, key: KeyObject, size: number): Promise<VolumeRecord | null> {
  if (offset + RECORD_HEADER_BYTES > size) return null
  const record = decodeRecordHeader(await reader.at(offset, RECORD_HEADER_BYTES), key)
  return record !== null && offset + recordBytes(record.length) <= size ? record : null
}

/** The first sound record header at or after `from`, or null. Reads every byte of the way. */
async function findRecord(reader: ReadAhead, from: number, key: KeyObject, size: number): Promise<number | null> {
  for (let start = from; start + RECORD_HEADER_BYTES <= size; start += SEARCH_BYTES) {
    // A copy: looking at a hit reads elsewhere.
    const view = Buffer.from(await reader.at(start, Math.min(SEARCH_BYTES, size - start)))
    // Records begin at multiples of 8, so no magic straddles two chunks.
    for (let hit = view.indexOf(RECORD_MAGIC); hit >= 0; hit = view.indexOf(RECORD_MAGIC, hit + 1)) {
      if (hit % ALIGN_BYTES !== 0) continue
      if ((await recordAt(reader, start + hit, key, size)) !== null) return start + hit
    }
  }
  return null
}

/** Reads in larger steps than it is asked for: many records are small. */
class ReadAhead {
  private readonly handle: fs.promises.FileHandle
  private readonly aheadBytes: number
  private window: Buffer = Buffer.alloc(0)
  private start = 0

  constructor(handle: fs.promises.FileHandle, aheadBytes: number) {
    this.handle = handle
    this.aheadBytes = aheadBytes
  }

  /** Fewer bytes only at the end of the file. Valid until the next call. */
  async at(offset: number, size: number): Promise<Buffer> {
    if (offset < this.start || offset + size > this.start + this.window.length) {
      const room = Buffer.allocUnsafe(Math.max(size, this.aheadBytes))
      this.window = room.subarray(0, await readFully(this.handle, room, offset))
      this.start = offset
    }
    return this.window.subarray(offset - this.start, offset - this.start + size)
  }
}
