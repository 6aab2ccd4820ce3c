/**
 * The device's own view of its drive's chain: the verified state, kept in the ledger; the next record built on it; what others
 * appended taken in. It believes no record that does not follow from what it has seen before (`drive-forked`,
 * `drive-rolled-back`), whatever the bridge says.
 */

import type { Clock } from '../../base/clock.js'
import { AppError, isCode } from '../../base/errors.js'
import { failpoint } from '../../base/failpoint.js'
import type { Log } from '../../base/log.js'
import type { RandomBytes } from '../../base/random.js'
import type { SecretBytes } from '../../crypto/secret.js'
import type { SigningKey } from '../../crypto/signing-key.js'
import { type ChainRecord, type Head, RECORD_KIND } from '../../model/chain.js'
import type { DeviceId, SegmentId } from '../../model/ids.js'
import type { SegmentInfo } from '../../model/segment.js'
import { makeEpoch, makeWriterTerm } from '../../permits/chain-author.js'
import { decodeEpoch } from '../../permits/chain-bodies.js'
import { decodeRecord } from '../../permits/chain-record.js'
import { checkHead, followRecord } from '../../permits/chain-rules.js'
import { type ChainState, decodeChainState, encodeChainState, isLive } from '../../permits/chain-state.js'
import { openPayload, sealPayload } from '../../permits/sealed-payload.js'
import type { BatchChanges } from '../metadata/batch-changes.js'
import type { Materialised, PendingEpoch, SavedRecord, SnapshotMark } from '../metadata/types.js'
import type { ChainWriter } from './publisher.js'
import { decodeSnapshotPayload } from './snapshot-payload.js'

export interface ChainBridge {
  head(signal: AbortSignal): Promise<Head>
  /** Records from `sequence`, in order, at least one if there is one. */
  records(sequence: number, signal: AbortSignal): Promise<Buffer[]>
  append(encoded: Buffer, signal: AbortSignal): Promise<void>
}

export interface ChainLedger {
  getMeta(key: string): Promise<Buffer | null>
  putMeta(entries: Readonly<Record<string, Buffer | null>>, durable?: boolean): Promise<void>
  saveHead(head: Head): Promise<void>
  saveRecords(records: readonly SavedRecord[]): Promise<void>
  applyBatch(operations: Buffer, epoch: number, head: Head): Promise<BatchChanges>
  pendingEpochs(limit: number): Promise<PendingEpoch[]>
  prepared(epoch: number): Promise<Materialised>
  published(epoch: number, head: Head): Promise<void>
  recordSnapshot(mark: SnapshotMark, segments: readonly SegmentInfo[]): Promise<void>
  progress(): { publishedEpoch: number }
}

export interface DriveTerms {
  /** `unknown-device` or a key that was never wrapped to this device: `unknown-key-term`. */
  key(term: number): SecretBytes
  /** Wraps that came with newer records. */
  learn(state: ChainState): void
}

export interface DriveChainParts {
  bridge: ChainBridge
  ledger: ChainLedger
  terms: DriveTerms
  device: SigningKey
  clock: Clock
  random: RandomBytes
  log: Log
  /** What another device's epoch changed here. The next one is taken when it resolves. */
  onChanges: (changes: BatchChanges) => Promise<void>
}

const STATE_KEY = 'chain-state'

export async function loadChainState(ledger: Pick<ChainLedger, 'getMeta'>): Promise<ChainState | null> {
  const text = await ledger.getMeta(STATE_KEY)
  return text === null ? null : decodeChainState(text.toString('utf8'))
}

export async function saveChainState(ledger: Pick<ChainLedger, 'putMeta'>, state: ChainState): Promise<void> {
  await ledger.putMeta({ [STATE_KEY]: Buffer.from(encodeChainState(state), 'utf8') })
}

export class DriveChain implements ChainWriter {
  private readonly parts: DriveChainParts
  private now: ChainState

  constructor(state: ChainState, parts: DriveChainParts) {
    this.now = state
    this.parts = parts
  }

  get state(): ChainState {
    return this.now
  }

  get isWriter(): boolean {
    return this.now.writer === (this.parts.device.id as DeviceId)
  }

  /** Follows the bridge to its head. Throws what proves that it went back or shows another history. */
  async follow(signal: AbortSignal): Promise<void> {
    const head = await this.parts.bridge.head(signal)
    checkHead(this.now, head)
    for (;;) {
      const records = await this.parts.bridge.records(this.now.head.sequence + 1, signal)
      if (records.length === 0) break
      for (const encoded of records) await this.take(decodeRecord(encoded))
    }
    const { sequence } = this.now.head
    if (sequence < head.sequence) {
      throw new AppError('chain-broken', `the bridge speaks of record ${head.sequence} and shows ${sequence}`)
    }
  }

  /** Claims the next writer term; appends it. A lost race (`head-moved`) is told to the caller. */
  async claimWriter(signal: AbortSignal): Promise<void> {
    const record = makeWriterTerm(this.now, this.parts.clock.nowMs(), this.parts.device)
    await this.parts.bridge.append(record.encoded, signal)
    failpoint('mount.chain.claimed')
    await this.advance(followRecord(this.now, record), record)
  }

  async build(epoch: number, batch: Materialised): Promise<SavedRecord> {
    return this.sealRecord(RECORD_KIND.epoch, epoch, batch.operations, batch.confirm, batch.retire)
  }

  async buildSnapshot(epoch: number, payload: Buffer, confirm: readonly SegmentId[]): Promise<SavedRecord> {
    return this.sealRecord(RECORD_KIND.snapshot, epoch, payload, confirm, [])
  }

