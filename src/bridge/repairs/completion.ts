/**
 * Which segments are completed when. A scan goes through what one host should have and has not, in order of age; a
 * host that comes back starts one at once, a chore every 15 s. Memory bounds the work (work-bounds.ts), so that thousands of small segments are done within a minute of a host's return.
 * A segment that fails waits for its own, doubling time and holds up no other.
 */
import { LRUCache } from 'lru-cache'
import type { Clock } from '../../base/clock.js'
import { codeOf } from '../../base/errors.js'
import type { Log } from '../../base/log.js'
import type { HostId } from '../../model/ids.js'
import type { HostRegistry } from '../hosts/registry.js'
import type { Store } from '../persist/store.js'
import { Completer } from './completer.js'
import type { HostTroubles } from './host-troubles.js'
import type { WorkBounds } from './work-bounds.js'

export interface CompletionParts {
  store: Store
  hosts: HostRegistry
  completer: Completer
  troubles: HostTroubles
  bounds: WorkBounds
  clock: Clock
  log: Log
  awayMs: number
}

/**
 * The uploader's own pushes have 30 s after a confirm; a segment without one is left alone for a minute. A shard whose host
 * was away when the segment was placed is nobody's to push: it is made as soon as that host is back.
 */
export const CONFIRMED_AGE_MS = 35_000
export const UNCONFIRMED_AGE_MS = 60_000
const PAGE = 256
const FIRST_DELAY_MS = 5_000
const DELAY_MS_MAX = 600_000
const FAILURES_MAX = 100_000

export class CompletionQueue {
  private readonly parts: CompletionParts
  private readonly scans = new Map<HostId, Promise<void>>()
  private readonly inWork = new Map<number, Promise<void>>()
  private readonly failures = new LRUCache<number, { attempts: number; nextAtMs: number }>({ max: FAILURES_MAX })
  /** Of what is in work: what another scan asked for meanwhile. */
  private readonly again = new Set<number>()
  /** Segments that were completed since the start. */
  completed = 0

  constructor(parts: CompletionParts) {
    this.parts = parts
  }

  /** A host is back: everything that it lacks, whatever failed before. Resolves when the scan is through. */
  hostReturned(host: HostId, signal: AbortSignal): Promise<void> {
    const row = this.parts.hosts.get(host)?.row
    if (row !== undefined) this.parts.troubles.forgive(row)
    return this.scan(host, signal, true)
  }

  /** The chore: hosts that are online, and those that stay away too long. Resolves when all scans are through. */
  async round(signal: AbortSignal): Promise<void> {
    const now = this.parts.clock.nowMs()
    const due = this.parts.hosts.all().filter((one) => one.online || now - one.seenAt >= this.parts.awayMs)
    await Promise.all(due.map((one) => this.scan(one.host, signal, false)))
  }

  /** One scan a host at a time. */
  private scan(host: HostId, signal: AbortSignal, fresh: boolean): Promise<void> {
    const running = this.scans.get(host)
    if (running !== undefined) return running
    const scan = this.walk(host, signal, fresh).finally(() => this.scans.delete(host))
    this.scans.set(host, scan)
    return scan
  }

  private async walk(host: HostId, signal: AbortSignal, fresh: boolean): Promise<void> {
    const known = this.parts.hosts.get(host)
    let after = 0
    while (known !== undefined && !signal.aborted) {
      const now = this.parts.clock.nowMs()
      const placedBefore = { confirmedMs: now - CONFIRMED_AGE_MS, unconfirmedMs: now - UNCONFIRMED_AGE_MS }
      const rows = await this.parts.store.segments.missingOn(known.row, after, placedBefore, PAGE)
      for (const row of rows) {
        if (fresh) this.failures.delete(row)
        await this.start(row, signal)
      }
      after = rows[rows.length - 1] ?? after
      if (rows.length < PAGE) break
      await new Promise((resolve) => setImmediate(resolve))
    }
    await Promise.all(this.inWork.values())
  }

  /** Resolves when the segment is in work or need not be. */
  private async start(row: number, signal: AbortSignal): Promise<void> {
    if (this.isWaiting(row) || this.joins(row)) return
    const segment = await this.parts.store.segments.loadRow(row)
    if (segment === null) return
    const release = await this.parts.bounds.enter(Completer.costOf(segment))
    if (this.joins(row) || signal.aborted) return release()
    const work = this.runAll(row, signal).finally(() => {
      release()
      this.inWork.delete(row)
    })
    this.inWork.set(row, work)
  }

  /** In work already, perhaps begun before this host was there: then once more after it. */
  private joins(row: number): boolean {
    if (!this.inWork.has(row)) return false
    this.again.add(row)
    return true
  }

  private async runAll(row: number, signal: AbortSignal): Promise<void> {
    do {
      this.again.delete(row)
      await this.run(row, signal)
    } while (this.again.has(row) && !signal.aborted)
    this.again.delete(row)
  }

  private isWaiting(row: number): boolean {
    const failure = this.failures.get(row)
    return failure !== undefined && this.parts.clock.monotonicMs() < failure.nextAtMs
  }

  private async run(row: number, signal: AbortSignal): Promise<void> {
    try {
      if ((await this.parts.completer.complete(row, signal)) === 'done') this.completed++
      this.failures.delete(row)
    } catch (error) {
      if (signal.aborted) return
      const attempts = (this.failures.get(row)?.attempts ?? 0) + 1
      const delayMs = Math.min(DELAY_MS_MAX, FIRST_DELAY_MS * 2 ** (attempts - 1))
      this.failures.set(row, { attempts, nextAtMs: this.parts.clock.monotonicMs() + delayMs })
      this.parts.log.warn({ segmentRow: row, attempts, code: codeOf(error), err: error }, 'completion failed')
    }
  }

  /** Resolves when nothing is in work. */
  async idle(): Promise<void> {
    while (this.scans.size > 0 || this.inWork.size > 0) {
      await Promise.allSettled([...this.scans.values(), ...this.inWork.values()])
    }
  }
}
