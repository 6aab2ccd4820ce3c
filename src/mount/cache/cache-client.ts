/**
 * The cache as the rest of the drive sees it: plain units by segment and number, on disk sealed, in a thread of its own.
 *
 * Promises: a get never rejects (what is missing, damaged or out of reach is null); a put never waits, copies before it
 * returns and is dropped when the thread is behind; nothing here is needed for correctness, so when the thread dies reads
 * go on without it.
 */
import { Worker } from 'node:worker_threads'
import type { Log } from '../../base/log.js'
import type { SecretBytes } from '../../crypto/secret.js'
import type { SegmentId } from '../../model/ids.js'
import { UNIT_BYTES } from '../../model/segment.js'
import { type CacheLook, NOTHING_LEFT } from './look.js'
import type { CacheWorkerData, FromCache, ToCache } from './messages.js'
import { PutQueue } from './put-queue.js'
import type { StoreStats } from './store-types.js'

export interface CacheOptions {
  /** cache.db; its folder is made. Nobody else opens it. */
  file: string
  /** Stays the caller's. */
  key: SecretBytes
  budgetBytes?: number
  /** Of the disk, left to everybody else. Default: by its size (disk-room.ts). */
  floorBytes?: number
  log: Log
}

export interface CacheStats extends StoreStats {
  /** Units that came faster than the disk took them. */
  droppedUnits: number
}

export const BUDGET_BYTES = 10 * 1024 * 1_048_576

const NO_STATS: StoreStats = {
  ...{
    fileBytes: 0,
    usedBytes: 0,
    budgetBytes: 0,
    allowedBytes: 0,
    runs: 0,
    hits: 0,
    misses: 0,
    evictedRuns: 0,
    damaged: 0,
    restarts: 0,
  },
  trouble: 'cache-stopped',
}

export class CacheClient {
  private readonly worker: Worker
  private readonly log: Log
  private readonly puts: PutQueue
  private readonly waiting = new Map<number, (answer: FromCache | null) => void>()
  private lastId = 0
  private isStopped = false
  private isOpen = false
  /** Why what lay there when it was opened is gone (a code); null: nothing went. */
  anewAtStart: string | null = null

  private constructor(worker: Worker, log: Log) {
    this.worker = worker
    this.log = log
    this.puts = new PutQueue((chunk, entries) => this.send({ kind: 'put', chunk, entries }, [chunk]))
    const stop = (error?: unknown) => this.stop(error)
    worker.on('error', stop)
    worker.on('exit', () => stop())
    worker.on('message', (message: FromCache) => this.settle(message))
  }

  /** Resolves when the file is open, or known not to open: reads go on without it then, and puts try again. */
  static async open(options: CacheOptions): Promise<CacheClient> {
    const { file, budgetBytes = BUDGET_BYTES, floorBytes = null, log } = options
    const key = options.key.use((bytes) => new Uint8Array(bytes))
    const data: CacheWorkerData = { file, key, budgetBytes, floorBytes }
    const worker = new Worker(new URL('./cache-worker.js', import.meta.url), {
      workerData: data,
      transferList: [key.buffer],
    })
    const client = new CacheClient(worker, log)
    await new Promise<void>((resolve) => client.waiting.set(0, () => resolve()))
    client.isOpen = true
    return client
  }

  /** In the order asked; null for what is not there. Each in memory of its own. */
  async get(segment: SegmentId, units: readonly number[]): Promise<(Buffer | null)[]> {
    const held = units.map((unit) => this.puts.find(segment, unit))
    const missing = units.filter((_, at) => held[at] === null)
    if (missing.length === 0) return held
    const answer = await this.ask((id) => ({ kind: 'get', id, segment, units: missing }))
    const found = answer?.kind === 'units' ? answer.units : []
    let next = 0
    return held.map((one) => {
      if (one !== null) return one
      const bytes = found[next++] ?? null
      return bytes === null ? null : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    })
  }

  put(segment: SegmentId, units: Iterable<{ unit: number; bytes: Uint8Array }>): void {
    if (this.isStopped) return
    for (const { unit, bytes } of units) {
      if (bytes.length > 0 && bytes.length <= UNIT_BYTES) this.puts.add(segment, unit, bytes)
    }
  }

  /** Pins units until the end of a round that does not name them. Those that are not here; null when there is no cache. */
  keep(segment: SegmentId, units: readonly number[]): Promise<readonly number[] | null> {
    return this.units('keep', segment, units)
  }

  /** Those that are not here; null when there is no cache. */
  missing(segment: SegmentId, units: readonly number[]): Promise<readonly number[] | null> {
    return this.units('missing', segment, units)
  }

  /** Drops what nothing pins; answers the bytes. */
  async drop(segment: SegmentId, units: readonly number[]): Promise<number> {
    this.puts.flush()
    const answer = await this.ask((id) => ({ kind: 'drop', id, segment, units }))
    return answer?.kind === 'told' ? answer.bytes : 0
  }

  /** What was not kept since the last end is pinned no more. */
  async endRound(): Promise<void> {
    await this.ask((id) => ({ kind: 'end-round', id }))
  }

  private async units(kind: 'keep' | 'missing', segment: SegmentId, units: readonly number[]) {
    this.puts.flush()
    const answer = await this.ask((id) => ({ kind, id, segment, units }))
    return answer?.kind === 'told' ? answer.units : null
  }

  setBudget(bytes: number): void {
    this.send({ kind: 'budget', bytes })
  }

  async stats(): Promise<CacheStats> {
    const answer = await this.ask((id) => ({ kind: 'stats', id }))
    return { ...(answer?.kind === 'stats' ? answer.stats : NO_STATS), droppedUnits: this.puts.dropped }
  }

  /** fsck: units behind `after` are opened; with `drops` those that are spoilt go. */
  async look(after: number, drops: boolean): Promise<CacheLook> {
    const answer = await this.ask((id) => ({ kind: 'look', id, after, drops }))
    return answer?.kind === 'look' ? answer.look : NOTHING_LEFT
  }

  async close(): Promise<void> {
    this.puts.flush()
    await this.ask((id) => ({ kind: 'close', id }))
    this.isStopped = true
    await this.worker.terminate()
  }

  /** Null when the thread has stopped. */
  private ask(message: (id: number) => ToCache): Promise<FromCache | null> {
    if (this.isStopped) return Promise.resolve(null)
    const id = ++this.lastId
    return new Promise((resolve) => {
      this.waiting.set(id, resolve)
      this.send(message(id))
    })
  }

  private send(message: ToCache, transfer: ArrayBuffer[] = []): void {
    if (!this.isStopped) this.worker.postMessage(message, transfer)
  }

  private settle(message: FromCache): void {
    if (message.kind === 'chunk') {
      this.puts.giveBack(message.chunk)
      return
    }
    if (message.kind === 'anew') {
      if (!this.isOpen) this.anewAtStart = message.code
      this.log.warn(
        { code: message.code },
        'the cache is given up, and begun anew when it can be: what was in it comes from hosts again',
      )
      return
    }
    const id = message.kind === 'open' ? 0 : message.id
    this.waiting.get(id)?.(message)
    this.waiting.delete(id)
  }

  private stop(error?: unknown): void {
    if (!this.isStopped && error !== undefined)
      this.log.error({ err: error }, 'the cache has stopped; reads go on without it')
    this.isStopped = true
    this.puts.clear()
    const waiting = [...this.waiting.values()]
    this.waiting.clear()
    for (const one of waiting) one(null)
  }
}
