/** A whole network as `shardrive up` makes it, with a mount of its own that can go and come, and what its processes cost. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import path from 'node:path'
import { MB, type Row } from './figures.js'
import { cpuOf, forgetPeak, machineBusyMs, peakBytes, totalMs } from './processes.js'

const MAIN = path.resolve('dist/main.js')
const END_MS = 60_000

interface UpFacts {
  bridgePid: number
  state: string
  hosts: { id: string; pid: number; dir: string }[]
}

export interface DriveOptions {
  dir: string
  hosts: number
  scheme: string
}

export class BenchDrive {
  readonly mountPoint: string
  readonly facts: UpFacts
  /** For profiles: flags of node for the mount daemon. */
  nodeFlags: readonly string[] = []
  private readonly up: ChildProcess
  private mounted: ChildProcess | null = null

  private constructor(up: ChildProcess, facts: UpFacts, options: DriveOptions) {
    this.up = up
    this.facts = facts
    this.mountPoint = path.join(options.dir, 'mnt')
  }

  static async start(options: DriveOptions): Promise<BenchDrive> {
    const words = [
      'up',
      '--no-mount',
      '--dir',
      path.join(options.dir, 'up'),
      '--hosts',
      String(options.hosts),
      '--scheme',
      options.scheme,
      '--json',
    ]
    const up = spawn(process.execPath, [MAIN, ...words], { stdio: ['ignore', 'pipe', 'inherit'] })
    const facts = (await firstLine(up, 'up')) as unknown as UpFacts
    return new BenchDrive(up, facts, options)
  }

  get mountPid(): number {
    return this.mounted?.pid ?? 0
  }

  async mount(nodeFlags: readonly string[] = this.nodeFlags): Promise<void> {
    fs.mkdirSync(this.mountPoint, { recursive: true })
    const words = [...nodeFlags, MAIN, 'mount', this.mountPoint, '--state', this.facts.state, '--foreground', '--json']
    // With a channel to us: it unmounts when we are gone.
    const mounted = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'inherit', 'ipc'] })
    this.mounted = mounted
    await firstLine(mounted, 'mount')
  }

  async unmount(): Promise<void> {
    const { mounted } = this
    this.mounted = null
    if (mounted !== null) await endOf(mounted)
  }

  /** What was read or written before has to come from hosts again. */
  forgetCache(): void {
    for (const name of fs.readdirSync(this.facts.state)) {
      if (name.startsWith('cache.db')) fs.rmSync(path.join(this.facts.state, name))
    }
  }

  /** Milliseconds until everything is stored on hosts. */
  async sync(): Promise<number> {
    const fromMs = performance.now()
    const sync = spawn(process.execPath, [MAIN, 'sync', '--state', this.facts.state, '--json'], {
      stdio: ['ignore', 'ignore', 'inherit'],
    })
    const [code] = await once(sync, 'exit')
    if (code !== 0) throw new Error(`sync ended with ${code}`)
    return performance.now() - fromMs
  }

  async status(): Promise<Record<string, unknown>> {
    const status = spawn(process.execPath, [MAIN, 'status', '--state', this.facts.state, '--json'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    return firstLine(status, 'status')
  }

  /** One host, started again with other flags of node. */
  async restartHost(at: number, nodeFlags: readonly string[]): Promise<ChildProcess> {
    const host = this.facts.hosts[at] as UpFacts['hosts'][number]
    process.kill(host.pid, 'SIGTERM')
    while (isAlive(host.pid)) await new Promise((resolve) => setTimeout(resolve, 50))
    const child = spawn(process.execPath, [...nodeFlags, MAIN, 'host', 'run', '--dir', host.dir, '--json'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    await firstLine(child, 'host')
    host.pid = child.pid as number
    return child
  }

  async stop(): Promise<void> {
    await this.unmount()
    await endOf(this.up)
  }

  /** CPU and memory of a stretch of work on `bytes` bytes of files; the work says how long it took. */
  async measure(bytes: number, work: () => Promise<number>): Promise<Row> {
    const groups = {
      daemon: [this.mountPid],
      hosts: this.facts.hosts.map(({ pid }) => pid),
      bridge: [this.facts.bridgePid],
    }
    const all = Object.values(groups).flat()
    for (const pid of all) forgetPeak(pid)
    const cpuMs = (pids: readonly number[]) => pids.reduce((sum, pid) => sum + totalMs(cpuOf(pid)), 0)
    const before = Object.values(groups).map(cpuMs)
    const busyBefore = machineBusyMs()
    const fromMs = performance.now()
    const tookMs = await work()
    const wallMs = performance.now() - fromMs
    const [daemon = 0, hosts = 0, bridge = 0] = Object.values(groups).map(
      (pids, at) => cpuMs(pids) - (before[at] as number),
    )
    const busyMs = machineBusyMs() - busyBefore
    const perMb = (ms: number) => ms / (bytes / MB)
    const peak = (pids: readonly number[]) => Math.max(...pids.map(peakBytes)) / 2 ** 20
    return {
      'MB/s': bytes / MB / (tookMs / 1000),
      'CPU ms/MB': perMb(daemon + hosts + bridge),
      'of daemon': perMb(daemon),
      'of hosts': perMb(hosts),
      'of bridge': perMb(bridge),
      'peak MiB daemon': peak(groups.daemon),
      'peak MiB host': peak(groups.hosts),
      'peak MiB bridge': peak(groups.bridge),
      'other load, cores': (busyMs - daemon - hosts - bridge) / wallMs,
    }
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

/** A child's first line of JSON; it may say more, which nobody reads. */
function firstLine(child: ChildProcess, name: string): Promise<Record<string, unknown>> {
  return new Promise((resolve, reject) => {
    let text = ''
    const ended = (code: number | null) => reject(new Error(`${name} ended at its start (${code})`))
    child.once('exit', ended)
    child.stdout?.setEncoding('utf8').on('data', (part: string) => {
      text += part
      const end = text.indexOf('\n')
      if (end < 0) return
      child.off('exit', ended)
      resolve(JSON.parse(text.slice(0, end)))
    })
  })
}

async function endOf(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), END_MS)
  await ended
  clearTimeout(timer)
}
