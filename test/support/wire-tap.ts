/**
 * Everything that passes between a bridge and its clients, as it would lie inside TLS: a TCP proxy that keeps the bytes of both
 * directions and can tell messages apart (HTTP requests and replies, WebSocket messages with their mask taken off).
 */
import net from 'node:net'

export interface TappedMessage {
  /** 'GET /v1/drives/:id/head', the same with ' reply', or 'socket in' and 'socket out' with the type of the message. */
  what: string
  bodyBytes: number
}

const HEADER_END = Buffer.from('\r\n\r\n')
const OPCODE_TEXT = 1

export class WireTap {
  /** Raw bytes by connection and direction, and unmasked WebSocket messages. */
  readonly seen: Buffer[] = []
  readonly messages: TappedMessage[] = []
  private readonly server: net.Server
  private readonly sockets = new Set<net.Socket>()

  private constructor(server: net.Server) {
    this.server = server
  }

  static async start(targetPort: number): Promise<{ tap: WireTap; url: string }> {
    const server = net.createServer({ noDelay: true })
    const tap = new WireTap(server)
    server.on('connection', (near) =>
      tap.join(near, net.connect({ port: targetPort, host: '127.0.0.1', noDelay: true })),
    )
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return { tap, url: `http://127.0.0.1:${(server.address() as net.AddressInfo).port}` }
  }

  async stop(): Promise<void> {
    for (const socket of this.sockets) socket.destroy()
    await new Promise<void>((resolve) => this.server.close(() => resolve()))
  }

  private join(near: net.Socket, far: net.Socket): void {
    const asked: string[] = []
    this.pass(near, far, new Conversation(this, asked, true))
    this.pass(far, near, new Conversation(this, asked, false))
  }

  private pass(from: net.Socket, to: net.Socket, conversation: Conversation): void {
    this.sockets.add(from)
    from.on('data', (bytes) => {
      this.seen.push(Buffer.from(bytes))
      conversation.take(bytes)
      to.write(bytes)
    })
    from.on('error', () => to.destroy())
    from.on('close', () => {
      this.sockets.delete(from)
      to.destroy()
    })
  }
}

/** One direction of one connection. */
class Conversation {
  private readonly tap: WireTap
  private readonly asked: string[]
  private readonly isRequest: boolean
  private rest = Buffer.alloc(0)
  private isSocket = false

  constructor(tap: WireTap, asked: string[], isRequest: boolean) {
    this.tap = tap
    this.asked = asked
    this.isRequest = isRequest
  }

  take(bytes: Buffer): void {
    this.rest = Buffer.concat([this.rest, bytes])
    while (this.isSocket ? this.takeFrame() : this.takeMessage());
  }

  private takeMessage(): boolean {
    const end = this.rest.indexOf(HEADER_END)
    if (end < 0) return false
    const lines = this.rest.toString('latin1', 0, end).split('\r\n')
    const length = Number(/\r\ncontent-length: *(\d+)/i.exec(`\r\n${lines.join('\r\n')}`)?.[1] ?? 0)
    const total = end + HEADER_END.length + length
    if (this.rest.length < total) return false
    this.rest = this.rest.subarray(total)
    const what = this.nameOf(lines[0] as string)
    this.tap.messages.push({ what, bodyBytes: length })
    this.isSocket = /\r\nupgrade: websocket/i.test(`\r\n${lines.join('\r\n')}`)
    return true
  }

  private nameOf(first: string): string {
    if (!this.isRequest) return `${this.asked.shift()} reply`
    const [method = '', path = ''] = first.split(' ')
    const what = `${method} ${path.replace(/[0-9a-f]{32,}/g, ':id').replace(/\?.*/, '')}`
    this.asked.push(what)
    return what
  }

  private takeFrame(): boolean {
    const frame = this.rest
    if (frame.length < 2) return false
    const opcode = (frame[0] as number) & 15
    const isMasked = ((frame[1] as number) & 128) !== 0
    let length = (frame[1] as number) & 127
    let at = 2
    if (length === 126) {
      if (frame.length < 4) return false
      length = frame.readUInt16BE(2)
      at = 4
    } else if (length === 127) {
      if (frame.length < 10) return false
      length = Number(frame.readBigUInt64BE(2))
      at = 10
    }
    const mask = isMasked ? frame.subarray(at, at + 4) : null
    if (mask) at += 4
    if (frame.length < at + length) return false
    const payload = Buffer.from(frame.subarray(at, at + length))
    if (mask) for (let i = 0; i < length; i++) payload[i] = (payload[i] as number) ^ (mask[i & 3] as number)
    this.rest = frame.subarray(at + length)
    this.tap.seen.push(payload)
    if (opcode === OPCODE_TEXT) {
      const { type } = JSON.parse(payload.toString('utf8')) as { type: string }
      this.tap.messages.push({ what: `socket ${this.isRequest ? 'in' : 'out'} ${type}`, bodyBytes: length })
    }
    return true
  }
}
