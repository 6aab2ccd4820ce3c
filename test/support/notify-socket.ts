/** The receiving end of $NOTIFY_SOCKET, as a service manager has it. In Python: Node has no unix datagram sockets. */
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { until } from './programs.js'

const RECEIVER = `
import json, socket, sys
name = sys.argv[1]
receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
receiver.bind('\\0' + name[1:] if name[0] == '@' else name)
print(json.dumps('listening'), flush=True)
while True:
    print(json.dumps(receiver.recv(65536).decode()), flush=True)
`

export class NotifySocket {
  /** Each datagram as it came. */
  readonly messages: string[] = []
  readonly name: string
  private readonly stop: () => void

  private constructor(name: string, messages: string[], stop: () => void) {
    this.name = name
    this.messages = messages
    this.stop = stop
  }

  /** `name`: a path, or @name for an abstract one. */
  static async open(t: { teardown(undo: () => void): void }, name: string): Promise<NotifySocket> {
    const child = spawn('python3', ['-c', RECEIVER, name], { stdio: ['ignore', 'pipe', 'inherit'] })
    const messages: string[] = []
    const socket = new NotifySocket(name, messages, () => void child.kill('SIGKILL'))
    t.teardown(() => socket.stop())
    const lines = createInterface({ input: child.stdout })
    await new Promise((resolve) => {
      lines.once('line', resolve)
      child.once('exit', resolve)
    })
    lines.on('line', (line) => messages.push(JSON.parse(line)))
    return socket
  }

  /** Messages with this line in them. */
  count(line: string): number {
    return this.messages.filter((one) => one.split('\n').includes(line)).length
  }

  /** The newest STATUS=. */
  get status(): string {
    const lines = this.messages.flatMap((one) => one.split('\n')).filter((one) => one.startsWith('STATUS='))
    return lines.at(-1)?.slice('STATUS='.length) ?? ''
  }

  async has(line: string, times = 1): Promise<void> {
    await until(`${line} (${times})`, () => this.count(line) >= times)
  }
}
