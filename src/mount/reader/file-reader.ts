/**
 * Bytes of files, for the vfs: the ledger's plan says what is a hole, what is staged, what lies in segments; segments are read
 * through the unit source. Reads ahead when a file is read in order. What cannot be served ends within 30 s as `offline`.
 */
import { assert } from '../../base/assert.js'
import { AppError, codeOf } from '../../base/errors.js'
import type { Log } from '../../base/log.js'
import type { SegmentInfo } from '../../model/segment.js'
import { UNIT_BYTES } from '../../model/segment.js'
import { layoutOf } from '../../segment/layout.js'
import { type UnitRange, unitsOfRange } from '../../segment/offsets.js'
import type { Piece, Plan } from '../metadata/types.js'
import { type Ahead, type Cursor, Readahead } from './readahead.js'
import type { UnitSource } from './unit-source.js'
import { Deadline } from './waiting.js'

export interface FileReaderParts {
  ledger: { plan(ino: number, offset: number, length: number): Promise<Plan> }
  units: UnitSource
  log: Log
}

export interface FileReaderOptions {
  /** Of one read of what is not here. */
  deadlineMs?: number
}

/** A program that reads an offline file is told so after half a minute and never hangs. */
export const READ_DEADLINE_MS = 28_000
/** Fetched ahead and not yet here, all files: what memory holds. Should it be thrown away unread, windows shrink. */
const AHEAD_BYTES_MAX = 32 * 1_048_576
/** fetchSegmentRange's step, two of them under way. */
const RANGE_STEP_BYTES = 4 * 1_048_576
/** The log hears of reads that failed so often at most. */
const COMPLAIN_MS = 60_000
const ZEROS = Buffer.alloc(1_048_576)

type SegmentPiece = Extract<Piece, { kind: 'segment' }>

export class FileReader {
  private readonly parts: FileReaderParts
  private readonly deadlineMs: number
  private readonly readahead = new Readahead()
  private aheadBytes = 0
  private complainedAtMs = Number.NEGATIVE_INFINITY

  constructor(parts: FileReaderParts, options: FileReaderOptions = {}) {
    this.parts = parts
    this.deadlineMs = options.deadlineMs ?? READ_DEADLINE_MS
    parts.units.onWaste = () => this.readahead.shrink()
  }

  /** In order, together `size` bytes, less only at the end of the file. Nobody writes into the buffers. */
  async read(ino: number, offset: number, size: number, signal: AbortSignal): Promise<Buffer[]> {
    const plan = await this.parts.ledger.plan(ino, offset, size)
    let cursor: Cursor | null = null
    const parts = plan.pieces.map((piece) => {
      if (piece.kind === 'zeros') return zeros(piece.length)
      if (piece.kind === 'bytes') return [piece.bytes]
      cursor ??= this.readahead.onRead(ino, offset, size)
      const { segment, segmentOffset, length } = piece
      return this.readPiece(segment, rangesOf(piece, segmentOffset, length), signal, () =>
        this.readahead.starved(cursor as Cursor, offset),
      )
    })
    if (cursor !== null) this.readAhead(ino, cursor, plan.size)
    // The usual read is one piece that is in memory: no promise more than needed.
    if (parts.every((part) => Array.isArray(part))) return (parts as Buffer[][]).flat()
    return (await Promise.all(parts).catch((error: unknown) => Promise.reject(offline(error)))).flat()
  }

  /** A stretch of a segment's plain bytes, of any length. */
  async fetchSegmentRange(info: SegmentInfo, offset: number, length: number, signal: AbortSignal): Promise<Buffer> {
    const result = Buffer.allocUnsafe(length)
    const steps = Math.ceil(length / RANGE_STEP_BYTES)
    let next = 0
    const run = async () => {
      while (next < steps) {
        const step = next++
        const from = step * RANGE_STEP_BYTES
        const size = Math.min(RANGE_STEP_BYTES, length - from)
        let at = from
        for (const bytes of await this.readRange(info, offset + from, size, signal)) at += bytes.copy(result, at)
      }
    }
    const stop = (error: unknown) => {
      next = steps
      throw error
    }
    await Promise.all([run().catch(stop), run().catch(stop)])
    return result
  }

  /** As `fetchSegmentRange`, in views of the units: for at most some MiB. */
  async readRange(info: SegmentInfo, offset: number, length: number, signal: AbortSignal): Promise<Buffer[]> {
    return this.readPiece(info, unitsOfRange(layoutOf(info), offset, length), signal)
  }

