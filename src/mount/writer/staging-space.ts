/**
 * How much may still be staged on this disk: free space at the last look, minus what was promised since, minus a floor
 * that stays free for everybody else (and for the write-ahead log, which holds every byte a second time for a while).
 */
import fsp from 'node:fs/promises'

export interface StagingSpaceParts {
  /** Any path on the disk of the state directory. */
  readonly folder: string
  /** Free pages inside the ledger, which staged rows take first. */
  readonly reusableBytes: () => number
  readonly monotonicMs: () => number
}

export interface StagingSpaceOptions {
  /** Stays free. Default: 5 % of the disk, at least 32 MiB, at most 256 MiB. */
  readonly floorBytes?: number
}

const LOOK_MS = 1_000
/** Look again after so many promised bytes, at the latest. */
const LOOK_BYTES = 64 * 1024 * 1024
const FLOOR_BYTES_MIN = 32 * 1024 * 1024
const FLOOR_BYTES_MAX = 256 * 1024 * 1024
const FLOOR_SHARE = 0.05

export class StagingSpace {
  private readonly parts: StagingSpaceParts
  private readonly floorBytes: number | undefined
  private left = 0
  private sinceLook = 0
  private lookedMs = Number.NEGATIVE_INFINITY
  private looking: Promise<void> | null = null

  constructor(parts: StagingSpaceParts, options: StagingSpaceOptions = {}) {
    this.parts = parts
    this.floorBytes = options.floorBytes
  }

  /** Promises bytes; false: look again with refresh(), and then it is full. Looks again by itself now and then. */
  take(bytes: number): boolean {
    const old = this.parts.monotonicMs() - this.lookedMs > LOOK_MS || this.sinceLook > LOOK_BYTES
    if (old) void this.refresh()
    if (bytes > this.left) return false
    this.left -= bytes
    this.sinceLook += bytes
    return true
  }

  refresh(): Promise<void> {
    this.looking ??= this.look().finally(() => {
      this.looking = null
    })
    return this.looking
  }

  private async look(): Promise<void> {
    this.lookedMs = this.parts.monotonicMs()
    // Promised while we look is not in what we see.
    this.sinceLook = 0
    const disk = await fsp.statfs(this.parts.folder)
    const total = disk.blocks * disk.bsize
    const floor = this.floorBytes ?? Math.min(FLOOR_BYTES_MAX, Math.max(FLOOR_BYTES_MIN, total * FLOOR_SHARE))
    this.left = disk.bavail * disk.bsize + this.parts.reusableBytes() - floor - this.sinceLook
  }
}
