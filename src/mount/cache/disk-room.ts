/** How much of the disk the cache may take: what others need stays free, and the cache gives way before they notice. */
import fs from 'node:fs'

export interface DiskRoomParts {
  folder: string
  /** Left to everybody else. Null: by the size of the disk. */
  floorBytes: number | null
  nowMs(): number
  /** Tests: instead of asking the file system. */
  freeBytes?: () => number
}

const MIB = 1_048_576
/**
 * A twentieth of the disk, at least 512 MiB, at most 2 GiB: well above the floor of the staging of writes (at most 256 MiB),
 * so that nobody is told that the disk is full while the cache holds gigabytes of it.
 */
const FLOOR_SHARE = 1 / 20
const FLOOR_BYTES_MIN = 512 * MIB
const FLOOR_BYTES_MAX = 2_048 * MIB
/** Asked again after this long or so many bytes. */
const AGE_MS = 1_000
const WRITTEN_BYTES = 16 * MIB

export class DiskRoom {
  private readonly parts: DiskRoomParts
  private free = 0
  private total = 0
  private askedAtMs = Number.NEGATIVE_INFINITY
  private writtenBytes = 0

  constructor(parts: DiskRoomParts) {
    this.parts = parts
  }

  /** What a file of this length may grow or must shrink to. Throws what the file system says. */
  allowedBytes(fileBytes: number): number {
    this.ask()
    return fileBytes + this.free - this.floorBytes()
  }

  /** Little is left above the floor: look more often. */
  isShort(): boolean {
    this.ask()
    return this.free < 2 * this.floorBytes()
  }

  wrote(bytes: number): void {
    this.writtenBytes += bytes
  }

  /** The next question goes to the file system. */
  forget(): void {
    this.askedAtMs = Number.NEGATIVE_INFINITY
  }

  private floorBytes(): number {
    return this.parts.floorBytes ?? Math.min(FLOOR_BYTES_MAX, Math.max(FLOOR_BYTES_MIN, this.total * FLOOR_SHARE))
  }

  private ask(): void {
    const nowMs = this.parts.nowMs()
    if (nowMs - this.askedAtMs < AGE_MS && this.writtenBytes < WRITTEN_BYTES) return
    const { bavail, blocks, bsize } = fs.statfsSync(this.parts.folder)
    this.free = this.parts.freeBytes?.() ?? bavail * bsize
    this.total = blocks * bsize
    this.askedAtMs = nowMs
    this.writtenBytes = 0
  }
}
