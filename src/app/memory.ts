/**
 * Tells collector and C library what kind of program this is: little that lives long (20 MB), and a stream of buffers of a
 * megabyte that die young. For processes that carry data; once, before they start their threads.
 */
import v8 from 'node:v8'
import { memoryAddon } from '../addon/memory.js'

/**
 * V8 counts buffers against the growth that it grants the heap, so with its defaults a stream of data makes it look through all of
 * the heap once for every 20 MB. Measured on 2 cores, daemon at a cold read: 20 % of its CPU time in the collector, 9 % with
 * this (`npm run bench -- profile`). The price: up to 100 MB of garbage instead of 40, less where owners release (addon/memory.ts).
 */
const HEAP_GROWING_PERCENT = 400
/**
 * glibc keeps what one thread allocates and another frees (rows of 1 MiB between the main thread and the ledger's) in arenas that
 * never shrink, one for each thread; what is mapped on its own goes back at once. Others than glibc have no such words.
 */
const ALLOCATOR = { arenasMax: 2, mappedBytesMin: 262_144, keptBytesMax: 2_097_152 }

export function tuneMemory(): void {
  v8.setFlagsFromString(`--heap-growing-percent=${HEAP_GROWING_PERCENT}`)
  memoryAddon().setAllocator(ALLOCATOR)
}