  private async sealRecord(
    kind: typeof RECORD_KIND.epoch | typeof RECORD_KIND.snapshot,
    epoch: number,
    plain: Buffer,
    confirm: readonly SegmentId[],
    retire: readonly SegmentId[],
  ): Promise<SavedRecord> {
    const { terms, random, clock, device } = this.parts
    const state = this.now
    const place = { kind, drive: state.drive, epoch, keyTerm: state.keyTerm }
    const payload = await sealPayload(terms.key(state.keyTerm), place, plain, random(24))
    const body = { epoch, ...payload, confirm: [...confirm], retire: [...retire] }
    return makeEpoch(state, kind, { body, writerTerm: state.writerTerm, timeMs: clock.nowMs() }, device)
  }

  async append(record: SavedRecord, signal: AbortSignal): Promise<void> {
    this.expectWriter()
    failpoint('mount.chain.signed')
    await this.parts.bridge.append(record.encoded, signal)
  }

  fits(record: SavedRecord): boolean {
    return decodeRecord(record.encoded).previous.equals(this.now.head.hash)
  }

  /** Also throws when one of the records takes the right to write from us: `writer-fenced`, `device-revoked`. */
  async catchUp(record: SavedRecord, signal: AbortSignal): Promise<boolean> {
    if (this.now.head.hash.equals(record.hash)) return true
    for (;;) {
      const records = await this.parts.bridge.records(this.now.head.sequence + 1, signal)
      if (records.length === 0) {
        // Nothing came, and yet our head is not the bridge's: it ends before us, or tells another story.
        checkHead(this.now, await this.parts.bridge.head(signal))
        return false
      }
      for (const encoded of records) {
        const other = decodeRecord(encoded)
        if (other.hash.equals(record.hash)) return true
        await this.take(other)
        this.expectWriter()
      }
    }
  }

  async adopt(record: SavedRecord): Promise<void> {
    if (record.hash.equals(this.now.head.hash)) return
    const decoded = decodeRecord(record.encoded)
    this.now = followRecord(this.now, decoded)
    await this.parts.ledger.saveRecords([record])
    failpoint('mount.chain.kept')
    await saveChainState(this.parts.ledger, this.now)
  }

  /** Takes one record of the bridge: verified, then applied, then remembered. A crash in between takes it again. */
  private async take(record: ChainRecord): Promise<void> {
    const next = followRecord(this.now, record)
    this.parts.terms.learn(next)
    if (record.kind === RECORD_KIND.epoch) await this.takeEpoch(record, next.head)
    if (record.kind === RECORD_KIND.snapshot) await this.takeSnapshot(record)
    failpoint('mount.chain.taken')
    await this.advance(next, record)
  }

  private async takeEpoch(record: ChainRecord, head: Head): Promise<void> {
    const { ledger, terms, onChanges } = this.parts
    const { epoch } = decodeEpoch(record.body)
    if (epoch <= ledger.progress().publishedEpoch) return
    const operations = await openEpoch(record, terms)
    if (await this.isPending(record, epoch, operations)) {
      await ledger.published(epoch, head)
      return
    }
    await onChanges(await ledger.applyBatch(operations, epoch, head))
  }

  /** Our own epoch, appended before a crash: the ledger holds what it says already, as pending. */
  private async isPending(record: ChainRecord, epoch: number, operations: Buffer): Promise<boolean> {
    if (record.signer !== (this.parts.device.id as string)) return false
    const [oldest] = await this.parts.ledger.pendingEpochs(1)
    if (oldest === undefined || oldest.epoch !== epoch || oldest.stage === 'cut') return false
    if (oldest.record?.hash.equals(record.hash)) return true
    return (await this.parts.ledger.prepared(epoch)).operations.equals(operations)
  }

  /** What it names must not be retired from here as long as it is kept. One that cannot be read holds nobody up. */
  private async takeSnapshot(record: ChainRecord): Promise<void> {
    const { ledger, terms, log } = this.parts
    try {
      const { epoch, segments } = decodeSnapshotPayload(await openEpoch(record, terms))
      const mark = { epoch, sequence: record.sequence, segments: segments.map((one) => one.segment) }
      await ledger.recordSnapshot(mark, segments)
    } catch (error) {
      if (!(error instanceof AppError) || isCode(error, 'ledger-stopped')) throw error
      log.warn({ code: error.code, sequence: record.sequence }, 'a snapshot of the chain cannot be read')
    }
  }

  private async advance(next: ChainState, record: ChainRecord): Promise<void> {
    this.now = next
    await this.parts.ledger.saveRecords([record])
    failpoint('mount.chain.advanced')
    await saveChainState(this.parts.ledger, next)
    await this.parts.ledger.saveHead(next.head)
  }

  private expectWriter(): void {
    if (this.isWriter) return
    if (!isLive(this.now, this.parts.device.id)) {
      throw new AppError('device-revoked', 'this device was removed from the drive')
    }
    throw new AppError('writer-fenced', 'another device writes to this drive now', {
      hint: 'what was not stored yet is kept on this device; mount again with --takeover to write from here',
    })
  }
}

/** The operations of an epoch, or the payload of a snapshot. */
export async function openEpoch(record: ChainRecord, terms: Pick<DriveTerms, 'key'>): Promise<Buffer> {
  const { epoch, nonce, sealed } = decodeEpoch(record.body)
  const kind = record.kind === RECORD_KIND.snapshot ? RECORD_KIND.snapshot : RECORD_KIND.epoch
  return openPayload(
    terms.key(record.keyTerm),
    { kind, drive: record.drive, epoch, keyTerm: record.keyTerm },
    { nonce, sealed },
  )
}
