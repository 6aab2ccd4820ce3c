/**
 * A signal for one piece of work: fires with its parent, after a time, or when told; release() ends the link. Signals that
 * live as long as the program keep no trace of work that is over (AbortSignal.any leaves one for ever).
 */
import { setMaxListeners } from 'node:events'

export interface LinkedSignal {
  readonly signal: AbortSignal
  abort(reason: unknown): void
  /** The work is over: nothing fires it any more. Idempotent. */
  release(): void
}

/** `timeout`: fires with what `reason` makes after `ms`; its timer keeps no process alive. */
export function linkSignal(
  parent: AbortSignal | undefined,
  timeout?: { ms: number; reason: () => unknown },
): LinkedSignal {
  const own = new AbortController()
  // As many listen as the work has parts.
  setMaxListeners(0, own.signal)
  const timer = timeout && setTimeout(() => own.abort(timeout.reason()), timeout.ms)
  timer?.unref()
  const pass = () => own.abort(parent?.reason)
  const release = () => {
    clearTimeout(timer)
    parent?.removeEventListener('abort', pass)
  }
  if (parent?.aborted) pass()
  else parent?.addEventListener('abort', pass, { once: true })
  return { signal: own.signal, abort: (reason) => own.abort(reason), release }
}
