/**
 * Gives the space of dead records back: what still counts in a volume is copied to the current one, durably, then the
 * index stands on the copies, then the file goes (reclaim.ts). A crash at any point leaves copies twice at most; the
 * next run goes on.
 *
 * What counts: shards that are served or in the trash, and the ends and renewals without which a rebuilt index would
 * bring back, or forget, records of older volumes. A payload that does not match its shard id is not copied: it is a
 * loss (`damaged`), and the volume stays until the bridge has been told.
 */
import type fs from 'node:fs'
import { failpoint } from '../../base/failpoint.js'
import type { KeyedMutex } from '../../base/keyed-mutex.js'
import type { ShardIndex } from '../ledger/shard-index.js'
import type { StoredShard } from '../ledger/types.js'
import type { Appended, Appender } from './appender.js'
import { payloadOffset, VOLUME_HEADER_BYTES } from './offsets.js'
import { placeOf } from './places.js'
import { RECORD_TYPE, type VolumeRecord } from './record.js'
import { type ScannedRecord, scanVolume } from './scan.js'
import { readFully, type VolumeFiles } from './volume-files.js'

export interface CompactionParts {
  index: ShardIndex
  files: VolumeFiles
  appender: Appender
  places: KeyedMutex<string>
  /** Subtree hashes, or null when the payload is not this shard. */
  verify(payload: Buffer, shard: StoredShard): Promise<Buffer | null>
  onDamage(shard: StoredShard): void
  serialKeepMs: number
}

/** Of payloads on their way at a time. */
const BATCH_BYTES_MAX = 8 * 1_048_576
const BATCH_RECORDS_MAX = 128
const NOTHING = Buffer.alloc(0)

/** Between batches: how many bytes were copied; resolves when more may be. */
export type Pace = (bytes: number) => Promise<void>

/** False: something in it is damaged, or the signal fired; what was copied stays copied. `no-space`. */
export async function compactVolume(
  parts: CompactionParts,
  volume: number,
  pace: Pace,
  signal: AbortSignal,
): Promise<boolean> {
  const firstHeir = parts.appender.currentVolume
  const volumes = parts.index.volumes()
  const older = new Set(parts.index.covered(volume))
  const covered = volumes.filter((one) => older.has(one.number))
  const covers = {
    any: covered.length > 0,
    // Where nothing is dead, nothing can come back that an end stands against.
    dead: covered.some((one) => one.deadBytes > 0),
  }
  const size = volumes.find((one) => one.number === volume)?.indexedTo ?? VOLUME_HEADER_BYTES
  const isSound = await parts.files.use(volume, async (handle) => {
    const key = parts.files.key(volume)
    const scan = scanVolume(handle, { key, from: VOLUME_HEADER_BYTES, size, verify: null })
    let batch: ScannedRecord[] = []
    let bytes = 0
    let sound = true
    const flush = async () => {
      const done = await Promise.all(batch.map((one) => carry(parts, handle, volume, one, covers)))
      sound &&= !done.includes(false)
      await pace(bytes)
      batch = []
      bytes = 0
    }
    for await (const one of scan) {
      if (signal.aborted || !sound) return false
      if (one.what !== 'record') continue
      batch.push(one)
      bytes += one.bytes
      if (bytes >= BATCH_BYTES_MAX || batch.length >= BATCH_RECORDS_MAX) await flush()
    }
    await flush()
    return sound && !signal.aborted
  })
  failpoint('host.compact.after-copy')
  if (!isSound) return false
  const heirs = numbers(firstHeir, parts.appender.currentVolume).filter((one) => one !== volume)
  parts.index.passCovers(volume, heirs)
  failpoint('host.compact.after-covers')
  return true
}

/** One record, with nobody else at its place meanwhile. False: it is damaged. */
function carry(
  parts: CompactionParts,
  handle: fs.promises.FileHandle,
  volume: number,
  scanned: ScannedRecord,
  covers: { any: boolean; dead: boolean },
): Promise<boolean> {
  const { record, offset } = scanned
  return parts.places.run(placeOf(record), async () => {
    const row = parts.index.find(record)
    if (row?.volume === volume) {
      // Ends and renewals of it in this volume are part of what the copy says.
      return row.offset === offset ? copy(parts, handle, row, record) : true
    }
    if (row === undefined) {
      if (covers.dead && record.type === RECORD_TYPE.deleted) await append(parts, record)
    } else if (covers.any && isLastWord(record, row)) {
      await append(parts, asItIs(row, record))
    }
    return true
  })
}

async function copy(
  parts: CompactionParts,
  handle: fs.promises.FileHandle,
  row: StoredShard,
  record: VolumeRecord,
): Promise<boolean> {
  if (row.damaged) return false
  const payload = Buffer.allocUnsafeSlow(row.length)
  await readFully(handle, payload, payloadOffset(row.offset))
  const subtrees = await parts.verify(payload, row)
  if (subtrees === null) {
    parts.onDamage(row)
    return false
  }
  const { generation, storedAtMs, keepUntilMs } = row
  const fresh = { ...record, generation, storedAtMs, keepUntilMs }
  const copied = append(parts, fresh, payload, subtrees)
  // Together: a crash between the two would take it out of the trash.
  const ended = row.trashedAtMs === null ? null : append(parts, asItIs(row, record))
  await Promise.all([copied, ended])
  return true
}

/** The record that made the row what it is; what came before it says nothing any more. */
function isLastWord(record: VolumeRecord, row: StoredShard): boolean {
  if (row.trashedAtMs !== null) return record.type === RECORD_TYPE.deleted && record.storedAtMs === row.trashedAtMs
  const { generation, storedAtMs } = row
  return record.type === RECORD_TYPE.renewed && record.generation === generation && record.storedAtMs === storedAtMs
}

/** The record that says of a shard what the index knows: in the trash since, or as last renewed. */
function asItIs(row: StoredShard, record: VolumeRecord): VolumeRecord {
  const { generation, storedAtMs, keepUntilMs, trashedAtMs } = row
  const facts = { ...record, length: 0, generation, keepUntilMs }
  if (trashedAtMs === null) return { ...facts, type: RECORD_TYPE.renewed, storedAtMs }
  return { ...facts, type: RECORD_TYPE.deleted, storedAtMs: trashedAtMs }
}

function append(
  parts: CompactionParts,
  record: VolumeRecord,
  payload: Buffer = NOTHING,
  subtrees: Buffer = NOTHING,
): Promise<void> {
  const appended: Appended = { record, payload, subtrees, serialExpiresMs: record.storedAtMs + parts.serialKeepMs }
  return parts.appender.append(appended)
}

function numbers(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, at) => from + at)
}
