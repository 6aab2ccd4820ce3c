/**
 * What a host does when nobody asks: forgets old serials, empties the trash, compacts, tidies up, scrubs. One at a time, slowly, on the injected clock, and
 * last of all: they pause while requests are under way. Each can be pulled by hand, at once and without a pace.
 */
import type { Clock } from '../../base/clock.js'
import { codeOf } from '../../base/errors.js'
import type { Log } from '../../base/log.js'
import type { Keeper } from '../shards/reclaim.js'
import type { ShardStore } from '../shards/shard-store.js'
import { Pace } from './pace.js'
import { dueBytes, nextRound, type ScrubProgress } from './scrub-plan.js'
import { isTidyDue, tidyBytesMax } from './tidy-plan.js'

export interface ChoresParts {
  store: ShardStore
  kept: Pick<Keeper, 'loadFact' | 'saveFacts'>
  clock: Clock
  log: Log
  /** Not now: the disk is ill or away. */
  mayWork: () => boolean
}

export interface ChoresOptions {
  /** Between looks whether something is due. */
  everyMs?: number
  compactBytesPerSecondMax?: number
  scrubBytesPerSecondMax?: number
}

/** A minute: with 30 days for a round of the scrub, a slice of 10 TB is 230 MB. */
const EVERY_MS = 60_000
/** Half of what a spinning disk reads in order: the other half is the peers'. */
const COMPACT_BYTES_PER_SECOND_MAX = 40_000_000
const SCRUB_BYTES_PER_SECOND_MAX = 20_000_000
/** What is read between two looks at the requests, and between two saves of the place. */
const SCRUB_STEP_BYTES = 16 * 1_048_576
/** Of one look: at 20 MB/s less than a minute, so that trash and compaction get their turn. */
const SCRUB_SLICE_BYTES_MAX = 1_000_000_000

type Chore = 'serials' | 'purge' | 'compact' | 'tidy' | 'scrub'

/** The fact that says when everything was tidied up last. */
const TIDIED = 'tidied'

export class Chores {
  private readonly parts: ChoresParts
  private readonly options: Required<ChoresOptions>
  private readonly stopping = new AbortController()
  private running: Promise<void> = Promise.resolve()
  private turn: Promise<unknown> = Promise.resolve()

  constructor(parts: ChoresParts, options: ChoresOptions = {}) {
    this.parts = parts
    this.options = {
      everyMs: EVERY_MS,
      compactBytesPerSecondMax: COMPACT_BYTES_PER_SECOND_MAX,
      scrubBytesPerSecondMax: SCRUB_BYTES_PER_SECOND_MAX,
      ...options,
    }
  }

  start(): void {
    this.running = this.run()
  }

  /** Resolves when what was under way has ended; each ends within a batch. */
  async stop(): Promise<void> {
    this.stopping.abort()
    await this.running
    await this.turn
  }

  /** Everything that is due, now. The number of shards that went. */
  pullPurge(): Promise<number> {
    return this.inTurn(() => this.parts.store.upkeep.purgeTrash(undefined, this.stopping.signal))
  }

  /** The number of volumes that went. `deadShareMin` 0: tidy up everything. */
  pullCompaction(deadShareMin?: number): Promise<number> {
    const { signal } = this.stopping
    const share = deadShareMin === undefined ? {} : { deadShareMin }
    return this.inTurn(() => this.parts.store.upkeep.compact({ ...share, signal }))
  }

  /** Reads everything behind the place of the last scrub. Damaged shards that were found. */
  pullScrub(): Promise<number> {
    return this.inTurn(() => this.scrub(Number.MAX_SAFE_INTEGER, async () => {}))
  }

  private async run(): Promise<void> {
    const { clock } = this.parts
    const { signal } = this.stopping
    while (await clock.sleep(this.options.everyMs, signal)) {
      if (!this.parts.mayWork()) continue
      await this.attempt('serials', () => this.parts.store.purgeSerials())
      await this.attempt('purge', () => this.purgeSlowly())
      await this.attempt('compact', () => this.compactSlowly())
      await this.attempt('tidy', () => this.tidySlowly())
      await this.attempt('scrub', () => this.scrubSlowly())
    }
  }

