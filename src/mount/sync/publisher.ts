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
import type { Log } from '../../base/log.js'
import type { Head } from '../../model/chain.js'
import type { SegmentInfo } from '../../model/segment.js'
import type { Cut, Materialised, PendingEpoch, SavedRecord, StagedMapping } from '../metadata/types.js'

export interface PublishLedger {
  pendingEpochs(): Promise<PendingEpoch[]>
  materialise(epoch: number, mapping: readonly StagedMapping[], segments: readonly SegmentInfo[]): Promise<Materialised>
  prepared(epoch: number): Promise<Materialised>
  saveRecord(epoch: number, record: SavedRecord): Promise<void>
  published(epoch: number, head: Head): Promise<void>
}

/** Stores the staged rows of a cut on hosts; answers when every segment is stored at c receipts. */
export interface SegmentStorer {
  store(cut: Cut, signal: AbortSignal): Promise<{ mapping: StagedMapping[]; segments: SegmentInfo[] }>
}

/** Builds and signs records on the present head, appends them, learns of records of others. */
export interface ChainWriter {
  build(epoch: number, batch: Materialised): Promise<SavedRecord>
  /** `head-moved` when the chain grew by somebody else's record. */
  append(record: SavedRecord, signal: AbortSignal): Promise<void>
  /** Takes in records after our head. True when `record` is among them: an append whose answer was lost. */
  catchUp(record: SavedRecord, signal: AbortSignal): Promise<boolean>
  /** The record is the head now. */
  adopt(record: SavedRecord): Promise<void>
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
/** When hosts or bridge come back, their users should not wait longer than this. */
const RETRY_MAX_MS = 15_000
/** Codes that no repetition mends. */
const FATAL = new Set([
  'writer-fenced',
  'drive-forked',
  'drive-rolled-back',
  'chain-broken',
  'chain-signature',
  'device-revoked',
  'unsupported-feature',
  'database-damaged',
])

export class EpochPublisher {
  private readonly parts: PublisherParts
  private wake: () => void = () => {}
  private poked = false
  private current: Trouble | null = null
  private publishedEpoch = 0
  private readonly waiting = new Set<{ epoch: number; resolve: () => void; reject: (error: unknown) => void }>()
  private ended: AppError | null = null

  constructor(parts: PublisherParts) {
    this.parts = parts
  }

  /** Why publishing does not get on, or null. */
  trouble(): Trouble | null {
    return this.current
  }

  /** New work, or a reason to try again at once (a host came back). */
  poke(): void {
    this.poked = true
    this.wake()
  }

  /** Resolves when the epoch is in the chain; rejects when publishing ended for good, or with the signal. */
  async whenPublished(epoch: number, signal: AbortSignal): Promise<void> {
    if (epoch <= this.publishedEpoch) return
    if (this.ended) throw this.ended
    signal.throwIfAborted()
    await new Promise<void>((resolve, reject) => {
      const entry = { epoch, resolve, reject }
      this.waiting.add(entry)
      signal.addEventListener(
        'abort',
        () => {
          this.waiting.delete(entry)
          reject(signal.reason)
        },
        { once: true },
      )
    })
  }

  /** Runs until the signal fires or a failure that no repetition mends. */
  async run(signal: AbortSignal): Promise<void> {
    let delayMs = RETRY_FIRST_MS
    while (!signal.aborted) {
      this.poked = false
      try {
        const [next] = await this.parts.ledger.pendingEpochs()
        if (next === undefined) {
          await this.pause(IDLE_MS, signal)
          continue
        }
        await this.publish(next, signal)
        this.current = null
        delayMs = RETRY_FIRST_MS
      } catch (error) {
        if (signal.aborted) break
        if (!(error instanceof AppError)) throw error
        if (error.code === 'ledger-stopped') break
        if (FATAL.has(error.code)) {
          this.stop(error)
          return
        }
        this.current = {
          code: error.code,
          message: error.message,
          sinceMs: this.current?.sinceMs ?? this.parts.clock.nowMs(),
        }
        this.parts.log.warn({ code: error.code, delayMs }, `publishing waits: ${error.message}`)
        await this.pause(delayMs, signal)
        delayMs = Math.min(delayMs * 2, RETRY_MAX_MS)
      }
    }
    this.release(new AppError('stopped', 'the drive was unmounted'))
  }

  private async publish(pending: PendingEpoch, signal: AbortSignal): Promise<void> {
    const { ledger, storer, chain } = this.parts
    let batch: Materialised
    if (pending.stage === 'cut') {
      const { mapping, segments } = await storer.store(pending, signal)
      batch = await ledger.materialise(pending.epoch, mapping, segments)
    } else {
      batch = await ledger.prepared(pending.epoch)
    }
    let record = pending.stage === 'recorded' ? pending.record : null
    if (record === null) {
      record = await chain.build(pending.epoch, batch)
      await ledger.saveRecord(pending.epoch, record)
    }
    record = await this.append(pending.epoch, record, batch, signal)
    await ledger.published(pending.epoch, { sequence: record.sequence, hash: record.hash })
    await chain.adopt(record)
    this.publishedEpoch = pending.epoch
    for (const entry of [...this.waiting]) {
      if (entry.epoch > pending.epoch) continue
      this.waiting.delete(entry)
      entry.resolve()
    }
    await this.parts.onPublished(pending.epoch, batch.operations.length, signal)
  }

  /** Appends, on a new head as often as the chain moves under us. Answers the record that is in the chain. */
  private async append(
    epoch: number,
    first: SavedRecord,
    batch: Materialised,
    signal: AbortSignal,
  ): Promise<SavedRecord> {
    const { chain, ledger } = this.parts
    let record = first
    for (;;) {
      try {
        await chain.append(record, signal)
        return record
      } catch (error) {
        if (!isCode(error, 'head-moved') && !isCode(error, 'key-term-stale')) throw error
      }
      if (await chain.catchUp(record, signal)) return record
      record = await chain.build(epoch, batch)
      await ledger.saveRecord(epoch, record)
    }
  }

  private stop(error: AppError): void {
    this.current = { code: codeOf(error), message: error.message, sinceMs: this.parts.clock.nowMs() }
    this.release(error)
    this.parts.onStopped(error)
  }

  private release(error: AppError): void {
    this.ended = error
    for (const entry of this.waiting) entry.reject(error)
    this.waiting.clear()
  }

  private async pause(delayMs: number, signal: AbortSignal): Promise<void> {
    // await-free: a poke since the round began must not be slept over.
    if (this.poked) return
    const woken = new AbortController()
    this.wake = () => woken.abort()
    await this.parts.clock.sleep(delayMs, AbortSignal.any([signal, woken.signal]))
    this.wake = () => {}
  }
}
