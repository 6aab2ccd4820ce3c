/**
 * What runs while a drive is mounted: coming online (follow the chain, claim the writer term), epochs out, heartbeats, head
 * witnesses. A drive that was seen to be forked or rolled back, or that is fenced, becomes read-only, and says why.
 */
import { setMaxListeners } from 'node:events'
import type { Clock } from '../base/clock.js'
import { AppError } from '../base/errors.js'
import type { Log } from '../base/log.js'
import { Nap } from '../base/nap.js'
import type { Cutter } from '../mount/sync/cutter.js'
import type { DriveChain } from '../mount/sync/drive-chain.js'
import type { EpochPublisher, Trouble } from '../mount/sync/publisher.js'
import type { Retelling } from '../mount/sync/retelling.js'
import type { Witnessed } from '../mount/sync/witnesses.js'
import type { WriterLease } from '../mount/sync/writer-lease.js'

export interface UpkeepParts {
  chain: DriveChain
  lease: WriterLease
  retelling: Retelling
  cutter: Cutter
  publisher: EpochPublisher
  /** Asks hosts whether they know a newer head than the bridge shows. Throws `drive-rolled-back`, `drive-forked`. */
  checkWitnesses(signal: AbortSignal): Promise<Witnessed | null>
  /** Loads what must be known before the first epoch. */
  prepare(): Promise<void>
  setReadOnly(reason: string | null): Promise<void>
  clock: Clock
  log: Log
}

export interface UpkeepOptions {
  /** The user wants to look only. */
  readOnly: boolean
  takeover: boolean
  /** The tree was just built from what the bridge showed: hosts are asked before anything is written on top of it. */
  isRebuilt: boolean
}

const RETRY_FIRST_MS = 500
const RETRY_MAX_MS = 10_000
/** Codes that say that what the bridge shows is not what we know: no repetition mends them. */
const DISTRUST = new Set([
  'drive-forked',
  'drive-rolled-back',
  'chain-broken',
  'chain-mismatch',
  'chain-signature',
  'unsupported-feature',
])
/** Nor these: this device has lost its right to write, or has changes that do not fit what another wrote meanwhile. */
const FINAL = new Set([...DISTRUST, 'writer-fenced', 'device-revoked', 'local-changes'])
const FOLLOW_EVERY_MS = 30_000

export class DriveUpkeep {
  private readonly parts: UpkeepParts
  private readonly options: UpkeepOptions
  private readonly stopping = new AbortController()
  private readonly tasks: Promise<void>[] = []
  private readonly nap: Nap
  private delayMs = RETRY_FIRST_MS
  private distrust: Trouble | null = null
  private offline: Trouble | null = null
  private newestWitness: Witnessed | null = null
  private isOnline = false
  private writing = false

  constructor(parts: UpkeepParts, options: UpkeepOptions) {
    // Every push of every shard listens to the end.
    setMaxListeners(0, this.stopping.signal)
    this.parts = parts
    this.options = options
    this.nap = new Nap(parts.clock)
  }

  get online(): boolean {
    return this.isOnline
  }

  /** Why the bridge or its chain is not believed, or why nothing is published; null when all is well. */
  trouble(): Trouble | null {
    return this.distrust ?? this.offline ?? this.parts.publisher.trouble()
  }

  /** The newest word of a host that agrees with the chain; null when none was found (or asked). */
  witnessed(): Witnessed | null {
    return this.newestWitness
  }

  /** What waits for a retry is tried at once: the bridge is back, or a person waits. */
  hurry(): void {
    this.delayMs = RETRY_FIRST_MS
    this.nap.wake()
    this.parts.lease.hurry()
    this.parts.publisher.hurry()
  }

  /** The first attempt is waited for (up to `patienceMs`), so that a mount shows the newest state when it can. */
  async start(patienceMs: number): Promise<void> {
    const { signal } = this.stopping
    await this.parts.prepare()
    if (!this.options.readOnly && !this.parts.chain.isWriter) {
      await this.parts.setReadOnly('this device does not hold the right to write yet: the bridge is being asked')
    }
    if (this.options.readOnly) {
      await this.parts.setReadOnly('mounted read-only')
      this.parts.publisher.end(new AppError('read-only', 'mounted read-only'))
    }
    this.tasks.push(this.parts.cutter.run(signal), this.parts.retelling.run(signal))
    let tellFirst: () => void = () => {}
    const first = new Promise<void>((resolve) => {
      tellFirst = resolve
    })
    this.tasks.push(this.bringOnline(tellFirst))
    await Promise.race([first, this.parts.clock.sleep(patienceMs, signal)])
    if (this.distrust !== null) this.parts.log.error({ code: this.distrust.code }, this.distrust.message)
  }

