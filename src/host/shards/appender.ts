/**
 * The one writer of the volumes. Records that wait together are written together and share one fdatasync; then the index
 * takes them in, and only then does `append` resolve: what it resolved to survives any crash.
 *
 * A full disk takes back the whole group (the file is cut to where it was) and rejects it with `no-space`; nothing
 * acknowledged is touched, and the next append may succeed. Any other failure leaves the disk's state unknown (a failed
 * fdatasync may have dropped dirty pages): writing stops with `host-read-only` until the next start looks at the files.
 */
import type fs from 'node:fs'
import { assert } from '../../base/assert.js'
import { AppError, isCode } from '../../base/errors.js'
import { failpoint } from '../../base/failpoint.js'
import { SHARD_BYTES_MAX } from '../../model/segment.js'
import type { ShardIndex } from '../ledger/shard-index.js'
import type { IndexedRecord } from '../ledger/types.js'
import { diskFailure } from './disk-failures.js'
import { HASH_BYTES, paddingBytes, recordBytes, subtreeCount, VOLUME_HEADER_BYTES } from './offsets.js'
import { encodeRecordHeader, RECORD_TYPE, type VolumeRecord } from './record.js'
import type { VolumeFiles } from './volume-files.js'

export interface Appended {
  record: VolumeRecord
  /** Empty for types without a payload. Must not change until append settles. */
  payload: Buffer
  /** Hashes of the 64 KiB subtrees, joined. */
  subtrees: Buffer
  /** null: of a copy; see IndexedRecord. */
  serialExpiresMs: number | null
}

interface Waiting extends Appended {
  resolve: () => void
  reject: (error: unknown) => void
}

/** One group: enough to share a sync, small enough that the first of it does not wait long. */
const GROUP_BYTES_MAX = 32 * 1_048_576
const GROUP_RECORDS_MAX = 256
/** What a crash can leave half written: one group. */
export const TORN_BYTES_MAX = GROUP_BYTES_MAX + recordBytes(SHARD_BYTES_MAX)
const WHAT = {
  [RECORD_TYPE.shard]: 'stored',
  [RECORD_TYPE.deleted]: 'ended',
  [RECORD_TYPE.renewed]: 'renewed',
  [RECORD_TYPE.trashed]: 'trashed',
} as const
const ZEROS = Buffer.alloc(8)

export interface AppenderParts {
  files: VolumeFiles
  index: ShardIndex
  nowMs: () => number
  /** Called after each group that ended records: space may be free now. */
  onEnded: () => void
}

export class Appender {
  private readonly parts: AppenderParts
  private readonly volumeBytesMax: number
  private waiting: Waiting[] = []
  private readonly rolls: { resolve: () => void; reject: (error: unknown) => void }[] = []
  private running: Promise<void> | null = null
  private handle: fs.promises.FileHandle | null = null
  private volume: number
  private end: number
  private failure: AppError | null = null

  /** `volume` is the last one (0: none yet) and `end` its size (null: it is closed). */
  constructor(parts: AppenderParts, options: { volume: number; end: number | null; volumeBytesMax: number }) {
    this.parts = parts
    this.volume = options.volume
    this.end = options.end ?? options.volumeBytesMax
    this.volumeBytesMax = options.volumeBytesMax
  }

  get currentVolume(): number {
    return this.volume
  }

  get readOnly(): boolean {
    return this.failure !== null
  }

  append(appended: Appended): Promise<void> {
    assert(appended.payload.length === appended.record.length, 'payload length of a record')
    assert(appended.subtrees.length === subtreeCount(appended.record.length) * HASH_BYTES, 'subtrees of a record')
    return new Promise((resolve, reject) => {
      this.waiting.push({ ...appended, resolve, reject })
      this.start()
    })
  }

  /** Ends the current volume, so that it can be reclaimed; the next append begins another. Waits for one group at most. */
  async roll(): Promise<void> {
    if (!this.running) return this.closeVolume()
    return new Promise((resolve, reject) => {
      this.rolls.push({ resolve, reject })
    })
  }

  private async rollIfWanted(): Promise<void> {
    const rolls = this.rolls.splice(0)
    if (rolls.length === 0) return
    await this.closeVolume().then(
      () => rolls.forEach((one) => void one.resolve()),
      (error: unknown) => rolls.forEach((one) => void one.reject(error)),
    )
  }

  /** Resolves when everything appended so far has settled. */
  async stop(): Promise<void> {
    while (this.running) await this.running
    this.failure ??= new AppError('stopped', 'the host is stopping', { retry: 'later' })
    await this.handle?.close()
    this.handle = null
  }

  private start(): void {
    if (this.running) return
    this.running = this.run().finally(() => {
      this.running = null
      if (this.waiting.length > 0 || this.rolls.length > 0) this.start()
    })
  }

  private async run(): Promise<void> {
    // One turn of the event loop: requests that arrived together share the first sync too.
    await new Promise((resolve) => setImmediate(resolve))
    while (this.waiting.length > 0) {
      await this.rollIfWanted()
      const group = this.takeGroup()
      try {
        await this.write(group)
        for (const one of group) one.resolve()
        if (group.some((one) => one.record.type !== RECORD_TYPE.shard)) this.parts.onEnded()
      } catch (error) {
        for (const one of group) one.reject(error)
      }
    }
    await this.rollIfWanted()
  }

