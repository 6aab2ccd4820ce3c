/**
 * Being told to stop: SIGINT, SIGTERM and SIGHUP become one AbortSignal. A Ctrl-C under `npm start` arrives twice (from
 * the terminal and from npm), so what comes within two seconds of the first is the same wish. A later one means: leave
 * now, without the clean end; the process ends with 128 + the signal's number.
 */
import { type ExitCode, exitCodes } from './exit-codes.js'

const sameWishMs = 2_000
/** Of a timer that only holds the process: an hour is as good as any. */
const aliveMs = 3_600_000
const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
type StopName = (typeof signals)[number]
const numbers: Record<StopName, number> = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 }

export interface StopRequest {
  /** Aborts at the first signal. */
  readonly signal: AbortSignal
  /** Which signal it was, once there was one. */
  readonly by: StopName | undefined
  /** The exit code of work that was cut short by it. */
  readonly exitCode: ExitCode
  /**
   * Settles at the first signal, or with the first of `others`. The process stays alive until then, also when nothing of it is open:
   * clocks, and connections that have ended, do not keep it.
   */
  waitWith<T>(...others: Promise<T>[]): Promise<T | undefined>
  /** Gives the signals back to Node's own behaviour. */
  release(): void
}

/** `onHurry` may say a word before the process ends at once. */
export function listenForStop(onHurry: () => void = () => undefined): StopRequest {
  const controller = new AbortController()
  const stopped = new Promise<undefined>((resolve) => {
    controller.signal.addEventListener('abort', () => resolve(undefined), { once: true })
  })
  let by: StopName | undefined
  let firstAtMs = 0
  const onSignal = (name: StopName): void => {
    if (by === undefined) {
      by = name
      firstAtMs = performance.now()
      controller.abort(new Error(`stopped by ${name}`))
    } else if (performance.now() - firstAtMs > sameWishMs) {
      onHurry()
      process.exit(128 + numbers[name])
    }
  }
  for (const name of signals) process.on(name, onSignal)
  return {
    signal: controller.signal,
    get by() {
      return by
    },
    get exitCode() {
      return by === 'SIGINT' ? exitCodes.interrupted : exitCodes.terminated
    },
    waitWith: async (...others) => {
      const alive = setInterval(() => undefined, aliveMs)
      try {
        return await Promise.race([stopped, ...others])
      } finally {
        clearInterval(alive)
      }
    },
    release: () => {
      for (const name of signals) process.off(name, onSignal)
    },
  }
}
