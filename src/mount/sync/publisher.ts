/**
 * Publishes cut epochs strictly in order: first all segments, then one append to the drive's chain. What a recovery or
 * another device sees is therefore always a state that existed here.
 *
 * An epoch goes through the ledger's stages cut -> prepared -> recorded -> published, each durable before the next begins, so a
 * crash anywhere resumes exactly. Passing failures are retried with growing delays and shown in `trouble()`; a fence
 * (`writer-fenced`) or a chain that does not fit ends publishing and is told to `onStopped`.
 */
import type { Clock } from '../../base/clock.js'
import { AppError, codeOf, isCode } from '../../base/errors.js'
import { failpoint } from '../../base/failpoint.js'
import { linkSignal } from '../../base/linked-signal.js'
import type { Log } from '../../base/log.js'
import { Nap } from '../../base/nap.js'
import type { Head } from '../../model/chain.js'
import type { SegmentInfo } from '../../model/segment.js'
import type { Cut, Materialised, PendingEpoch, SavedRecord, StagedMapping } from '../metadata/types.js'
import { appendAtEnd, type ChainEnd } from './append-record.js'

export interface PublishLedger {
  pendingEpochs(limit: number): Promise<PendingEpoch[]>
  materialise(epoch: number, mapping: readonly StagedMapping[], segments: readonly SegmentInfo[]): Promise<Materialised>
  prepared(epoch: number): Promise<Materialised>
  saveRecord(epoch: number, record: SavedRecord): Promise<void>
  published(epoch: number, head: Head): Promise<void>
  progress(): { publishedEpoch: number }
}

/** Stores the staged rows of a cut on hosts; answers when every segment is stored at c receipts. */
export interface SegmentStorer {
  /** `anew`: what was stored for this cut before is lost. */
  store(
    cut: Cut,
    signal: AbortSignal,
    options?: { anew?: boolean },
  ): Promise<{ mapping: StagedMapping[]; segments: SegmentInfo[] }>
}

export interface ChainWriter extends ChainEnd {
  build(epoch: number, batch: Materialised): Promise<SavedRecord>
}

export interface Trouble {
  code: string
  message: string
  sinceMs: number
}

export interface PublisherParts {
  ledger: PublishLedger
  storer: SegmentStorer
  chain: ChainWriter
  clock: Clock
  log: Log
  /** Runs before the next epoch is taken; `operationBytes` is what the epoch added to the log. */
  onPublished: (epoch: number, operationBytes: number, signal: AbortSignal) => Promise<void>
  onStopped: (error: AppError) => void
}

/** Pokes come at once; this only bounds what a lost one could cost. */
const IDLE_MS = 60_000
const RETRY_FIRST_MS = 250
/** When hosts come back, their users should not wait longer than this; that the bridge is back is told (`hurry`). */
const RETRY_MAX_MS = 15_000
/** Codes that no repetition mends. */
const FATAL = new Set([
  'writer-fenced',
  'drive-forked',
  'drive-rolled-back',
  'chain-broken',
  'chain-mismatch',
  'chain-signature',
  'device-revoked',
  'local-changes',
  'unsupported-feature',
  'database-damaged',
])
/** The bridge does not know a segment that we had stored: it was swept after 72 h, or the bridge lost its memory. */
const LOST_SEGMENTS = new Set(['unknown-segment', 'not-committed'])

export class EpochPublisher {
  private readonly parts: PublisherParts
  private readonly halt = new AbortController()
  private readonly nap: Nap
  private delayMs = RETRY_FIRST_MS
  private current: Trouble | null = null
  private readonly waiting = new Set<{ epoch: number; resolve: () => void; reject: (error: unknown) => void }>()
  private ended: AppError | null = null

  constructor(parts: PublisherParts) {
    this.parts = parts
    this.nap = new Nap(parts.clock)
  }

  /** Why publishing does not get on, or null. */
  trouble(): Trouble | null {
    return this.current
  }

  /** New work. */
  poke(): void {
    this.nap.wake()
  }

  /** What waits for a retry is tried at once, and soon again: the bridge is back, or a person waits. */
  hurry(): void {
    this.delayMs = RETRY_FIRST_MS
    this.nap.wake()
  }

  /** Nothing is published from here any more, whoever waits is told why. */
  end(error: AppError): void {
    this.ended ??= error
    this.halt.abort(this.ended)
    for (const entry of this.waiting) entry.reject(this.ended)
    this.waiting.clear()
  }

