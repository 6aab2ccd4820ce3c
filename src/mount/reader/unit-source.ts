/**
 * Units from the nearest place: memory, the cache on disk, the network. A unit that several readers want is fetched once, and
 * for as long as one of them wants it: the last one who leaves ends the fetch.
 */
import { LRUCache } from 'lru-cache'
import { AppError } from '../../base/errors.js'
import { linkSignal } from '../../base/linked-signal.js'
import type { SegmentId } from '../../model/ids.js'
import type { SegmentInfo } from '../../model/segment.js'
import { type Flight, isFlight, type Load, makeLoad, unitKey } from './flight.js'
import { RecentFailures } from './recent-failures.js'
import { Turns, unlessAborted } from './waiting.js'

export interface UnitCache {
  /** In the order asked; null for what is not there. Never rejects for a damaged unit: that is a miss. */
  get(segment: SegmentId, units: readonly number[]): Promise<(Buffer | null)[]>
  /** In the background; may be left out under pressure. The buffers are copied before it returns. */
  put(segment: SegmentId, units: readonly { unit: number; bytes: Buffer }[]): void
}

export interface UnitSink {
  unit(unit: number, bytes: Buffer): void
  failed(unit: number, error: unknown): void
}

export interface UnitNetwork {
  /** Resolves when every unit has been handed to the sink, or its failure. */
  read(info: SegmentInfo, units: readonly number[], sink: UnitSink, signal: AbortSignal): Promise<void>
  warm?(info: SegmentInfo): Promise<void>
}

/** Two readers with the largest window ahead, or more with smaller ones; the kernel's page cache and the disk cache do the rest. */
export const MEMORY_BYTES = 32 * 1_048_576
/** Units asked of the disk cache at once: an answer of 2 MiB, so that the first ones need not wait for the last. */
const CACHE_UNITS_MAX = 32
/** Reads that go to the network at once; more wait. Far below the kernel's background limit of 256. */
const NETWORK_READS_MAX = 64
/** What was asked for in vain just now gets so long: a dial with a lost handshake flight, and an answer. */
const AGAIN_MS = 2_000
/** What an empty unit costs: its key and its entry. */
const ENTRY_BYTES = 256

interface Held {
  bytes: Buffer
  wasRead: boolean
}

export interface UnitSourceOptions {
  memoryBytes?: number
  failedMs?: number
  againMs?: number
}

export class UnitSource {
  private readonly cache: UnitCache
  private readonly network: UnitNetwork
  private readonly memory: LRUCache<string, Held>
  private readonly turns = new Turns(NETWORK_READS_MAX)
  private readonly flying = new Map<string, Flight>()
  private readonly failed: RecentFailures
  private readonly againMs: number
  /** Called when a unit goes from memory that was fetched and never read: there is too little memory for so much ahead. */
  onWaste: () => void = () => {}

  constructor(parts: { cache: UnitCache; network: UnitNetwork }, options: UnitSourceOptions = {}) {
    this.cache = parts.cache
    this.network = parts.network
    this.againMs = options.againMs ?? AGAIN_MS
    this.failed = new RecentFailures(options.failedMs)
    this.memory = new LRUCache({
      maxSize: options.memoryBytes ?? MEMORY_BYTES,
      // A unit has memory of its own: what is counted here is what is held.
      sizeCalculation: ({ bytes }) => ENTRY_BYTES + bytes.buffer.byteLength,
      dispose: ({ wasRead }, _key, reason) => {
        if (reason === 'evict' && !wasRead) this.onWaste()
      },
    })
  }

  /**
   * One buffer for each unit, in order. They are shared: nobody writes into them. Rejects with the signal's reason as soon as
   * it fires, or with why one of the units cannot be had.
   */
  async read(info: SegmentInfo, units: readonly number[], signal: AbortSignal): Promise<Buffer[]> {
    const held = this.peek(info, units)
    if (held !== null) return held
    signal.throwIfAborted()
    this.refuse(info, units)
    const joined = this.join(info, units)
    const isShared = joined.some((one) => isFlight(one) && one.waiters > 1)
    try {
      return await this.landed(joined, signal)
    } catch (error) {
      // It was begun for others, and hosts may be back since: they are asked on behalf of this reader as well.
      if (!isShared || signal.aborted || !(error instanceof AppError)) throw error
    }
    this.refuse(info, units)
    return this.landed(this.join(info, units), signal)
  }

  /** Throws when one of them was asked for twice in vain just now, and nobody is asking. */
  private refuse(info: SegmentInfo, units: readonly number[]): void {
    for (const unit of units) {
      const key = unitKey(info.segment, unit)
      const refusal = this.failed.refusalOf(key)
      if (refusal !== undefined && !this.memory.has(key) && !this.flying.has(key)) throw refusal
    }
  }

  private async landed(joined: readonly (Buffer | Flight)[], signal: AbortSignal): Promise<Buffer[]> {
    try {
      const all = Promise.all(joined.map((one) => (isFlight(one) ? one.landed : one)))
      return await unlessAborted(all, signal)
    } finally {
      for (const one of new Set(joined)) {
        if (isFlight(one)) this.leave(one)
      }
    }
  }

  /** The units when all of them are in memory. */
  peek(info: SegmentInfo, units: readonly number[]): Buffer[] | null {
    const found: Buffer[] = []
    for (const unit of units) {
      const bytes = this.take(unitKey(info.segment, unit))
      if (bytes === undefined) return null
      found.push(bytes)
    }
    return found
  }

