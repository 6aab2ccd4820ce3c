/** Time is handed in, so that tests drive it. Wall time is for people and signatures; ages and deadlines use monotonic. */
export interface Clock {
  /** Unix time, milliseconds. */
  nowMs(): number
  /** Unix time, nanoseconds: file times. */
  nowNs(): bigint
  /** Never goes back; unrelated to wall time. */
  monotonicMs(): number
  /** Resolves after `delayMs`, or at once (false) when the signal fires. The timer never keeps the process alive. */
  sleep(delayMs: number, signal?: AbortSignal): Promise<boolean>
}

const originNs = BigInt(Date.now()) * 1_000_000n - process.hrtime.bigint()
let offsetNs = originNs

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  nowNs: () => {
    const guess = process.hrtime.bigint() + offsetNs
    const wall = BigInt(Date.now()) * 1_000_000n
    // Wall time was stepped: follow it. 2 ms is above Date.now()'s grain and below what a file time shows.
    if (guess - wall > 2_000_000n || wall - guess > 2_000_000n) {
      offsetNs += wall - guess
      return wall
    }
    return guess
  },
  monotonicMs: () => performance.now(),
  sleep: (delayMs, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted) return resolve(false)
      const stop = () => {
        clearTimeout(timer)
        resolve(false)
      }
      const timer = setTimeout(() => {
        signal?.removeEventListener('abort', stop)
        resolve(true)
      }, delayMs)
      timer.unref()
      signal?.addEventListener('abort', stop, { once: true })
    }),
}
