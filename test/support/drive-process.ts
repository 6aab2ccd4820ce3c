/**
 * Whole drives in processes of their own, as a user runs them: `up`, `mount`, `host run`, `bridge run`, and every other command of
 * the built program. A lab belongs to one test: its state and runtime directories are its own, and when the test ends, in
 * whatever way, every process that carries the lab's mark is gone, every mount under its folder taken away, the folder removed.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import fsp from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { askChild } from './ask-child.js'
import { askDrive } from './drive-control.js'
import { firstLine, killQuietly, PROGRAM_MS, type Ran, readProc, runProgram, sleep } from './programs.js'

const MAIN = path.resolve('dist/main.js')
const MARK = 'SHARDRIVE_TEST_LAB'
/** Enough for what a drive does; each host is a process that has to start. */
const FEW_HOSTS = ['--hosts', '4', '--scheme', '2/4']
const READY_MS = 90_000
const END_MS = 40_000

export interface NetworkFacts {
  bridge: string
  bridgePid: number
  bridgeDir: string
  mount: string | null
  mountPid: number | null
  state: string
  dir: string
  hosts: { id: string; pid: number; dir: string }[]
  phraseFile: string
}

interface TestLike {
  teardown(undo: () => Promise<void>): void
  fail(message: string): unknown
}

export interface MountWords {
  mount?: string
  state: string
  /** Recover from the phrase: both, or none. */
  network?: NetworkFacts
  words?: readonly string[]
  env?: Record<string, string>
}

/** A process that said that it is ready. */
export class Running {
  readonly pid: number
  readonly exited: Promise<number | string>
  facts: Record<string, unknown> = {}
  private readonly child: ChildProcess
  private said = ''
  private asked = 0
  private isOver = false

  constructor(child: ChildProcess) {
    this.child = child
    this.pid = child.pid as number
    this.exited = new Promise((resolve) => {
      child.once('error', (error) => resolve(error.message))
      child.once('exit', (code, signal) => {
        this.isOver = true
        resolve(code ?? signal ?? '')
      })
    })
    child.stderr?.on('data', (text) => {
      this.said = (this.said + text).slice(-100_000)
    })
  }

  /** What it wrote to stderr, the end of it. */
  get log(): string {
    return this.said
  }

  get hasEnded(): boolean {
    return this.isOver
  }

  signal(name: NodeJS.Signals): void {
    if (!this.isOver) this.child.kill(name)
  }

  /** Asks it to end; the exit code, or the signal that ended it ('SIGKILL' when it took too long). */
  async stop(name: NodeJS.Signals = 'SIGTERM'): Promise<number | string> {
    this.signal(name)
    const timer = setTimeout(() => this.signal('SIGKILL'), END_MS)
    try {
      return await this.exited
    } finally {
      clearTimeout(timer)
    }
  }

  async kill(): Promise<void> {
    this.signal('SIGKILL')
    await this.exited
  }

  /** Of a child of the tests that answers (bridge-run-child.ts, host-run-child.ts); fails with what it failed with. */
  ask(question: object): Promise<Record<string, unknown>> {
    return askChild(this.child, { ...question, id: ++this.asked }, this.exited)
  }
}

export class Lab {
  readonly folder = fs.mkdtempSync(path.join(os.tmpdir(), 'shardrive-lab-'))
  readonly env: NodeJS.ProcessEnv
  private readonly mark = randomBytes(8).toString('hex')
  /** Also what is not ready yet. */
  readonly started: Running[] = []

  constructor(t: TestLike) {
    const home = this.made('home')
    const { SHARDRIVE_LOG = 'info' } = process.env
    this.env = {
      PATH: process.env.PATH,
      LC_ALL: 'C',
      HOME: home,
      XDG_STATE_HOME: this.made('xdg-state'),
      XDG_RUNTIME_DIR: this.made('xdg-run'),
      SHARDRIVE_LOG,
      [MARK]: this.mark,
    }
    // Others look into mounts below it.
    fs.chmodSync(this.folder, 0o755)
    t.teardown(async () => {
      const left = await this.end()
      if (left !== '') t.fail(`left running after the test: ${left}`)
    })
  }

  path(...names: string[]): string {
    return path.join(this.folder, ...names)
  }

  /** A folder of the lab; made when it is not there. */
  made(...names: string[]): string {
    const folder = this.path(...names)
    fs.mkdirSync(folder, { recursive: true })
    return folder
  }

  /**
   * `shardrive up`; ready. Without `mount` only the network. Few hosts, unless `hosts` is given: then with the scheme that a user gets.
   * `ownGroup`: a process group of its own, as a terminal gives it.
   */
  async up(
    options: { mount?: string; hosts?: number; dir?: string; ownGroup?: boolean; words?: string[] } = {},
  ): Promise<Running & { facts: NetworkFacts & Record<string, unknown> }> {
    const { mount, hosts, dir = this.path('up'), ownGroup = false, words: more = [] } = options
    const where = mount === undefined ? ['--no-mount'] : [mount]
    const size = hosts === undefined ? FEW_HOSTS : ['--hosts', String(hosts)]
    const words = ['up', ...where, '--dir', dir, ...size, '--json', ...more]
    const child = spawn(process.execPath, [MAIN, ...words], {
      env: this.env,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: ownGroup,
    })
    const running = this.keep(child)
    const line = await this.ready(running, firstLine(child))
    const facts = JSON.parse(line)
    if (facts.error !== undefined) throw new Error(`up: ${line}`)
    running.facts = facts
    return running as Awaited<ReturnType<Lab['up']>>
  }