  /** Connections and tokens for the start of a file that somebody is about to read. */
  async warm(ino: number): Promise<void> {
    const plan = await this.parts.ledger.plan(ino, 0, UNIT_BYTES)
    await Promise.all(segmentsOf(plan).map(({ segment }) => this.parts.units.warm(segment)))
  }

  /** The last handle of the file is gone. */
  forget(ino: number): void {
    this.readahead.forget(ino)
  }

  private readPiece(
    info: SegmentInfo,
    ranges: readonly UnitRange[],
    signal: AbortSignal,
    onWait: () => void = () => {},
  ): Buffer[] | Promise<Buffer[]> {
    const wanted = ranges.map((range) => range.place.unit)
    const held = this.parts.units.peek(info, wanted)
    if (held !== null) return cut(held, ranges)
    onWait()
    return this.fetch(info, wanted, signal).then((units) => cut(units, ranges))
  }

  private async fetch(info: SegmentInfo, wanted: readonly number[], signal: AbortSignal): Promise<Buffer[]> {
    const limit = new Deadline(signal, this.deadlineMs, late)
    try {
      return await this.parts.units.read(info, wanted, limit.signal)
    } catch (error) {
      const failure = limit.hasPassed ? late(error) : error
      if (limit.hasPassed) this.parts.units.gaveUp(info, wanted, failure as AppError)
      if (!signal.aborted) this.complain(failure)
      throw failure
    } finally {
      limit.end()
    }
  }

  private readAhead(ino: number, cursor: Cursor, fileSize: number): void {
    const ahead = this.readahead.next(cursor)
    if (ahead === null || ahead.offset >= fileSize) return
    const length = Math.min(ahead.length, fileSize - ahead.offset)
    if (this.aheadBytes > 0 && this.aheadBytes + length > AHEAD_BYTES_MAX) {
      this.readahead.undo(cursor, ahead)
      return
    }
    this.aheadBytes += length
    this.fetchAhead(ino, { offset: ahead.offset, length })
      .catch((error: unknown) => {
        // The reader will meet it himself; what he does not meet does not matter.
        this.parts.log.debug({ err: error }, 'readahead ended')
      })
      .finally(() => {
        this.aheadBytes -= length
      })
  }

  private async fetchAhead(ino: number, { offset, length }: Ahead): Promise<void> {
    const { ledger, units } = this.parts
    const plan = await ledger.plan(ino, offset, length)
    const limit = new Deadline(null, this.deadlineMs, late)
    try {
      await Promise.all(
        segmentsOf(plan).map((piece) => {
          const wanted = rangesOf(piece, piece.segmentOffset, piece.length).map((range) => range.place.unit)
          return units.fetchAhead(piece.segment, wanted, limit.signal)
        }),
      )
    } finally {
      limit.end()
    }
  }

  private complain(error: unknown): void {
    const nowMs = performance.now()
    if (nowMs - this.complainedAtMs < COMPLAIN_MS) return
    this.complainedAtMs = nowMs
    this.parts.log.warn({ err: error, code: codeOf(error) }, 'data could not be read')
  }
}

/** To a program it is all the same why data cannot be had: the cause, the log and the status say it. */
function offline(error: unknown): unknown {
  if (!(error instanceof AppError) || error.code === 'offline' || error.code === 'interrupted') return error
  const { message, hint } = error
  return new AppError('offline', message, { retry: 'later', cause: error, ...(hint === undefined ? {} : { hint }) })
}

function late(cause?: unknown): AppError {
  return new AppError('offline', 'the hosts of this data did not answer in time', { retry: 'later', cause })
}

function segmentsOf(plan: Plan): SegmentPiece[] {
  return plan.pieces.filter((piece): piece is SegmentPiece => piece.kind === 'segment')
}

function rangesOf({ segment }: SegmentPiece, offset: number, length: number): UnitRange[] {
  return unitsOfRange(layoutOf(segment), offset, length)
}

function cut(units: readonly Buffer[], ranges: readonly UnitRange[]): Buffer[] {
  return ranges.map(({ place, from, length }, at) => {
    const bytes = units[at] as Buffer
    // A kernel takes an answer that is too short for the end of the file, and shows zeros behind it.
    assert(bytes.length === place.sealedLength, 'a unit is as long as its place')
    return bytes.subarray(from, from + length)
  })
}

function zeros(length: number): Buffer[] {
  const buffers: Buffer[] = []
  for (let rest = length; rest > 0; rest -= ZEROS.length) buffers.push(ZEROS.subarray(0, Math.min(rest, ZEROS.length)))
  return buffers
}
