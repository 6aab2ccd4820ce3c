/**
 * The same rows of several shards of one segment: the wanted data shards when their hosts answer, any k shards and the
 * code otherwise. A host that is late is raced by others; one that fails is an erasure.
 */
import { AppError } from '../../base/errors.js'
import { reconstruct } from '../../erasure/code.js'
import type { HostId } from '../../model/ids.js'
import type { Scheme } from '../../model/segment.js'
import type { LeafRange, ShardAnswer, ShardPlace, ShardReader } from './shard-reader.js'

export interface Stripe extends LeafRange {
  scheme: Scheme
  /** By shard index; null where no host is known. */
  places: readonly (ShardPlace | null)[]
  /** Bytes of these rows in each shard. */
  length: number
}

export interface StripeParts {
  shards: Pick<ShardReader, 'ask'>
  /** When an answer of so many bytes would be here; above AVOID_MS: better not asked. */
  costMs(host: HostId, bytes: number): number
  mayRace(bytes: number): boolean
}

export interface StripeSink {
  /** A wanted shard's bytes, verified, as soon as they are here; never to be changed. */
  shard(index: number, bytes: Buffer): void
  /** A host did not give its shard. */
  lost?(index: number, error: AppError): void
}

const AVOID_MS = 1e5
/** A whole row is read from other shards when these would be here in half the time: the code costs next to nothing. */
const SWAP_FACTOR = 2
const SWAP_SLACK_MS = 50
/** When no race may start (our own line is the slow one) it is looked at again so much later. */
const RACE_AGAIN_MS = 1_000

/** Rejects with `shards-unreachable` when fewer than k shards can be had, or with the signal's reason. */
export function readStripe(
  parts: StripeParts,
  stripe: Stripe,
  wanted: readonly number[],
  sink: StripeSink,
  signal: AbortSignal,
): Promise<void> {
  return new StripeRace(parts, stripe, wanted, sink).run(signal)
}

interface Asked {
  answer: ShardAnswer
  timer: NodeJS.Timeout
  isLate: boolean
}

class StripeRace {
  private readonly parts: StripeParts
  private readonly stripe: Stripe
  private readonly wanted: readonly number[]
  private readonly sink: StripeSink
  private readonly present = new Map<number, Buffer>()
  private readonly pending = new Map<number, Asked>()
  /** Not asked yet, the best first. */
  private readonly others: number[]
  private lateCount = 0
  private hasEnded = false
  private end: (error?: unknown) => void = () => {}
  private lastError: unknown

  constructor(parts: StripeParts, stripe: Stripe, wanted: readonly number[], sink: StripeSink) {
    this.parts = parts
    this.stripe = stripe
    this.wanted = wanted
    this.sink = sink
    const known = stripe.places.flatMap((place, index) => (place === null ? [] : [index]))
    const costs = new Map(known.map((index) => [index, this.costOf(index)]))
    this.others = known.sort((a, b) => (costs.get(a) as number) - (costs.get(b) as number))
  }

  async run(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    let stop = () => {}
    try {
      await new Promise<void>((resolve, reject) => {
        this.end = (error) => {
          this.hasEnded = true
          if (error === undefined) resolve()
          else reject(error)
        }
        stop = () => this.end(signal.reason)
        signal.addEventListener('abort', stop, { once: true })
        for (const index of this.firstChoice()) this.ask(index)
        this.step()
      })
    } finally {
      signal.removeEventListener('abort', stop)
      this.abandonRest(signal)
    }
    await this.rebuildMissing()
  }

  /** The wanted shards; or, where their hosts are slow or avoided, the k best of all. */
  private firstChoice(): number[] {
    const { dataShards } = this.stripe.scheme
    const best = this.others.slice(0, dataShards)
    if (best.length < dataShards) return [...this.wanted].filter((index) => this.stripe.places[index] != null)
    const wantedCost = Math.max(...this.wanted.map((index) => this.costOf(index)))
    const bestCost = Math.max(...best.map((index) => this.costOf(index)))
    const isWholeRow = this.wanted.length === dataShards
    const isFaster = wantedCost > SWAP_FACTOR * bestCost + SWAP_SLACK_MS
    if (isFaster && (isWholeRow || (wantedCost > AVOID_MS && bestCost < AVOID_MS))) return best
    return [...this.wanted].filter((index) => this.stripe.places[index] != null)
  }

