/** Token buckets, one for each name, in bounded memory: what is forgotten first has been silent longest. */
import { LRUCache } from 'lru-cache'
import { AppError } from '../base/errors.js'

export interface RateOptions {
  perSecond: number
  burst: number
  namesMax?: number
}

const NAMES_MAX = 20_000

export class Rates {
  private readonly buckets: LRUCache<string, { level: number; atMs: number }>
  private readonly perSecond: number
  private readonly burst: number

  constructor(options: RateOptions) {
    this.perSecond = options.perSecond
    this.burst = options.burst
    this.buckets = new LRUCache({ max: options.namesMax ?? NAMES_MAX })
  }

  /** True when the name may do one more thing now. `nowMs` is monotonic. */
  allows(name: string, nowMs: number): boolean {
    const bucket = this.buckets.get(name) ?? { level: this.burst, atMs: nowMs }
    const refilled = bucket.level + ((nowMs - bucket.atMs) / 1_000) * this.perSecond
    const level = Math.min(this.burst, refilled)
    const allowed = level >= 1
    this.buckets.set(name, { level: allowed ? level - 1 : level, atMs: nowMs })
    return allowed
  }

  /** `rate-limited` when the name does too much. */
  spend(name: string, nowMs: number): void {
    if (this.allows(name, nowMs)) return
    throw new AppError('rate-limited', 'too many requests', { retry: 'later', hint: 'slow down' })
  }
}
