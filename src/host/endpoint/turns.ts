/** Bounded concurrency, first come first served: so many at once, so many waiting, the rest is told `busy`. */
import { AppError } from '../../base/errors.js'

export class Turns {
  private readonly runningMax: number
  private readonly waitingMax: number
  private running = 0
  private readonly waiting: (() => void)[] = []

  constructor(options: { runningMax: number; waitingMax: number }) {
    this.runningMax = options.runningMax
    this.waitingMax = options.waitingMax
  }

  /** An abort while waiting gives the place up and throws the signal's reason. */
  async run<T>(signal: AbortSignal | null, work: () => Promise<T>): Promise<T> {
    if (this.running >= this.runningMax) await this.wait(signal)
    else this.running += 1
    try {
      signal?.throwIfAborted()
      return await work()
    } finally {
      // The turn passes on without being free in between.
      const next = this.waiting.shift()
      if (next) next()
      else this.running -= 1
    }
  }

  private wait(signal: AbortSignal | null): Promise<void> {
    if (this.waiting.length >= this.waitingMax) throw new AppError('busy', 'the host is busy', { retry: 'elsewhere' })
    return new Promise((resolve, reject) => {
      const leave = () => {
        const at = this.waiting.indexOf(go)
        if (at >= 0) this.waiting.splice(at, 1)
        reject(signal?.reason)
      }
      const go = () => {
        signal?.removeEventListener('abort', leave)
        resolve()
      }
      signal?.addEventListener('abort', leave, { once: true })
      this.waiting.push(go)
    })
  }
}
