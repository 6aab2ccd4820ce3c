/** The control socket, from both sides: lines for the daemon, and what a daemon answers. */
import fs from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { AppError } from '../../../src/base/errors.js'
import { callDaemon } from '../../../src/mount/control/client.js'
import { ControlServer } from '../../../src/mount/control/server.js'
import { capturedLog } from '../../support/captured-log.js'
import type { Dice } from '../../support/dice.js'
import { mutate } from '../../support/mutate.js'
import { mutateJson } from '../../support/mutate-json.js'
import { jsonSamples, type Opened, type Target } from '../target.js'

const OF = ['src/mount/control/lines.ts', 'src/mount/control/server.ts', 'src/mount/control/client.ts']
const NEWLINE = Buffer.from('\n')

/** Paths of sockets are short. */
function shortFolder(): string {
  return fs.mkdtempSync(path.join(os.tmpdir(), 'sdh-'))
}

/** One connection for as long as it lasts; then another. */
class Caller {
  private readonly file: string
  private socket: net.Socket | null = null
  private heard = ''
  private tell: (answer: string | null) => void = () => undefined

  constructor(file: string) {
    this.file = file
  }

  /** Says one line; resolves to the first line of the answer, or null when the connection ends without one. */
  ask(line: Buffer): Promise<string | null> {
    const socket = this.socket ?? this.connect()
    this.heard = ''
    return new Promise((resolve) => {
      this.tell = resolve
      socket.write(Buffer.concat([line, NEWLINE]))
    })
  }

  private connect(): net.Socket {
    const socket = net.connect(this.file)
    this.socket = socket
    socket.on('error', () => undefined)
    socket.on('close', () => {
      if (this.socket === socket) this.end()
    })
    socket.on('data', (chunk: Buffer) => {
      if (this.socket !== socket) return
      this.heard += chunk.toString('latin1')
      if (this.heard.includes('\n')) this.tell(this.heard.slice(0, this.heard.indexOf('\n')))
    })
    return socket
  }

  end(): void {
    this.socket?.destroy()
    this.socket = null
    this.tell(null)
  }
}

const calls = [
  { id: 1, method: 'echo', params: { a: [1, 'two', null], deep: { er: true } } },
  { id: 'two', method: 'fails', params: {} },
]

function spoilLine(dice: Dice): Buffer {
  const line = mutateJson(dice, dice.pick(calls))
  if (dice.roll(0, 9) > 0) return line
  return dice.pick([mutate(dice, line), dice.bytes(dice.roll(0, 200)), Buffer.from('['.repeat(dice.roll(1, 5_000)))])
}

/** Every line is answered or ends its connection, and the daemon lives: it answers a sound one at the end. */
function lines(): Target {
  const open = async (): Promise<Opened> => {
    const folder = shortFolder()
    const file = path.join(folder, 'c.sock')
    const { log, text } = capturedLog()
    const methods = {
      echo: async (call: { params: object }) => ({ params: call.params }),
      fails: async () => {
        throw new AppError('no-space', 'full', { retry: 'later', details: { left: 3 } })
      },
    }
    const server = await ControlServer.listen(file, methods, log)
    const caller = new Caller(file)
    return {
      samples: jsonSamples(calls),
      spoil: spoilLine,
      take: async (input) => {
        // Lines within it would be answered too, when nobody waits for them any more.
        if (input.includes(NEWLINE)) caller.end()
        const answer = await caller.ask(input)
        if (input.includes(NEWLINE)) caller.end()
        if (answer === null) throw new AppError('malformed', 'the connection ended')
        const { result, error } = JSON.parse(answer) as { result?: object; error?: { code?: string } }
        if (error !== undefined && !['no-space', 'unknown-method'].includes(error.code ?? '')) throw new Error(answer)
        if (error === undefined && typeof result !== 'object') throw new Error(answer)
      },
      codes: ['malformed'],
      taken: 'sometimes',
      conclude: async () => {
        await callDaemon(file, 'echo', { still: 'here' })
        return text().includes('could not be answered') ? ['a call that could not be answered'] : []
      },
      close: async () => {
        caller.end()
        await server.stop()
        fs.rmSync(folder, { recursive: true, force: true })
      },
    }
  }
  return { name: 'control line', of: OF, is: ['control line'], open }
}

const answers = [
  { id: 1, result: { state: 'stored', bytes: 5 } },
  { id: 1, error: { code: 'no-space', message: 'full', retry: 'later', hint: 'tidy up', details: { left: 3 } } },
]

function answerLines(): Target {
  const open = async (): Promise<Opened> => {
    const folder = shortFolder()
    const file = path.join(folder, 'd.sock')
    let answer: Buffer = Buffer.alloc(0)
    const server = net.createServer((socket) => {
      socket.on('error', () => undefined)
      socket.once('data', () => socket.end(Buffer.concat([answer, NEWLINE])))
    })
    await new Promise<void>((resolve) => server.listen(file, resolve))
    return {
      samples: [Buffer.from(JSON.stringify(answers[0]))],
      spoil: (dice) => mutateJson(dice, dice.pick(answers)),
      take: async (input) => {
        answer = input
        try {
          await callDaemon(file, 'status')
        } catch (error) {
          if (!(error instanceof AppError) || !/^[a-z][a-z0-9-]{0,63}$/.test(error.code)) throw error
          // Its code is what the daemon says: any that looks like one.
          throw new AppError('told', error.message.slice(0, 200))
        }
      },
      codes: ['told'],
      taken: 'sometimes',
      close: async () => {
        await new Promise((resolve) => server.close(resolve))
        fs.rmSync(folder, { recursive: true, force: true })
      },
    }
  }
  return { name: 'control answer', of: OF, is: ['control answer'], open }
}

export const controlTargets: readonly Target[] = [lines(), answerLines()]
