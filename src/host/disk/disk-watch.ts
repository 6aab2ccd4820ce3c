/**
 * Looks at a host's disk every ten seconds and after every failure: is it still there and ours, does it write, how long does it
 * take. What it finds decides what the host takes and whether it serves at all: a folder without its disk looks like a host that
 * lost everything, and must not be offered as one.
 *
 * `state` is one word and a sentence for the owner. What is found is told once, and again when it changes.
 */
import type { Clock } from '../../base/clock.js'
import { AppError } from '../../base/errors.js'
import type { Log } from '../../base/log.js'
import { systemCode } from '../../base/system-code.js'
import type { HostId } from '../../model/ids.js'
import type { DiskProbe } from './probe.js'

/** `away`: the volumes are not there. `foreign`: those of another host, or this folder on another file system. */
export type DiskState = 'fine' | 'slow' | 'full' | 'read-only' | 'failing' | 'away' | 'foreign'

export interface DiskHealth {
  state: DiskState
  /** For the owner; null when all is well. */
  why: string | null
  /** How long the last probe took; null: none has ended yet. */
  writeMs: number | null
}

export interface DiskWatchParts {
  probe: DiskProbe
  host: HostId
  clock: Clock
  log: Log
  onChange: (health: DiskHealth) => void
  /** Between looks. */
  everyMs?: number
}

const CHECK_MS = 10_000
/** A probe beside a busy store takes a second on a slow disk; one above it is put right by the next. */
export const SLOW_MS = 2_000
/** So many in a row are no accident. */
const SLOW_PROBES = 2
/** A look that takes longer is slow at once, whatever comes of it. */
const LOOK_MS_MAX = 10_000

export class DiskWatch {
  private readonly parts: DiskWatchParts
  private readonly stopping = new AbortController()
  private running: Promise<void> | null = null
  private checking: Promise<DiskHealth> | null = null
  private device: number | null = null
  private slowProbes = 0
  /** A look that has not come back. */
  private pending = false
  private pendingSinceMs = 0
  health: DiskHealth = { state: 'fine', why: null, writeMs: null }

  constructor(parts: DiskWatchParts) {
    this.parts = parts
  }

  start(): void {
    this.running ??= this.run()
  }

  async stop(): Promise<void> {
    this.stopping.abort()
    await this.running
  }

  private async run(): Promise<void> {
    do await this.check()
    while (await this.parts.clock.sleep(this.parts.everyMs ?? CHECK_MS, this.stopping.signal))
  }

  /** One look, the one that is under way if there is one. */
  check(): Promise<DiskHealth> {
    this.checking ??= this.checkOnce().finally(() => {
      this.checking = null
    })
    return this.checking
  }

  private async checkOnce(): Promise<DiskHealth> {
    const found = await this.lookInTime()
    if (this.stopping.signal.aborted) return this.health
    const before = this.health
    this.health = found
    if (found.state === before.state) return found
    const { state, why } = found
    if (state === 'fine') this.parts.log.info({ was: before.state }, 'the disk is well again')
    else this.parts.log.error({ state }, why ?? 'the disk has trouble')
    this.parts.onChange(found)
    return found
  }

  private async lookInTime(): Promise<DiskHealth> {
    const { clock } = this.parts
    // One at a time: a dead disk answers none, and must not collect them.
    if (this.pending) return this.slow(clock.monotonicMs() - this.pendingSinceMs)
    this.pendingSinceMs = clock.monotonicMs()
    this.pending = true
    const cut = new AbortController()
    const looked = this.look().finally(() => {
      this.pending = false
      cut.abort()
    })
    const late = clock.sleep(LOOK_MS_MAX, cut.signal).then((slept) => (slept ? null : looked))
    const found = await Promise.race([looked, late])
    return found ?? this.slow(clock.monotonicMs() - this.pendingSinceMs)
  }

  /** Never rejects. */
  private async look(): Promise<DiskHealth> {
    const { probe, clock, host } = this.parts
    const { writeMs } = this.health
    try {
      const mark = await probe.readMark()
      this.device ??= mark.device
      if (mark.host !== host) return { state: 'foreign', why: 'the disk belongs to another host', writeMs }
      if (mark.device !== this.device) return { state: 'foreign', why: 'another disk lies over the folder', writeMs }
    } catch (error) {
      return { state: 'away', why: `the disk of the shards is not there (${errnoOf(error)})`, writeMs }
    }
    const startedMs = clock.monotonicMs()
    try {
      await probe.write()
    } catch (error) {
      return failed(errnoOf(error))
    }
    const tookMs = Math.round(clock.monotonicMs() - startedMs)
    this.slowProbes = tookMs > SLOW_MS ? this.slowProbes + 1 : 0
    if (this.slowProbes >= SLOW_PROBES) return this.slow(tookMs)
    // Slow once: as it was before, but for a trouble that has passed.
    if (this.slowProbes > 0 && this.health.state === 'slow') return this.slow(tookMs)
    return { state: 'fine', why: null, writeMs: tookMs }
  }

  private slow(tookMs: number): DiskHealth {
    const seconds = (tookMs / 1_000).toFixed(1)
    return { state: 'slow', why: `the disk takes ${seconds} s to write a few bytes`, writeMs: tookMs }
  }
}

function errnoOf(error: unknown): string {
  return systemCode(error) ?? 'unknown'
}

function failed(code: string): DiskHealth {
  if (code === 'EROFS') return { state: 'read-only', why: 'the file system was made read-only', writeMs: null }
  if (code === 'ENOSPC' || code === 'EDQUOT') return { state: 'full', why: 'the disk is full', writeMs: null }
  return { state: 'failing', why: `the disk does not write (${code})`, writeMs: null }
}

/** Why no shard is taken; null: the disk is no reason. */
export function refusalOfDisk({ state, why }: DiskHealth): AppError | null {
  const say = why ?? ''
  switch (state) {
    case 'fine':
      return null
    case 'slow':
      return new AppError('disk-slow', say, { retry: 'elsewhere' })
    case 'full':
      return new AppError('no-space', say, { retry: 'elsewhere' })
    case 'read-only':
    case 'failing':
      return new AppError('host-read-only', say, { retry: 'elsewhere' })
    case 'away':
    case 'foreign':
      return new AppError('disk-away', say, { retry: 'elsewhere' })
  }
}

/** Nothing may be said about shards: what is looked at is not where they are. */
export function isLost({ state }: DiskHealth): boolean {
  return state === 'away' || state === 'foreign'
}
