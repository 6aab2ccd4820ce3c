/** What a UnitStore is given, takes, and says of itself. */
import type { RandomBytes } from '../../base/random.js'
import type { SecretBytes } from '../../crypto/secret.js'
import type { SegmentId } from '../../model/ids.js'

export interface StoreOptions {
  file: string
  key: SecretBytes
  random: RandomBytes
  budgetBytes: number
  /** What others may always use of the disk; null: by its size. */
  floorBytes: number | null
  nowMs(): number
  /** What was kept is gone, for this reason (a code). */
  anew?: (code: string) => void
  /** Tests: instead of asking the file system. */
  freeBytes?: () => number
}

export interface FreshUnit {
  segment: SegmentId
  unit: number
  bytes: Uint8Array
}

export interface StoreStats {
  /** Of the file. */
  fileBytes: number
  usedBytes: number
  budgetBytes: number
  /** What the budget and the disk allow at the moment. */
  allowedBytes: number
  runs: number
  hits: number
  misses: number
  evictedRuns: number
  /** Units that did not open. */
  damaged: number
  /** Times that the file was begun anew. */
  restarts: number
  /** Why nothing is kept at the moment. */
  trouble: string | null
}
