/**
 * Plain units of a segment from the network: placement -> stripes of rows -> verified shards -> opened units. The units asked
 * for are fetched row range by row range, each data shard with one request a range, all at once; each is handed over as soon
 * as it is here.
 */
import { assert } from '../../base/assert.js'
import type { Clock } from '../../base/clock.js'
import { AppError, isCode } from '../../base/errors.js'
import { linkSignal } from '../../base/linked-signal.js'
import type { SecretBytes } from '../../crypto/secret.js'
import type { HostId } from '../../model/ids.js'
import { LEAF_BYTES, type Placement, type SegmentInfo } from '../../model/segment.js'
import { layoutOf, type SegmentLayout } from '../../segment/layout.js'
import { leavesOfRow, rowLength, rowOffsetInShard, unitPlace } from '../../segment/offsets.js'
import { openUnit } from '../../segment/seal.js'
import type { HostScores } from './host-scores.js'
import type { Placements } from './placements.js'
import type { ShardPlace, ShardReader } from './shard-reader.js'
import { readStripe, type Stripe, type StripeSink } from './stripe-reader.js'
import type { UnitSink } from './unit-source.js'

export interface SegmentReaderParts {
  placements: Placements
  shards: ShardReader
  scores: HostScores
  termKey(keyTerm: number): SecretBytes
  clock: Clock
}

/** Rows asked of a shard in one request: 256 KiB answers are as fast as larger ones and let others in between. */
const ROWS_PER_REQUEST = 4
/** Hosts of parity that are dialed ahead of need: one late or lost host a row is the usual trouble. */
const SPARES_DIALED = 2
/**
 * Hosts that could not be reached are asked again, until a read has lasted so long, and once in any case: they may be back,
 * or it was our own line. Hosts in good health answer in far less; who reads an offline file is told so about then.
 */
const PATIENCE_MS = 5_000
/** Before they are asked again, doubling each time. Above the 500 ms that a failed dial is remembered by the transport. */
const AGAIN_FIRST_MS = 600
/** What being asked again takes at most, also when patience is over: a dial with a lost handshake flight, and an answer. */
const AGAIN_LEAST_MS = 2_000
/** Shards that moved are looked for where they are now, so many times. */
const MOVES_MAX = 2
/** What says nothing of the shard: no connection to the host, or none to the bridge for a token. */
const UNREACHED = ['peer-unreachable', 'peer-lost', 'timed-out', 'busy', 'stopped', 'bridge-unreachable']

interface RowRange {
  firstRow: number
  rowCount: number
  /** Data shards of which units are wanted in these rows. */
  shards: Set<number>
}

export class SegmentReader {
  private readonly parts: SegmentReaderParts

  constructor(parts: SegmentReaderParts) {
    this.parts = parts
  }

  /**
   * Hands over each unit (as long as its sealed bytes; the padding at the end is for the caller to cut off) or why it is not
   * to be had: `shards-unreachable`, `placement-wrong`, `placement-unknown`, failures of the bridge, the signal's reason.
   * Resolves when all have been handed over.
   */
  async read(info: SegmentInfo, units: readonly number[], sink: UnitSink, signal: AbortSignal): Promise<void> {
    const layout = layoutOf(info)
    let placement: Placement
    try {
      placement = await this.parts.placements.of(info)
      signal.throwIfAborted()
    } catch (error) {
      for (const unit of units) sink.failed(unit, error)
      return
    }
    this.prepare(info, placement)
    const ranges = rowRanges(layout, units)
    await Promise.all(
      ranges.map((range) => new RangeRead(this.parts, { info, layout, range, sink, signal }).run(placement)),
    )
  }

  /** Connections and tokens for this segment, ahead of need. Never rejects. */
  async warm(info: SegmentInfo): Promise<void> {
    const placement = await this.parts.placements.of(info).catch(() => null)
    if (placement !== null) this.prepare(info, placement)
  }

  private prepare(info: SegmentInfo, placement: Placement): void {
    this.parts.shards.prepare(hostsOf(placement), info.dataShards + SPARES_DIALED)
  }
}

interface RangeTask {
  info: SegmentInfo
  layout: SegmentLayout
  range: RowRange
  sink: UnitSink
  signal: AbortSignal
}

/** A row range until every unit of it has been handed over. */
class RangeRead implements StripeSink {
  private readonly parts: SegmentReaderParts
  private readonly task: RangeTask
  private readonly missing: Set<number>
  /** Of shards whose units have been handed over; looked at until the end, since others may be rebuilt from them. */
  private readonly opened: Buffer[] = []
  private broken: unknown
  /** Some host that was asked last is not to be reached. */
  private isUnreached = false

  constructor(parts: SegmentReaderParts, task: RangeTask) {
    this.parts = parts
    this.task = task
    this.missing = new Set(task.range.shards)
  }

  async run(placement: Placement): Promise<void> {
    try {
      await this.readAgain(placement)
      if (this.broken !== undefined) throw this.broken
    } catch (error) {
      for (const shard of this.missing) {
        for (const unit of this.unitsOf(shard)) this.task.sink.failed(unit, error)
      }
    }
    for (const bytes of this.opened) this.parts.shards.recycle(bytes)
  }

  shard(index: number, bytes: Buffer): void {
    if (!this.missing.delete(index)) return
    try {
      this.open(index, bytes)
      this.opened.push(bytes)
    } catch (error) {
      this.broken = error
      this.missing.add(index)
    }
  }

  lost(_index: number, error: AppError): void {
    if (UNREACHED.includes(error.code)) this.isUnreached = true
    if (isCode(error, 'shard-not-found')) this.parts.placements.doubt(this.task.info)
  }

