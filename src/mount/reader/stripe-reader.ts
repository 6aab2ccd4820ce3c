/**
 * The same rows of several shards of one segment: the wanted data shards when their hosts answer, any k shards and the
 * code otherwise. A host that is late is raced by others; one that fails is an erasure.
 */
import { AppError } from '../../base/errors.js'
import { reconstruct } from '../../erasure/code.js'
import type { Scheme } from '../../model/segment.js'
import type { ShardPlace, ShardReader } from './shard-reader.js'

export interface Stripe {
  scheme: Scheme
  /** By shard index; null where no host is known. In the order of preference nothing is implied. */
  places: readonly (ShardPlace | null)[]
  /** Shard indexes from the best host to the worst. */
  order: readonly number[]
  firstLeaf: number
  leafCount: number
  /** Bytes of these rows in each shard. */
  length: number
}

/** Data shard index -> its bytes. Rejects with `shards-unreachable` when fewer than k shards can be had. */
export function readStripe(
  reader: Pick<ShardReader, 'read' | 'lateAfterMs'>,
  stripe: Stripe,
  wanted: readonly number[],
  signal: AbortSignal,
): Promise<Map<number, Buffer>> {
  return new StripeRace(reader, stripe, wanted, signal).run()
}

class StripeRace {
  private readonly present = new Map<number, Buffer>()
  private readonly asked = new Set<number>()
  private readonly late = new Set<number>()
  private readonly stop = new AbortController()
  private readonly pending = new Set<number>()
  private readonly reader: Pick<ShardReader, 'read' | 'lateAfterMs'>
  private readonly stripe: Stripe
  private readonly wanted: readonly number[]
  private readonly signal: AbortSignal
  private settle: (error?: unknown) => void = () => {}
  private lastError: unknown

  constructor(reader: Pick<ShardReader, 'read' | 'lateAfterMs'>, stripe: Stripe, wanted: readonly number[], signal: AbortSignal) {
    this.reader = reader
    this.stripe = stripe
    this.wanted = wanted
    this.signal = AbortSignal.any([signal, this.stop.signal])
  }

  async run(): Promise<Map<number, Buffer>> {
    this.signal.throwIfAborted()
    try {
      await new Promise<void>((resolve, reject) => {
        this.settle = (error) => (error === undefined ? resolve() : reject(error))
        this.signal.addEventListener('abort', () => reject(this.signal.reason), { once: true })
        for (const index of this.wanted) this.ask(index)
        this.step()
      })
    } finally {
      // What is still on its way is not needed any more.
      this.stop.abort(new AppError('interrupted', 'other shards were faster'))
    }
    return this.assemble()
  }

  private ask(index: number): void {
    const place = this.stripe.places[index]
    this.asked.add(index)
    if (!place) return
    this.pending.add(index)
    const timer = setTimeout(() => {
      this.late.add(index)
      this.step()
    }, this.reader.lateAfterMs(place.host, this.stripe.length))
    this.reader
      .read(place, this.stripe.firstLeaf, this.stripe.leafCount, this.signal)
      .then(
        (bytes) => this.present.set(index, bytes),
        (error: unknown) => {
          // A broken belief is nobody's missing shard.
          if (!(error instanceof AppError) && !this.signal.aborted) this.settle(error)
          this.lastError = error
        },
      )
      .finally(() => {
        clearTimeout(timer)
        this.late.delete(index)
        this.pending.delete(index)
        this.step()
      })
  }

  /** Looks at what is there and asks for more, or ends. */
  private step(): void {
    if (this.signal.aborted) return
    const { dataShards } = this.stripe.scheme
    if (this.wanted.every((index) => this.present.has(index)) || this.present.size >= dataShards) return this.settle()
    const isWhole = this.wanted.every((index) => this.present.has(index) || (this.pending.has(index) && !this.late.has(index)))
    if (isWhole) return
    // Some wanted shard is late or lost: k shards in all are needed, late ones not counted.
    for (const index of this.stripe.order) {
      if (this.present.size + this.pending.size - this.late.size >= dataShards) return
      if (!this.asked.has(index)) this.ask(index)
    }
    if (this.present.size + this.pending.size < dataShards && !this.canStillBeWhole()) this.settle(this.unreachable())
  }

  private canStillBeWhole(): boolean {
    return this.wanted.every((index) => this.present.has(index) || this.pending.has(index))
  }

  private unreachable(): AppError {
    const { dataShards } = this.stripe.scheme
    return new AppError('shards-unreachable', `${this.present.size} of the ${dataShards} shards needed can be had`, {
      retry: 'later',
      cause: this.lastError,
      hint: 'hosts of this data are offline; it reads again when they are back',
    })
  }

  private async assemble(): Promise<Map<number, Buffer>> {
    const missing = this.wanted.filter((index) => !this.present.has(index))
    const result = new Map<number, Buffer>()
    for (const index of this.wanted) {
      const bytes = this.present.get(index)
      if (bytes) result.set(index, bytes)
    }
    if (missing.length === 0) return result
    const present = [...this.present].map(([index, bytes]) => ({ index, bytes }))
    const rebuilt = await reconstruct(this.stripe.scheme, present, missing)
    for (const [at, index] of missing.entries()) result.set(index, rebuilt[at] as Buffer)
    return result
  }
}