  /** Brings units into memory for who will read them. Resolves when they are there; rejects as `read`. */
  async fetchAhead(info: SegmentInfo, units: readonly number[], signal: AbortSignal): Promise<void> {
    const missing = units.filter(
      (unit) => !this.isNear(info.segment, unit) && this.failed.of(unitKey(info.segment, unit)) === undefined,
    )
    if (missing.length === 0) return
    const flights = this.launch(makeLoad(info, missing, { isAhead: true }))
    try {
      await unlessAborted(Promise.all(flights.map((one) => one.landed)), signal)
    } finally {
      for (const one of flights) this.leave(one)
    }
  }

  /** A reader waited for these in vain: who asks next, soon, waits less long. */
  gaveUp(info: SegmentInfo, units: readonly number[], error: AppError): void {
    for (const unit of units) {
      const key = unitKey(info.segment, unit)
      if (!this.memory.has(key)) this.failed.add(key, error)
    }
  }

  /** Connections and tokens for a segment, ahead of need. */
  async warm(info: SegmentInfo): Promise<void> {
    await this.network.warm?.(info)
  }

  /** Units on their way. */
  get inFlight(): number {
    return this.flying.size
  }

  get memoryBytes(): number {
    return this.memory.calculatedSize
  }

  private isNear(segment: SegmentId, unit: number): boolean {
    const key = unitKey(segment, unit)
    return this.memory.has(key) || this.flying.has(key)
  }

  private take(key: string): Buffer | undefined {
    // Peeked: in the order of arrival what was read goes before what was fetched ahead. What is read often, the kernel keeps.
    const held = this.memory.peek(key)
    if (held === undefined) return undefined
    held.wasRead = true
    return held.bytes
  }

  /** For each unit its bytes or its flight; waits as one of its waiters. */
  private join(info: SegmentInfo, units: readonly number[]): (Buffer | Flight)[] {
    const found = new Map<number, Buffer | Flight>()
    const missing: number[] = []
    for (const unit of new Set(units)) {
      const key = unitKey(info.segment, unit)
      const bytes = this.take(key)
      const flight = this.flying.get(key)
      if (bytes !== undefined) found.set(unit, bytes)
      else if (flight === undefined) missing.push(unit)
      else {
        flight.waiters++
        found.set(unit, flight)
      }
    }
    if (missing.length > 0) {
      const failures = missing.flatMap((unit) => this.failed.of(unitKey(info.segment, unit)) ?? [])
      const flights = this.launch(makeLoad(info, missing, { isAhead: false, failure: failures[0] }))
      for (const [at, unit] of missing.entries()) found.set(unit, flights[at] as Flight)
    }
    for (const one of found.values()) {
      if (isFlight(one)) one.isForReader = true
    }
    return units.map((unit) => found.get(unit) as Buffer | Flight)
  }

  private leave(flight: Flight): void {
    flight.waiters--
    if (flight.waiters > 0 || flight.isOver) return
    flight.isOver = true
    if (this.flying.get(flight.key) === flight) this.flying.delete(flight.key)
    flight.reject(NOT_WANTED)
    const { load } = flight
    if (--load.wanted === 0) load.stop.abort(NOT_WANTED)
  }

  /** Flights with one waiter each. */
  private launch(load: Load): Flight[] {
    const flights = [...load.flights.values()]
    for (const flight of flights) this.flying.set(flight.key, flight)
    this.run(load).catch((error: unknown) => {
      for (const unit of load.flights.keys()) this.land(load, unit, error)
    })
    return flights
  }

  private async run(load: Load): Promise<void> {
    const missing = await this.fromCache(load)
    if (missing.length === 0) return
    const { info, stop, failure } = load
    const sink: UnitSink = {
      unit: (unit, bytes) => {
        this.land(load, unit, undefined, bytes)
        if (bytes.length > 0) this.cache.put(info.segment, [{ unit, bytes }])
      },
      failed: (unit, error) => {
        if (error instanceof AppError && !stop.signal.aborted) this.gaveUp(info, [unit], error)
        this.land(load, unit, error)
      },
    }
    // What is read ahead has its own bound, in bytes, and takes no reader's turn.
    const leave = load.isAhead ? () => {} : await this.turns.enter(stop.signal)
    const again = failure === undefined ? null : linkSignal(stop.signal, { ms: this.againMs, reason: () => failure })
    try {
      await this.network.read(info, missing, sink, again?.signal ?? stop.signal)
    } finally {
      again?.release()
      leave()
    }
    for (const unit of missing) this.land(load, unit, new Error('the network left a unit out'))
  }

  /** Lands what the disk has; the others come back. */
  private async fromCache(load: Load): Promise<number[]> {
    const units = [...load.flights.keys()]
    const { segment } = load.info
    const missing: number[][] = []
    const parts: Promise<void>[] = []
    for (let at = 0; at < units.length; at += CACHE_UNITS_MAX) {
      const asked = units.slice(at, at + CACHE_UNITS_MAX)
      const absent: number[] = []
      missing.push(absent)
      const part = this.cache.get(segment, asked).then((found) => {
        for (const [index, unit] of asked.entries()) {
          const bytes = found[index]
          if (bytes) this.land(load, unit, undefined, bytes)
          else absent.push(unit)
        }
      })
      parts.push(part)
    }
    await Promise.all(parts)
    return missing.flat().filter((unit) => load.flights.get(unit)?.isOver === false)
  }

  private land(load: Load, unit: number, error: unknown, bytes?: Buffer): void {
    const flight = load.flights.get(unit)
    if (flight === undefined) return
    const wasWanted = !flight.isOver
    if (wasWanted) {
      flight.isOver = true
      load.wanted--
      this.flying.delete(flight.key)
    }
    if (bytes !== undefined) {
      this.failed.delete(flight.key)
      this.memory.set(flight.key, { bytes, wasRead: flight.isForReader })
      flight.resolve(bytes)
    } else {
      flight.reject(error)
    }
  }
}

const NOT_WANTED = new AppError('interrupted', 'nobody waits for this any more')
