/**
 * Cuts snapshots: when 16 MiB of operations lie behind the last one, the next epoch's state is exported, stored as segments and
 * named by a chain record. A recovery then needs that snapshot and the log behind it. A failed attempt costs segments
 * that nobody confirms; the next epoch tries again.
 */
import { createHash } from 'node:crypto'
import { AppError } from '../../base/errors.js'
import type { Log } from '../../base/log.js'
import type { SegmentId } from '../../model/ids.js'
import type { Scheme, SegmentInfo } from '../../model/segment.js'
import type { Cut, SavedRecord, SnapshotMark } from '../metadata/types.js'
import { segmentBytesMax } from '../writer/packer.js'
import { encodeSnapshotPayload } from './snapshot-payload.js'

/** A log of this size replays in a few seconds; a snapshot of a million files is about 100 MiB, so none is cut for nothing. */
export const SNAPSHOT_LOG_BYTES = 16 * 1_048_576

export interface SnapshotLedger {
  exportSnapshot(epoch: number): AsyncIterable<Buffer>
  releaseView(epoch: number): Promise<void>
  recordSnapshot(mark: SnapshotMark, segments: readonly SegmentInfo[]): Promise<void>
  getMeta(key: string): Promise<Buffer | null>
  putMeta(entries: Readonly<Record<string, Buffer | null>>): Promise<void>
}

export interface SnapshotParts {
  ledger: SnapshotLedger
  /** Stores one run of plain bytes as a segment, at c receipts. */
  storeSegment(plain: Buffer[], signal: AbortSignal): Promise<SegmentInfo>
  scheme(): Promise<Scheme>
  chain: {
    buildSnapshot(epoch: number, payload: Buffer, confirm: readonly SegmentId[]): Promise<SavedRecord>
    append(record: SavedRecord, signal: AbortSignal): Promise<void>
    adopt(record: SavedRecord): Promise<void>
  }
  log: Log
}

const COUNTER_KEY = 'log-bytes-since-snapshot'

export class Snapshotter {
  private readonly parts: SnapshotParts
  private readonly everyBytes: number
  private logBytes = 0
  private wanted: Cut | null = null

  constructor(parts: SnapshotParts, everyBytes = SNAPSHOT_LOG_BYTES) {
    this.parts = parts
    this.everyBytes = everyBytes
  }

  async load(): Promise<void> {
    const saved = await this.parts.ledger.getMeta(COUNTER_KEY)
    this.logBytes = saved?.length === 8 ? Number(saved.readBigUInt64BE()) : 0
  }

  /** Whether the next cut should keep its state readable. One at a time. */
  wantsView(): boolean {
    return this.wanted === null && this.logBytes >= this.everyBytes
  }

  /** Told of each cut, with what it adds to the log. */
  noteCut(cut: Cut, hasView: boolean): void {
    if (hasView) this.wanted = cut
  }

  /** Told of each published epoch; cuts the snapshot when it is the wanted one. */
  async published(epoch: number, operationBytes: number, signal: AbortSignal): Promise<void> {
    this.logBytes += operationBytes
    await this.saveCounter()
    const cut = this.wanted
    if (cut === null || epoch < cut.epoch) return
    this.wanted = null
    try {
      if (epoch === cut.epoch) await this.make(cut, signal)
    } catch (error) {
      if (!(error instanceof AppError) && !signal.aborted) throw error
      this.parts.log.warn({ err: error, epoch }, 'the snapshot was not made; the next epoch tries again')
    } finally {
      await this.parts.ledger.releaseView(cut.epoch).catch(() => undefined)
    }
  }

  private async make(cut: Cut, signal: AbortSignal): Promise<void> {
    const { ledger, chain } = this.parts
    const { segments, hash, operationBytes } = await this.storeState(cut.epoch, signal)
    const payload = encodeSnapshotPayload({
      epoch: cut.epoch,
      logSequence: cut.logSequence,
      operationBytes,
      hash,
      segments,
    })
    const ids = segments.map((one) => one.segment)
    const record = await chain.buildSnapshot(cut.epoch, payload, ids)
    await chain.append(record, signal)
    await chain.adopt(record)
    await ledger.recordSnapshot({ epoch: cut.epoch, sequence: record.sequence, segments: ids }, segments)
    this.logBytes = 0
    await this.saveCounter()
  }

  private async storeState(
    epoch: number,
    signal: AbortSignal,
  ): Promise<{ segments: SegmentInfo[]; hash: Buffer; operationBytes: number }> {
    const { ledger, storeSegment, scheme } = this.parts
    const bytesMax = segmentBytesMax(await scheme())
    const hash = createHash('sha256')
    const segments: SegmentInfo[] = []
    let operationBytes = 0
    let open: Buffer[] = []
    let room = bytesMax
    for await (const piece of ledger.exportSnapshot(epoch)) {
      hash.update(piece)
      operationBytes += piece.length
      let rest = piece
      while (rest.length > 0) {
        const part = rest.subarray(0, room)
        open.push(part)
        rest = rest.subarray(part.length)
        room -= part.length
        if (room > 0) continue
        segments.push(await storeSegment(open, signal))
        open = []
        room = bytesMax
      }
    }
    if (open.length > 0) segments.push(await storeSegment(open, signal))
    return { segments, hash: hash.digest(), operationBytes }
  }

  private async saveCounter(): Promise<void> {
    const bytes = Buffer.alloc(8)
    bytes.writeBigUInt64BE(BigInt(this.logBytes))
    await this.parts.ledger.putMeta({ [COUNTER_KEY]: bytes })
  }
}
