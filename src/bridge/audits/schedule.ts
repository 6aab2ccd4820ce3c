/**
 * When each host is asked next: once in each slot of its own length, at a random moment of the slot, so that neither the
 * moment can be known nor hosts come together. What was missed (a pause of the machine, a restart) is not made up: hosts
 * that are later than that are spread over their next slot. Nothing is stored: a restart draws anew.
 */
import { BURST_EVERY_MS } from './times.js'

export class Schedule {
  private readonly dueAt = new Map<number, number>()
  private readonly lot: () => number
  private readonly lateMs: number

  /** `lateMs`: two slots of a host that is always there: whoever looks once in a slot still asks everybody. */
  constructor(lot: () => number, lateMs = 2 * BURST_EVERY_MS) {
    this.lot = lot
    this.lateMs = lateMs
  }

  /** True once for each slot; the next moment is drawn. A host that is new here is due within one slot. */
  take(hostRow: number, nowMs: number, everyMs: number): boolean {
    const due = this.dueAt.get(hostRow)
    if (due !== undefined && nowMs < due && due - nowMs <= this.lateMs) return false
    const isLate = due === undefined || nowMs < due || nowMs - due > this.lateMs
    this.dueAt.set(hostRow, isLate ? nowMs + this.lot() * everyMs : this.next(due, nowMs, everyMs))
    return !isLate
  }

  private next(dueMs: number, nowMs: number, everyMs: number): number {
    const slot = Math.max(Math.floor(dueMs / everyMs) + 1, Math.floor(nowMs / everyMs))
    return Math.max(nowMs, (slot + this.lot()) * everyMs)
  }
}
