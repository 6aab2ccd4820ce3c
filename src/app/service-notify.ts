/**
 * What a service manager (systemd, or another that speaks its protocol) is told over $NOTIFY_SOCKET: that we serve, in one line how
 * it goes, that we are alive, that we end. Without the variable nothing of this happens.
 *
 * The keep-alive is an answer, never a timer: `watch` asks the vital part of the mode (store, database, ledger), and only its
 * answer sends WATCHDOG=1. A part that does not answer, or an event loop that stands, sends nothing, and the manager ends us. Nothing
 * here can fail the program: what cannot be sent is logged.
 */
import { notifyAddon } from '../addon/notify.js'
import type { Clock } from '../base/clock.js'
import { systemClock } from '../base/clock.js'
import { AppError } from '../base/errors.js'
import type { Log } from '../base/log.js'
import { printable, reportOf } from './terminal.js'

/** Answers when the vital part of a mode has answered: one line about how it goes. */
export type VitalPart = () => Promise<string>

export interface ServiceParts {
  clock: Clock
  send(socket: string, text: string): number
}

/** Two lost ones in a row do no harm. */
const KEEP_ALIVES_IN_TIME = 3
/** Without a watchdog the line is looked at so often. */
const STATUS_EVERY_MS = 30_000
/** A receiver whose queue is full has it empty soon; READY=1 must not be lost. */
const AGAIN_MS = 100
const ATTEMPTS_MAX = 100
/** What the address of a socket holds, without its last zero. */
const SOCKET_BYTES_MAX = process.platform === 'linux' ? 107 : 103
/** systemd reads messages of 4,096 bytes; a line for a person is shorter. */
const STATUS_CHARACTERS_MAX = 500
const NAMES = ['NOTIFY_SOCKET', 'WATCHDOG_USEC', 'WATCHDOG_PID'] as const

export class ServiceManager {
  private readonly socket: string | null
  private readonly watchdogMs: number | null
  private readonly parts: ServiceParts
  private readonly ending = new AbortController()
  private log: Log | null = null
  private status = ''
  private isMute = false

  constructor(socket: string | null, watchdogMs: number | null, parts: ServiceParts) {
    this.socket = socket
    this.watchdogMs = watchdogMs
    this.parts = parts
  }

  /** Between keep-alives; null when nobody waits for any. */
  get keepAliveMs(): number | null {
    return this.watchdogMs === null ? null : Math.floor(this.watchdogMs / KEEP_ALIVES_IN_TIME)
  }

  /** Where to say that the manager cannot be reached. */
  useLog(log: Log): void {
    this.log = log
  }

  /** What is under way; said once until it changes. */
  tell(status: string): void {
    if (status === this.status) return
    this.status = status
    this.send(statusLine(status))
  }

  /** The mode serves from now on: asks the vital part for its line, says READY=1 with it, and watches from then on. */
  async ready(vital: VitalPart): Promise<void> {
    if (this.socket === null) return
    this.status = await vital()
    await this.sendSurely(`READY=1\n${statusLine(this.status)}`)
    if (!this.ending.signal.aborted) void this.watch(vital)
  }

  /** No keep-alive follows: the manager bounds the end by its own time. */
  stopping(): void {
    this.ending.abort()
    this.send(`STOPPING=1\n${statusLine('ending: what was taken in is brought to an end')}`)
  }

  /** The last word, for who asks why it has ended. */
  failed(error: unknown): void {
    this.ending.abort()
    const { code, message, hint } = reportOf(error)
    this.send(statusLine(`failed: ${message} [${code}]${hint === undefined ? '' : `; what to do: ${hint}`}`))
  }

  private async watch(vital: VitalPart): Promise<void> {
    const { clock } = this.parts
    const { signal } = this.ending
    const everyMs = this.keepAliveMs ?? STATUS_EVERY_MS
    while (await clock.sleep(everyMs, signal)) {
      const line = await this.ask(vital, everyMs)
      if (signal.aborted) return
      if (line === null) continue
      this.tell(line)
      if (this.watchdogMs !== null) this.send('WATCHDOG=1')
    }
  }

  /** Null when it answered that it is not well. While it does not answer at all that is said, and nothing else. */
  private async ask(vital: VitalPart, patienceMs: number): Promise<string | null> {
    const answered = new AbortController()
    void this.parts.clock.sleep(patienceMs, answered.signal).then((isLate) => {
      if (isLate && !this.ending.signal.aborted) this.tell('hangs: the part that everything rests on does not answer')
    })
    try {
      return await vital()
    } catch (error) {
      if (!(error instanceof AppError)) this.log?.error({ err: error }, 'the vital part failed')
      if (!this.ending.signal.aborted) this.tell(`not well: ${reportOf(error).message} [${reportOf(error).code}]`)
      return null
    } finally {
      answered.abort()
    }
  }

  private async sendSurely(text: string): Promise<void> {
    for (let attempt = 1; !this.send(text) && attempt < ATTEMPTS_MAX; attempt++) {
      if (!(await this.parts.clock.sleep(AGAIN_MS, this.ending.signal))) return
    }
  }

  private send(text: string): boolean {
    if (this.socket === null) return true
    const errno = this.parts.send(this.socket, text)
    if (errno !== 0 && !this.isMute) this.log?.warn({ errno }, 'the service manager cannot be told')
    this.isMute = errno !== 0
    return errno === 0
  }
}

function statusLine(status: string): string {
  return `STATUS=${printable(status.replace(/\s+/g, ' ')).slice(0, STATUS_CHARACTERS_MAX)}`
}

/**
 * The service manager of this process, if it has one; its variables leave the environment, so that no child speaks in our name. A
 * watchdog for another process (WATCHDOG_PID) is not ours.
 */
export function takeServiceManager(
  env: Record<string, string | undefined> = process.env,
  parts: Partial<ServiceParts & { pid: number }> = {},
): ServiceManager {
  const { NOTIFY_SOCKET: socket, WATCHDOG_USEC: usec, WATCHDOG_PID: watched } = env
  for (const name of NAMES) delete env[name]
  const { pid = process.pid, clock = systemClock, send = (name, text) => notifyAddon().send(name, text) } = parts
  const isSocket = socket !== undefined && /^[/@]./.test(socket) && Buffer.byteLength(socket) <= SOCKET_BYTES_MAX
  const isOurs = watched === undefined || watched === '' || watched === String(pid)
  const watchdogMs = isSocket && isOurs && /^[1-9]\d{0,15}$/.test(usec ?? '') ? Number(usec) / 1_000 : null
  return new ServiceManager(isSocket ? socket : null, watchdogMs, { clock, send })
}
