/**
 * A drive on a network of real processes whose state directory is a small disk of its own, and hands that work on it while the disk is
 * filled just when the drive arrives at a failpoint (SIGSTOP there, SIGCONT when not a byte is left).
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { askChild } from './ask-child.js'
import type { CrashDriveOptions } from './crash-drive-child.js'
import type { Lab, NetworkFacts, Running } from './drive-process.js'
import type { FileFacts, WriteSaid } from './full-disk-child.js'
import { isAlive, sleep, until } from './programs.js'
import { freeBytes } from './small-disk.js'

const HAND = path.resolve('dist-test/test/support/full-disk-child.js')
const DRIVE = path.resolve('dist-test/programs/crash-drive-child.js')
/** A question to a drive that does not answer it. */
const HUNG_MS = 30_000

export class Hand {
  private readonly child: ChildProcess
  private readonly exited: Promise<number | string>
  private asked = 0

  constructor(t: { teardown(undo: () => void): void }) {
    this.child = spawn(process.execPath, [HAND], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    this.child.setMaxListeners(0)
    this.exited = new Promise((resolve) => this.child.once('exit', (code, signal) => resolve(code ?? signal ?? '')))
    t.teardown(() => void this.child.kill('SIGKILL'))
  }

  write(file: FileFacts): Promise<WriteSaid> {
    return this.ask({ write: file }) as Promise<never>
  }

  read(file: FileFacts): Promise<{ code: string; wrong: boolean }> {
    return this.ask({ read: file }) as Promise<never>
  }

  change(folder: string): Promise<{ codes: string[] }> {
    return this.ask({ change: folder }) as Promise<never>
  }

  look(folder: string): Promise<{ code: string; entries: number }> {
    return this.ask({ look: folder }) as Promise<never>
  }

  remove(name: string): Promise<{ code: string }> {
    return this.ask({ remove: name }) as Promise<never>
  }

  private async ask(question: object): Promise<unknown> {
    const late = sleep(HUNG_MS).then(() => {
      throw new Error(`the drive hangs: ${JSON.stringify(question)}`)
    })
    late.catch(() => undefined)
    return Promise.race([askChild(this.child, { ...question, id: ++this.asked }, this.exited), late])
  }
}

export interface BenchPlaces {
  /** The small disk. */
  disk: string
  mount: string
}

export type DriveSettings = Pick<CrashDriveOptions, 'cacheBytes' | 'snapshotLogBytes'>

export class FullDiskBench {
  readonly lab: Lab
  readonly network: NetworkFacts
  readonly mount: string
  readonly state: string
  private readonly disk: string
  private readonly env: Record<string, string>
  private running: Running | null = null

  /** `env`: of the drive. */
  constructor(lab: Lab, network: NetworkFacts, places: BenchPlaces, env: Record<string, string> = {}) {
    this.lab = lab
    this.network = network
    this.disk = places.disk
    this.mount = places.mount
    this.state = path.join(places.disk, 'state')
    this.env = env
  }

  private get armed(): string {
    return this.lab.path('armed')
  }

  get log(): string {
    return this.running?.log ?? ''
  }

  /** The drive serves, and stands still at its failpoint when it passes there while `armed` exists. `state`: another directory on the disk. */
  async start(failpoint: string, settings: DriveSettings, state = this.state, mount = this.mount): Promise<void> {
    const { bridge, phraseFile } = this.network
    const options: CrashDriveOptions = {
      ...settings,
      mountPoint: mount,
      stateDir: state,
      readOnly: false,
      recovers: { bridge, phraseFile },
    }
    fs.rmSync(this.armed, { force: true })
    const held = failpoint === '' ? '' : `${failpoint}:1:stop`
    const env = { ...this.env, SHARDRIVE_FAILPOINT: held, SHARDRIVE_FAILPOINT_WHILE: this.armed }
    this.running = await this.lab.daemon([JSON.stringify(options)], env, DRIVE)
  }

  /** Whatever has failed: the next stage begins with room, and without a drive. */
  async end(): Promise<void> {
    this.spare()
    await this.running?.kill()
  }

  /** Asked to end; the exit code. */
  async stop(): Promise<number | string> {
    return (await this.running?.stop()) ?? ''
  }

  /** From now on: fills the disk when the drive stands at its failpoint; false when it does not come there. */
  async fillAtStop(withinMs: number): Promise<boolean> {
    fs.writeFileSync(this.armed, '')
    const pid = await this.stopped(withinMs)
    fs.rmSync(this.armed, { force: true })
    if (pid === null) return false
    this.fill()
    process.kill(pid, 'SIGCONT')
    return true
  }

  /** To the last byte. */
  fill(): void {
    for (let number = 0; freeBytes(this.disk) > 0; number++) {
      const left = freeBytes(this.disk)
      const ballast = path.join(this.disk, `ballast-${number}`)
      spawnSync('fallocate', ['-l', String(left), ballast])
      if (freeBytes(this.disk) === left)
        spawnSync('dd', ['if=/dev/zero', `of=${ballast}`, 'bs=4k'], { stdio: 'ignore' })
      if (freeBytes(this.disk) === left) throw new Error(`${left} bytes of the disk cannot be filled`)
    }
  }

  spare(): void {
    for (const name of fs.readdirSync(this.disk)) {
      if (name.startsWith('ballast-')) fs.rmSync(path.join(this.disk, name))
    }
  }

  status(): Promise<Record<string, unknown>> {
    return this.lab.status(this.state)
  }

  private async stopped(withinMs: number): Promise<number | null> {
    for (const endsMs = performance.now() + withinMs; performance.now() < endsMs; await sleep(5)) {
      const pid = this.lab.started.at(-1)?.pid
      if (pid !== undefined && isAlive(pid) && /^State:\s+T/m.test(statusOf(pid))) return pid
    }
    return null
  }
}

function statusOf(pid: number): string {
  try {
    return fs.readFileSync(`/proc/${pid}/status`, 'utf8')
  } catch {
    return ''
  }
}

export async function untilTaken(hand: Hand, file: () => FileFacts, withinMs: number): Promise<number> {
  const startedMs = performance.now()
  await until(
    'a write is taken again',
    async () => (await hand.write(file())).codes.every((code) => code === ''),
    withinMs,
  )
  return Math.round(performance.now() - startedMs)
}
