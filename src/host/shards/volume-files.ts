/**
 * The files under `volumes/`: list, make, open, unlink. Names and existence are durable when a call returns. Reading
 * goes through a bounded set of open files; a file in use is never closed under its reader.
 */

import type { KeyObject } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import { LRUCache } from 'lru-cache'
import { AppError } from '../../base/errors.js'
import type { SecretBytes } from '../../crypto/secret.js'
import type { HostId } from '../../model/ids.js'
import { diskFailure } from './disk-failures.js'
import { VOLUME_HEADER_BYTES, volumeName, volumeNumber } from './offsets.js'
import { encodeVolumeHeader, volumeKey } from './volume-header.js'

/** Open files for reading: a tenth of the usual limit of 1,024 descriptors. */
const OPEN_FILES_MAX = 100

interface OpenFile {
  handle: fs.promises.FileHandle
  users: number
  evicted: boolean
}

export class VolumeFiles {
  readonly host: HostId
  private readonly dir: string
  private readonly seed: SecretBytes
  /** In order of use: the first was used longest ago. */
  private readonly open = new Map<number, Promise<OpenFile>>()
  private readonly keys = new LRUCache<number, KeyObject>({ max: OPEN_FILES_MAX })

  constructor(parts: { dir: string; host: HostId; seed: SecretBytes }) {
    this.dir = parts.dir
    this.host = parts.host
    this.seed = parts.seed
  }

  list(): { number: number; bytes: number }[] {
    const found: { number: number; bytes: number }[] = []
    for (const name of fs.readdirSync(this.dir)) {
      const number = volumeNumber(name)
      if (number !== null) found.push({ number, bytes: fs.statSync(path.join(this.dir, name)).size })
    }
    return found.sort((a, b) => a.number - b.number)
  }

  /** Of its checksums. To derive it costs a piece of guarded memory. */
  key(number: number): KeyObject {
    const known = this.keys.get(number)
    if (known !== undefined) return known
    const key = volumeKey(this.seed, number)
    this.keys.set(number, key)
    return key
  }

  /** Bytes that the file system has left for us. */
  async diskFreeBytes(): Promise<number> {
    const stat = await fs.promises.statfs(this.dir)
    return stat.bavail * stat.bsize
  }

  /** A new volume with its header, opened for writing. A file of that name is a broken belief of ours: `EEXIST`. */
  async create(number: number, nowMs: number): Promise<fs.promises.FileHandle> {
    const file = this.pathOf(number)
    const handle = await fs.promises.open(file, 'wx+', 0o600)
    try {
      await this.writeHeader(handle, number, nowMs)
      await this.syncDir()
    } catch (error) {
      await handle.close()
      await fs.promises.rm(file, { force: true })
      throw diskFailure(error)
    }
    return handle
  }

  async writeHeader(handle: fs.promises.FileHandle, number: number, nowMs: number): Promise<void> {
    const header = encodeVolumeHeader({ host: this.host, number, createdMs: nowMs })
    const { bytesWritten } = await handle.write(header, 0, VOLUME_HEADER_BYTES, 0)
    if (bytesWritten !== VOLUME_HEADER_BYTES) throw new AppError('no-space', 'the disk is full', { retry: 'later' })
    await handle.datasync()
  }

  openForWriting(number: number): Promise<fs.promises.FileHandle> {
    return fs.promises.open(this.pathOf(number), 'r+')
  }

  /** Gone for good, durably. Readers in flight finish. */
  async unlink(number: number): Promise<void> {
    this.evict(number)
    await fs.promises.rm(this.pathOf(number), { force: true })
    await this.syncDir()
  }

  /** Runs `work` with the volume open for reading. */
  async use<T>(number: number, work: (handle: fs.promises.FileHandle) => Promise<T>): Promise<T> {
    const file = await this.acquire(number)
    try {
      return await work(file.handle)
    } finally {
      file.users -= 1
      if (file.evicted && file.users === 0) await file.handle.close()
    }
  }

  private async acquire(number: number): Promise<OpenFile> {
    const known = this.open.get(number)
    const opening = known ?? fs.promises.open(this.pathOf(number), 'r').then(asOpenFile)
    this.open.delete(number)
    this.open.set(number, opening)
    if (known === undefined) {
      opening.catch(() => this.open.delete(number))
      if (this.open.size > OPEN_FILES_MAX) this.evict(this.open.keys().next().value as number)
    }
    const file = await opening
    // Evicted while it was being opened: another try opens it anew.
    if (file.evicted && file.users === 0) return this.acquire(number)
    file.users += 1
    return file
  }

  private evict(number: number): void {
    const opening = this.open.get(number)
    this.open.delete(number)
    opening?.then(
      (file) => {
        file.evicted = true
        if (file.users === 0) return file.handle.close()
      },
      () => {},
    )
  }

  async close(): Promise<void> {
    const all = [...this.open.values()]
    for (const number of [...this.open.keys()]) this.evict(number)
    await Promise.allSettled(all)
  }

  private pathOf(number: number): string {
    return path.join(this.dir, volumeName(number))
  }

  private async syncDir(): Promise<void> {
    const handle = await fs.promises.open(this.dir, 'r')
    try {
      await handle.sync()
    } finally {
      await handle.close()
    }
  }
}

function asOpenFile(handle: fs.promises.FileHandle): OpenFile {
  return { handle, users: 0, evicted: false }
}

/** Fills `into` from `position`; the number of bytes that were there (less only at the end of the file). */
export async function readFully(handle: fs.promises.FileHandle, into: Buffer, position: number): Promise<number> {
  let done = 0
  while (done < into.length) {
    const { bytesRead } = await handle.read(into, done, into.length - done, position + done)
    if (bytesRead === 0) break
    done += bytesRead
  }
  return done
}
