/** What travels between the main thread and the cache's thread. */
import type { SegmentId } from '../../model/ids.js'
import type { CacheLook } from './look.js'
import type { StoreStats } from './store-types.js'

export interface CacheWorkerData {
  file: string
  /** Moved into guarded memory and wiped from here. */
  key: Uint8Array
  budgetBytes: number
  floorBytes: number | null
}

/** A unit in a chunk: they lie back to back. */
export type ChunkEntry = readonly [segment: SegmentId, unit: number, length: number]

export type ToCache =
  | { kind: 'get'; id: number; segment: SegmentId; units: readonly number[] }
  /** The memory comes back with `chunk`. */
  | { kind: 'put'; chunk: ArrayBuffer; entries: readonly ChunkEntry[] }
  | { kind: 'stats'; id: number }
  /** What comes after the puts that were sent before it. See shelf.ts. */
  | UnitsAsked
  | { kind: 'end-round'; id: number }
  | { kind: 'budget'; bytes: number }
  /** Units behind row `after`, some at a time. */
  | { kind: 'look'; id: number; after: number; drops: boolean }
  | { kind: 'close'; id: number }

export interface UnitsAsked {
  kind: 'keep' | 'missing' | 'drop'
  id: number
  segment: SegmentId
  units: readonly number[]
}

export type FromCache =
  | { kind: 'open' }
  /** What was kept is gone, for this reason (a code). */
  | { kind: 'anew'; code: string }
  | { kind: 'units'; id: number; units: readonly (Uint8Array | null)[] }
  | { kind: 'chunk'; chunk: ArrayBuffer }
  | { kind: 'stats'; id: number; stats: StoreStats }
  | { kind: 'look'; id: number; look: CacheLook }
  /** `units`: those that are missing. Null when there is no file. */
  | { kind: 'told'; id: number; units: readonly number[] | null; bytes: number }
  | { kind: 'closed'; id: number }
