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
  | { kind: 'budget'; bytes: number }
  /** Units behind row `after`, some at a time. */
  | { kind: 'look'; id: number; after: number; drops: boolean }
  | { kind: 'close'; id: number }

export type FromCache =
  | { kind: 'open' }
  | { kind: 'units'; id: number; units: readonly (Uint8Array | null)[] }
  | { kind: 'chunk'; chunk: ArrayBuffer }
  | { kind: 'stats'; id: number; stats: StoreStats }
  | { kind: 'look'; id: number; look: CacheLook }
  | { kind: 'closed'; id: number }
