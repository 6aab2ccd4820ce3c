/**
 * When each host is asked next: once in each slot of its own length, at a random moment of the slot, so that neither the
 * moment can be known nor hosts come together. What was missed (a pause of the machine, a restart) is not made up: hosts
 * that are late by more than two slots are spread over the next one. Nothing is stored: a restart draws anew.
 */
export class Schedule {
  private readonly dueAt = new Map<number, number>()
  private readonly lot: () => number

  constructor(lot: () => number) {
    this.lot = lot
  }

  /** True once for each slot; the next moment is drawn. A host that is new here is due within one slot. */
  take(hostRow: number, nowMs: number, everyMs: number): boolean {
    const due = this.dueAt.get(hostRow)
    if (due !== undefined && nowMs < due && due - nowMs <= 2 * everyMs) return false
    const isLate = due === undefined || nowMs < due || nowMs - due > 2 * everyMs
    this.dueAt.set(hostRow, isLate ? nowMs + this.lot() * everyMs : this.next(due, nowMs, everyMs))
    return !isLate
  }

  private next(dueMs: number, nowMs: number, everyMs: number): number {
    const slot = Math.max(Math.floor(dueMs / everyMs) + 1, Math.floor(nowMs / everyMs))
    return Math.max(nowMs, (slot + this.lot()) * everyMs)
  }
}