  /** `shardrive mount --foreground`; ready. It ends with us. */
  async mount({ mount = this.made('mnt'), state, network, words = [], env = {} }: MountWords): Promise<Running> {
    const from = network === undefined ? [] : ['--bridge', network.bridge, '--phrase-file', network.phraseFile]
    return this.daemon(['mount', mount, '--state', state, ...from, ...words, '--foreground'], env)
  }

  /** A mode of the program that tells its parent when it is ready: mount, host run, bridge run; or a `program` that does the same. */
  async daemon(words: readonly string[], env: Record<string, string> = {}, program = MAIN): Promise<Running> {
    // The channel ends with this process, and so does the child, cleanly.
    const child = spawn(process.execPath, [program, ...words], {
      env: { ...this.env, ...env },
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      detached: true,
    })
    const running = this.keep(child)
    const told = new Promise<Record<string, unknown>>((resolve, reject) => {
      child.on('message', (message: { ready?: Record<string, unknown>; failed?: Record<string, unknown> }) => {
        if (message.ready) resolve(message.ready)
        else if (message.failed)
          reject(
            Object.assign(
              new Error(`${words[0]}: ${message.failed?.code}: ${message.failed?.message}`),
              message.failed,
            ),
          )
      })
    })
    running.facts = await this.ready(running, told)
    return running
  }

  /** A command of the program, to its end. */
  shardrive(words: readonly string[], timeoutMs = PROGRAM_MS): Promise<Ran> {
    return runProgram(process.execPath, [MAIN, ...words], { env: this.env, timeoutMs })
  }

  /** A command with --json that must succeed; what it answered. */
  async facts(...words: string[]): Promise<Record<string, unknown>> {
    const ran = await this.shardrive([...words, '--json'])
    if (ran.status !== 0)
      throw new Error(`shardrive ${words.join(' ')}: exit ${ran.status}\n${ran.stdout}${ran.stderr}`)
    return JSON.parse(ran.stdout.trim().split('\n').at(-1) as string)
  }

  /** As `shardrive status` tells it. */
  status(state: string): Promise<Record<string, unknown>> {
    return askDrive(this.path('xdg-run'), state, 'status')
  }

  async sync(state: string): Promise<void> {
    await askDrive(this.path('xdg-run'), state, 'sync')
  }

  /** What fsck finds; sound: nothing. */
  async findings(state: string): Promise<unknown[]> {
    return (await askDrive(this.path('xdg-run'), state, 'fsck')).findings as unknown[]
  }

  /** A bash script with `set -e`; what it printed. */
  async sh(script: string, options: { cwd?: string; timeoutMs?: number } = {}): Promise<string> {
    const { cwd = this.folder, timeoutMs } = options
    const env = { ...this.env, GIT_CONFIG_NOSYSTEM: '1' }
    const ran = await runProgram('bash', ['-euo', 'pipefail', '-c', script], {
      env,
      cwd,
      ...(timeoutMs ? { timeoutMs } : {}),
    })
    if (ran.status !== 0)
      throw new Error(`exit ${ran.status}: ${script}\n${ran.stdout.slice(-2_000)}\n${ran.stderr.slice(-4_000)}`)
    return ran.stdout
  }

  /** Every living process of this lab, also those that were started by others of it. */
  async processes(): Promise<{ pid: number; words: string }[]> {
    const found: { pid: number; words: string }[] = []
    for (const name of await fsp.readdir('/proc')) {
      if (!/^\d+$/.test(name)) continue
      const environ = await readProc(name, 'environ')
      if (!environ.includes(`${MARK}=${this.mark}`)) continue
      found.push({ pid: Number(name), words: (await readProc(name, 'cmdline')).replaceAll('\0', ' ') })
    }
    return found
  }

  /** Mount points below the lab's folder, the innermost last. */
  mounts(): string[] {
    const lines = fs.readFileSync('/proc/self/mountinfo', 'utf8').split('\n')
    return lines.map((line) => line.split(' ')[4] ?? '').filter((place) => place.startsWith(`${this.folder}/`))
  }

  /** Ends everything. Answers what did not end by itself. */
  async end(): Promise<string> {
    for (const running of [...this.started].reverse()) await running.stop()
    let left = await this.processes()
    for (let waitedMs = 0; left.length > 0 && waitedMs < 10_000; waitedMs += 200) {
      await sleep(200)
      left = await this.processes()
    }
    for (const { pid } of left) killQuietly(pid)
    for (const place of this.mounts().reverse()) spawnSync('umount', ['-l', place], { timeout: 10_000 })
    await fsp.rm(this.folder, { recursive: true, force: true, maxRetries: 3 })
    return left.map((one) => `${one.pid} ${one.words}`).join('; ')
  }

  private keep(child: ChildProcess): Running {
    const running = new Running(child)
    this.started.push(running)
    return running
  }

  private async ready<T>(running: Running, sign: Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`not ready in ${READY_MS / 1000} s\n${running.log}`)), READY_MS)
    })
    const early = running.exited.then(async (end) => {
      await sleep(100)
      throw new Error(`ended at its start (${end})\n${running.log}`)
    })
    try {
      return await Promise.race([sign, late, early])
    } catch (error) {
      await Promise.race([running.exited, sleep(2_000)])
      throw Object.assign(error as Error, { log: running.log.slice(-4_000) })
    } finally {
      clearTimeout(timer)
    }
  }
}
