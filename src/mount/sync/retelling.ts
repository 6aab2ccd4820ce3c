/**
 * A bridge that lost its books is told what this drive knows: the records of its chain that the bridge lacks, then every
 * segment. It says so itself, by a new incarnation number that its pinned key signs; a bridge that goes back without one is
 * not told anything, it is distrusted as before (`drive-rolled-back`).
 *
 * What is given cannot harm: records are signed by their authors and were appended before, segments are believed by this
 * device for their roots alone. A bridge that lies with a new number makes devices say again what they said before.
 *
 * mend() brings the chain; whoever hears from the bridge that it knows less than it must calls it and then goes on. The
 * segments follow in the background, piece by piece, over restarts; once for each incarnation.
 */
import type { Clock } from '../../base/clock.js'
import { AppError, isCode } from '../../base/errors.js'
import type { Log } from '../../base/log.js'
import { Nap } from '../../base/nap.js'
import type { Head } from '../../model/chain.js'
import type { Placement, SegmentInfo } from '../../model/segment.js'
import type { ChainState } from '../../permits/chain-state.js'
import type { SavedRecord, SegmentPage } from '../metadata/types.js'

export interface RetellingBridge {
  info(signal: AbortSignal): Promise<{ incarnation: number }>
  /** `unknown-drive`. */
  head(signal: AbortSignal): Promise<Head>
  /** `isWhole`: from the genesis on, for a bridge that does not know the drive. */
  restoreChain(records: readonly Buffer[], isWhole: boolean, signal: AbortSignal): Promise<void>
  restate(told: ToldSegments, signal: AbortSignal): Promise<{ unfound: number; told: boolean }>
}

export interface ToldSegments {
  incarnation: number
  segments: readonly { info: SegmentInfo; placement: Placement | null }[]
  /** The last of them; `unfound`: of how many the bridge has found nothing. */
  end: { head: Head; unfound: number } | null
}

export interface RetellingLedger {
  getMeta(key: string): Promise<Buffer | null>
  putMeta(entries: Readonly<Record<string, Buffer | null>>, durable?: boolean): Promise<void>
  loadRecords(sequence: number): Promise<SavedRecord[]>
  segmentsAfter(row: number, limit: number): Promise<SegmentPage>
}

export interface RetellingParts {
  bridge: RetellingBridge
  ledger: RetellingLedger
  state: () => ChainState
  /** What is known of a segment without asking anybody. */
  placement(info: SegmentInfo): Promise<Placement | null>
  clock: Clock
  log: Log
}

/** How far it is; `unfound`: segments that no host has told of yet. */
export interface Retold {
  incarnation: number
  done: number
  total: number
  unfound: number
}

const TOLD_KEY = 'told-incarnation'
const PLACE_KEY = 'retelling-place'
const SEGMENTS_MAX = 64
const SHARDS_MAX = 2_048
const LOOK_EVERY_MS = 300_000
const RETRY_MS = 15_000
/** Others of this drive may tell at the same time. */
const ATTEMPTS = 8

export class Retelling {
  private readonly parts: RetellingParts
  private readonly nap: Nap
  private told: number | null = null
  private loaded = false
  private mended = 0
  private mending: Promise<boolean> | null = null
  private now: Retold | null = null
  /** How often the chain was brought. */
  mends = 0

  constructor(parts: RetellingParts) {
    this.parts = parts
    this.nap = new Nap(parts.clock)
  }

  progress(): Retold | null {
    return this.now
  }

  /** News of the bridge: it is looked at now. */
  wake(): void {
    this.nap.wake()
  }

  /** Whether the bridge is known to have lost something that it was not told again. */
  get isOwed(): boolean {
    return this.told !== null && this.mended > this.told
  }

  /** True when the bridge has lost its books and has the chain of this drive again. `drive-forked`, `records-gone`. */
  mend(signal: AbortSignal): Promise<boolean> {
    this.mending ??= this.mendAlone(signal).finally(() => {
      this.mending = null
    })
    return this.mending
  }

  private async mendAlone(signal: AbortSignal): Promise<boolean> {
    const { incarnation } = await this.parts.bridge.info(signal)
    const told = await this.loadTold()
    if (told === null || incarnation <= told || incarnation === this.mended) return false
    this.parts.log.warn({ incarnation }, 'the bridge lost its books: it is told what this drive knows')
    for (let attempt = 1; ; attempt++) {
      try {
        await this.bringChain(signal)
        break
      } catch (error) {
        if (!isCode(error, 'head-moved') || attempt >= ATTEMPTS) throw error
      }
    }
    this.mended = incarnation
    this.mends++
    this.wake()
    return true
  }

  private async bringChain(signal: AbortSignal): Promise<void> {
    const { bridge, ledger, state } = this.parts
    const { head } = state()
    const theirs = await bridge.head(signal).catch((error: unknown) => {
      if (isCode(error, 'unknown-drive')) return null
      throw error
    })
    // What is behind our head is followed as ever: it shows itself whether it comes from ours.
    if (theirs !== null && theirs.sequence >= head.sequence) return
    if (theirs !== null) await this.expectOurs(theirs)
    for (let from = theirs === null ? 0 : theirs.sequence + 1; from <= head.sequence; ) {
      const records = (await ledger.loadRecords(from)).filter((one) => one.sequence <= head.sequence)
      const isUnbroken = records.length > 0 && records.every((one, at) => one.sequence === from + at)
      if (!isUnbroken) throw recordsGone(from)
      await bridge.restoreChain(
        records.map((one) => one.encoded),
        from === 0,
        signal,
      )
      from += records.length
      this.parts.log.info({ sequence: from - 1, head: head.sequence }, 'records were given back to the bridge')
    }
  }

