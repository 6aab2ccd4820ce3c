/**
 * Bytes of files, for the vfs: the ledger's plan says what is a hole, what is staged, what lies in segments; segments are read
 * through the unit source. Reads ahead when a file is read in order. What cannot be served ends within 30 s as `offline`.
 */
import { AppError } from '../../base/errors.js'
import type { Log } from '../../base/log.js'
import type { SegmentInfo } from '../../model/segment.js'
import { layoutOf } from '../../segment/layout.js'
import { unitsOfRange } from '../../segment/offsets.js'
import type { Plan } from '../metadata/types.js'
import { Readahead } from './readahead.js'
import type { UnitSource } from './unit-source.js'

export interface FileReaderParts {
  ledger: { plan(ino: number, offset: number, length: number): Promise<Plan> }
  units: UnitSource
  log: Log
}

/** A program that reads an offline file is told so after half a minute and never hangs. */
export const READ_DEADLINE_MS = 28_000
/** Uncached reads at once: far below the kernel's background limit of 256, so that cached reads never queue behind them. */
const NETWORK_READS_MAX = 64
const AHEAD_READS_MAX = 8
const ZEROS = Buffer.alloc(1_048_576)

export class FileReader {
  private readonly parts: FileReaderParts
  private readonly readahead = new Readahead()
  private aheadReads = 0
  private networkReads = 0
  private readonly waiting: (() => void)[] = []

  constructor(parts: FileReaderParts) {
    this.parts = parts
  }

  async read(ino: number, offset: number, size: number, signal: AbortSignal): Promise<Buffer[]> {
    const plan = await this.parts.ledger.plan(ino, offset, size)
    const inSegments = plan.pieces.some((piece) => piece.kind === 'segment')
    if (inSegments) this.readAhead(ino, offset, size, plan.size)
    const buffers: Promise<Buffer[]>[] = []
    for (const piece of plan.pieces) {
      if (piece.kind === 'zeros') buffers.push(Promise.resolve(zeros(piece.length)))
      else if (piece.kind === 'bytes') buffers.push(Promise.resolve([piece.bytes]))
      else buffers.push(this.readSegment(ino, piece.segment, piece.segmentOffset, piece.length, signal))
    }
    return (await Promise.all(buffers)).flat()
  }

  /** A stretch of a segment's plain bytes, in order. */
  async readRange(info: SegmentInfo, offset: number, length: number, signal: AbortSignal): Promise<Buffer[]> {
    const ranges = unitsOfRange(layoutOf(info), offset, length)
    const units = await this.parts.units.read(
      info,
      ranges.map((range) => range.place.unit),
      signal,
    )
    return ranges.map((range, at) => (units[at] as Buffer).subarray(range.from, range.from + range.length))
  }

  private async readSegment(ino: number, info: SegmentInfo, offset: number, length: number, signal: AbortSignal): Promise<Buffer[]> {
    const ranges = unitsOfRange(layoutOf(info), offset, length)
    const wanted = ranges.map((range) => range.place.unit)
    if (this.parts.units.isNear(info, wanted)) return this.readRange(info, offset, length, signal)
    this.readahead.starved(ino)
    await this.enter()
    const deadline = AbortSignal.timeout(READ_DEADLINE_MS)
    try {
      return await this.readRange(info, offset, length, AbortSignal.any([signal, deadline]))
    } catch (error) {
      if (!deadline.aborted || signal.aborted) throw error
      throw new AppError('offline', 'the hosts of this data did not answer in time', { retry: 'later', cause: error })
    } finally {
      this.leave()
    }
  }

  private readAhead(ino: number, offset: number, size: number, fileSize: number): void {
    const ahead = this.readahead.onRead(ino, offset, size)
    if (ahead === null || ahead.offset >= fileSize || this.aheadReads >= AHEAD_READS_MAX) return
    this.aheadReads++
    this.fetchAhead(ino, ahead.offset, Math.min(ahead.length, fileSize - ahead.offset))
      .catch((error: unknown) => {
        if (!(error instanceof AppError)) this.parts.log.debug({ err: error }, 'readahead ended')
      })
      .finally(() => this.aheadReads--)
  }

  private async fetchAhead(ino: number, offset: number, length: number): Promise<void> {
    const { ledger, units } = this.parts
    const plan = await ledger.plan(ino, offset, length)
    const signal = AbortSignal.timeout(READ_DEADLINE_MS)
    const reads: Promise<unknown>[] = []
    for (const piece of plan.pieces) {
      if (piece.kind !== 'segment') continue
      const ranges = unitsOfRange(layoutOf(piece.segment), piece.segmentOffset, piece.length)
      const wanted = ranges.map((range) => range.place.unit)
      if (!units.isNear(piece.segment, wanted)) reads.push(units.read(piece.segment, wanted, signal))
    }
    await Promise.allSettled(reads)
  }

  private async enter(): Promise<void> {
    if (this.networkReads >= NETWORK_READS_MAX) await new Promise<void>((resolve) => this.waiting.push(resolve))
    else this.networkReads++
  }

  private leave(): void {
    const next = this.waiting.shift()
    if (next) next()
    else this.networkReads--
  }
}

function zeros(length: number): Buffer[] {
  const buffers: Buffer[] = []
  for (let rest = length; rest > 0; rest -= ZEROS.length) buffers.push(ZEROS.subarray(0, Math.min(rest, ZEROS.length)))
  return buffers
}
