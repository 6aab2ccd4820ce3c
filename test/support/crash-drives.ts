/** Drives that crash tests kill. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import path from 'node:path'
import { createInterface } from 'node:readline'
import type { CrashDrive } from './crash-run.js'
import { ageLedger, removeCopies } from './old-ledger.js'
import { sleep } from './programs.js'

const CHILD = path.resolve('dist-test/programs/vfs-child.js')

/** Without a network: ledger, vfs and door (vfs-child.ts). */
export class LocalDrive implements CrashDrive {
  readonly mount: string
  private readonly state: string
  private readonly env: NodeJS.ProcessEnv
  private readonly door: 'native' | 'fuse-native'
  private child: ChildProcess | null = null
  private ended: Promise<unknown> = Promise.resolve()

  /** `mount` must be there; `state` is made. */
  constructor(
    places: { state: string; mount: string },
    env: NodeJS.ProcessEnv = {},
    door: 'native' | 'fuse-native' = 'native',
  ) {
    this.door = door
    this.state = places.state
    this.mount = places.mount
    this.env = env
  }

  private get ledger(): string {
    return path.join(this.state, 'ledger.db')
  }

  get isDead(): boolean {
    return this.child === null || this.child.exitCode !== null || this.child.signalCode !== null
  }

  get isKilled(): boolean {
    return this.child?.signalCode === 'SIGKILL'
  }

  async start(failpoint: string): Promise<void> {
    const child = spawn(process.execPath, [CHILD, this.state, this.mount, this.door], {
      env: { ...process.env, ...this.env, SHARDRIVE_FAILPOINT: failpoint },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    })
    this.child = child
    this.ended = once(child, 'exit')
    const said: string[] = []
    createInterface({ input: child.stderr as NodeJS.ReadableStream }).on('line', (line) => said.push(line))
    await new Promise<void>((resolve, reject) => {
      createInterface({ input: child.stdout as NodeJS.ReadableStream }).on('line', (line) =>
        line === 'ready' ? resolve() : said.push(line),
      )
      void this.ended.then(() => reject(new Error(`the drive ended at its start: ${said.slice(-20).join('\n')}`)))
    })
    removeCopies(this.ledger)
  }

  age(): void {
    removeCopies(this.ledger)
    ageLedger(this.ledger)
  }

  async kill(): Promise<void> {
    this.child?.kill('SIGKILL')
    await this.ended
  }

  async stop(): Promise<number | string> {
    this.child?.kill('SIGTERM')
    await this.ended
    return this.child?.exitCode ?? this.child?.signalCode ?? ''
  }

  async died(withinMs: number): Promise<void> {
    await Promise.race([this.ended, sleep(withinMs)])
  }

  check(): Promise<{ findings: unknown[]; files: number }> {
    const child = this.child as ChildProcess
    return new Promise((resolve, reject) => {
      child.once('message', (answer) => resolve(answer as { findings: unknown[]; files: number }))
      void this.ended.then(() => reject(new Error('the drive died before it answered')))
      child.send('check')
    })
  }

  /** Whatever is mounted there goes. */
  async end(): Promise<void> {
    await this.kill()
    for (let i = 0; i < 4 && fs.readFileSync('/proc/self/mountinfo', 'utf8').includes(` ${this.mount} `); i++) {
      spawnSync('umount', ['-l', this.mount])
    }
  }
}
