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
import type { Appender } from './appender.js'
import { payloadOffset, recordBytes, VOLUME_HEADER_BYTES } from './offsets.js'
import { placeOf } from './places.js'
import { hasPayload, RECORD_TYPE, type VolumeRecord } from './record.js'
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
  /** Looks at the whole record: writes it again, or finds it lost. */
  check(shard: StoredShard): Promise<void>
  /** So many bytes more lie here twice. */
  onCopied(bytes: number): void
}

/** Of payloads on their way at a time: what a put that comes meanwhile waits for. */
const BATCH_BYTES_MAX = 4 * 1_048_576
const BATCH_RECORDS_MAX = 128
const NOTHING = Buffer.alloc(0)

/** Between batches: how many bytes were read; resolves when more may be. */
export type Pace = (bytes: number) => Promise<void>

/** False: something in it is damaged, or the signal fired; what was copied stays copied. `no-space`. */
export async function compactVolume(
  parts: CompactionParts,
  volume: number,
  pace: Pace,
  signal: AbortSignal,
): Promise<boolean> {
  const { index, files, appender } = parts
  const size = index.volumes().find((one) => one.number === volume)?.indexedTo ?? VOLUME_HEADER_BYTES
  const carrier = new Carrier(parts, volume)
  const isSound = await files.use(volume, async (handle) => {
    const scan = scanVolume(handle, { key: files.key(volume), from: VOLUME_HEADER_BYTES, size, verify: null })
    let batch: ScannedRecord[] = []
    let bytes = 0
    const flush = async () => {
      const carried = await Promise.all(batch.map((one) => carrier.carry(handle, one)))
      await pace(bytes)
      batch = []
      bytes = 0
      return !carried.includes(false)
    }
    for await (const one of scan) {
      if (one.what !== 'record') continue
      batch.push(one)
      bytes += one.bytes
      if (bytes < BATCH_BYTES_MAX && batch.length < BATCH_RECORDS_MAX) continue
      if (!(await flush()) || signal.aborted) return false
    }
    return (await flush()) && !signal.aborted
  })
  failpoint('host.compact.after-copy')
  if (!isSound) return false
  // Shards whose headers cannot be read were not met on the way.
  for (const left of index.inVolume(volume, 0, BATCH_RECORDS_MAX)) await parts.check(left)
  if (index.inVolume(volume, 0, 1).length > 0) return false
  index.covers.pass(volume, carrier.heirs(appender.currentVolume))
  index.flush()
  failpoint('host.compact.after-covers')
  return true
}

/** Carries the records of one volume to the current one, each with nobody else at its place meanwhile. */
class Carrier {
  private readonly parts: CompactionParts
  private readonly volume: number
  private readonly firstHeir: number
  private hasCarriedEnds = false
  /** Volumes with shards that were put again after an end in this volume: from now on they stand against what it ended. */
  private readonly later = new Set<number>()

  constructor(parts: CompactionParts, volume: number) {
    this.parts = parts
    this.volume = volume
    this.firstHeir = parts.appender.currentVolume
  }

  /** Volumes that now cover what this one covered. */
  heirs(current: number): Set<number> {
    const heirs = new Set(this.later)
    if (this.hasCarriedEnds) for (let one = this.firstHeir; one <= current; one++) heirs.add(one)
    return heirs
  }

  /** False: it is damaged. */
  carry(handle: fs.promises.FileHandle, { record, offset }: ScannedRecord): Promise<boolean> {
    const { index, places } = this.parts
    return places.run(placeOf(record), async () => {
      const row = index.find(record)
      // Ends and renewals of it in this volume are part of what the copy says.
      if (row?.volume === this.volume) return row.offset === offset ? this.copy(handle, row, record) : true
      if (hasPayload(record.type)) return true
      if (row === undefined) await this.carryEnd(record)
      else if (row.volume > this.volume) this.later.add(row.volume)
      else if (isLast(record, row)) await this.append(record)
      return true
    })
  }

  /** Of a shard that is gone: needed while its dead payload may lie in an older volume. */
  private async carryEnd(record: VolumeRecord): Promise<void> {
    if (record.type !== RECORD_TYPE.deleted || !this.parts.index.covers.hasDead(this.volume)) return
    this.hasCarriedEnds = true
    await this.append(record)
  }

  private async copy(handle: fs.promises.FileHandle, row: StoredShard, record: VolumeRecord): Promise<boolean> {
    if (row.damaged) return false
    const payload = Buffer.allocUnsafeSlow(row.length)
    await readFully(handle, payload, payloadOffset(row.offset))
    const subtrees = await this.parts.verify(payload, row)
    if (subtrees === null) {
      this.parts.onDamage(row)
      return false
    }
    await this.append(copyOf(row, record), payload, subtrees)
    return true
  }

  private async append(record: VolumeRecord, payload: Buffer = NOTHING, subtrees: Buffer = NOTHING): Promise<void> {
    this.parts.onCopied(recordBytes(payload.length))
    await this.parts.appender.append({ record, payload, subtrees, serialExpiresMs: null })
  }
}

/** The record that says all that the index knows of the shard. */
export function copyOf(row: StoredShard, record: VolumeRecord): VolumeRecord {
  const { generation, storedAtMs, keepUntilMs, trashedAtMs, length } = row
  const facts = { ...record, length, generation, storedAtMs }
  if (trashedAtMs === null) return { ...facts, type: RECORD_TYPE.shard, keepUntilMs }
  return { ...facts, type: RECORD_TYPE.trashed, keepUntilMs: trashedAtMs }
}

/** Whether it is this record that the row's state comes from: without it the row would be as it was before. */
function isLast(record: VolumeRecord, row: StoredShard): boolean {
  if (record.generation !== row.generation) return false
  if (row.trashedAtMs !== null) return record.type === RECORD_TYPE.deleted && record.storedAtMs === row.trashedAtMs
  return record.type === RECORD_TYPE.renewed && record.storedAtMs === row.storedAtMs
}