  async stop(): Promise<void> {
    this.stopping.abort(new AppError('stopped', 'the drive is being unmounted'))
    await Promise.allSettled(this.tasks)
  }

  /** A failure after which nothing may be published from here: at once, whoever waits is told. The first one counts. */
  distrustBridge(error: AppError): void {
    if (this.distrust !== null) return
    this.distrust = { code: error.code, message: error.message, sinceMs: this.parts.clock.nowMs() }
    this.parts.log.error({ code: error.code }, `the drive is read-only now: ${error.message}`)
    this.parts.publisher.end(error)
    this.parts.setReadOnly(`${error.message} [${error.code}]`).catch((failure: unknown) => {
      this.parts.log.debug({ err: failure }, 'the ledger was not told')
    })
  }

  private async bringOnline(tellFirst: () => void): Promise<void> {
    const { clock, log, chain } = this.parts
    const { signal } = this.stopping
    while (!signal.aborted) {
      try {
        await chain.follow(signal)
        this.isOnline = true
        this.offline = null
        // Also before a bridge is written to that lost its books: another device may know more than both.
        if (this.options.isRebuilt || this.parts.retelling.isOwed) await this.askWitnesses()
        if (this.distrust !== null) return tellFirst()
        await this.acquire()
        tellFirst()
        break
      } catch (error) {
        if (signal.aborted) return
        if (!(error instanceof AppError)) throw error
        if (FINAL.has(error.code)) {
          this.distrustBridge(error)
          return tellFirst()
        }
        this.isOnline = false
        this.offline = { code: error.code, message: error.message, sinceMs: this.offline?.sinceMs ?? clock.nowMs() }
        log.warn({ code: error.code }, `not online yet: ${error.message}`)
        tellFirst()
        const { delayMs } = this
        this.delayMs = Math.min(RETRY_MAX_MS, delayMs * 2)
        await this.nap.sleep(delayMs, signal)
      }
    }
    if (!signal.aborted) await this.stayOnline()
  }

  private async acquire(): Promise<void> {
    const { lease, setReadOnly, publisher, log } = this.parts
    if (this.options.readOnly) return
    const outcome = await lease.acquire({ takeover: this.options.takeover }, this.stopping.signal)
    this.writing = outcome.writes
    await setReadOnly(outcome.writes ? null : outcome.reason)
    if (outcome.writes) return
    log.warn(outcome.reason)
    publisher.end(new AppError('read-only', outcome.reason))
  }

  private async stayOnline(): Promise<void> {
    const { lease, publisher, chain } = this.parts
    const { signal } = this.stopping
    if (this.writing) this.tasks.push(lease.run(signal), publisher.run(signal))
    if (!this.options.isRebuilt) await this.askWitnesses()
    // A reader follows the writer; the writer hears of others when it appends.
    while (!this.writing && (await this.nap.sleep(FOLLOW_EVERY_MS, signal))) {
      await chain.follow(signal).then(
        () => {
          this.offline = null
        },
        (error: unknown) => this.noteFollow(error),
      )
      if (this.distrust !== null) return
    }
  }

  private async askWitnesses(): Promise<void> {
    const { checkWitnesses, chain } = this.parts
    const { signal } = this.stopping
    try {
      this.noteWitness(await checkWitnesses(signal))
    } catch (first) {
      if (signal.aborted || !(first instanceof AppError) || !DISTRUST.has(first.code)) return
      // Our own epochs go on meanwhile: what a host knows may be newer than what we had seen when we asked.
      try {
        if (!this.writing) await chain.follow(signal)
        this.noteWitness(await checkWitnesses(signal))
      } catch (error) {
        if (!signal.aborted && error instanceof AppError && DISTRUST.has(error.code)) this.distrustBridge(error)
      }
    }
  }

  private noteWitness(witnessed: Witnessed | null): void {
    this.newestWitness = witnessed
    if (witnessed === null) {
      this.parts.log.info('no host keeps a witness of the head of this drive: the bridge is believed')
      return
    }
    const { sequence, timeMs } = witnessed
    this.parts.log.info({ sequence, time: new Date(timeMs).toISOString() }, 'the newest head witness on hosts agrees')
  }

  private noteFollow(error: unknown): void {
    if (this.stopping.signal.aborted) return
    if (!(error instanceof AppError)) throw error
    if (FINAL.has(error.code)) {
      this.distrustBridge(error)
      return
    }
    const { code, message } = error
    this.offline = { code, message, sinceMs: this.offline?.sinceMs ?? this.parts.clock.nowMs() }
  }
}