  private async expectOurs(theirs: Head): Promise<void> {
    const [own] = await this.parts.ledger.loadRecords(theirs.sequence)
    if (own?.sequence !== theirs.sequence) throw recordsGone(theirs.sequence)
    if (own.hash.equals(theirs.hash)) return
    throw new AppError('drive-forked', `the bridge shows another record ${theirs.sequence} than the one we know`, {
      details: { sequence: theirs.sequence, known: this.parts.state().head.sequence },
    })
  }

  /** Looks after the bridge until the signal fires. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      let delayMs = LOOK_EVERY_MS
      try {
        if (!(await this.tellAll(signal))) delayMs = RETRY_MS
      } catch (error) {
        if (signal.aborted || isCode(error, 'ledger-stopped')) return
        if (!(error instanceof AppError)) throw error
        // What proves another history is said by who follows the chain.
        this.parts.log.debug({ code: error.code }, `the bridge was not told: ${error.message}`)
        if (this.isOwed) delayMs = RETRY_MS
      }
      if (!(await this.nap.sleep(delayMs, signal))) return
    }
  }

  /** False: to be told again, for hosts that were not there. */
  private async tellAll(signal: AbortSignal): Promise<boolean> {
    const { bridge, log } = this.parts
    const { incarnation } = await bridge.info(signal)
    const told = await this.loadTold()
    if (told === null || incarnation <= told) {
      if (told === null) await this.saveTold(incarnation)
      this.now = null
      return true
    }
    await this.mend(signal)
    const reply = await this.tellSegments(incarnation, signal)
    if (!reply.told) return false
    if (reply.unfound > 0) log.warn({ unfound: reply.unfound }, 'no host has told of some segments of this drive')
    await this.saveTold(incarnation)
    this.now = null
    log.info({ incarnation }, 'the bridge knows again what this drive knows')
    return true
  }

  private async tellSegments(incarnation: number, signal: AbortSignal): Promise<{ told: boolean; unfound: number }> {
    const { bridge, ledger, state } = this.parts
    let { row, unfound, done } = await this.loadPlace(incarnation)
    for (;;) {
      const page = await ledger.segmentsAfter(row, SEGMENTS_MAX)
      this.now = { incarnation, done, total: done + page.left, unfound }
      const fitting = fittingOf(page.segments)
      const last = fitting[fitting.length - 1]
      if (last === undefined) break
      const segments = await Promise.all(
        fitting.map(async ({ info }) => ({ info, placement: await this.parts.placement(info) })),
      )
      unfound += (await bridge.restate({ incarnation, segments, end: null }, signal)).unfound
      row = last.row
      done += fitting.length
      await this.savePlace({ incarnation, row, unfound, done })
    }
    const end = { head: state().head, unfound }
    const { told } = await bridge.restate({ incarnation, segments: [], end }, signal)
    await ledger.putMeta({ [PLACE_KEY]: null })
    return { told, unfound }
  }

  private async loadTold(): Promise<number | null> {
    if (!this.loaded) this.told = numbersOf(await this.parts.ledger.getMeta(TOLD_KEY))?.[0] ?? null
    this.loaded = true
    return this.told
  }

  private async saveTold(incarnation: number): Promise<void> {
    await this.parts.ledger.putMeta({ [TOLD_KEY]: Buffer.from(String(incarnation)) }, true)
    this.told = incarnation
    this.loaded = true
  }

  private async loadPlace(incarnation: number): Promise<{ row: number; unfound: number; done: number }> {
    const [of, row = 0, unfound = 0, done = 0] = numbersOf(await this.parts.ledger.getMeta(PLACE_KEY)) ?? []
    return of === incarnation ? { row, unfound, done } : { row: 0, unfound: 0, done: 0 }
  }

  private async savePlace(place: { incarnation: number; row: number; unfound: number; done: number }): Promise<void> {
    const { incarnation, row, unfound, done } = place
    await this.parts.ledger.putMeta({ [PLACE_KEY]: Buffer.from([incarnation, row, unfound, done].join(' ')) })
  }
}

/** Our own notes; what is no list of numbers counts as nothing. */
function numbersOf(text: Buffer | null): number[] | null {
  const numbers = text === null ? [] : text.toString('latin1').split(' ').map(Number)
  return numbers.length > 0 && numbers.every(Number.isSafeInteger) ? numbers : null
}

/** As many as one call takes. */
function fittingOf(segments: SegmentPage['segments']): SegmentPage['segments'] {
  let shards = 0
  return segments.filter((one, at) => {
    shards += one.info.totalShards
    return at === 0 || shards <= SHARDS_MAX
  })
}

function recordsGone(sequence: number): AppError {
  return new AppError('records-gone', `this device does not keep record ${sequence} of the chain any more`, {
    hint: 'another device of this drive may: mount it there once',
  })
}
