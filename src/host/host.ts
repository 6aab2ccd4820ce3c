/**
 * MODE host: the storage machine. shards/ (volumes on disk), ledger/ (all SQL), endpoint/ (answers peers). This file
 * starts and stops them, and keeps the bridge informed. It serves peers also while the bridge is away.
 *
 * What it needs of others is declared here: a Transport to serve on and a BridgeSession. app/ connects them.
 */
import type { Clock } from '../base/clock.js'
import { AppError, codeOf, isCode } from '../base/errors.js'
import type { Log } from '../base/log.js'
import { type BridgeId, bridgeId, type HostId, type Serial } from '../model/ids.js'
import { decodeToken } from '../permits/token.js'
import type { Transport } from '../rtc/transport.js'
import { Endpoint } from './endpoint/endpoint.js'
import type { HostFolder } from './folder.js'
import { Kept } from './ledger/kept.js'
import type { Totals } from './ledger/types.js'
import { ShardStore } from './shards/shard-store.js'
import type { StoreOptions } from './shards/store-parts.js'

/** The bridge, as a host needs it. */
export interface BridgeSession {
  /** Bridge time; this machine's own until it is learnt. */
  nowMs(): number
  register(
    request: { host: HostId; capacityBytes: number; domain?: string },
    options: { signal: AbortSignal },
  ): Promise<{ incarnation: number }>
  report(
    host: HostId,
    report: { usedBytes: number; freeBytes: number; capacityBytes: number },
    options: { signal: AbortSignal },
  ): Promise<unknown>
  /** Delete tokens from the bridge's socket, unverified. The value ends it. */
  onDelete(listener: (token: Buffer) => void): () => void
  /** Answers one; what cannot be sent is asked for again by the bridge. */
  sendDeleted(answer: { serial: Serial; ok: boolean; code?: string }): unknown
}

export interface HostParts {
  folder: HostFolder
  transport: Transport
  session: BridgeSession
  clock: Clock
  log: Log
  /** The disk or the index failed: only another start can mend it. Called once. */
  onFatal?: (error: AppError) => void
}

export interface HostOptions extends Partial<Omit<StoreOptions, 'capacityBytes'>> {
  /** Between reports to the bridge. */
  reportMs?: number
}

export interface HostStatus extends Totals {
  host: HostId
  registered: boolean
  readOnly: boolean
  capacityBytes: number
  freeBytes: number
}

/** What tells whether a host is alive and well, without a look at every shard. */
export interface HostLife {
  registered: boolean
  readOnly: boolean
  capacityBytes: number
  shards: number
  liveBytes: number
  freeBytes: number
}

const REPORT_MS = 60_000
const REGISTER_RETRY_MS = 2_000

export class Host {
  readonly host: HostId
  readonly bridge: BridgeId
  readonly endpoint: Endpoint
  readonly store: ShardStore
  private readonly parts: HostParts
  private readonly kept: Kept
  private readonly reportMs: number
  private readonly stopping = new AbortController()
  private registered = false
  private failed = false
  private chores: Promise<void> | null = null
  private endDeletes: () => void = () => {}

  private constructor(parts: HostParts, kept: Kept, store: ShardStore, options: HostOptions) {
    const { folder, session, log } = parts
    this.parts = parts
    this.host = folder.host
    this.bridge = bridgeId(folder.config.bridge)
    this.kept = kept
    this.store = store
    this.reportMs = options.reportMs ?? REPORT_MS
    const nowMs = () => session.nowMs()
    const recycle = (body: Buffer) => parts.transport.recycle?.(body)
    this.endpoint = new Endpoint({ store, kept, key: folder.key, bridge: this.bridge, nowMs, recycle, log })
  }

  /** Opens the store (see shards/recovery.ts), then serves. The folder is the host's from now on: stop releases it. */
  static async start(parts: HostParts, options: HostOptions = {}): Promise<Host> {
    const { folder, session, log } = parts
    let kept: Kept | null = null
    try {
      kept = Kept.open(folder.keptFile)
      const { volumesDir, indexFile, seed, config } = folder
      const { reportMs: _, ...storeOptions } = options
      const clocks = { nowMs: () => Math.floor(session.nowMs()), ownMs: () => Math.floor(parts.clock.nowMs()) }
      const store = await ShardStore.open(
        { volumesDir, indexFile, host: folder.host, seed, kept, log, ...clocks },
        { ...storeOptions, capacityBytes: config.capacityBytes },
      )
      const host = new Host(parts, kept, store, options)
      host.serve()
      return host
    } catch (error) {
      kept?.close()
      folder.release()
      throw error
    }
  }

