/** Speaks to a running daemon through its control socket. Used by the commands of the command line. */
import { connect, type Socket } from 'node:net'
import { AppError, type Retry } from '../../base/errors.js'
import { readLines, writeLine } from './lines.js'

export interface CallOptions {
  progress?: (value: Record<string, unknown>) => void
  signal?: AbortSignal
}

/** One call on one connection. `daemon-not-running` when nobody listens; else whatever the daemon's method threw. */
export async function callDaemon(
  path: string,
  method: string,
  params: object = {},
  options: CallOptions = {},
): Promise<Record<string, unknown>> {
  options.signal?.throwIfAborted()
  const socket = await open(path)
  // The loop below hears of failures; one that comes after it concerns nobody.
  socket.on('error', () => undefined)
  const abort = () => socket.destroy()
  options.signal?.addEventListener('abort', abort, { once: true })
  if (options.signal?.aborted) abort()
  try {
    writeLine(socket, { id: 1, method, params })
    for await (const line of readLines(socket)) {
      if (isObject(line.progress)) options.progress?.(line.progress)
      else if (isObject(line.error)) throw errorOf(line.error)
      else if (isObject(line.result)) return line.result
    }
    throw stoppedError()
  } catch (error) {
    options.signal?.throwIfAborted()
    throw error instanceof AppError ? error : stoppedError(error)
  } finally {
    options.signal?.removeEventListener('abort', abort)
    socket.destroy()
  }
}

function stoppedError(cause?: unknown): AppError {
  return new AppError('daemon-stopped', 'the daemon ended before it answered', { retry: 'later', cause })
}

function open(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(path)
    socket.once('connect', () => resolve(socket))
    socket.once('error', (cause: NodeJS.ErrnoException) => {
      if (cause.code === 'EACCES' || cause.code === 'EPERM') {
        const hint = 'run the command as the user who mounted the drive'
        return reject(new AppError('state-unreadable', 'the daemon belongs to another user', { cause, hint }))
      }
      reject(
        new AppError('daemon-not-running', 'no drive is mounted from this state directory', {
          cause,
          hint: 'shardrive mount MOUNTPOINT starts it; --state names another state directory',
        }),
      )
    })
  })
}

const CODE = /^[a-z][a-z0-9-]{0,63}$/
const RETRIES: readonly unknown[] = ['never', 'later', 'elsewhere'] satisfies Retry[]

/** As the daemon threw it; what is no code of ours is `internal`. */
function errorOf(facts: Record<string, unknown>): AppError {
  const text = (value: unknown) => (typeof value === 'string' ? value : undefined)
  const code = text(facts.code) ?? ''
  return new AppError(CODE.test(code) ? code : 'internal', text(facts.message) ?? 'the daemon failed', {
    retry: RETRIES.includes(facts.retry) ? (facts.retry as Retry) : 'never',
    hint: text(facts.hint),
    ...(isObject(facts.details) ? { details: facts.details as Record<string, string | number | boolean> } : {}),
  })
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}
