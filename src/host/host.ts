/**
 * MODE host: the storage machine. shards/ (volumes on disk), ledger/ (all SQL), endpoint/ (answers peers), terms/ (hours and
 * traffic, as the owner set them), disk/ (is it there, does it write). This file starts and stops them, and serves peers also
 * while the bridge is away.
 *
 * What it needs of others is declared in session.ts and here: a Transport to serve on and a BridgeSession. app/ connects them.
 */
import type { Clock } from '../base/clock.js'
import { AppError, codeOf } from '../base/errors.js'
import type { Log } from '../base/log.js'
import { type BridgeId, bridgeId, type HostId, type Serial } from '../model/ids.js'
import { decodeToken } from '../permits/token.js'
import type { Transport } from '../rtc/transport.js'
import type { HostReport, LossesRequest } from '../wire/host-api.js'
import { Chores, type ChoresOptions } from './chores/chores.js'
import { type HostConfig, termsOf } from './config.js'
import { type DiskHealth, DiskWatch, isLost } from './disk/disk-watch.js'
import { type DiskProbe, VolumesProbe } from './disk/probe.js'
import { Door } from './door.js'
import { BridgeMarks } from './endpoint/bridge-marks.js'
import { Endpoint } from './endpoint/endpoint.js'
import { type HostFolder, readHostConfig } from './folder.js'
import type { HostLife, HostStatus } from './host-status.js'
import { Kept } from './ledger/kept.js'
import { Losses } from './losses.js'
import { Reporter } from './reporter.js'
import type { BridgeSession } from './session.js'
import { ShardStore } from './shards/shard-store.js'
import type { StoreOptions } from './shards/store-parts.js'
import { MonthMeter, type Traffic } from './terms/month-meter.js'
import { Terms } from './terms/terms.js'

export interface HostParts {
  folder: HostFolder
  transport: Transport
  session: BridgeSession
  clock: Clock
  log: Log
  /** Of the transport, since it was made. Without it no traffic cap can be kept. */
  traffic?: () => Traffic
  /** Asks the disk; the real one unless given. */
  probe?: DiskProbe
  /** The disk is gone, or it or the index failed: only another start can mend it. Called once. */
  onFatal?: (error: AppError) => void
}

export interface HostOptions extends Partial<Omit<StoreOptions, 'capacityBytes'>> {
  /** Between reports to the bridge. */
  reportMs?: number
  /** Between looks at the disk. */
  diskLookMs?: number
  chores?: ChoresOptions
}

const NO_TRAFFIC: Traffic = { sentBytes: 0, receivedBytes: 0 }
const REPORT_MS = 60_000

export class Host {
  readonly host: HostId
  readonly bridge: BridgeId
  readonly endpoint: Endpoint
  readonly store: ShardStore
  private readonly parts: HostParts
  private readonly kept: Kept
  private readonly terms: Terms
  private readonly disk: DiskWatch
  private readonly door: Door
  private config: HostConfig
  private readonly reporter: Reporter
  private readonly stopping = new AbortController()
  private failed = false
  readonly chores: Chores
  private reporting: Promise<void> | null = null
  private readonly ends: ((() => void) | undefined)[] = []

  private constructor(parts: HostParts, kept: Kept, store: ShardStore, options: HostOptions) {
    const { folder, session, log } = parts
    this.parts = parts
    this.host = folder.host
    this.bridge = bridgeId(folder.config.bridge)
    this.kept = kept
    this.store = store
    const nowMs = () => session.nowMs()
    const recycle = (body: Buffer) => parts.transport.recycle?.(body)
    this.config = folder.config
    const probe = parts.probe ?? new VolumesProbe(folder.volumesDir, folder.host)
    const onChange = (health: DiskHealth) => this.noteDisk(health)
    const everyMs = options.diskLookMs === undefined ? {} : { everyMs: options.diskLookMs }
    this.disk = new DiskWatch({ probe, host: folder.host, clock: parts.clock, log, onChange, ...everyMs })
    this.terms = termsFor(parts, folder)
    this.door = new Door({ disk: () => this.disk.health, readOnly: () => store.readOnly, terms: this.terms })
    const mayWork = () => ['fine', 'full'].includes(this.disk.health.state)
    this.chores = new Chores({ store, kept, clock: parts.clock, log, mayWork }, options.chores)
    this.reporter = this.reporterOf(options.reportMs ?? REPORT_MS)
    const desk = { store, kept, key: folder.key, bridge: this.bridge, nowMs, recycle, doorkeeper: this.door, log }
    this.endpoint = new Endpoint(desk)
  }

  private reporterOf(everyMs: number): Reporter {
    const { host, store, stopping } = this
    const { session, clock, log } = this.parts
    const { signal } = stopping
    const tell = async (losses: LossesRequest['losses']) => {
      await session.reportLosses?.(host, losses, { signal })
    }
    const facts = () => {
      const { capacityBytes, domain } = this.config
      return { host, capacityBytes, ...(domain === undefined ? {} : { domain }) }
    }
    return new Reporter({
      host,
      session,
      clock,
      log,
      losses: new Losses({
        losses: (limit) => store.upkeep.losses(limit),
        settle: (losses) => store.upkeep.settleLosses(losses),
        tell,
      }),
      facts,
      report: () => this.report(),
      marks: new BridgeMarks({ bridge: this.bridge, kept: this.kept, log }),
      onRegistered: (incarnation) => this.endpoint.desk.learnIncarnation(incarnation),
      everyMs,
      signal,
    })
  }

