/**
 * Pinned files and folders of this device: their bytes are in the cache, stay there, and come there by themselves (docs/semantics.md,
 * S-36). The ledger knows which inodes are pinned; everything else is found out in rounds:
 *
 *   walk    each pin, the oldest first, down to units; the cache is told to keep them and says which are missing
 *   fetch   what is missing, the newest pin first, until the next round is due
 *
 * A round begins when a pin is set, when the tree was published or changed by others, and after a while in any case: so
 * what comes into a pinned folder, what moves, and what a lost cache had, are all the same case. Bounds: the cache's budget
 * less a share for everybody else, inodes, and time (a walk takes at most 5 % of it).
 *
 * May import: metadata, cache. The network is handed in.
 */
import type { Clock } from '../../base/clock.js'
import { AppError } from '../../base/errors.js'
import { linkSignal } from '../../base/linked-signal.js'
import type { Log } from '../../base/log.js'
import { Nap } from '../../base/nap.js'
import type { SegmentId } from '../../model/ids.js'
import type { LedgerPins } from '../metadata/ledger.js'
import type { WalkLedger } from './data-walk.js'
import { type Evicted, evict } from './evict.js'
import { type FetchTask, fetchPinned, type PinCache, type PinNetwork } from './pin-fetcher.js'
import { PinState, roomFor, unitCost } from './pin-state.js'
import { bytesHere, unitsBelow, type WalkCache, walkPins } from './pin-walk.js'

export interface PinsCache extends PinCache, WalkCache {
  drop(segment: SegmentId, units: readonly number[]): Promise<number>
  stats(): Promise<{ readonly allowedBytes: number }>
}

export interface PinsParts {
  ledger: WalkLedger & LedgerPins
  cache: PinsCache
  network: PinNetwork
  clock: Clock
  log: Log
}

/** After news: an editor that saves ten files makes one round. */
const LINGER_MS = 1_000
/** A walk takes one part in so many of the time. */
const WALK_SHARE = 20
/** Something is missing: hosts may be back. */
const AGAIN_MS = 30_000
/** For what nobody told: a cache that lost units. */
const ANYWAY_MS = 300_000

/** Between two looks whether a round has begun and walked: milliseconds, for most pins. */
const TOLD_MS = 20

export class Pins {
  private readonly parts: PinsParts
  private readonly nap: Nap
  private readonly ending = new AbortController()
  private pinned = new Set<number>()
  private state = new PinState()
  /** Walks begun, the last that has ended, and the last that came to its end. */
  private begun = 0
  private ended = 0
  private walked = 0
  /** What changed the pins; a list that was asked for before it is not believed. */
  private changes = 0
  /** The next round is due now. */
  private isHurried = false
  /** Ends what a round that is due does not wait for: a fetch, or the rest before it. */
  private cut: () => void = () => {}
  private running: Promise<void> = Promise.resolve()

  constructor(parts: PinsParts) {
    this.parts = parts
    this.nap = new Nap(parts.clock)
  }

  async start(): Promise<void> {
    await this.loadPins()
    this.running = this.run()
  }

  async stop(): Promise<void> {
    this.ending.abort(new AppError('stopped', 'the drive is being unmounted'))
    this.cut()
    await this.running
  }

  /** By itself, or by a folder above it as of the last walk. Answers at once. */
  isPinned(ino: number): boolean {
    return this.pinned.has(ino) || this.state.has(ino)
  }

  /** The tree has changed: pinned folders may have something new. */
  treeChanged(): void {
    if (this.pinned.size > 0) this.nap.wake()
  }

  /** Recorded, durably; the bytes come by themselves. `no-space`: the cache has no room for all of it. */
  async pin(ino: number): Promise<void> {
    if (this.pinned.has(ino)) return
    if (!this.state.has(ino)) await this.expectRoom(ino)
    await this.parts.ledger.setPin(ino, true)
    this.pinned.add(ino)
    this.changes++
    this.hurry()
  }

  /** Nothing to do when it is not pinned. `not-permitted`: a folder above it is. */
  async unpin(ino: number): Promise<void> {
    if (!this.pinned.has(ino)) {
      if (!this.state.has(ino)) return
      throw new AppError('not-permitted', 'it lies in a folder that is pinned', { hint: 'unpin that folder' })
    }
    await this.parts.ledger.setPin(ino, false)
    this.pinned.delete(ino)
    this.changes++
    this.state.forget(ino)
    this.hurry()
  }

  /** Resolves when what was pinned and unpinned so far is so for everything below, and in the cache (or could not be looked at). */
  async whenTold(signal: AbortSignal): Promise<void> {
    const asked = this.begun
    this.hurry()
    while (this.ended <= asked) {
      if (!(await this.parts.clock.sleep(TOLD_MS, signal))) signal.throwIfAborted()
    }
  }

