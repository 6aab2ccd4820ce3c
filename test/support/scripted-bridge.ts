/**
 * A bridge without a mind: real HTTP and WebSocket, real signatures, answers by script. What a client says to it is
 * verified as the real one does; how it answers, honestly or not, is the test's to say.
 */
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { type WebSocket, WebSocketServer } from 'ws'
import { type BridgeId, bridgeId, type PeerId } from '../../src/model/ids.js'
import { nonceOf, signReply, verifyRequest } from '../../src/permits/request-signature.js'
import type { BridgeMessage } from '../../src/wire/socket.js'
import { keyOf } from './secrets.js'

export interface SeenCall {
  method: string
  path: string
  headers: http.IncomingHttpHeaders
  body: Buffer
  /** Null for the unsigned call. */
  key: PeerId | null
}

export interface ScriptedReply {
  status?: number
  body: object | Buffer
  /** Changes what leaves, after signing. */
  tamper?: (reply: { status: number; headers: Record<string, string>; body: Buffer }) => {
    status: number
    headers: Record<string, string>
    body: Buffer
  }
}

export type Script = (call: SeenCall) => ScriptedReply | Promise<ScriptedReply> | 'hang' | 'cut'

export class ScriptedBridge {
  readonly key = keyOf(77)
  readonly id: BridgeId = bridgeId(this.key.id)
  readonly calls: SeenCall[] = []
  readonly sockets = new Set<WebSocket>()
  readonly heard: string[] = []
  script: Script = () => ({ body: {} })
  nowMs: () => number = Date.now
  /** Answers an upgrade with this refusal. */
  refuseSocket: ScriptedReply | null = null
  sayHello = true
  port = 0
  private server = this.make()
  private readonly upgrades = new WebSocketServer({ noServer: true, autoPong: true })

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  async start(): Promise<this> {
    if (!this.server.listening) {
      await new Promise<void>((resolve) => this.server.listen(this.port, '127.0.0.1', resolve))
    }
    this.port = (this.server.address() as AddressInfo).port
    return this
  }

  async stop(): Promise<void> {
    for (const socket of this.sockets) socket.terminate()
    const { server } = this
    this.server = this.make()
    await new Promise<void>((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
  }

  tell(message: BridgeMessage | object | string): void {
    for (const socket of this.sockets) socket.send(typeof message === 'string' ? message : JSON.stringify(message))
  }

  private make(): http.Server {
    const server = http.createServer((request, response) => void this.answer(request, response))
    server.on('upgrade', (request, stream, head) => {
      stream.on('error', () => stream.destroy())
      const { headers, body, status } = this.refuseSocket
        ? this.sealed(request, this.refuseSocket)
        : this.sealed(request, { body: {} })
      if (this.refuseSocket) {
        const lines = Object.entries({ ...headers, 'content-length': String(body.length) }).map(
          ([k, v]) => `${k}: ${v}`,
        )
        stream.end(Buffer.concat([Buffer.from(`HTTP/1.1 ${status} No\r\n${lines.join('\r\n')}\r\n\r\n`), body]))
        return
      }
      const path = request.url ?? ''
      const { key } = verifyRequest(
        { method: 'GET', path, headers: request.headers, body: Buffer.alloc(0) },
        { bridge: this.id, nowMs: this.nowMs() },
      )
      this.upgrades.handleUpgrade(request, stream, head, (socket) => {
        this.sockets.add(socket)
        socket.on('close', () => this.sockets.delete(socket))
        socket.on('error', () => socket.terminate())
        socket.on('message', (data) => this.heard.push(String(data)))
        if (this.sayHello) socket.send(JSON.stringify({ type: 'hello', key, role: 'host' }))
      })
    })
    return server
  }

  private async answer(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const { method = '', url: path = '', headers } = request
    const body = Buffer.concat(chunks)
    let call: SeenCall = { method, path, headers, body, key: null }
    let reply: ScriptedReply | 'hang' | 'cut'
    try {
      if (path !== '/v1/bridge' || headers['shardrive-key'] !== undefined) {
        call = {
          ...call,
          key: verifyRequest({ method, path, headers, body }, { bridge: this.id, nowMs: this.nowMs() }).key,
        }
      }
      this.calls.push(call)
      reply = await this.script(call)
    } catch (error) {
      const { code, message, details } = error as { code: string; message: string; details?: object }
      reply = { status: 401, body: { error: { code, message, retry: 'never', details } } }
    }
    if (reply === 'hang') return
    if (reply === 'cut') return void request.socket.destroy()
    const sealed = this.sealed(request, reply)
    response.writeHead(sealed.status, sealed.headers).end(sealed.body)
  }

  private sealed(request: http.IncomingMessage, reply: ScriptedReply) {
    const status = reply.status ?? 200
    const body = Buffer.isBuffer(reply.body) ? reply.body : Buffer.from(JSON.stringify(reply.body))
    const nonce = nonceOf(request.headers)
    const headers = nonce === null ? {} : signReply({ nonce, status, timeMs: this.nowMs(), body }, this.key)
    const honest = { status, headers, body }
    return reply.tamper ? reply.tamper(honest) : honest
  }
}
