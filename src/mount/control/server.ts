/**
 * The control face of a running daemon: a unix socket, mode 0600, JSON lines. A request {id, method, params} is
 * answered by any number of {id, progress} and one {id, result} or {id, error}. Closing the connection cancels what
 * it asked for. Only the owner of the socket can speak to it; nothing here leaves the machine.
 */
import { chmodSync, rmSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { AppError } from '../../base/errors.js'
import type { Log } from '../../base/log.js'
import { readLines, writeLine } from './lines.js'

export interface ControlCall {
  params: Record<string, unknown>
  signal: AbortSignal
  progress(value: object): void
}

export type ControlMethods = Record<string, (call: ControlCall) => Promise<object>>

/** People and scripts on one machine: more at once is a loop gone wild. */
const CONNECTIONS_MAX = 64
/** sun_path of Linux holds 107 bytes and a zero, that of macOS 103. */
export const SOCKET_PATH_MAX = process.platform === 'linux' ? 107 : 103
/** Requests in flight on one connection. */
const CALLS_MAX = 16
/** Of what numbers a call. */
const ID_CHARS_MAX = 64
/** Answers on their way at the end get so long. */
const STOP_MS = 500

export class ControlServer {
  private readonly server: Server
  private readonly path: string
  private readonly sockets = new Map<Socket, AbortController>()
  private readonly answers = new Set<Promise<void>>()

  private constructor(server: Server, path: string) {
    this.server = server
    this.path = path
  }

  /** Takes over a socket file that a dead daemon left; the state directory's lock has shown that it is dead. */
  static async listen(path: string, methods: ControlMethods, log: Log): Promise<ControlServer> {
    const refused = (cause: unknown) => new AppError('state-unwritable', `cannot listen at ${path}`, { cause })
    // Node cuts a longer path without a word: two drives would listen at the same one.
    if (Buffer.byteLength(path) > SOCKET_PATH_MAX) throw refused(new Error('the path is too long for a socket'))
    try {
      rmSync(path, { force: true })
    } catch (cause) {
      throw refused(cause)
    }
    const server = createServer()
    const control = new ControlServer(server, path)
    server.maxConnections = CONNECTIONS_MAX
    server.on('connection', (socket) => control.accept(socket, methods, log))
    await new Promise<void>((resolve, reject) => {
      server.once('error', (cause) => reject(refused(cause)))
      // await-free: the mask is the whole process's, and listen() makes the file before it returns.
      const umask = process.umask(0o177)
      try {
        server.listen(path, resolve)
      } finally {
        process.umask(umask)
      }
    })
    server.on('error', (error) => log.warn({ err: error }, 'the control socket has trouble'))
    chmodSync(path, 0o600)
    return control
  }

  private accept(socket: Socket, methods: ControlMethods, log: Log): void {
    const closed = new AbortController()
    let calls = 0
    this.sockets.set(socket, closed)
    socket.on('error', () => undefined)
    socket.on('close', () => {
      this.sockets.delete(socket)
      closed.abort(new AppError('interrupted', 'the caller has gone'))
    })
    const serve = async () => {
      for await (const line of readLines(socket)) {
        if (++calls > CALLS_MAX) throw new AppError('busy', 'too many calls on one connection', { retry: 'later' })
        const id = idOf(line)
        const answered = answer({ socket, id, signal: closed.signal }, line, methods)
          .catch((error: unknown) => {
            log.error({ err: error }, 'a control call could not be answered')
            socket.destroy()
          })
          .finally(() => {
            calls--
            this.answers.delete(answered)
          })
        this.answers.add(answered)
      }
    }
    serve().catch((error: unknown) => {
      log.debug({ err: error }, 'control connection ended')
      socket.destroy()
    })
  }

  /** Calls under way are told to end; what they answer still leaves. */
  async stop(): Promise<void> {
    const ended = new Promise<void>((resolve) => this.server.close(() => resolve()))
    const patience = setTimeout(() => {
      for (const socket of this.sockets.keys()) socket.destroy()
    }, STOP_MS)
    for (const closed of this.sockets.values()) {
      closed.abort(new AppError('stopped', 'the drive is being unmounted', { retry: 'later' }))
    }
    void Promise.allSettled(this.answers).then(() => {
      for (const socket of this.sockets.keys()) socket.destroySoon()
    })
    await ended
    clearTimeout(patience)
    rmSync(this.path, { force: true })
  }
}

/** Comes back in every answer, so it is a number or a word: a tower of lists would be one to write, too. */
function idOf(line: Record<string, unknown>): number | string {
  const { id } = line
  if (typeof id === 'number' || (typeof id === 'string' && id.length <= ID_CHARS_MAX)) return id
  throw new AppError('malformed', 'a control call is numbered by a number or a short text')
}

interface Caller {
  socket: Socket
  id: number | string
  signal: AbortSignal
}

async function answer(
  { socket, id, signal }: Caller,
  line: Record<string, unknown>,
  methods: ControlMethods,
): Promise<void> {
  try {
    const method =
      typeof line.method === 'string' && Object.hasOwn(methods, line.method) ? methods[line.method] : undefined
    if (method === undefined) throw new AppError('unknown-method', 'the daemon has no such method')
    const params =
      typeof line.params === 'object' && line.params !== null ? (line.params as Record<string, unknown>) : {}
    const result = await method({ params, signal, progress: (value) => writeLine(socket, { id, progress: value }) })
    writeLine(socket, { id, result })
  } catch (error) {
    writeLine(socket, { id, error: errorFacts(error) })
  }
}

function errorFacts(error: unknown): object {
  if (!(error instanceof AppError)) return { code: 'internal', message: String(error) }
  const { code, message, retry, hint, details } = error
  return { code, message, retry, hint, details }
}
