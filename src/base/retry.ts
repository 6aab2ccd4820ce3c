import type { Clock } from './clock.js'
import { AppError } from './errors.js'

export interface RetryOptions {
  clock: Pick<Clock, 'sleep'>
  attempts: number
  firstDelayMs: number
  delayMsMax: number
  signal?: AbortSignal
  /** Default: AppErrors that say retry later. */
  when?: (error: unknown) => boolean
}

/** Doubling delays with full jitter (Brooker, "Exponential Backoff And Jitter", 2015). Bounded by `attempts`. */
export async function retry<T>(work: (attempt: number) => Promise<T>, options: RetryOptions): Promise<T> {
  const when = options.when ?? ((error: unknown) => error instanceof AppError && error.retry === 'later')
  for (let attempt = 1; ; attempt++) {
    try {
      return await work(attempt)
    } catch (error) {
      if (attempt >= options.attempts || options.signal?.aborted || !when(error)) throw error
      const ceiling = Math.min(options.delayMsMax, options.firstDelayMs * 2 ** (attempt - 1))
      if (!(await options.clock.sleep(Math.random() * ceiling, options.signal))) throw error
    }
  }
}