  /** As many as fit into the group and into the volume; at least one. */
  private takeGroup(): Waiting[] {
    let bytes = 0
    let count = 0
    const volumeLeft = this.handle || this.volume > 0 ? this.volumeBytesMax - this.end : 0
    const room = volumeLeft > 0 ? volumeLeft : this.volumeBytesMax - VOLUME_HEADER_BYTES
    for (const one of this.waiting) {
      const size = recordBytes(one.record.length)
      if (count > 0 && (count >= GROUP_RECORDS_MAX || bytes + size > Math.min(room, GROUP_BYTES_MAX))) break
      bytes += size
      count += 1
    }
    return this.waiting.splice(0, count)
  }

  private async write(group: Waiting[]): Promise<void> {
    if (this.failure) throw this.failure
    const bytes = group.reduce((sum, one) => sum + recordBytes(one.record.length), 0)
    const handle = await this.openVolume(bytes).catch((error) => {
      throw diskFailure(error)
    })
    const start = this.end
    try {
      await this.writeGroup(handle, group, start)
      failpoint('host.put.after-write')
      await handle.datasync()
      failpoint('host.put.after-sync')
      this.parts.index.apply(this.volume, indexed(group, start), [], start + bytes, this.parts.nowMs())
      failpoint('host.put.after-index')
      this.end = start + bytes
    } catch (error) {
      await this.takeBack(handle, start, diskFailure(error))
    }
  }

  private async writeGroup(handle: fs.promises.FileHandle, group: Waiting[], start: number): Promise<void> {
    const key = this.parts.files.key(this.volume)
    const buffers = group.flatMap((one) => [
      encodeRecordHeader(one.record, key),
      one.payload,
      one.subtrees,
      ZEROS.subarray(0, paddingBytes(one.record.length)),
    ])
    await writeAll(handle, buffers, start)
  }

  /** Always throws. */
  private async takeBack(handle: fs.promises.FileHandle, start: number, error: unknown): Promise<never> {
    if (isCode(error, 'no-space')) {
      try {
        await handle.truncate(start)
        await handle.datasync()
        throw error
      } catch (second) {
        if (second === error) throw error
      }
    }
    this.failure = new AppError('host-read-only', 'the host cannot write until it is started again', {
      retry: 'elsewhere',
      cause: error,
    })
    throw this.failure
  }

  private async openVolume(bytes: number): Promise<fs.promises.FileHandle> {
    const fits = this.volume > 0 && this.end + bytes <= this.volumeBytesMax
    if (fits && this.handle) return this.handle
    if (fits) {
      this.handle = await this.parts.files.openForWriting(this.volume)
      return this.handle
    }
    await this.closeVolume()
    const number = this.volume + 1
    const handle = await this.parts.files.create(number, this.parts.nowMs())
    try {
      this.parts.index.addVolume(number, VOLUME_HEADER_BYTES)
    } catch (error) {
      await handle.close()
      await this.parts.files.unlink(number)
      throw error
    }
    this.handle = handle
    this.volume = number
    this.end = VOLUME_HEADER_BYTES
    return handle
  }

  private async closeVolume(): Promise<void> {
    const handle = this.handle
    this.handle = null
    // Nothing fits any more, so that the next append begins a new volume.
    if (this.volume > 0) this.end = this.volumeBytesMax
    await handle?.close()
  }
}

function indexed(group: readonly Appended[], start: number): IndexedRecord[] {
  let offset = start
  return group.map((one) => {
    const row = indexedRecord(one.record, offset, one.serialExpiresMs, false)
    offset += row.recordBytes
    return row
  })
}

export function indexedRecord(
  record: VolumeRecord,
  offset: number,
  serialExpiresMs: number | null,
  damaged: boolean,
): IndexedRecord {
  const { type, ...fields } = record
  return { ...fields, what: WHAT[type], offset, recordBytes: recordBytes(record.length), serialExpiresMs, damaged }
}

async function writeAll(handle: fs.promises.FileHandle, buffers: Buffer[], start: number): Promise<void> {
  let position = start
  let rest = buffers.filter((buffer) => buffer.length > 0)
  while (rest.length > 0) {
    const { bytesWritten } = await handle.writev(rest, position)
    if (bytesWritten === 0) throw new AppError('no-space', 'the disk takes no more bytes', { retry: 'elsewhere' })
    position += bytesWritten
    rest = dropBytes(rest, bytesWritten)
  }
}

function dropBytes(buffers: Buffer[], count: number): Buffer[] {
  let left = count
  let first = 0
  while (first < buffers.length && left >= (buffers[first] as Buffer).length) {
    left -= (buffers[first] as Buffer).length
    first += 1
  }
  const rest = buffers.slice(first)
  if (left > 0) rest[0] = (rest[0] as Buffer).subarray(left)
  return rest
}