  /** Resolves when the epoch is in the chain; rejects when publishing ended for good, or with the signal. */
  async whenPublished(epoch: number, signal: AbortSignal): Promise<void> {
    if (epoch <= this.parts.ledger.progress().publishedEpoch) return
    if (this.ended) throw this.ended
    signal.throwIfAborted()
    let stop: () => void = () => {}
    try {
      await new Promise<void>((resolve, reject) => {
        const entry = { epoch, resolve, reject }
        this.waiting.add(entry)
        stop = () => {
          this.waiting.delete(entry)
          reject(signal.reason)
        }
        signal.addEventListener('abort', stop, { once: true })
      })
    } finally {
      signal.removeEventListener('abort', stop)
    }
  }

  /** Runs until the signal fires or a failure that no repetition mends. */
  async run(signal: AbortSignal): Promise<void> {
    const link = linkSignal(signal)
    const pass = () => link.abort(this.ended)
    this.halt.signal.addEventListener('abort', pass, { once: true })
    if (this.halt.signal.aborted) pass()
    try {
      await this.loop(link.signal)
      this.end(new AppError('stopped', 'the drive was unmounted'))
    } catch (error) {
      this.end(error instanceof AppError ? error : new AppError('internal', 'publishing failed', { cause: error }))
      throw error
    } finally {
      link.release()
    }
  }

  private async loop(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        const [next] = await this.parts.ledger.pendingEpochs(1)
        this.settle()
        if (next !== undefined) await this.publish(next, signal)
        else await this.nap.sleep(IDLE_MS, signal)
        this.current = null
        this.delayMs = RETRY_FIRST_MS
      } catch (error) {
        if (signal.aborted || isCode(error, 'ledger-stopped')) return
        if (!(error instanceof AppError)) throw error
        if (FATAL.has(error.code)) return this.stop(error)
        this.note(error)
        const { delayMs } = this
        this.delayMs = Math.min(delayMs * 2, RETRY_MAX_MS)
        await this.nap.sleep(delayMs, signal)
      }
    }
  }

  private async publish(pending: PendingEpoch, signal: AbortSignal): Promise<void> {
    const { ledger, chain } = this.parts
    failpoint('mount.publish.begun')
    let batch =
      pending.stage === 'cut' ? await this.store(pending, signal, false) : await ledger.prepared(pending.epoch)
    let record: SavedRecord
    try {
      record = await this.append(pending.epoch, pending.record, batch, signal)
    } catch (error) {
      if (!LOST_SEGMENTS.has(codeOf(error))) throw error
      this.parts.log.warn({ code: codeOf(error), epoch: pending.epoch }, 'segments of an epoch are lost: stored again')
      batch = await this.store(pending, signal, true)
      record = await this.append(pending.epoch, null, batch, signal)
    }
    failpoint('mount.publish.appended')
    await ledger.published(pending.epoch, { sequence: record.sequence, hash: record.hash })
    failpoint('mount.publish.marked')
    await chain.adopt(record)
    failpoint('mount.publish.adopted')
    this.settle()
    await this.parts.onPublished(pending.epoch, batch.operations.length, signal)
  }

  private async store(cut: Cut, signal: AbortSignal, anew: boolean): Promise<Materialised> {
    const { mapping, segments } = await this.parts.storer.store(cut, signal, { anew })
    failpoint('mount.publish.stored')
    const batch = await this.parts.ledger.materialise(cut.epoch, mapping, segments)
    failpoint('mount.publish.prepared')
    return batch
  }

  private append(
    epoch: number,
    first: SavedRecord | null,
    batch: Materialised,
    signal: AbortSignal,
  ): Promise<SavedRecord> {
    const { chain, ledger } = this.parts
    const make = async () => {
      const record = await chain.build(epoch, batch)
      await ledger.saveRecord(epoch, record)
      failpoint('mount.publish.recorded')
      return record
    }
    return appendAtEnd(chain, first, make, signal)
  }

  /** Also what was published behind our back: our own epoch, found in the chain after a crash. */
  private settle(): void {
    const { publishedEpoch } = this.parts.ledger.progress()
    for (const entry of [...this.waiting]) {
      if (entry.epoch > publishedEpoch) continue
      this.waiting.delete(entry)
      entry.resolve()
    }
  }

  private note(error: AppError): void {
    const { code, message } = error
    const isNew = this.current?.code !== code
    this.current = { code, message, sinceMs: this.current?.sinceMs ?? this.parts.clock.nowMs() }
    // Once for each kind: an evening without a network is not a thousand lines.
    if (isNew) this.parts.log.warn({ code }, `publishing waits: ${message}`)
    else this.parts.log.debug({ code }, `publishing still waits: ${message}`)
  }

  private stop(error: AppError): void {
    this.current = { code: error.code, message: error.message, sinceMs: this.parts.clock.nowMs() }
    this.end(error)
    this.parts.onStopped(error)
  }
}
