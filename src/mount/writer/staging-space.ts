/**
 * How much may still be staged on this disk: free space at the last look, less what is on its way to the disk, less what was
 * promised since, less a floor that stays free: for everybody else, and so that deleting works when nothing else does.
 */
import fsp from 'node:fs/promises'

export interface StagingSpaceParts {
  /** Any path on the disk of the state directory. */
  readonly folder: string
  /** Progress.reusableBytes of the ledger. */
  readonly reusableBytes: () => number
  readonly monotonicMs: () => number
}

export interface StagingSpaceOptions {
  /** Stays free. Default: 5 % of the disk, at least 32 MiB, at most 256 MiB. */
  readonly floorBytes?: number
}

/** Bytes go to the ledger's log first and then to its database file: for a while they are there twice. */
const COPIES = 2
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
  private inFlightBytes: () => number = () => 0

  constructor(parts: StagingSpaceParts, options: StagingSpaceOptions = {}) {
    this.parts = parts
    this.floorBytes = options.floorBytes
  }

  /** Bytes that were promised and that the ledger does not know of yet. */
  watch(inFlightBytes: () => number): void {
    this.inFlightBytes = inFlightBytes
  }

  /** Promises bytes; false: look again with refresh(), and then it is full. Looks again by itself now and then. */
  take(bytes: number): boolean {
    const old = this.parts.monotonicMs() - this.lookedMs > LOOK_MS || this.sinceLook > LOOK_BYTES
    if (old) void this.refresh()
    const needed = bytes * COPIES
    if (needed > this.left) return false
    this.left -= needed
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
    this.sinceLook = 0
    const disk = await fsp.statfs(this.parts.folder)
    const total = disk.blocks * disk.bsize
    const floor = this.floorBytes ?? Math.min(FLOOR_BYTES_MAX, Math.max(FLOOR_BYTES_MIN, total * FLOOR_SHARE))
    this.left = disk.bavail * disk.bsize + this.parts.reusableBytes() - floor - COPIES * this.inFlightBytes()
  }
}