  async status(): Promise<HostStatus> {
    const { capacityBytes } = this.parts.folder.config
    const { host, registered, store } = this
    const freeBytes = await store.freeBytes()
    return { host, registered, readOnly: store.readOnly, capacityBytes, freeBytes, ...store.totals() }
  }

  /** Resolves when the store answers. */
  async life(): Promise<HostLife> {
    const { registered, store } = this
    const { capacityBytes } = this.parts.folder.config
    return { registered, readOnly: store.readOnly, capacityBytes, ...(await store.answers()) }
  }

  /** Requests in flight settle or fail with `stopped`; what was acknowledged is on disk. The transport is app's. */
  async stop(): Promise<void> {
    this.stopping.abort()
    this.endDeletes()
    await this.chores
    await this.store.stop()
    this.kept.close()
    this.parts.folder.release()
  }

  private serve(): void {
    const { transport, session } = this.parts
    transport.serve(
      (from, request) => this.endpoint.serve(from, request).catch((error) => this.refuse(error)),
      (from, request) => this.endpoint.gate(from, request),
    )
    this.endDeletes = session.onDelete((token) => void this.deleteFor(token))
    this.chores = this.runChores()
  }

  /** Failures of our own are logged here; peers only hear codes of wire/error-codes.ts. */
  private refuse(error: unknown): never {
    if (this.stopping.signal.aborted) throw new AppError('stopped', 'the host is stopping', { retry: 'elsewhere' })
    const isFatal = ['database-damaged', 'disk-failing', 'host-read-only'].includes(codeOf(error))
    if (isFatal || !(error instanceof AppError)) this.parts.log.error({ err: error }, 'a request failed')
    if (isFatal && !this.failed) this.parts.onFatal?.(error as AppError)
    this.failed ||= isFatal
    throw error
  }

  private async deleteFor(tokenBytes: Buffer): Promise<void> {
    const { log, session } = this.parts
    let serial: Serial
    try {
      serial = decodeToken(tokenBytes).serial
    } catch (error) {
      log.warn({ code: codeOf(error) }, 'the bridge sent a delete token that cannot be read')
      return
    }
    try {
      await this.endpoint.deleteShard(this.bridge, tokenBytes)
      session.sendDeleted({ serial, ok: true })
    } catch (error) {
      if (!(error instanceof AppError)) log.error({ err: error }, 'a delete failed')
      session.sendDeleted({ serial, ok: false, code: codeOf(error) })
    }
  }

  /** Registers until it is done, then reports. The bridge may come and go. */
  private async runChores(): Promise<void> {
    const { clock } = this.parts
    const { signal } = this.stopping
    for (;;) {
      await this.informBridge()
      if (!(await clock.sleep(this.registered ? this.reportMs : REGISTER_RETRY_MS, signal))) return
      await this.forgetSerials()
    }
  }

  private async forgetSerials(): Promise<void> {
    try {
      await this.store.purgeSerials()
    } catch (error) {
      this.parts.log.error({ err: error }, 'used serials could not be forgotten')
    }
  }

  private async informBridge(): Promise<void> {
    const { folder, session, log } = this.parts
    const { capacityBytes, domain } = folder.config
    const { signal } = this.stopping
    try {
      if (!this.registered) {
        const facts = { host: this.host, capacityBytes, ...(domain ? { domain } : {}) }
        const { incarnation } = await session.register(facts, { signal })
        this.endpoint.desk.learnIncarnation(incarnation)
        this.registered = true
        log.info({ host: this.host, incarnation }, 'registered with the bridge')
      }
      const freeBytes = await this.store.freeBytes()
      const { volumeBytes } = this.store.totals()
      await session.report(this.host, { usedBytes: volumeBytes, freeBytes, capacityBytes }, { signal })
    } catch (error) {
      // A bridge that was restored may not know this host any more.
      if (isCode(error, 'unknown-host')) this.registered = false
      if (!signal.aborted) log.warn({ code: codeOf(error) }, 'the bridge could not be informed')
    }
  }
}
