/** Which hosts failed of late, and how: in memory, by row; bounded by the number of hosts. For selection only. */
import type { Clock } from '../../base/clock.js'

/** A host that kept silent gets nothing for so long: the next round of the chore tries it again. */
const SPARED_MS = 10_000
/** And is asked last for so long: while it says nothing, each question costs half a minute. */
const ASKED_LAST_MS = 120_000
/** Nothing is moved to a host that refused (full, read-only): its next report says how much it takes. */
const AVOIDED_MS = 120_000
/** Of a push: the host itself may be gone. Others answer at once and cost nothing. */
const SILENT_CODES = new Set(['timed-out', 'peer-unreachable', 'peer-lost'])

export class HostTroubles {
  private readonly clock: Clock
  private readonly silences = new Map<number, number>()
  private readonly pushes = new Map<number, number>()

  constructor(parts: { clock: Clock }) {
    this.clock = parts.clock
  }

  note(hostRow: number, way: 'fetch' | 'push', code: string): void {
    const now = this.clock.monotonicMs()
    if (way === 'push') this.pushes.set(hostRow, now)
    if (way === 'fetch' || SILENT_CODES.has(code)) this.silences.set(hostRow, now)
  }

  /** A host that came back is a new one. */
  forgive(hostRow: number): void {
    this.silences.delete(hostRow)
    this.pushes.delete(hostRow)
  }

  spares(hostRow: number): boolean {
    return this.isWithin(this.silences, hostRow, SPARED_MS)
  }

  asksLast(hostRow: number): boolean {
    return this.isWithin(this.silences, hostRow, ASKED_LAST_MS)
  }

  avoids(hostRow: number): boolean {
    return this.isWithin(this.pushes, hostRow, AVOIDED_MS) || this.asksLast(hostRow)
  }

  private isWithin(times: Map<number, number>, hostRow: number, durationMs: number): boolean {
    const at = times.get(hostRow)
    return at !== undefined && this.clock.monotonicMs() - at < durationMs
  }
}
