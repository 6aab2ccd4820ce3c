/**
 * A host from start to end: runs it, answers its owner over the control socket, and when its disk goes away waits for it and goes
 * on by itself. While it waits it is offline: what is not there must not look like a host that lost everything.
 */
import path from 'node:path'
import type { Clock } from '../base/clock.js'
import { AppError, codeOf, isCode } from '../base/errors.js'
import type { Log } from '../base/log.js'
import type { HostOptions } from '../host/host.js'
import type { HostId } from '../model/ids.js'
import { ControlServer, SOCKET_PATH_MAX } from '../mount/control/server.js'
import type { HostStanding } from '../wire/host-api.js'
import { type RunningHost, runHost } from './host-process.js'
import { type RunningFacts, statusFacts } from './host-status.js'
import { hostLine } from './service-lines.js'
import { REAL_SURROUNDINGS, type Surroundings } from './surroundings.js'

/** So often a disk that went away is looked for. */
const AWAY_LOOK_MS = 5_000
/** The bridge's word is asked for again after so long. */
const STANDING_MS = 10_000
/** A bridge that does not answer does not hold up the answer to the owner. */
const STANDING_TIMEOUT_MS = 4_000
const ALIVE_MS = 60_000
/** What an absent disk looks like at a start. */
const AWAY_CODES = ['host-folder-wrong', 'state-unwritable', 'disk-failing', 'disk-away', 'database-unwritable']

export function hostControlPath(dir: string): string {
  return path.join(dir, 'control.sock')
}

export interface HostDaemonOptions extends HostOptions {
  awayLookMs?: number
}

export class HostDaemon {
  readonly host: HostId
  private readonly dir: string
  private readonly log: Log
  private readonly around: Surroundings
  private readonly options: HostDaemonOptions
  private readonly stopping = new AbortController()
  private control: ControlServer | null = null
  private running: RunningHost | null
  private away: AppError | null = null
  private standing: { atMs: number; value: HostStanding } | null = null
  /** Resolves when the host must end by itself. */
  readonly failed: Promise<AppError>

  private constructor(
    dir: string,
    log: Log,
    running: RunningHost,
    { around, options }: { around: Surroundings; options: HostDaemonOptions },
  ) {
    this.dir = dir
    this.log = log
    this.running = running
    this.host = running.host.host
    this.around = around
    this.options = options
    this.failed = this.follow(running)
  }

  static async start(
    dir: string,
    log: Log,
    around: Surroundings = REAL_SURROUNDINGS,
    options: HostDaemonOptions = {},
  ): Promise<HostDaemon> {
    const running = await runHost(dir, log, around, options)
    const daemon = new HostDaemon(dir, log, running, { around, options })
    await daemon.listen()
    return daemon
  }

  /** The host that serves now; null while its disk is away. */
  get current(): RunningHost | null {
    return this.running
  }

  /** One line for the service manager; an answer of the store, while there is one. */
  async line(): Promise<string> {
    if (this.running === null) return `offline: ${this.away?.message ?? 'the disk is away'}`
    return hostLine(await this.running.host.life())
  }

  async stop(): Promise<void> {
    this.stopping.abort()
    await this.control?.stop()
    await this.running?.stop()
    this.running = null
  }

  /** The end: what makes another start necessary, or useless. */
  private async follow(first: RunningHost): Promise<AppError> {
    let running = first
    for (;;) {
      const error = await running.failed
      if (!isCode(error, 'disk-away')) return error
      this.away = error
      this.running = null
      this.log.error({ code: error.code }, `${error.message}: offline until it is back`)
      await running.stop().catch((cause: unknown) => this.log.warn({ code: codeOf(cause) }, 'the end was not clean'))
      const next = await this.waitForDisk()
      if (next instanceof AppError) return next
      this.away = null
      running = next
    }
  }

  /** Runs again, or why it cannot. */
  private async waitForDisk(): Promise<RunningHost | AppError> {
    // The clock's timers keep no process alive, and nothing else may be open now.
    const alive = setInterval(() => {}, ALIVE_MS)
    try {
      return await this.lookForDisk()
    } finally {
      clearInterval(alive)
    }
  }

  private async lookForDisk(): Promise<RunningHost | AppError> {
    const { clock } = this.around
    const stopped = new AppError('stopped', 'the host is stopping')
    while (await clock.sleep(this.options.awayLookMs ?? AWAY_LOOK_MS, this.stopping.signal)) {
      try {
        const running = await runHost(this.dir, this.log, this.around, this.options)
        this.log.info('the disk is back: the host goes on')
        // Its file may have gone with the disk.
        await this.control?.stop()
        if (this.stopping.signal.aborted) {
          await running.stop()
          return stopped
        }
        this.running = running
        await this.listen()
        return running
      } catch (error) {
        if (!(error instanceof AppError)) throw error
        if (!AWAY_CODES.includes(error.code)) return error
        this.log.debug({ code: error.code }, 'the disk is still away')
      }
    }
    return stopped
  }

  /** Without a socket the host serves all the same. */
  private async listen(): Promise<void> {
    const file = hostControlPath(this.dir)
    const methods = {
      status: () => this.status(),
      reload: async () => {
        await this.running?.host.reload()
        return {}
      },
    }
    try {
      this.control = await ControlServer.listen(file, methods, this.log)
    } catch (error) {
      this.control = null
      const isLong = Buffer.byteLength(file) > SOCKET_PATH_MAX
      const why = isLong ? `its path is longer than ${SOCKET_PATH_MAX} bytes` : codeOf(error)
      this.log.warn(
        { code: codeOf(error) },
        `no control socket: ${why}; host status and host set do not reach this host`,
      )
    }
  }

  private async status(): Promise<RunningFacts> {
    const { running, away } = this
    if (running === null) {
      const why = away ?? new AppError('disk-away', 'the disk is away')
      return { running: true, pid: process.pid, host: this.host, away: { code: why.code, why: why.message } }
    }
    const facts = await running.host.status()
    const bridge = { url: running.client.url.href, connected: running.isConnected() }
    return statusFacts(facts, { bridge, standing: await this.askStanding(running, this.around.clock) })
  }

  /** Null: the bridge does not say. */
  private async askStanding({ client, host }: RunningHost, clock: Clock): Promise<HostStanding | null> {
    const nowMs = clock.monotonicMs()
    if (this.standing !== null && nowMs - this.standing.atMs < STANDING_MS) return this.standing.value
    try {
      const value = await client.standing(host.host, { timeoutMs: STANDING_TIMEOUT_MS })
      this.standing = { atMs: nowMs, value }
      return value
    } catch (error) {
      this.log.debug({ code: codeOf(error) }, 'the bridge does not tell our standing')
      return null
    }
  }
}
