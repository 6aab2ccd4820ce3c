/** What the last walk over the pins found. */
import type { AppError } from '../../base/errors.js'
import { UNIT_BYTES } from '../../model/segment.js'

export interface PinBytes {
  wantedBytes: number
  /** Of them, not here yet. */
  missingBytes: number
  /** Beside them: what the cache has no room for. */
  leftOutBytes: number
}

/** Inodes that are pinned, with those in pinned folders: some 50 MB of memory. */
const INODES_MAX = 500_000
/** Pins take seven parts of eight of what the cache may take: with less than the rest, every read would evict another. */
const PIN_SHARE = 7 / 8
/** A sealed unit in pages of 16 KiB: 3 % more, and its row. */
const UNIT_COST_BYTES = UNIT_BYTES * 1.04

/** Bytes of the cache for so many units. The short ones of a segment's end count in full. */
export function unitCost(units: number): number {
  return units * UNIT_COST_BYTES
}

/** How much of the cache pins may take. */
export function roomFor(allowedBytes: number): number {
  return Math.max(0, allowedBytes) * PIN_SHARE
}

export class PinState {
  /** Why something is missing, at the moment. */
  trouble: AppError | null = null
  private readonly inodes = new Set<number>()
  private readonly byPin = new Map<number, PinBytes>()
  /** Told to the cache. */
  units = 0

  get isEmpty(): boolean {
    return this.byPin.size === 0
  }

  has(ino: number): boolean {
    return this.inodes.has(ino)
  }

  /** False: there are too many, what comes is left out. */
  add(pin: number, inos: readonly number[]): boolean {
    this.want(pin, {})
    if (this.inodes.size + inos.length > INODES_MAX) {
      this.want(pin, { leftOutBytes: 1 })
      return false
    }
    for (const ino of inos) this.inodes.add(ino)
    return true
  }

  want(pin: number, more: Partial<PinBytes>): void {
    const bytes = this.byPin.get(pin) ?? { wantedBytes: 0, missingBytes: 0, leftOutBytes: 0 }
    for (const [key, amount] of Object.entries(more)) bytes[key as keyof PinBytes] += amount
    this.byPin.set(pin, bytes)
  }

  of(pins: readonly number[]): PinBytes {
    const sum = { wantedBytes: 0, missingBytes: 0, leftOutBytes: 0 }
    for (const pin of pins) {
      const bytes = this.byPin.get(pin)
      for (const key of ['wantedBytes', 'missingBytes', 'leftOutBytes'] as const) sum[key] += bytes?.[key] ?? 0
    }
    return sum
  }

  /** Until the next walk. */
  forget(ino: number): void {
    this.inodes.delete(ino)
    this.byPin.delete(ino)
  }
}
