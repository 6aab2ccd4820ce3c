/**
 * Memory of sealed segments on their way: a slot of so many bytes for each, from sealing until its last push has settled. One
 * is always let in, however large. A segment that is stored and waits only for a late host gives its slot up after LATE_MS when
 * somebody else needs it (the bridge completes what is short), so that one slow host does not set the pace of all.
 */
import type { Clock } from '../../base/clock.js'
import { linkSignal } from '../../base/linked-signal.js'

export interface Slot {
  /** The segment is stored; `leave` ends its remaining pushes. */
  late(leave: () => void): void
  free(): void
}

/** A push of 2 MB takes less on any line worth waiting for: 5 Mbit/s to one host. */
const LATE_MS = 3_000
/** Changes wake at once; this only bounds what a lost one could cost. */
const LOOK_MS = 10_000

interface Held {
  readonly bytes: number
  leave: (() => void) | null
  lateSinceMs: number
}

export class SegmentSlots {
  private readonly clock: Clock
  private readonly bytesMax: number
  private readonly held = new Set<Held>()
  private change: () => void = () => {}
  private changed: Promise<void>

  constructor(clock: Clock, bytesMax: number) {
    this.clock = clock
    this.bytesMax = bytesMax
    this.changed = this.nextChange()
  }

  get takenBytes(): number {
    return [...this.held].reduce((sum, one) => sum + one.bytes, 0)
  }

  async take(bytes: number, signal: AbortSignal): Promise<Slot> {
    for (;;) {
      signal.throwIfAborted()
      if (this.held.size === 0 || this.takenBytes + bytes <= this.bytesMax) return this.hold(bytes)
      await this.wait(signal)
    }
  }

  private hold(bytes: number): Slot {
    const held: Held = { bytes, leave: null, lateSinceMs: 0 }
    this.held.add(held)
    return {
      late: (leave) => {
        held.leave = leave
        held.lateSinceMs = this.clock.monotonicMs()
        this.change()
      },
      free: () => {
        if (this.held.delete(held)) this.change()
      },
    }
  }

  /** Until a slot changes, or the one that is late the longest has had its time. */
  private async wait(signal: AbortSignal): Promise<void> {
    const late = [...this.held].filter((one) => one.leave !== null).sort((a, b) => a.lateSinceMs - b.lateSinceMs)[0]
    const restMs = late === undefined ? LOOK_MS : late.lateSinceMs + LATE_MS - this.clock.monotonicMs()
    const nap = linkSignal(signal)
    void this.changed.then(() => nap.abort(null))
    const isDue = restMs <= 0 || (await this.clock.sleep(restMs, nap.signal))
    nap.release()
    const leave = isDue ? late?.leave : null
    if (!late || !leave) return
    late.leave = null
    leave()
  }

  private nextChange(): Promise<void> {
    return new Promise((resolve) => {
      this.change = () => {
        this.changed = this.nextChange()
        resolve()
      }
    })
  }
}
