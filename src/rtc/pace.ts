/**
 * Bytes a second in one direction, really kept: one token bucket for all connections of a process.
 *
 * Bulk goes one step a connection in turns, as tokens come, so that no peer starves another. What is prompt (a ping, an
 * audit, a credit) does not wait: it goes into debt, and bulk waits until the debt is paid; beyond a second's worth of
 * debt it waits too, so that a flood of small requests breaks no limit. One timer for all who wait, and none when
 * nobody does. Without a limit nobody waits and nothing is counted. Never yields.
 *
 * Counted are whole frames; the packets around them (UDP, DTLS, SCTP) come on top: 3 % with an MTU of 4,000, 8 % with 1,280.
 */
import type { Clock } from '../base/clock.js'
import { CHUNK_BYTES } from './limits.js'

/** One connection's bulk. */
export interface Paced {
  /** One step of at most a frame; spends what it moves. False: it has no more for now, and asks for turns again when it has. */
  step(): boolean
}

/** What may go at once after a pause. A minute's bytes are above the limit by a 240th part. */
const BURST_MS = 250
/** Wakes are this far apart at least: at high rates several steps share one. */
const WAKE_MS_MIN = 10
/** Of prompt bytes: an audit every 10 ms, at the lowest limit there is. */
const RESERVE_MS = 1_000

export class Pace {
  private readonly clock: Clock
  private bytesPerMs: number | null = null
  private tokens = 0
  private filledAtMs = 0
  private readonly waiting = new Set<Paced>()
  /** Bulk bytes that were promised and have not moved yet, by connection. */
  private readonly owed = new Map<object, number>()
  private owedBytes = 0
  private serving = false
  private sleeping: AbortController | null = null

  constructor(clock: Clock) {
    this.clock = clock
  }

  get limited(): boolean {
    return this.bytesPerMs !== null
  }

  /** A frame at least. Infinite without a limit. */
  get burstBytes(): number {
    return this.bytesPerMs === null ? Number.POSITIVE_INFINITY : Math.max(2 * CHUNK_BYTES, this.bytesPerMs * BURST_MS)
  }

  /** Bytes a second; null: no limit. Holds from now on for those who wait already. */
  set(bytesPerSecondMax: number | null): void {
    const was = this.bytesPerMs
    this.bytesPerMs = bytesPerSecondMax === null ? null : bytesPerSecondMax / 1_000
    if (was === null) this.tokens = this.bytesPerMs === null ? 0 : this.burstBytes
    this.filledAtMs = this.clock.monotonicMs()
    this.sleeping?.abort()
    this.sleeping = null
    this.serve()
  }

  /** Moved, whether there were tokens for it or not. */
  spend(bytes: number): void {
    if (this.bytesPerMs !== null) this.tokens -= bytes
  }

  /** Spent, and not moved after all. */
  refund(bytes: number): void {
    if (this.bytesPerMs !== null) this.tokens += bytes
  }

  /** Something prompt may go. */
  get mayPrompt(): boolean {
    if (this.bytesPerMs === null) return true
    this.fill()
    return this.tokens > -Math.max(this.bytesPerMs * RESERVE_MS, 2 * CHUNK_BYTES)
  }

  /** Asks for turns; may step at once. */
  join(paced: Paced): void {
    this.waiting.add(paced)
    this.serve()
  }

  leave(paced: Paced): void {
    this.waiting.delete(paced)
  }

  get isOwed(): boolean {
    return this.owedBytes > 0
  }

  /** `who` will have so many bulk bytes to move. */
  owe(who: object, bytes: number): void {
    this.owedBytes += bytes
    const total = (this.owed.get(who) ?? 0) + bytes
    if (total > 0) this.owed.set(who, total)
    else this.owed.delete(who)
  }

  /** How long until so many bytes more of `who` have moved: it takes turns with the others, and waits for no more than all of them have. */
  waitMs(who: object, bytes: number): number {
    if (this.bytesPerMs === null) return 0
    this.fill()
    const own = this.owed.get(who) ?? 0
    const peers = this.owed.size + (own > 0 ? 0 : 1)
    const ahead = Math.min(this.owedBytes + bytes, (own + bytes) * peers)
    return Math.max(0, ahead - this.tokens) / this.bytesPerMs
  }

  private fill(): void {
    if (this.bytesPerMs === null) return
    const nowMs = this.clock.monotonicMs()
    this.tokens = Math.min(this.burstBytes, this.tokens + (nowMs - this.filledAtMs) * this.bytesPerMs)
    this.filledAtMs = nowMs
  }

  private serve(): void {
    if (this.serving || this.sleeping !== null) return
    this.serving = true
    this.fill()
    while (this.bytesPerMs === null || this.tokens > 0) {
      const [next] = this.waiting
      if (next === undefined) break
      this.waiting.delete(next)
      if (next.step()) this.waiting.add(next)
    }
    this.serving = false
    if (this.waiting.size > 0) void this.sleep()
  }

  private async sleep(): Promise<void> {
    if (this.bytesPerMs === null) return
    const cut = new AbortController()
    this.sleeping = cut
    const delayMs = Math.max(WAKE_MS_MIN, (CHUNK_BYTES - this.tokens) / this.bytesPerMs)
    if (!(await this.clock.sleep(delayMs, cut.signal)) || this.sleeping !== cut) return
    this.sleeping = null
    this.serve()
  }
}
