/**
 * WebSockets of devices and hosts (docs/protocol.md section 2) on the HTTP server. A peer that does not read is cut off
 * when its queue is full, one that is silent for 45 s is dead; a message that does not fit its schema ends the
 * connection with code 4002.
 */
import type { IncomingMessage, Server } from 'node:http'
import type { Duplex } from 'node:stream'
import { type RawData, type WebSocket, WebSocketServer } from 'ws'
import type { Clock } from '../../base/clock.js'
import { AppError } from '../../base/errors.js'
import type { Log } from '../../base/log.js'
import type { SigningKey } from '../../crypto/signing-key.js'
import type { PeerId } from '../../model/ids.js'
import { nonceOf, signReply } from '../../permits/request-signature.js'
import { API_LIMITS, JSON_TYPE } from '../../wire/api.js'
import { decodeJson } from '../../wire/check.js'
import {
  type BridgeMessage,
  type DeletedMessage,
  PeerMessage,
  parseSocketPath,
  processStartMs,
  SOCKET_CLOSE,
  SOCKET_LIMITS,
} from '../../wire/socket.js'
import type { Hub, HubPeer } from '../signaling/hub.js'
import type { AddressOf } from './address.js'
import type { Gate } from './gate.js'
import { replyForError } from './status.js'

export interface SocketParts {
  gate: Gate
  hub: Hub
  clock: Clock
  log: Log
  key: SigningKey
  addressOf: AddressOf
  /** What a key may be here; fails with `unknown-key`. Called before the peer counts as connected. */
  roleOf(key: PeerId, address: string): Promise<'device' | 'host'>
  onDeleted(host: PeerId, message: DeletedMessage): void
}

/** Bytes that wait for a slow peer: a thousand signals of usual size. */
const QUEUE_BYTES_MAX = 4 * 1024 * 1024
const SOCKETS_MAX = 20_000

interface Live {
  socket: WebSocket
  heardAt: number
}

export class SocketDoor {
  private readonly parts: SocketParts
  private readonly live = new Set<Live>()
  private stopping = false
  private readonly server = new WebSocketServer({
    noServer: true,
    maxPayload: SOCKET_LIMITS.messageBytesMax,
    perMessageDeflate: false,
    clientTracking: false,
  })

  constructor(parts: SocketParts) {
    this.parts = parts
  }

  listen(server: Server): void {
    server.on('upgrade', (request: IncomingMessage, stream: Duplex, head: Buffer) => {
      stream.on('error', () => stream.destroy())
      this.admit(request, stream, head).catch((error: unknown) => this.refuse(request, stream, error))
    })
  }

  private async admit(request: IncomingMessage, stream: Duplex, head: Buffer): Promise<void> {
    const address = this.parts.addressOf(request)
    this.parts.gate.admitAddress(address)
    const path = request.url ?? ''
    const named = parseSocketPath(path)
    if (named === undefined || request.method !== 'GET') {
      throw new AppError('unknown-call', 'the bridge has no such call')
    }
    if (this.stopping) throw new AppError('stopped', 'the bridge is stopping', { retry: 'later' })
    if (this.live.size >= SOCKETS_MAX) throw new AppError('busy', 'too many connections', { retry: 'later' })
    const { headers } = request
    const { key } = this.parts.gate.admit({ method: 'GET', path, headers, body: Buffer.alloc(0) })
    const { process } = named
    if (process !== undefined && processStartMs(process) > this.parts.clock.nowMs() + API_LIMITS.clockSkewMs) {
      throw new AppError('malformed', 'a process that begins in the future')
    }
    const role = await this.parts.roleOf(key, address)
    if (this.stopping) throw new AppError('stopped', 'the bridge is stopping', { retry: 'later' })
    this.server.handleUpgrade(request, stream, head, (socket) => this.welcome(socket, { key, role, process }))
  }

  private refuse(request: IncomingMessage, stream: Duplex, error: unknown): void {
    const { status, body, known } = replyForError(error)
    if (!known) this.parts.log.error({ err: error }, 'socket failed')
    const text = Buffer.from(JSON.stringify(body), 'utf8')
    const nonce = nonceOf(request.headers)
    const timeMs = this.parts.clock.nowMs()
    const signed = nonce === null ? {} : signReply({ nonce, status, timeMs, body: text }, this.parts.key)
    const headers = { 'content-type': JSON_TYPE, 'content-length': String(text.length), connection: 'close', ...signed }
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`)
    stream.end(Buffer.concat([Buffer.from(`HTTP/1.1 ${status} Refused\r\n${lines.join('\r\n')}\r\n\r\n`), text]))
  }

  private welcome(socket: WebSocket, who: { key: PeerId; role: 'device' | 'host'; process: string | undefined }): void {
    const { key, role } = who
    const live: Live = { socket, heardAt: this.parts.clock.monotonicMs() }
    const peer: HubPeer = {
      ...who,
      send: (message) => this.send(socket, message),
      end: (reason) => socket.close(SOCKET_CLOSE[reason], reason),
    }
    const heard = () => {
      live.heardAt = this.parts.clock.monotonicMs()
    }
    this.live.add(live)
    socket.on('pong', heard)
    socket.on('ping', heard)
    socket.on('error', () => socket.terminate())
    socket.on('close', () => {
      this.live.delete(live)
      this.parts.hub.detach(peer)
    })
    socket.on('message', (data, isBinary) => {
      heard()
      this.receive(socket, peer, data, isBinary)
    })
    this.send(socket, { type: 'hello', key, role })
    this.parts.hub.attach(peer)
  }

  private send(socket: WebSocket, message: BridgeMessage): void {
    if (socket.readyState !== socket.OPEN) return
    if (socket.bufferedAmount > QUEUE_BYTES_MAX) return void this.cut(socket, SOCKET_CLOSE.tooSlow)
    socket.send(JSON.stringify(message), () => {})
  }

  private receive(socket: WebSocket, peer: HubPeer, data: RawData, isBinary: boolean): void {
    // What comes behind a message that ended the line, in the same breath, is not looked at any more.
    if (socket.readyState !== socket.OPEN) return
    try {
      if (isBinary) throw new AppError('malformed', 'a binary message')
      const message = decodeJson(PeerMessage, data as Buffer, 'socket message')
      if (message.type === 'signal') this.parts.hub.relay(peer, message)
      else if (peer.role === 'host') this.parts.onDeleted(peer.key, message)
      else throw new AppError('malformed', 'only hosts delete')
    } catch (error) {
      if (!(error instanceof AppError)) this.parts.log.error({ err: error }, 'socket message failed')
      this.cut(socket, SOCKET_CLOSE.malformed)
    }
  }

  /** Closes, and does not wait long for a peer that does not answer. */
  private cut(socket: WebSocket, code: number): void {
    socket.close(code)
    setTimeout(() => socket.terminate(), 1_000).unref()
  }

  /** One round: everybody is asked, the silent are cut off. Every 15 s. */
  pingAll(): void {
    const now = this.parts.clock.monotonicMs()
    for (const { socket, heardAt } of this.live) {
      if (now - heardAt >= SOCKET_LIMITS.deadMs) socket.terminate()
      else socket.ping(() => {})
    }
  }

  async stop(): Promise<void> {
    this.stopping = true
    const closing = [...this.live].map(
      ({ socket }) => new Promise<void>((resolve) => void socket.once('close', () => resolve())),
    )
    for (const { socket } of this.live) this.cut(socket, SOCKET_CLOSE.goingAway)
    await Promise.all(closing)
    this.server.close()
  }
}
