/**
 * Memory beside V8's collector (native/memory.c). Rows and segments are megabytes that live for a moment, on several threads: the
 * collector counts them, but comes by when it likes, and the C library keeps what one thread allocates and another frees.
 */
import { AppError } from '../base/errors.js'
import { loadAddon } from './load.js'

export interface AllocatorOptions {
  /** Heaps that threads share; each keeps its own holes. */
  readonly arenasMax: number
  /** From this size on memory is mapped on its own, and goes back when it is freed. */
  readonly mappedBytesMin: number
  /** Freed memory that a heap keeps at its end. */
  readonly keptBytesMax: number
}

export interface MemoryAddon {
  readonly version: number
  /** For the whole process; what was allocated before stays where it is. False: this C library cannot be told. */
  setAllocator(options: AllocatorOptions): boolean
  /**
   * Gives the memory back at once, on the thread that holds it: every view of it becomes empty. Only for who owns all of it
   * (never for a slice of Node's pool) and knows that nobody reads it any more, no other thread either.
   */
  release(memory: ArrayBufferLike): void
  /** Freed memory back to the system, as far as the C library can. Costs a walk through its heaps. */
  trim(): void
}

const VERSION = 1
let loaded: MemoryAddon | undefined

/** Throws `addon-missing`, `addon-broken`, `addon-mismatch`. Cheap after the first call. */
export function memoryAddon(): MemoryAddon {
  if (loaded === undefined) {
    const addon = loadAddon('memory') as MemoryAddon
    if (addon.version !== VERSION) {
      throw new AppError('addon-mismatch', 'the native memory part is of another version than this program', {
        hint: 'run: npm run setup',
      })
    }
    loaded = addon
  }
  return loaded
}

/** Below this the collector is cheaper than the call. */
const RELEASE_BYTES_MIN = 65_536

/** Ends the memory under these bytes, all of it, when it is large: see MemoryAddon.release. */
export function release({ buffer }: Uint8Array): void {
  if (buffer.byteLength >= RELEASE_BYTES_MIN) memoryAddon().release(buffer)
}
