/**
 * One writer at a time. The right to write is a record of the chain (the highest writer term); that its holder is alive is a
 * heartbeat at the bridge, advisory: it decides whether a mount claims at once or becomes a reader.
 */
import type { Clock } from '../../base/clock.js'
import { AppError, isCode } from '../../base/errors.js'
import type { Log } from '../../base/log.js'
import { Nap } from '../../base/nap.js'
import type { DeviceId } from '../../model/ids.js'
import { isReadOnlyByFeatures } from '../../permits/chain-rules.js'
import type { DriveChain } from './drive-chain.js'

export interface LeaseBridge {
  head(signal: AbortSignal): Promise<{ writer: { device: DeviceId; term: number; heartbeatAtMs: number } | null }>
  heartbeat(beat: { term: number; released?: boolean }, signal?: AbortSignal): Promise<void>
  /** Bridge time, Unix ms. */
  nowMs(): number
}

export interface LeaseParts {
  bridge: LeaseBridge
  chain: DriveChain
  device: DeviceId
  clock: Clock
  log: Log
  /** The bridge says that another mount writes to this drive now. */
  onFenced(error: AppError): void
}

/** A writer whose last heartbeat is older is taken for gone. */
const LIVE_MS = 60_000
/** Three beats fit: one lost request does not look like a death. */
const BEAT_EVERY_MS = 20_000
const CLAIM_ATTEMPTS = 8

const NEWER_DRIVE = 'a newer program uses this drive in a way that this one may read and not write; update it'

export type LeaseOutcome = { writes: true } | { writes: false; reason: string }

export class WriterLease {
  private readonly parts: LeaseParts
  private readonly nap: Nap

  constructor(parts: LeaseParts) {
    this.parts = parts
    this.nap = new Nap(parts.clock)
  }

  /** The bridge is back: it hears at once that this writer lives. */
  hurry(): void {
    this.nap.wake()
  }

  /** Needs the bridge, except for the device that holds the term already. */
  async acquire(options: { takeover: boolean }, signal: AbortSignal): Promise<LeaseOutcome> {
    const { bridge, chain, clock, device } = this.parts
    if (isReadOnlyByFeatures(chain.state)) return { writes: false, reason: NEWER_DRIVE }
    for (let attempt = 1; ; attempt++) {
      if (chain.isWriter) return { writes: true }
      const { writer } = await bridge.head(signal)
      const isLive = writer !== null && writer.device !== device && bridge.nowMs() - writer.heartbeatAtMs < LIVE_MS
      if (isLive && !options.takeover) {
        return {
          writes: false,
          reason: 'another device has this drive mounted for writing; --takeover writes from here',
        }
      }
      try {
        await chain.claimWriter(signal)
        return { writes: true }
      } catch (error) {
        if (!isCode(error, 'head-moved') || attempt >= CLAIM_ATTEMPTS) throw error
        await clock.sleep(50 * attempt, signal)
        await chain.follow(signal)
      }
    }
  }

  /** Beats until the signal fires or the term is over; then says that it is gone, so that the next mount need not wait. */
  async run(signal: AbortSignal): Promise<void> {
    const { bridge, chain, log, onFenced } = this.parts
    do {
      if (!chain.isWriter) return
      try {
        await bridge.heartbeat({ term: chain.state.writerTerm }, signal)
      } catch (error) {
        if (!(error instanceof AppError)) throw error
        if (isCode(error, 'writer-fenced')) return onFenced(error)
        log.debug({ code: error.code }, 'no heartbeat')
      }
    } while (await this.nap.sleep(BEAT_EVERY_MS, signal))
    if (!chain.isWriter) return
    await bridge
      .heartbeat({ term: chain.state.writerTerm, released: true }, AbortSignal.timeout(RELEASE_MS))
      .catch(() => undefined)
  }
}

/** An unmount does not wait longer for a bridge that does not answer. */
const RELEASE_MS = 1_000
