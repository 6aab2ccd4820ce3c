/** What is asked of a host's disk: is it the right one, and does it still write. The real one; tests fail it. */
import fs from 'node:fs/promises'
import path from 'node:path'
import type { HostId } from '../../model/ids.js'

export const MARK_FILE = 'host.id'
/** Whole pages, and not of one value: no file system makes it smaller. */
const PROBE_BYTES = 4_096
const PROBE_FILE = 'probe'
const MARK_BYTES_MAX = 256

export interface Mark {
  host: string
  /** Of the file system. */
  device: number
}

export interface DiskProbe {
  /** Throws what the system says. */
  readMark(): Promise<Mark>
  /** Writes a few bytes and waits until they are on the disk. Throws what the system says. */
  write(): Promise<void>
}

export class VolumesProbe implements DiskProbe {
  private readonly volumesDir: string
  private readonly content: Buffer

  constructor(volumesDir: string, host: HostId) {
    this.volumesDir = volumesDir
    this.content = Buffer.from(host.repeat(PROBE_BYTES / host.length), 'latin1')
  }

  async readMark(): Promise<Mark> {
    const handle = await fs.open(path.join(this.volumesDir, MARK_FILE), 'r')
    try {
      const into = Buffer.alloc(MARK_BYTES_MAX)
      const [{ bytesRead }, { dev }] = [await handle.read(into, 0, MARK_BYTES_MAX, 0), await handle.stat()]
      return { host: into.subarray(0, bytesRead).toString('latin1').trim(), device: dev }
    } finally {
      await handle.close()
    }
  }

  async write(): Promise<void> {
    const handle = await fs.open(path.join(this.volumesDir, PROBE_FILE), 'w', 0o600)
    try {
      await handle.write(this.content, 0, this.content.length, 0)
      await handle.datasync()
    } finally {
      await handle.close()
    }
  }
}
