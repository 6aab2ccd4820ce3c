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
 * glibc keeps what one thread allocates and another frees (rows of 1 MiB between the main thread and the ledger's) in arenas, one
 * for each thread: fewer of them have fewer holes. Memory that is mapped on its own goes back at once, but a fresh megabyte
 * costs 256 page faults: mapped from 256 KiB on, staging took 24 ms of CPU a MiB (800 faults), from 4 MiB on 5.6 (76), on 2 busy
 * cores, 384 MiB. So rows stay in the arenas, whose size is bounded by the budgets of those who hold rows. Others than glibc have
 * no such words.
 */
const ALLOCATOR = { arenasMax: 2, mappedBytesMin: 4_194_304, keptBytesMax: 16_777_216 }

export function tuneMemory(): void {
  v8.setFlagsFromString(`--heap-growing-percent=${HEAP_GROWING_PERCENT}`)
  tuneAllocator()
}

/** For processes that carry data now and then. */
export function tuneAllocator(): void {
  memoryAddon().setAllocator(ALLOCATOR)
}