  private async readAgain(first: Placement): Promise<void> {
    const { clock } = this.parts
    const { signal } = this.task
    const startedAtMs = clock.monotonicMs()
    let placement = first
    let moves = 0
    let pauseMs = AGAIN_FIRST_MS
    let limitMs: number | null = null
    for (;;) {
      this.isUnreached = false
      try {
        await this.readWithin(placement, limitMs)
        return
      } catch (error) {
        if (signal.aborted || !isCode(error, 'shards-unreachable')) throw error
        const lastedMs = clock.monotonicMs() - startedAtMs
        const isOver = limitMs !== null && lastedMs + pauseMs > PATIENCE_MS
        const pause = this.isUnreached && !isOver ? clock.sleep(pauseMs, signal) : null
        const renewed = await this.renewed(placement, pause)
        signal.throwIfAborted()
        const isMoved = !isSame(renewed, placement)
        if (isMoved ? ++moves > MOVES_MAX : pause === null) throw error
        placement = renewed
        if (isMoved) continue
        await pause
        signal.throwIfAborted()
        limitMs = Math.max(AGAIN_LEAST_MS, PATIENCE_MS - lastedMs)
        pauseMs *= 2
      }
    }
  }

  /** Shards may have moved since we asked. A bridge that says nothing holds nobody up who is going to ask again anyway. */
  private renewed(placement: Placement, pause: Promise<unknown> | null): Promise<Placement> {
    const renewed = this.parts.placements.renew(this.task.info).catch(() => placement)
    return pause === null ? renewed : Promise.race([renewed, pause.then(() => placement)])
  }

  private async readWithin(placement: Placement, limitMs: number | null): Promise<void> {
    const { signal } = this.task
    if (limitMs === null) return this.readFrom(placement, signal)
    const limit = linkSignal(signal)
    const over = new AbortController()
    void this.parts.clock.sleep(limitMs, over.signal).then((slept) => slept && limit.abort(notReached()))
    try {
      await this.readFrom(placement, limit.signal)
    } finally {
      over.abort()
      limit.release()
    }
  }

  private readFrom(placement: Placement, signal: AbortSignal): Promise<void> {
    const { shards, scores, clock } = this.parts
    const { info, layout, range } = this.task
    const places: (ShardPlace | null)[] = Array.from({ length: info.totalShards }, () => null)
    for (const { index, shard, host } of placement.shards) {
      if (host !== null) places[index] = { segment: info.segment, index, shard, shardLength: info.shardLength, host }
    }
    const lastRow = range.firstRow + range.rowCount - 1
    const length = rowOffsetInShard(lastRow) - rowOffsetInShard(range.firstRow) + rowLength(layout, lastRow)
    const { firstLeaf } = leavesOfRow(layout, range.firstRow)
    const scheme = { dataShards: info.dataShards, totalShards: info.totalShards }
    const stripe: Stripe = { scheme, places, firstLeaf, leafCount: length / LEAF_BYTES, length }
    const costMs = (host: HostId, bytes: number) => scores.costMs(host, bytes, clock.monotonicMs())
    const mayRace = (bytes: number) => scores.mayRace(bytes)
    return readStripe({ shards, costMs, mayRace }, stripe, [...this.missing], this, signal)
  }

  private unitsOf(shard: number): number[] {
    const { layout, range } = this.task
    return Array.from({ length: range.rowCount }, (_, at) => (range.firstRow + at) * layout.dataShards + shard)
  }

  private open(shard: number, bytes: Buffer): void {
    const { info, layout, range, sink } = this.task
    const termKey = this.parts.termKey(info.keyTerm)
    for (const unit of this.unitsOf(shard)) {
      const place = unitPlace(layout, unit)
      const from = rowOffsetInShard(place.row) - rowOffsetInShard(range.firstRow)
      const sealed = bytes.subarray(from, from + place.sealedLength)
      const isEmpty = sealed.length === 0
      sink.unit(unit, isEmpty ? EMPTY : openUnit(termKey, info.segment, place.offsetInSegment, sealed))
    }
  }
}

const EMPTY = Buffer.alloc(0)

function notReached(): AppError {
  return new AppError('shards-unreachable', 'hosts that were not to be reached still are not', {
    retry: 'later',
    hint: 'hosts of this data are offline; it reads again when they are back',
  })
}

/** Those of data shards first. */
function hostsOf(placement: Placement): HostId[] {
  const byIndex = [...placement.shards].sort((a, b) => a.index - b.index)
  return byIndex.flatMap(({ host }) => (host === null ? [] : [host]))
}

/** Neighbouring rows in which the same shards are wanted become one range, at most ROWS_PER_REQUEST long. */
function rowRanges(layout: SegmentLayout, units: readonly number[]): RowRange[] {
  const rows = new Map<number, Set<number>>()
  for (const unit of units) {
    assert(unit >= 0 && unit < layout.unitCount, 'a unit of the segment')
    const row = Math.floor(unit / layout.dataShards)
    const shards = rows.get(row) ?? new Set<number>()
    rows.set(row, shards.add(unit % layout.dataShards))
  }
  const ranges: RowRange[] = []
  for (const [row, shards] of [...rows].sort((a, b) => a[0] - b[0])) {
    const last = ranges.at(-1)
    const isNext = last !== undefined && last.firstRow + last.rowCount === row
    if (isNext && last.rowCount < ROWS_PER_REQUEST && isEqual(last.shards, shards)) last.rowCount++
    else ranges.push({ firstRow: row, rowCount: 1, shards })
  }
  return ranges
}

function isEqual(a: Set<number>, b: Set<number>): boolean {
  return a.size === b.size && [...a].every((one) => b.has(one))
}

function isSame(a: Placement, b: Placement): boolean {
  return a.shards.length === b.shards.length && a.shards.every((one, at) => one.host === b.shards[at]?.host)
}