  /** Another time may succeed: a full disk, a store that is read-only. */
  private async attempt(chore: Chore, work: () => Promise<unknown>): Promise<void> {
    try {
      if (!this.stopping.signal.aborted) await this.inTurn(work)
    } catch (error) {
      if (!this.stopping.signal.aborted)
        this.parts.log.error({ chore, code: codeOf(error), err: error }, 'a chore failed')
    }
  }

  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.turn.then(work)
    this.turn = mine.catch(() => {})
    return mine
  }

  private purgeSlowly(): Promise<number> {
    return this.parts.store.upkeep.purgeTrash(undefined, this.stopping.signal)
  }

  private async compactSlowly(): Promise<void> {
    if (this.parts.store.readOnly) return
    const pace = this.pace(this.options.compactBytesPerSecondMax)
    await this.parts.store.upkeep.compact({ pace: (bytes) => pace.after(bytes), signal: this.stopping.signal })
  }

  /** Once a day; what a full disk or a stop kept from it waits for the next. */
  private async tidySlowly(): Promise<void> {
    const { store, kept, clock } = this.parts
    if (store.readOnly || !isTidyDue(kept.loadFact(TIDIED), clock.nowMs())) return
    const pace = this.pace(this.options.compactBytesPerSecondMax)
    const copiedBytesMax = tidyBytesMax(store.totals().volumeBytes)
    const { signal } = this.stopping
    await store.upkeep.tidy({ copiedBytesMax, pace: (bytes) => pace.after(bytes), signal })
    kept.saveFacts({ [TIDIED]: clock.nowMs() })
  }

  private async scrubSlowly(): Promise<void> {
    const { store, clock } = this.parts
    const before = this.progress()
    const progress = nextRound(before, clock.nowMs())
    if (progress !== before) this.save(progress)
    const { liveBytes, trashBytes } = store.totals()
    const due = dueBytes(progress, liveBytes + trashBytes, clock.nowMs(), SCRUB_SLICE_BYTES_MAX)
    const pace = this.pace(this.options.scrubBytesPerSecondMax)
    if (due > 0) await this.scrub(due, (bytes) => pace.after(bytes))
  }

  private async scrub(bytesMax: number, pace: (bytes: number) => Promise<void>): Promise<number> {
    const { store, log } = this.parts
    const { signal } = this.stopping
    let damaged = 0
    let done = 0
    while (done < bytesMax && !signal.aborted) {
      const step = await store.upkeep.scrub(Math.min(SCRUB_STEP_BYTES, bytesMax - done), signal)
      done += step.bytes
      damaged += step.damaged
      const before = this.progress()
      this.save({ ...before, doneBytes: before.doneBytes + step.bytes, isThrough: step.isThrough })
      if (step.isThrough) break
      await pace(step.bytes)
    }
    if (damaged > 0) log.warn({ damaged }, 'the scrub found damaged shards')
    return damaged
  }

  private pace(bytesPerSecondMax: number): Pace {
    const { clock, store } = this.parts
    return new Pace({ clock, isBusy: () => store.isBusy, signal: this.stopping.signal }, { bytesPerSecondMax })
  }

  private progress(): ScrubProgress {
    const { kept } = this.parts
    return {
      roundBeganMs: kept.loadFact('scrub-round-began'),
      doneBytes: kept.loadFact('scrub-done-bytes'),
      isThrough: kept.loadFact('scrub-through') === 1,
    }
  }

  private save({ roundBeganMs, doneBytes, isThrough }: ScrubProgress): void {
    const facts = {
      'scrub-round-began': roundBeganMs,
      'scrub-done-bytes': doneBytes,
      'scrub-through': isThrough ? 1 : 0,
    }
    this.parts.kept.saveFacts(facts)
  }
}