  private costOf(index: number): number {
    const place = this.stripe.places[index]
    return place ? this.parts.costMs(place.host, this.stripe.length) : Number.POSITIVE_INFINITY
  }

  private ask(index: number): void {
    this.others.splice(this.others.indexOf(index), 1)
    const answer = this.parts.shards.ask(this.stripe.places[index] as ShardPlace, this.stripe)
    const asked: Asked = { answer, isLate: false, timer: setTimeout(() => this.markLate(asked), answer.lateAfterMs) }
    this.pending.set(index, asked)
    answer.bytes.then(
      (bytes) => this.arrived(index, asked, bytes),
      (error: unknown) => this.failed(index, asked, error),
    )
  }

  private arrived(index: number, asked: Asked, bytes: Buffer): void {
    if (this.hasEnded) return
    this.settled(index, asked)
    this.present.set(index, bytes)
    if (this.wanted.includes(index)) this.sink.shard(index, bytes)
    this.step()
  }

  private failed(index: number, asked: Asked, error: unknown): void {
    if (this.hasEnded) return
    this.settled(index, asked)
    // A broken belief is nobody's missing shard.
    if (!(error instanceof AppError)) {
      this.end(error)
      return
    }
    this.lastError = error
    this.sink.lost?.(index, error)
    this.step()
  }

  private settled(index: number, asked: Asked): void {
    clearTimeout(asked.timer)
    this.pending.delete(index)
    if (asked.isLate) this.lateCount--
  }

  private markLate(asked: Asked): void {
    const { dataShards } = this.stripe.scheme
    const needed = dataShards - this.present.size - (this.pending.size - this.lateCount) + 1
    if (needed > 0 && !this.parts.mayRace(needed * this.stripe.length)) {
      asked.timer = setTimeout(() => this.markLate(asked), RACE_AGAIN_MS)
      return
    }
    asked.isLate = true
    this.lateCount++
    this.step()
  }

  /** Looks at what is there and asks for more, or ends. */
  private step(): void {
    if (this.hasEnded) return
    const { dataShards } = this.stripe.scheme
    if (this.present.size >= dataShards || this.isWhole((index) => this.present.has(index))) {
      this.end()
      return
    }
    if (this.isWhole((index) => this.present.has(index) || this.pending.get(index)?.isLate === false)) return
    // Some wanted shard is late, lost or left out: k shards in all are needed, late ones not counted.
    while (this.present.size + this.pending.size - this.lateCount < dataShards) {
      const next = this.others[0]
      if (next === undefined) break
      this.ask(next)
    }
    const isPossible =
      this.present.size + this.pending.size >= dataShards ||
      this.isWhole((index) => this.present.has(index) || this.pending.has(index))
    if (!isPossible) this.end(this.unreachable())
  }

  private isWhole(has: (index: number) => boolean): boolean {
    return this.wanted.every(has)
  }

  /** What is still on its way is not needed any more. */
  private abandonRest(signal: AbortSignal): void {
    const reason: Error = signal.aborted ? signal.reason : new AppError('interrupted', 'other shards were faster')
    for (const { answer, timer, isLate } of this.pending.values()) {
      clearTimeout(timer)
      answer.abandon(reason, isLate && !signal.aborted)
    }
    this.pending.clear()
  }

  private unreachable(): AppError {
    const { dataShards } = this.stripe.scheme
    return new AppError('shards-unreachable', `${this.present.size} of the ${dataShards} shards needed can be had`, {
      retry: 'later',
      cause: this.lastError,
      hint: 'hosts of this data are offline; it reads again when they are back',
    })
  }

  private async rebuildMissing(): Promise<void> {
    const missing = this.wanted.filter((index) => !this.present.has(index))
    if (missing.length === 0) return
    const present = [...this.present].map(([index, bytes]) => ({ index, bytes }))
    const rebuilt = await reconstruct(this.stripe.scheme, present, missing)
    for (const [at, index] of missing.entries()) this.sink.shard(index, rebuilt[at] as Buffer)
  }
}
