/** A process with hands on the mount (crash-worker-child.ts), for this one must not wait for a drive that is gone. */
import { type ChildProcess, spawn } from 'node:child_process'
import path from 'node:path'
import { askChild } from './ask-child.js'

const CHILD = path.resolve('dist-test/test/support/crash-worker-child.js')

export class Worker {
  private readonly child: ChildProcess
  private readonly exited: Promise<number | string>
  private asked = 0

  constructor() {
    this.child = spawn(process.execPath, [CHILD], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    this.child.setMaxListeners(0)
    this.exited = new Promise((resolve) => this.child.once('exit', (code, signal) => resolve(code ?? signal ?? '')))
  }

  ask(question: object): Promise<Record<string, unknown>> {
    return askChild(this.child, { ...question, id: ++this.asked }, this.exited)
  }

  async end(): Promise<void> {
    this.child.kill('SIGKILL')
    await this.exited
  }
}
