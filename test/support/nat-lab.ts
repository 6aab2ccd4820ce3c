/**
 * The NAT lab: a bridge behind a TLS proxy and a STUN and TURN server (coturn) in the public segment of a NatNetwork, hosts
 * and devices at its sites: each a real process of the built program, or a child of test/support.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { Running } from './drive-process.js'
import { NatNetwork, PUBLIC, type Site } from './nat-network.js'
import { firstLine, type Ran, runProgram, until } from './programs.js'

const MAIN = path.resolve('dist/main.js')
const BRIDGE_PORT = 7400
const TLS_PORT = 7443
export const HOST_UDP_PORT = 7411
const STUN_PORT = 3478
const READY_MS = 60_000
export const TURN_CREDENTIALS = 'lab:secret'

interface TestLike {
  teardown(undo: () => Promise<void>): void
}

export interface NatHost extends Site {
  id: string
  dir: string
}

export class NatLab {
  readonly network: NatNetwork
  readonly folder: string
  readonly bridgeUrl = `https://${PUBLIC.bridge}:${TLS_PORT}`
  private readonly env: NodeJS.ProcessEnv
  private readonly started: Running[] = []

  private constructor() {
    this.network = NatNetwork.open()
    this.folder = fs.mkdtempSync(path.join(os.tmpdir(), 'shardrive-nat-'))
    const { PATH, TAP_TIMEOUT, SHARDRIVE_LOG = 'warn' } = process.env
    const own = { HOME: this.folder, XDG_RUNTIME_DIR: this.folder, NODE_EXTRA_CA_CERTS: this.path('tls.crt') }
    this.env = { PATH, TAP_TIMEOUT, SHARDRIVE_LOG, LC_ALL: 'C', ...own }
  }

  /** `ice`: what the bridge names to its peers; default: the lab's STUN and TURN server. */
  static async start(t: TestLike, { ice = NatLab.ice() }: { ice?: readonly string[] } = {}): Promise<NatLab> {
    const lab = new NatLab()
    t.teardown(() => lab.end())
    lab.makeCertificate()
    await Promise.all([lab.startTurn(), lab.startProxy(), lab.startBridge(ice)])
    return lab
  }

  static ice(): string[] {
    return [`stun:${PUBLIC.bridge}:${STUN_PORT}`, `turn:${TURN_CREDENTIALS}@${PUBLIC.bridge}:${STUN_PORT}`]
  }

  path(name: string): string {
    return path.join(this.folder, name)
  }

  /** Made, not started. */
  async initHost(site: Site): Promise<NatHost> {
    const dir = this.path(`host-${site.kind}`)
    const words = ['host', 'init', '--dir', dir, '--bridge', this.bridgeUrl, '--space', '1GiB', '--json']
    const ran = await this.shardrive(site, [...words, '--udp-port', String(HOST_UDP_PORT)])
    if (ran.status !== 0) throw new Error(`host init: ${ran.stdout}${ran.stderr}`)
    return { ...site, dir, id: String(JSON.parse(ran.stdout).host) }
  }

  async startHost(host: NatHost): Promise<Running> {
    return this.daemon(host.netns, process.execPath, [MAIN, 'host', 'run', '--dir', host.dir])
  }

  shardrive(site: Site, words: readonly string[], timeoutMs?: number): Promise<Ran> {
    return this.run(site.netns, [MAIN, ...words], timeoutMs)
  }

  /** A child of test/support; what it printed. */
  async child(site: Site, name: string, words: readonly string[], timeoutMs?: number): Promise<unknown> {
    const script = new URL(`./${name}.js`, import.meta.url).pathname
    const ran = await this.run(site.netns, [script, ...words], timeoutMs)
    if (ran.status !== 0) throw new Error(`${name} ${words.join(' ')}: ${ran.status}\n${ran.stdout}${ran.stderr}`)
    return JSON.parse(ran.stdout.trim().split('\n').at(-1) as string)
  }

  async end(): Promise<void> {
    await Promise.all(this.started.map((one) => one.stop()))
    this.network.close()
    fs.rmSync(this.folder, { recursive: true, force: true })
  }

  private run(netns: string, words: readonly string[], timeoutMs?: number): Promise<Ran> {
    const [program, args] = this.network.inside(netns, process.execPath, words)
    return runProgram(program, args, { env: this.env, ...(timeoutMs === undefined ? {} : { timeoutMs }) })
  }

  private makeCertificate(): void {
    const files = ['-keyout', this.path('tls.key'), '-out', this.path('tls.crt')]
    const subject = ['-subj', '/CN=lab', '-addext', `subjectAltName=IP:${PUBLIC.bridge}`, '-days', '2']
    const kind = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
    const made = spawnSync('openssl', ['req', ...kind, ...files, ...subject], { encoding: 'utf8' })
    if (made.status !== 0) throw new Error(`openssl: ${made.stderr}`)
  }

  private async startTurn(): Promise<void> {
    const listen = [PUBLIC.bridge, PUBLIC.stunOther].map((address) => `--listening-ip=${address}`)
    const users = ['--lt-cred-mech', `--user=${TURN_CREDENTIALS}`, '--realm=lab', `--userdb=${this.path('turn.db')}`]
    const off = ['--no-tls', '--no-dtls', '--no-tcp', '--no-tcp-relay', '--no-cli', '--no-multicast-peers']
    const files = ['--log-file=stdout', '--simple-log', `--pidfile=${this.path('turn.pid')}`]
    const words = ['-n', ...listen, `--relay-ip=${PUBLIC.relay}`, ...users, ...off, ...files]
    const child = this.spawn(this.network.publicNetns, 'turnserver', words, ['ignore', 'ignore', 'pipe'])
    this.keep(child)
    const bound = new RegExp(
      `^\\s*\\d+: ${littleEndian(PUBLIC.bridge)}:${STUN_PORT.toString(16).toUpperCase().padStart(4, '0')} `,
      'm',
    )
    await until('turnserver', () => bound.test(fs.readFileSync(`/proc/${child.pid}/net/udp`, 'utf8')), READY_MS)
  }

  private async startProxy(): Promise<void> {
    const script = new URL('./tls-proxy-child.js', import.meta.url).pathname
    const words = [PUBLIC.bridge, `${TLS_PORT}`, `${BRIDGE_PORT}`, this.path('tls.key'), this.path('tls.crt')]
    const child = this.spawn(this.network.publicNetns, process.execPath, [script, ...words], ['ignore', 'pipe', 'pipe'])
    const running = this.keep(child)
    await inTime(running, firstLine(child))
  }

  private async startBridge(ice: readonly string[]): Promise<void> {
    const dir = ['--dir', this.path('bridge'), '--listen', `127.0.0.1:${BRIDGE_PORT}`, '--policy', 'standard']
    const seen = ['--public-url', this.bridgeUrl, '--behind-proxy', '--scheme', '1/5']
    const servers = ice.flatMap((one) => ['--ice', one])
    const words = [MAIN, 'bridge', 'run', ...dir, ...seen, ...servers]
    await this.daemon(this.network.publicNetns, process.execPath, words)
  }

  /** One of our modes: it tells its parent when it is ready. */
  private async daemon(netns: string, program: string, words: readonly string[]): Promise<Running> {
    const child = this.spawn(netns, program, words, ['ignore', 'ignore', 'pipe', 'ipc'])
    const running = this.keep(child)
    const told = new Promise<Record<string, unknown>>((resolve, reject) => {
      child.on('message', (message: { ready?: Record<string, unknown>; failed?: object }) => {
        if (message.ready) resolve(message.ready)
        else if (message.failed) reject(new Error(JSON.stringify(message.failed)))
      })
    })
    running.facts = await inTime(running, told)
    return running
  }

  private spawn(
    netns: string,
    program: string,
    words: readonly string[],
    stdio: ('ignore' | 'pipe' | 'ipc')[],
  ): ChildProcess {
    const [outer, args] = this.network.inside(netns, program, words)
    return spawn(outer, args, { env: this.env, stdio })
  }

  private keep(child: ChildProcess): Running {
    const running = new Running(child)
    this.started.push(running)
    return running
  }
}

async function inTime<T>(running: Running, sign: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`not ready in ${READY_MS / 1_000} s\n${running.log}`)), READY_MS)
  })
  const early = running.exited.then((end) => {
    throw new Error(`ended at its start (${end})\n${running.log}`)
  })
  try {
    return await Promise.race([sign, late, early])
  } finally {
    clearTimeout(timer)
  }
}

/** As /proc/net writes an address. */
function littleEndian(address: string): string {
  const bytes = address.split('.').reverse()
  return bytes.map((byte) => Number(byte).toString(16).toUpperCase().padStart(2, '0')).join('')
}