  /** Opens the store (see shards/recovery.ts), then serves. The folder is the host's from now on: stop releases it. */
  static async start(parts: HostParts, options: HostOptions = {}): Promise<Host> {
    const { folder, session, log } = parts
    let kept: Kept | null = null
    try {
      kept = Kept.open(folder.keptFile)
      const { volumesDir, indexFile, seed, config } = folder
      const { reportMs: _reportMs, diskLookMs: _diskLookMs, chores: _chores, ...storeOptions } = options
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
    const { capacityBytes } = this.config
    const { host, store, terms } = this
    const refusal = this.door.refuses()
    return {
      host,
      registered: this.reporter.registered,
      readOnly: store.readOnly,
      capacityBytes,
      freeBytes: await store.freeBytes(),
      disk: this.disk.health,
      refuses: refusal === null ? null : { code: refusal.code, why: refusal.message },
      terms: terms.settings,
      isOpen: terms.isOpen,
      connections: this.parts.transport.paths?.() ?? null,
      traffic: terms.traffic(),
      ...store.totals(),
    }
  }

  /** Takes in what the owner changed in host.json; the bridge hears of it at once. Another bridge, key or port waits for another start. */
  async reload(): Promise<HostConfig> {
    const { folder } = this.parts
    const config = readHostConfig(folder.dir)
    if (config.domain !== this.config.domain || config.capacityBytes !== this.config.capacityBytes) {
      this.reporter.registerAgain()
    }
    this.config = config
    this.store.setCapacity(config.capacityBytes)
    this.terms.set(termsOf(config))
    this.applyRates()
    this.parts.log.info({ capacityBytes: config.capacityBytes }, 'the settings were changed')
    await this.reporter.inform()
    return config
  }

  private applyRates(): void {
    const { upBytesPerSecondMax = null, downBytesPerSecondMax = null } = this.config
    this.parts.transport.setRates?.({ upBytesPerSecondMax, downBytesPerSecondMax })
  }

  /** Resolves when the store answers. */
  async life(): Promise<HostLife> {
    const { store } = this
    const { registered } = this.reporter
    const { capacityBytes } = this.config
    return { registered, readOnly: store.readOnly, capacityBytes, ...(await store.answers()) }
  }

  /** Requests in flight settle or fail with `stopped`; what was acknowledged is on disk. The transport is app's. */
  async stop(): Promise<void> {
    this.stopping.abort()
    for (const end of this.ends) end?.()
    await this.reporting
    await this.chores.stop()
    await this.disk.stop()
    this.terms.save()
    await this.store.stop()
    this.kept.close()
    this.parts.folder.release()
  }

  private serve(): void {
    const { transport, session } = this.parts
    this.applyRates()
    this.disk.start()
    transport.serve(
      (from, request) => this.endpoint.serve(from, request).catch((error) => this.refuse(error)),
      (from, request) => this.endpoint.gate(from, request),
    )
    this.ends.push(session.onDelete((token) => void this.deleteFor(token)))
    this.ends.push(session.onLine?.(() => void this.reporter.inform()))
    this.reporting = this.reporter.run()
    this.chores.start()
  }

  /** Failures of our own are logged here; peers only hear codes of wire/error-codes.ts. */
  private refuse(error: unknown): never {
    if (this.stopping.signal.aborted) throw new AppError('stopped', 'the host is stopping', { retry: 'elsewhere' })
    const isFatal = ['database-damaged', 'disk-failing', 'host-read-only'].includes(codeOf(error))
    if (isFatal || !(error instanceof AppError)) {
      this.parts.log.error({ err: error }, 'a request failed')
      void this.judge(isFatal ? (error as AppError) : null)
    }
    throw error
  }

  /** A store that stopped writing goes on when it is opened anew; while its disk does not write it stays open for reading. */
  private async judge(error: AppError | null): Promise<void> {
    const { state } = await this.disk.check()
    if (error !== null && (state === 'fine' || error.code === 'database-damaged')) this.fail(error)
  }

  private fail(error: AppError): void {
    if (!this.failed) this.parts.onFatal?.(error)
    this.failed = true
  }

  private noteDisk(health: DiskHealth): void {
    if (isLost(health)) {
      this.fail(new AppError('disk-away', health.why ?? 'the disk is away', { retry: 'later' }))
      return
    }
    // What stopped writing while the disk was ill starts again with the store.
    if (health.state === 'fine' && this.store.readOnly) {
      this.fail(new AppError('disk-away', 'the disk failed, and is well again: the store is opened anew'))
    }
    // The bridge hears of it before the next shard is placed here.
    void this.reporter.inform()
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

  private async report(): Promise<HostReport> {
    const freeBytes = await this.store.freeBytes()
    const { volumeBytes, liveBytes, trashBytes } = this.store.totals()
    const refusal = this.door.refuses()
    return {
      ...{ usedBytes: volumeBytes, freeBytes, capacityBytes: this.config.capacityBytes, liveBytes, trashBytes },
      ...this.terms.report(),
      ...(refusal === null ? {} : { refuses: refusal.code }),
    }
  }
}

function termsFor({ clock, log, traffic = () => NO_TRAFFIC }: HostParts, folder: HostFolder): Terms {
  const settings = termsOf(folder.config)
  const nowMs = () => clock.nowMs()
  const meter = { file: folder.trafficFile, traffic, nowMs, monotonicMs: () => clock.monotonicMs(), log }
  return new Terms({ meter: new MonthMeter(meter, settings.zone), nowMs }, settings)
}
