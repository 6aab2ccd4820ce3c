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
  const socket = await open(path)
  const abort = () => socket.destroy()
  options.signal?.addEventListener('abort', abort, { once: true })
  try {
    writeLine(socket, { id: 1, method, params })
    for await (const line of readLines(socket)) {
      if (isObject(line.progress)) options.progress?.(line.progress)
      else if (isObject(line.error)) throw errorOf(line.error)
      else if (isObject(line.result)) return line.result
    }
    options.signal?.throwIfAborted()
    throw new AppError('daemon-stopped', 'the daemon ended before it answered', { retry: 'later' })
  } finally {
    options.signal?.removeEventListener('abort', abort)
    socket.destroy()
  }
}

function open(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(path)
    socket.once('connect', () => resolve(socket))
    socket.once('error', (cause) => {
      reject(
        new AppError('daemon-not-running', 'no drive is mounted from this state directory', {
          cause,
          hint: 'shardrive mount MOUNTPOINT starts it; --state names another state directory',
        }),
      )
    })
  })
}

function errorOf(facts: Record<string, unknown>): AppError {
  const text = (value: unknown) => (typeof value === 'string' ? value : undefined)
  return new AppError(text(facts.code) ?? 'internal', text(facts.message) ?? 'the daemon failed', {
    retry: (text(facts.retry) as Retry | undefined) ?? 'never',
    hint: text(facts.hint),
    ...(isObject(facts.details) ? { details: facts.details as Record<string, string | number | boolean> } : {}),
  })
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}
