/**
 * A whole network of real processes, of which single hosts, the bridge or the mount are killed, stopped and brought back: by
 * `shardrive up`, and then by the commands that its README names. Nothing of it outlives the test.
 */
import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { askDrive } from './drive-control.js'
import { isMounted } from './mounts.js'
import { until } from './named.js'

const MAIN = path.resolve('dist/main.js')
const READY_MS = 60_000
const COMMAND_MS = 200_000

export interface UpFacts {
  bridge: string
  bridgePid: number
  bridgeDir: string
  mount: string
  mountPid: number
  state: string
  dir: string
  hosts: { id: string; pid: number; dir: string }[]
  phraseFile: string
}

export interface CommandResult {
  status: number
  stdout: string
  stderr: string
}

interface Teardown {
  teardown(undo: () => unknown): void
}

export interface StartOptions {
  hosts?: number
  scheme?: string
  hostSpace?: string
  /** Where the drive keeps its state, when not with the rest: made before `up` starts, moved in by a link. */
  stateDir?: string
}

export class HostsProcess {
  readonly folder: string
  readonly facts: UpFacts
  private readonly up: ChildProcess
  /** By name: what was brought back. */
  private readonly revived = new Map<string, ChildProcess>()
  private readonly mounts = new Set<string>()

  private constructor(folder: string, up: ChildProcess, facts: UpFacts) {
    this.folder = folder
    this.up = up
    this.facts = facts
    this.mounts.add(facts.mount)
  }

