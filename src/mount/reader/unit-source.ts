/**
 * Units from the nearest place: memory, the cache on disk, the network. A unit that several readers want is fetched once.
 */
import { LRUCache } from 'lru-cache'
import type { SegmentId } from '../../model/ids.js'
import type { SegmentInfo } from '../../model/segment.js'

export interface UnitCache {
  /** In the order asked; null for what is not there. Never rejects for a damaged unit: that is a miss. */
  get(segment: SegmentId, units: readonly number[]): Promise<(Buffer | null)[]>
  /** In the background; may be left out under pressure. The buffers are copied before it returns. */
  put(segment: SegmentId, units: readonly { unit: number; bytes: Buffer }[]): void
}

export interface UnitNetwork {
  read(info: SegmentInfo, units: readonly number[], signal: AbortSignal): Promise<Map<number, Buffer>>
}

/** Enough for what readahead brings before it is read; the kernel's page cache and the disk cache do the rest. */
export const MEMORY_BYTES = 64 * 1_048_576

export class UnitSource {
  private readonly cache: UnitCache
  private readonly network: UnitNetwork
  private readonly memory: LRUCache<string, Buffer>
  private readonly flying = new Map<string, Promise<Buffer>>()

  constructor(parts: { cache: UnitCache; network: UnitNetwork }, memoryBytes = MEMORY_BYTES) {
    this.cache = parts.cache
    this.network = parts.network
    this.memory = new LRUCache({ maxSize: memoryBytes, sizeCalculation: (bytes) => Math.max(1, bytes.length) })
  }

  /** One buffer for each unit, in order. They are shared: nobody writes into them. */
  async read(info: SegmentInfo, units: readonly number[], signal: AbortSignal): Promise<Buffer[]> {
    const missing = units.filter((unit) => !this.memory.has(keyOf(info.segment, unit)) && !this.flying.has(keyOf(info.segment, unit)))
    if (missing.length > 0) this.launch(info, missing, signal)
    return Promise.all(units.map((unit) => this.one(info, unit, signal)))
  }

  /** True when every unit is in memory or on its way. */
  isNear(info: SegmentInfo, units: readonly number[]): boolean {
    return units.every((unit) => this.memory.has(keyOf(info.segment, unit)) || this.flying.has(keyOf(info.segment, unit)))
  }

  private async one(info: SegmentInfo, unit: number, signal: AbortSignal): Promise<Buffer> {
    const key = keyOf(info.segment, unit)
    const held = this.memory.get(key)
    if (held) return held
    const flying = this.flying.get(key)
    if (flying === undefined) return (await this.read(info, [unit], signal))[0] as Buffer
    try {
      return await flying
    } catch (error) {
      // The flight was somebody else's, and he gave up: we did not.
      if (signal.aborted || !isCancelled(error)) throw error
      return (await this.read(info, [unit], signal))[0] as Buffer
    }
  }

  private launch(info: SegmentInfo, units: readonly number[], signal: AbortSignal): void {
    const flight = this.load(info, units, signal)
    for (const unit of units) {
      const key = keyOf(info.segment, unit)
      const mine = flight.then((found) => found.get(unit) as Buffer)
      mine.catch(() => undefined)
      this.flying.set(key, mine)
      const land = () => {
        if (this.flying.get(key) === mine) this.flying.delete(key)
      }
      mine.then(land, land)
    }
  }

  private async load(info: SegmentInfo, units: readonly number[], signal: AbortSignal): Promise<Map<number, Buffer>> {
    const found = new Map<number, Buffer>()
    const cached = await this.cache.get(info.segment, units)
    const missing: number[] = []
    for (const [at, unit] of units.entries()) {
      const bytes = cached[at]
      if (bytes) found.set(unit, bytes)
      else missing.push(unit)
    }
    if (missing.length > 0) {
      const fetched = await this.network.read(info, missing, signal)
      this.cache.put(
        info.segment,
        [...fetched].map(([unit, bytes]) => ({ unit, bytes })),
      )
      for (const [unit, bytes] of fetched) found.set(unit, bytes)
    }
    for (const [unit, bytes] of found) this.memory.set(keyOf(info.segment, unit), bytes)
    return found
  }
}


function keyOf(segment: SegmentId, unit: number): string {
  return `${segment}:${unit}`
}

function isCancelled(error: unknown): boolean {
  return error instanceof Error && (error.name === 'AbortError' || (error as { code?: string }).code === 'interrupted')
}
