/** Small things for waiting: a signal with a time limit, turns. */
import { setMaxListeners } from 'node:events'

/** Fires with the outer signal, or after a time. One listener, taken off at the end. */
export class Deadline {
  hasPassed = false
  private readonly controller = new AbortController()
  private readonly outer: AbortSignal | null
  private readonly timer: NodeJS.Timeout
  private readonly stop: () => void

  constructor(outer: AbortSignal | null, delayMs: number, reason: () => Error) {
    this.outer = outer
    setMaxListeners(0, this.controller.signal)
    this.stop = () => this.controller.abort(outer?.reason)
    this.timer = setTimeout(() => {
      this.hasPassed = true
      this.controller.abort(reason())
    }, delayMs)
    this.timer.unref()
    if (outer?.aborted) this.stop()
    outer?.addEventListener('abort', this.stop, { once: true })
  }

  get signal(): AbortSignal {
    return this.controller.signal
  }

  end(): void {
    clearTimeout(this.timer)
    this.outer?.removeEventListener('abort', this.stop)
  }
}

/** So many at a time, first come first served. */
export class Turns {
  private free: number
  private readonly waiting: (() => void)[] = []

  constructor(count: number) {
    this.free = count
  }

  /** The value ends the turn. Rejects with the signal's reason. */
  async enter(signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted()
    if (this.free > 0) this.free--
    else await this.wait(signal)
    return () => {
      const next = this.waiting.shift()
      if (next) next()
      else this.free++
    }
  }

  private wait(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const enter = () => {
        signal.removeEventListener('abort', stop)
        resolve()
      }
      const stop = () => {
        this.waiting.splice(this.waiting.indexOf(enter), 1)
        reject(signal.reason)
      }
      signal.addEventListener('abort', stop, { once: true })
      this.waiting.push(enter)
    })
  }
}

/** The value, or the signal's reason when that comes first. */
export function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason)
    signal.addEventListener('abort', stop, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop))
  })
}
