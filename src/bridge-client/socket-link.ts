/** One WebSocket to the bridge, from dialing to its end. Reconnecting is bridge-socket.ts. */
import WebSocket, { type RawData } from 'ws'
import type { Clock } from '../base/clock.js'
import { AppError } from '../base/errors.js'
import { hexOf } from '../base/hex.js'
import type { RandomBytes } from '../base/random.js'
import type { SigningKey } from '../crypto/signing-key.js'
import type { BridgeId } from '../model/ids.js'
import { HEADER } from '../wire/api.js'
import { decodeJson } from '../wire/check.js'
import {
  BridgeMessage,
  type PeerMessage,
  type ProcessName,
  SOCKET_CLOSE,
  SOCKET_LIMITS,
  socketPath,
} from '../wire/socket.js'
import type { BridgeClock } from './bridge-clock.js'
import { unreachable } from './http-exchange.js'
import { decodeRefusal, signedHeaders, verifySignedReply } from './signed-exchange.js'

export interface LinkParts {
  url: URL
  bridge: BridgeId
  key: SigningKey
  clock: Clock
  bridgeClock: BridgeClock
  random: RandomBytes
  /** Hosts say which process they are. */
  process?: ProcessName | undefined
}

export interface LinkEvents {
  /** The bridge said hello. */
  onReady(): void
  onMessage(message: BridgeMessage): void
}

const HANDSHAKE_TIMEOUT_MS = 10_000
const HELLO_TIMEOUT_MS = 15_000
const REFUSAL_BYTES_MAX = 65_536
/** Signals that wait for a slow line; beyond it the line is taken for dead. */
const QUEUE_BYTES_MAX = 4 * 1024 * 1024

export interface Link {
  /** False when it could not be queued. */
  send(message: PeerMessage): boolean
  close(): void
  /** Settles when the link is gone: why. Never rejects. */
  ended: Promise<AppError>
}

/** Never throws. `ended` tells `bridge-unreachable`, `bridge-signature`, `replaced`, `host-moved`, or the bridge's refusal. */
export function openLink(parts: LinkParts, events: LinkEvents): Link {
  const nonce = hexOf(parts.random(16))
  const path = socketPath(parts.process)
  const url = new URL(path, parts.url)
  url.protocol = parts.url.protocol === 'https:' ? 'wss:' : 'ws:'
  const socket = new WebSocket(url, {
    headers: signedHeaders(parts, parts.key, nonce, { method: 'GET', path }),
    maxPayload: SOCKET_LIMITS.messageBytesMax,
    perMessageDeflate: false,
    followRedirects: false,
    handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
  })
  let reason: AppError | null = null
  const watch = new AbortController()
  let heardAtMs = parts.clock.monotonicMs()
  const heard = () => {
    heardAtMs = parts.clock.monotonicMs()
  }
  const fail = (error: AppError) => {
    reason ??= error
    socket.terminate()
  }
  const ended = new Promise<AppError>((resolve) => {
    socket.on('close', (code) => {
      watch.abort()
      resolve(reason ?? closeReason(code))
    })
  })
  socket.on('error', (error) => {
    reason ??= unreachable((error as { code?: string }).code ?? 'the connection failed', error)
  })
  // Upgrade, refusal or hello: one of them, soon.
  const greeting = setTimeout(() => fail(unreachable('no hello')), HELLO_TIMEOUT_MS)
  watch.signal.addEventListener('abort', () => clearTimeout(greeting))
  socket.on('unexpected-response', (_request, response) => {
    readRefusal(parts, nonce, response).then(fail, fail)
  })
  socket.on('open', () => {
    heard()
    void keepAlive(socket, parts.clock, () => heardAtMs, watch.signal)
  })
  socket.on('ping', heard)
  socket.on('pong', heard)
  socket.on('message', (data: RawData, isBinary: boolean) => {
    heard()
    // The line was ended; what came in the same breath is not looked at any more.
    if (reason !== null) return
    const message = decodeMessage(data, isBinary)
    if (message instanceof AppError) return fail(message)
    if (message.type !== 'hello') return events.onMessage(message)
    clearTimeout(greeting)
    events.onReady()
  })
  return { send: (message) => sendMessage(socket, message), close: () => closeSoftly(socket), ended }
}

function decodeMessage(data: RawData, isBinary: boolean): BridgeMessage | AppError {
  try {
    if (isBinary) throw new AppError('malformed', 'a binary message from the bridge')
    return decodeJson(BridgeMessage, data as Buffer, 'socket message')
  } catch (error) {
    if (error instanceof AppError) return error
    throw error
  }
}

function sendMessage(socket: WebSocket, message: PeerMessage): boolean {
  if (socket.readyState !== WebSocket.OPEN || socket.bufferedAmount > QUEUE_BYTES_MAX) return false
  socket.send(JSON.stringify(message), () => {})
  return true
}

function closeSoftly(socket: WebSocket): void {
  if (socket.readyState === WebSocket.CONNECTING) return void socket.terminate()
  socket.close(SOCKET_CLOSE.goingAway)
  setTimeout(() => socket.terminate(), 1_000).unref()
}

/** Asks every 15 s; silent for 45 s is dead (a suspended laptop, a dropped NAT entry). */
async function keepAlive(socket: WebSocket, clock: Clock, heardAtMs: () => number, signal: AbortSignal): Promise<void> {
  while (await clock.sleep(SOCKET_LIMITS.pingMs, signal)) {
    if (clock.monotonicMs() - heardAtMs() >= SOCKET_LIMITS.deadMs) return socket.terminate()
    if (socket.readyState === WebSocket.OPEN) socket.ping(() => {})
  }
}

async function readRefusal(
  parts: LinkParts,
  nonce: string,
  response: AsyncIterable<Buffer> & { statusCode?: number; headers: Record<string, string | string[] | undefined> },
): Promise<AppError> {
  const status = response.statusCode ?? 0
  const chunks: Buffer[] = []
  let size = 0
  try {
    for await (const chunk of response) {
      size += chunk.length
      if (size > REFUSAL_BYTES_MAX) return new AppError('malformed', 'a refusal that is too long')
      chunks.push(chunk)
    }
    const signature = textOf(response.headers[HEADER.reply])
    const time = textOf(response.headers[HEADER.bridgeTime])
    if (signature === null && status >= 500) return unreachable(`something in between answered ${status}`)
    const body = Buffer.concat(chunks)
    verifySignedReply(parts.bridge, { nonce, status, signature, time, body })
    parts.bridgeClock.learn(Number(time), 0)
    return decodeRefusal(body)
  } catch (error) {
    return error instanceof AppError ? error : unreachable('the connection failed', error)
  }
}

function textOf(value: string | string[] | undefined): string | null {
  return typeof value === 'string' ? value : null
}

function closeReason(code: number): AppError {
  if (code === SOCKET_CLOSE.replaced) {
    return new AppError('replaced', 'another process with this key connected to the bridge', {
      retry: 'later',
      hint: 'a device or host key belongs to one process: stop the other one',
    })
  }
  if (code === SOCKET_CLOSE.moved) {
    return new AppError(
      'host-moved',
      'this host runs in another place: it was started there later, with the same key',
      {
        hint: 'one host, one folder: stop that one and start this, or remove this copy; a new host is made with: shardrive host init',
      },
    )
  }
  return unreachable(`the connection ended (${code})`)
}
