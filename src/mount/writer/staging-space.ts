/**
 * How much may still be staged on this disk. The ledger says what the disk has beyond everything that it was handed; what was
 * promised since, or is not handed over yet, is counted here, and a floor stays free: for everybody else, for what publishing
 * writes, and so that deleting works when nothing else does. So a full disk is told before a write is acknowledged.
 */
import { type LedgerRoom, rowDiskBytes } from '../metadata/disk-room.js'

export interface StagingSpaceParts {
  /** Answered behind everything that the ledger was handed before. */
  readonly room: () => Promise<LedgerRoom>
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
  /** Since the ledger was asked last. */
  private promised = 0
  private lookedMs = Number.NEGATIVE_INFINITY
  private looking: Promise<void> | null = null
  private waitingBytes: () => number = () => 0

  constructor(parts: StagingSpaceParts, options: StagingSpaceOptions = {}) {
    this.parts = parts
    this.floorBytes = options.floorBytes
  }

  /** Disk bytes of what was promised and not handed to the ledger yet. */
  watch(waitingBytes: () => number): void {
    this.waitingBytes = waitingBytes
  }

  /** Promises room for a row of so many bytes; false: look again with refresh(), and then it is full. Looks by itself now and
   *  then. */
  take(bytes: number): boolean {
    const old = this.parts.monotonicMs() - this.lookedMs > LOOK_MS || this.promised > LOOK_BYTES
    if (old) this.refresh().catch(() => undefined)
    const needed = rowDiskBytes(bytes)
    if (needed > this.left) return false
    this.left -= needed
    this.promised += needed
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
    this.promised = 0
    const waiting = this.waitingBytes()
    const room = await this.parts.room()
    this.left = this.freeBytes(room) - waiting - this.promised
  }

  private freeBytes({ totalBytes, availableBytes, owedBytes, spareBytes }: LedgerRoom): number {
    const floor = this.floorBytes ?? Math.min(FLOOR_BYTES_MAX, Math.max(FLOOR_BYTES_MIN, totalBytes * FLOOR_SHARE))
    const free = availableBytes - owedBytes
    // Somebody else took what was counted on: room inside the database helps nobody whose log cannot grow.
    if (free < 0) return 0
    return spareBytes + Math.max(0, free - floor)
  }
}
