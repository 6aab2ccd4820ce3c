/** An HTTP server that answers every request with whatever bytes it is told: to clients that must believe nothing. */
import { once } from 'node:events'
import net, { type AddressInfo } from 'node:net'

export class RawAnswers {
  private readonly server: net.Server
  private readonly answer: (requestHead: string) => Buffer

  private constructor(answer: (requestHead: string) => Buffer) {
    this.answer = answer
    this.server = net.createServer((socket) => this.serve(socket))
  }

  /** `answer` gets the request's line and headers; the connection ends behind it. */
  static async listen(answer: (requestHead: string) => Buffer): Promise<RawAnswers> {
    const server = new RawAnswers(answer)
    server.server.listen(0, '127.0.0.1')
    await once(server.server, 'listening')
    return server
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`
  }

  async close(): Promise<void> {
    this.server.close()
    await once(this.server, 'close')
  }

  private serve(socket: net.Socket): void {
    let head = ''
    socket.on('error', () => undefined)
    socket.on('data', (bytes) => {
      if (head.includes('\r\n\r\n')) return
      head += bytes.toString('latin1')
      if (head.includes('\r\n\r\n')) socket.end(this.answer(head))
    })
  }
}
