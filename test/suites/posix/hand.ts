/** A process that carries out system calls as one user: hand.py, asked in lines. Answers come in the order of questions. */
import { type ChildProcess, spawn } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { createInterface } from 'node:readline'

export type Argument = string | number | boolean | null | readonly (string | number)[]

/** `errno` is a name (ENOENT), or what was wrong with the question. */
export interface Outcome {
  readonly value?: unknown
  readonly errno?: string
}

const PROGRAM = path.resolve('test/suites/posix/hand.py')
/** Rather the system's than one that is found by a script: eight of them start at once. */
const PYTHON = fs.existsSync('/usr/bin/python3') ? '/usr/bin/python3' : 'python3'

export class Hand {
  readonly uid: number
  readonly gid: number
  private readonly child: ChildProcess
  private readonly waiting: ((outcome: Outcome) => void)[] = []
  private gone = false

  constructor(uid: number, gid: number, groups: readonly number[] = []) {
    this.uid = uid
    this.gid = gid
    const words = ['-B', '-E', '-s', '-S', PROGRAM, String(uid), String(gid), groups.join(',')]
    this.child = spawn(PYTHON, words, { stdio: ['pipe', 'pipe', 'inherit'] })
    this.child.stdin?.on('error', () => {})
    const lines = createInterface({ input: this.child.stdout as NodeJS.ReadableStream })
    lines.on('line', (line) => this.waiting.shift()?.(JSON.parse(line)))
    this.child.on('exit', () => {
      this.gone = true
      for (const tell of this.waiting.splice(0)) tell({ errno: 'the hand has gone' })
    })
  }

  ask(operation: string, args: readonly Argument[]): Promise<Outcome> {
    if (this.gone) return Promise.resolve({ errno: 'the hand has gone' })
    return new Promise((resolve) => {
      this.waiting.push(resolve)
      this.child.stdin?.write(`${JSON.stringify([operation, ...args])}\n`)
    })
  }

  /** Ends when it has read what was asked. */
  end(): Promise<void> {
    if (this.gone) return Promise.resolve()
    return new Promise((resolve) => {
      this.child.once('exit', () => resolve())
      this.child.stdin?.end()
    })
  }
}