  static async start(t: Teardown, options: StartOptions = {}): Promise<HostsProcess> {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'shardrive-hosts-'))
    const mount = path.join(folder, 'mnt')
    const dir = path.join(folder, 'up')
    const ready = path.join(folder, 'ready.json')
    if (options.stateDir !== undefined) {
      fs.mkdirSync(dir)
      fs.symlinkSync(options.stateDir, path.join(dir, 'state'))
    }
    const words = ['up', mount, '--dir', dir, '--json', '--ready-file', ready]
    if (options.hosts !== undefined) words.push('--hosts', String(options.hosts))
    if (options.scheme !== undefined) words.push('--scheme', options.scheme)
    if (options.hostSpace !== undefined) words.push('--host-space', options.hostSpace)
    const up = launch(folder, 'up', words, false)
    let network: HostsProcess | null = null
    t.teardown(async () => {
      await (network === null ? endChild(up) : network.stop())
      if (isMounted(mount)) spawnSync('umount', ['-l', mount])
      fs.rmSync(folder, { recursive: true, force: true })
    })
    await until(() => up.exitCode !== null || hasLine(ready), READY_MS)
    if (!hasLine(ready)) throw new Error(`up ended: ${fs.readFileSync(path.join(folder, 'up.log'), 'utf8')}`)
    network = new HostsProcess(folder, up, JSON.parse(fs.readFileSync(ready, 'utf8')) as UpFacts)
    return network
  }

  /** SIGKILL; resolves when it is gone. */
  async killHost(at: number): Promise<void> {
    await this.kill(`host-${at}`, this.hostOf(at).pid)
  }

  /** As an operator would: the same folder, so the same identity. Resolves when it serves. */
  async startHost(at: number): Promise<void> {
    await this.revive(`host-${at}`, ['host', 'run', '--dir', this.hostOf(at).dir])
  }

  async killBridge(): Promise<void> {
    await this.kill('bridge', this.facts.bridgePid)
  }

  async startBridge(): Promise<void> {
    await this.revive('bridge', ['bridge', 'run', '--dir', this.facts.bridgeDir])
  }

  /** Ends the mount of `up` or the one that took its place; resolves when the mount point is free. */
  async stopMount(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const child = this.revived.get('mount')
    await this.kill('mount', this.facts.mountPid, signal)
    if (child === undefined || signal === 'SIGKILL') spawnSync('umount', ['-l', this.facts.mount], { stdio: 'ignore' })
  }

  /** The drive again, from its own state. */
  async startMount(...more: string[]): Promise<void> {
    await this.revive('mount', ['mount', this.facts.mount, '--state', this.facts.state, '--foreground', ...more])
  }

  /** The same drive at another place, recovered from the phrase into a new state directory. */
  async mountFromPhrase(name: string): Promise<{ mount: string; state: string }> {
    const mount = path.join(this.folder, name)
    const state = path.join(this.folder, `${name}.state`)
    fs.mkdirSync(mount)
    this.mounts.add(mount)
    const { bridge, phraseFile } = this.facts
    await this.revive(name, [
      'mount',
      mount,
      '--bridge',
      bridge,
      '--phrase-file',
      phraseFile,
      '--state',
      state,
      '--foreground',
    ])
    return { mount, state }
  }

  /** `bridge`, `mount`, `host-N`, or a name of mountFromPhrase(). */
  pidOf(name: string): number {
    const { bridgePid, mountPid } = this.facts
    const host = /^host-(\d+)$/.exec(name)
    const first = host !== null ? this.hostOf(Number(host[1])).pid : name === 'bridge' ? bridgePid : mountPid
    return this.revived.get(name)?.pid ?? first
  }

  /** A shardrive command on the drive of this network. */
  command(words: readonly string[], state = this.facts.state): Promise<CommandResult> {
    return new Promise((resolve) => {
      const child = execFile(
        process.execPath,
        [MAIN, ...words, '--state', state],
        { timeout: COMMAND_MS, env: environment(this.folder), cwd: this.folder },
        (_error, stdout, stderr) => resolve({ status: child.exitCode ?? -1, stdout, stderr }),
      )
    })
  }

  /** Another program, with a time limit. */
  outside(program: string, ...words: string[]): Promise<CommandResult> {
    return new Promise((resolve) => {
      const child = execFile(program, words, { timeout: COMMAND_MS }, (_error, stdout, stderr) =>
        resolve({ status: child.exitCode ?? -1, stdout, stderr }),
      )
    })
  }

  async status(state = this.facts.state): Promise<StatusFacts> {
    return (await askDrive(this.folder, state, 'status')) as unknown as StatusFacts
  }

  /** What the processes logged, for a failing test. */
  log(name: string): string {
    const places = [path.join(this.folder, `${name}.log`), path.join(this.facts.dir, 'log', `${name}.log`)]
    return places.map((place) => (fs.existsSync(place) ? fs.readFileSync(place, 'utf8') : '')).join('')
  }

  async stop(): Promise<void> {
    const children = [...this.revived.values()]
    // The mounts first, as long as their hosts serve.
    for (const [name, child] of this.revived) if (!/^(host|bridge)/.test(name)) await endChild(child)
    await endChild(this.up)
    for (const child of children) await endChild(child)
    for (const mount of this.mounts) if (isMounted(mount)) spawnSync('umount', ['-l', mount])
  }

  private hostOf(at: number): { pid: number; dir: string } {
    const host = this.facts.hosts.find((one) => path.basename(one.dir) === String(at))
    if (host === undefined) throw new Error(`no host ${at}`)
    return host
  }

  private async kill(name: string, firstPid: number, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const child = this.revived.get(name)
    const pid = child?.pid ?? firstPid
    if (isAlive(pid)) process.kill(pid, signal)
    await until(() => !isAlive(pid), 30_000)
    this.revived.delete(name)
  }

  private async revive(name: string, words: readonly string[]): Promise<void> {
    const child = launch(this.folder, name, words, true)
    this.revived.set(name, child)
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${name} was not ready in ${READY_MS} ms`)), READY_MS)
      child.on('message', (message: { ready?: object; failed?: object }) => {
        // Other messages only tell how far it is.
        if (!message.ready && !message.failed) return
        clearTimeout(timer)
        if (message.ready) resolve()
        else reject(new Error(`${name}: ${JSON.stringify(message.failed)}`))
      })
      child.once('exit', (code) => reject(new Error(`${name} ended at its start: ${code}\n${this.log(name)}`)))
    })
  }
}

export interface StatusFacts {
  readOnly: string | null
  writer: boolean
  local: { bytes: number; operations: number; epochs: number; oldestAgeMs: number | null }
  stored: { segments: number; full: number; short: { stored: number; of: number; segments: number }[] } | null
  bridge: { connected: boolean; online: boolean }
  hosts: { connected: number; online: number | null; total: number | null }
  trouble: { code: string; message: string } | null
}

/** Nothing of the user who runs the tests is touched. */
function environment(folder: string): NodeJS.ProcessEnv {
  return {
    ...process.env,
    HOME: folder,
    XDG_RUNTIME_DIR: folder,
    XDG_STATE_HOME: folder,
    XDG_CONFIG_HOME: folder,
    XDG_CACHE_HOME: folder,
  }
}

function launch(folder: string, name: string, words: readonly string[], withChannel: boolean): ChildProcess {
  const log = fs.openSync(path.join(folder, `${name}.log`), 'a')
  const child = spawn(process.execPath, [MAIN, ...words], {
    stdio: withChannel ? ['ignore', log, log, 'ipc'] : ['ignore', log, log],
    env: environment(folder),
    cwd: folder,
  })
  fs.closeSync(log)
  return child
}

async function endChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), 60_000)
  await ended
  clearTimeout(timer)
}

/** A process that ended and was not waited for yet counts as gone. */
export function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(fs.readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

function hasLine(file: string): boolean {
  return fs.existsSync(file) && fs.readFileSync(file, 'utf8').endsWith('\n')
}
