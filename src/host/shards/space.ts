/** Who may still put: the capacity that was lent and what the disk has left, with puts in flight set aside. */
import { AppError } from '../../base/errors.js'

export interface SpaceParts {
  capacityBytes: number
  diskFloorBytes: number
  /** Bytes of all volume files. */
  usedBytes: () => number
  diskFreeBytes: () => Promise<number>
}

/** How long one look at the disk is believed; puts since then are counted off. */
const DISK_LOOK_MS = 1_000

export class Space {
  private readonly parts: SpaceParts
  private capacityBytes: number
  private reserved = 0
  private diskFree = 0
  private lookedAtMs = Number.NEGATIVE_INFINITY
  private looking: Promise<void> | null = null

  constructor(parts: SpaceParts) {
    this.parts = parts
    this.capacityBytes = parts.capacityBytes
  }

  /** Below what is used nothing new is taken, and nothing is thrown away. */
  setCapacity(capacityBytes: number): void {
    this.capacityBytes = capacityBytes
  }

  /** Sets the bytes aside until the value is called (once). */
  async reserve(bytes: number): Promise<() => void> {
    await this.look()
    // await-free: what was checked is set aside
    this.check(bytes)
    this.reserved += bytes
    this.diskFree -= bytes
    return () => {
      this.reserved -= bytes
    }
  }

  async freeBytes(): Promise<number> {
    await this.look()
    const lent = this.capacityBytes - this.parts.usedBytes() - this.reserved
    return Math.max(0, Math.min(lent, this.diskFree - this.parts.diskFloorBytes))
  }

  /** `host-full` or `no-space` when so many bytes more do not fit, as far as the last look at the disk says. */
  check(bytes: number): void {
    if (this.parts.usedBytes() + this.reserved + bytes > this.capacityBytes) {
      throw new AppError('host-full', 'the space that this host lends is used up', { retry: 'elsewhere' })
    }
    if (bytes > this.diskFree - this.parts.diskFloorBytes) {
      throw new AppError('no-space', 'the disk of this host is full', { retry: 'elsewhere' })
    }
  }

  private async look(): Promise<void> {
    if (performance.now() - this.lookedAtMs < DISK_LOOK_MS) return
    this.looking ??= this.parts.diskFreeBytes().then((bytes) => {
      this.diskFree = bytes - this.reserved
      this.lookedAtMs = performance.now()
      this.looking = null
    })
    await this.looking
  }
}
