/**
 * One HTTP request and its whole reply, nothing of it believed yet. Node's own client and not `fetch`, which compiles a parser
 * when it is first used (0.2 s of CPU in each process, docs/adr/0010). Redirects are not followed, nothing is
 * decompressed; idle connections are kept for the next request as long as the bridge keeps them.
 */
import http from 'node:http'
import https from 'node:https'
import { AppError } from '../base/errors.js'
import { linkSignal } from '../base/linked-signal.js'

export interface HttpCall {
  method: 'GET' | 'POST'
  /** With query. */
  path: string
  body?: Uint8Array
  replyBytesMax: number
  timeoutMs: number
  signal?: AbortSignal
}

export interface HttpReply {
  status: number
  /** Null: the reply has none of this name (lower case). */
  header(name: string): string | null
  body: Buffer
}

/** `bridge-unreachable`; `malformed` as soon as the body is longer than it may be. An aborted signal rejects with its reason. */
export async function send(url: URL, call: HttpCall, headers: Record<string, string>): Promise<HttpReply> {
  let isLate = false
  const late = () => {
    isLate = true
    return unreachable(`no answer within ${call.timeoutMs} ms`)
  }
  const limit = linkSignal(call.signal, { ms: call.timeoutMs, reason: late })
  try {
    return await readReply(await begin(url, call, headers, limit.signal), call.replyBytesMax)
  } catch (error) {
    if (call.signal?.aborted) throw call.signal.reason
    if (error instanceof AppError) throw error
    throw isLate ? late() : unreachable(networkWords(error), error)
  } finally {
    limit.release()
  }
}

function begin(
  url: URL,
  call: HttpCall,
  headers: Record<string, string>,
  signal: AbortSignal,
): Promise<http.IncomingMessage> {
  const { request } = url.protocol === 'https:' ? https : http
  return new Promise((resolve, reject) => {
    const sent = request(new URL(call.path, url), { method: call.method, headers, signal }, resolve)
    sent.on('error', reject)
    sent.end(call.body)
  })
}

async function readReply(message: http.IncomingMessage, bytesMax: number): Promise<HttpReply> {
  const chunks: Buffer[] = []
  let size = 0
  // Leaving the loop, also by an error, closes the connection.
  for await (const chunk of message as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > bytesMax) throw new AppError('malformed', `the bridge answered with more than ${bytesMax} bytes`)
    chunks.push(chunk)
  }
  const header = (name: string) => {
    const value = message.headers[name]
    return value === undefined ? null : String(value)
  }
  return { status: message.statusCode ?? 0, header, body: Buffer.concat(chunks, size) }
}

/** What of a network failure is worth telling: ECONNREFUSED and the like. */
function networkWords(error: unknown): string {
  const { code } = error as { code?: unknown }
  return typeof code === 'string' && /^E[A-Z]+$/.test(code) ? code : 'the connection failed'
}

export function unreachable(why: string, cause?: unknown): AppError {
  return new AppError('bridge-unreachable', `the bridge cannot be reached: ${why}`, {
    retry: 'later',
    hint: 'check the network and the address of the bridge; what you wrote stays safe on this machine',
    cause,
  })
}
