/**
 * Units that could not be had a moment ago. Who wants one of them waits less long for it than the first one did, and who comes
 * after him is told at once. The kernel asks for a page of a failed readahead once more, one process after the other: if each of
 * them waited, the last would wait for ever. After a while a unit is asked for as if nothing had been: the hosts may be back.
 */
import { LRUCache } from 'lru-cache'
import type { AppError } from '../../base/errors.js'

const FAILED_MS = 3_000
const FAILED_MAX = 8_192

interface Failure {
  error: AppError
  /** It was asked for once more since it failed at first. */
  wasAskedAgain: boolean
}

export class RecentFailures {
  private readonly failures: LRUCache<string, Failure>

  constructor(rememberedMs: number = FAILED_MS) {
    this.failures = new LRUCache({ max: FAILED_MAX, ttl: rememberedMs })
  }

  add(key: string, error: AppError): void {
    this.failures.set(key, { error, wasAskedAgain: this.failures.has(key) })
  }

  /** It is here. */
  delete(key: string): void {
    this.failures.delete(key)
  }

  /** Why it could not be had just now. */
  of(key: string): AppError | undefined {
    return this.failures.get(key)?.error
  }

  /** The same, when it is not to be asked for again yet. */
  refusalOf(key: string): AppError | undefined {
    const failure = this.failures.get(key)
    return failure?.wasAskedAgain ? failure.error : undefined
  }
}
