/**
 * Cuts snapshots: when 16 MiB of operations lie behind the last one, the next epoch's state is exported, stored as segments and
 * named by a chain record. A recovery then needs that snapshot and the log behind it. A failed attempt costs segments
 * that nobody confirms; the next epoch tries again.
 */

import { createHash } from 'node:crypto'
import { AppError } from '../../base/errors.js'
import { failpoint } from '../../base/failpoint.js'
import type { Log } from '../../base/log.js'
import type { SegmentId } from '../../model/ids.js'
import type { Scheme, SegmentInfo } from '../../model/segment.js'
import type { Cut, SavedRecord, SnapshotMark } from '../metadata/types.js'
import { segmentBytesMax } from '../writer/packer.js'
import { appendAtEnd, type ChainEnd } from './append-record.js'
import { encodeSnapshotPayload } from './snapshot-payload.js'

/** A log of this size replays in a few seconds; a snapshot of a million files is about 100 MiB, so none is cut for nothing. */
export const SNAPSHOT_LOG_BYTES = 16 * 1_048_576

export interface SnapshotLedger {
  exportSnapshot(epoch: number): AsyncIterable<Buffer>
  releaseView(epoch: number): Promise<void>
  recordSnapshot(mark: SnapshotMark, segments: readonly SegmentInfo[]): Promise<void>
  forgetPendingSegments(segments: readonly SegmentId[]): Promise<void>
  getMeta(key: string): Promise<Buffer | null>
  putMeta(entries: Readonly<Record<string, Buffer | null>>): Promise<void>
  progress(): { pendingEpochs: number }
}

export interface SnapshotParts {
  ledger: SnapshotLedger
  /** Stores one run of plain bytes as a segment, at c receipts. */
  storeSegment(plain: Buffer[], signal: AbortSignal): Promise<SegmentInfo>
  scheme(): Promise<Scheme>
  chain: ChainEnd & {
    buildSnapshot(epoch: number, payload: Buffer, confirm: readonly SegmentId[]): Promise<SavedRecord>
  }
  log: Log
}

const COUNTER_KEY = 'log-bytes-since-snapshot'
/** A view keeps the ledger's write-ahead log growing: it is taken when its epoch will be published soon, and given up when
 *  that did not come true. */
const WAITING_EPOCHS_MAX = 2
const VIEW_EPOCHS_MAX = 16

/** What a ledger that was rebuilt has behind its snapshot. */
export async function saveLogBytes(ledger: Pick<SnapshotLedger, 'putMeta'>, logBytes: number): Promise<void> {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64BE(BigInt(logBytes))
  await ledger.putMeta({ [COUNTER_KEY]: bytes })
}

export class Snapshotter {
  private readonly parts: SnapshotParts
  private readonly everyBytes: number
  private logBytes = 0
  private wanted: Cut | null = null
  private isMaking = false

  constructor(parts: SnapshotParts, everyBytes = SNAPSHOT_LOG_BYTES) {
    this.parts = parts
    this.everyBytes = everyBytes
  }

  async load(): Promise<void> {
    const saved = await this.parts.ledger.getMeta(COUNTER_KEY)
    const bytes = saved?.length === 8 ? saved.readBigUInt64BE() : 0n
    // Only a hint of when the next snapshot is due: what no log can be counts from nothing.
    this.logBytes = bytes <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(bytes) : 0
  }

  /** Whether the next cut should keep its state readable. One at a time. */
  wantsView(): boolean {
    // While one is made the log behind the last one is as long as before: what is cut then needs no second one.
    if (this.wanted !== null || this.isMaking || this.logBytes < this.everyBytes) return false
    return this.parts.ledger.progress().pendingEpochs <= WAITING_EPOCHS_MAX
  }

  /** Told of each cut. */
  noteCut(cut: Cut, hasView: boolean): void {
    if (hasView) {
      // Its rows are the publisher's business, and may be many.
      this.wanted = { ...cut, stagedRows: [] }
    } else if (this.wanted !== null && cut.epoch - this.wanted.epoch > VIEW_EPOCHS_MAX) {
      const { epoch } = this.wanted
      this.wanted = null
      void this.release(epoch)
    }
  }

  /** Told of each published epoch; cuts the snapshot when it is the wanted one. */
  async published(epoch: number, operationBytes: number, signal: AbortSignal): Promise<void> {
    this.logBytes += operationBytes
    await saveLogBytes(this.parts.ledger, this.logBytes)
    const cut = this.wanted
    if (cut === null || epoch < cut.epoch) return
    this.wanted = null
    this.isMaking = true
    const stored: SegmentInfo[] = []
    try {
      if (epoch === cut.epoch) await this.make(cut, stored, signal)
    } catch (error) {
      if (!(error instanceof AppError) && !signal.aborted) throw error
      this.parts.log.warn({ err: error, epoch }, 'the snapshot was not made; the next epoch tries again')
      // Should its record be in the chain after all, it is met there and recorded.
      await this.parts.ledger.forgetPendingSegments(idsOf(stored)).catch(() => undefined)
    } finally {
      this.isMaking = false
      await this.release(cut.epoch)
    }
  }

  private async make(cut: Cut, stored: SegmentInfo[], signal: AbortSignal): Promise<void> {
    const { ledger, chain } = this.parts
    const { hash, operationBytes } = await this.storeState(cut.epoch, stored, signal)
    failpoint('mount.snapshot.stored')
    const facts = { epoch: cut.epoch, logSequence: cut.logSequence, operationBytes, hash, segments: stored }
    const payload = encodeSnapshotPayload(facts)
    const segments = idsOf(stored)
    const build = () => chain.buildSnapshot(cut.epoch, payload, segments)
    const record = await appendAtEnd(chain, null, build, signal)
    failpoint('mount.snapshot.appended')
    await chain.adopt(record)
    failpoint('mount.snapshot.adopted')
    await ledger.recordSnapshot({ epoch: cut.epoch, sequence: record.sequence, segments }, stored)
    failpoint('mount.snapshot.recorded')
    this.logBytes = 0
    await saveLogBytes(ledger, 0)
  }

  /** Fills `stored`, segment by segment. */
  private async storeState(
    epoch: number,
    stored: SegmentInfo[],
    signal: AbortSignal,
  ): Promise<{ hash: Buffer; operationBytes: number }> {
    const { ledger, storeSegment, scheme } = this.parts
    const bytesMax = segmentBytesMax(await scheme())
    const hash = createHash('sha256')
    let operationBytes = 0
    let open: Buffer[] = []
    let room = bytesMax
    for await (const piece of ledger.exportSnapshot(epoch)) {
      failpoint('mount.snapshot.exported')
      hash.update(piece)
      operationBytes += piece.length
      let rest = piece
      while (rest.length > 0) {
        const part = rest.subarray(0, room)
        open.push(part)
        rest = rest.subarray(part.length)
        room -= part.length
        if (room > 0) continue
        stored.push(await storeSegment(open, signal))
        open = []
        room = bytesMax
      }
    }
    if (open.length > 0) stored.push(await storeSegment(open, signal))
    return { hash: hash.digest(), operationBytes }
  }

  private async release(epoch: number): Promise<void> {
    await this.parts.ledger.releaseView(epoch).catch((error: unknown) => {
      this.parts.log.debug({ err: error, epoch }, 'a view was not released')
    })
  }
}

function idsOf(segments: readonly SegmentInfo[]): SegmentId[] {
  return segments.map((one) => one.segment)
}