  /** Resolves when all bytes of these pins are here. `no-space` when there is no room for them, `unpinned`; else it waits. */
  async whenHere(
    inos: readonly number[],
    options: { signal: AbortSignal; progress(value: object): void; everyMs: number },
  ): Promise<{ bytes: number }> {
    // A walk that is under way may have passed them.
    const asked = this.begun
    this.hurry()
    for (;;) {
      if (inos.some((ino) => !this.isPinned(ino))) throw unpinned()
      if (this.walked > asked) {
        const { wantedBytes, missingBytes, leftOutBytes } = this.state.of(inos)
        const trouble = this.state.trouble
        options.progress({ total: wantedBytes, left: missingBytes, trouble: trouble && troubleOf(trouble) })
        if (missingBytes === 0 && leftOutBytes === 0) return { bytes: wantedBytes }
        if (missingBytes === 0) throw noRoom(leftOutBytes, await this.roomBytes())
      }
      if (!(await this.parts.clock.sleep(options.everyMs, options.signal))) options.signal.throwIfAborted()
    }
  }

  /** See pin-walk.ts. */
  here(ino: number, signal: AbortSignal): Promise<{ bytes: number; of: number }> {
    return bytesHere(this.parts, ino, signal)
  }

  /** See evict.ts. */
  evict(ino: number, signal: AbortSignal): Promise<Evicted> {
    return evict({ ...this.parts, isPinned: (one) => this.isPinned(one) }, ino, signal)
  }

  private async run(): Promise<void> {
    const { clock, log } = this.parts
    const { signal } = this.ending
    while (!signal.aborted) {
      const startedMs = clock.monotonicMs()
      let walkMs = 0
      try {
        const tasks = await this.walk(signal)
        walkMs = clock.monotonicMs() - startedMs
        await this.fetch(tasks, signal)
      } catch (error) {
        if (signal.aborted) return
        if (!(error instanceof AppError)) throw error
        log.warn({ err: error }, 'pinned files were not looked after; again in a while')
        this.state.trouble = error
      }
      const restMs = this.state.trouble === null ? ANYWAY_MS : AGAIN_MS
      if (!(await this.nap.sleep(restMs, signal))) return
      await this.rest(Math.max(LINGER_MS, walkMs * WALK_SHARE), signal)
      this.isHurried = false
    }
  }

  private hurry(): void {
    this.isHurried = true
    this.cut()
    this.nap.wake()
  }

  private async walk(signal: AbortSignal): Promise<FetchTask[]> {
    const number = ++this.begun
    try {
      const { state, tasks } = await walkPins(this.parts, await this.loadPins(), await this.roomBytes(), signal)
      this.state = state
      this.walked = number
      return tasks
    } finally {
      this.ended = number
    }
  }

  /** In the order in which they were set; without those whose file has gone. */
  private async loadPins(): Promise<number[]> {
    const { changes } = this
    const pins = await this.parts.ledger.pins()
    if (changes === this.changes) this.pinned = new Set(pins)
    return pins
  }

  private async fetch(tasks: readonly FetchTask[], signal: AbortSignal): Promise<void> {
    if (tasks.length === 0) return
    await this.unlessHurried(signal, async (cut) => {
      this.state.trouble = await fetchPinned(this.parts, tasks, cut)
    })
  }

  private async rest(restMs: number, signal: AbortSignal): Promise<void> {
    await this.unlessHurried(signal, (cut) => this.parts.clock.sleep(restMs, cut))
  }

  /** The work's signal fires when somebody is in a hurry. */
  private async unlessHurried(signal: AbortSignal, work: (cut: AbortSignal) => Promise<unknown>): Promise<void> {
    if (this.isHurried) return
    const link = linkSignal(signal)
    this.cut = () => link.abort(CUT)
    try {
      await work(link.signal)
    } catch (error) {
      if (error !== CUT) throw error
    } finally {
      this.cut = () => {}
      link.release()
    }
  }

  private async roomBytes(): Promise<number> {
    return roomFor((await this.parts.cache.stats()).allowedBytes)
  }

  private async expectRoom(ino: number): Promise<void> {
    const cost = unitCost(await unitsBelow(this.parts.ledger, ino, this.ending.signal))
    const room = Math.max(0, (await this.roomBytes()) - unitCost(this.state.units))
    if (cost > room) throw noRoom(cost, room)
  }
}

const CUT = new AppError('interrupted', 'the next round is due')

function unpinned(): AppError {
  return new AppError('unpinned', 'it is not pinned any more', {
    hint: 'somebody unpinned it, or its file is gone: shardrive pin pins it again',
  })
}

function noRoom(bytes: number, roomBytes: number): AppError {
  const mib = (amount: number) => Math.ceil(amount / 1_048_576)
  return new AppError(
    'no-space',
    `pinning needs ${mib(bytes)} MiB of the cache, which has ${mib(roomBytes)} for pins`,
    {
      hint: 'mount with a larger --cache, free room on the disk, or unpin something',
    },
  )
}

function troubleOf({ code, message }: AppError): object {
  return { code, message }
}
