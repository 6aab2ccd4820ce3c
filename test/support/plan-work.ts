/** A writer process that carries out a plan, and what is to be found of it later. */
import { spawn } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import type { Lab } from './drive-process.js'
import { runProgram, until } from './programs.js'
import { type PlanOptions, type Shape, stepsDone } from './write-plan.js'

const WRITER = path.resolve('dist-test/test/support/plan-writer-child.js')
const READER = path.resolve('dist-test/test/support/plan-reader-child.js')

export interface StepCounts {
  begun: number
  ended: number
  /** Up to here everything was durable. */
  durable: number
}

export class PlanWork {
  readonly options: PlanOptions
  private readonly logFile: string
  private ended: Promise<number | null> | null = null
  private stderr = ''

  constructor(lab: Lab, options: PlanOptions) {
    this.options = options
    this.logFile = lab.path(`steps-${options.folder}.log`)
    fs.writeFileSync(this.logFile, '')
  }

  start(lab: Lab, mount: string): void {
    const child = spawn(process.execPath, [WRITER, mount, this.logFile, JSON.stringify(this.options)], {
      env: lab.env,
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    child.stderr?.on('data', (text) => {
      this.stderr += text
    })
    this.ended = new Promise((resolve) => child.once('exit', resolve))
  }

  /** 0: the plan is done; 3: the drive went away. */
  async end(): Promise<number | null> {
    const code = await (this.ended as Promise<number | null>)
    if (code !== 0 && code !== 3) throw new Error(`the writer ended with ${code}: ${this.stderr}`)
    return code
  }

  counts(): StepCounts {
    const log = fs.readFileSync(this.logFile, 'latin1')
    let ended = 0
    let begun = 0
    let durable = 0
    for (const mark of log) {
      if (mark === 'b') begun++
      else ended++
      if (mark === 's') durable = ended
    }
    return { begun, ended, durable }
  }

  async reached(steps: number): Promise<void> {
    let isOver = false
    void this.ended?.then(() => {
      isOver = true
    })
    await until(`step ${steps}`, () => isOver || this.counts().begun >= steps, 120_000)
  }

  /** How many steps the tree at `mount` shows; throws when it never looked so, or a byte is wrong. */
  async stepsAt(mount: string, range: { atLeast: number; atMost: number }): Promise<number> {
    const ran = await runProgram(process.execPath, [READER, mount, this.options.folder])
    if (ran.status !== 0)
      throw new Error(`reading ${this.options.folder}: exit ${ran.status}: ${ran.stderr.slice(-2_000)}`)
    const found = new Map<string, Shape>()
    for (const [name, key, length] of JSON.parse(ran.stdout) as [string, number, number][])
      found.set(name, { key, length })
    const steps = stepsDone(this.options, found, range)
    if (typeof steps === 'string') throw new Error(`${JSON.stringify(this.options)}: ${steps}`)
    return steps
  }
}
