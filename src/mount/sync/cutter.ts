/**
 * Decides when an epoch is cut: 5 s after the first change, at 64 MiB of data or 4 MiB of operations, or when asked.
 * Cutting is cheap (the ledger closes its group); publishing is the publisher's business, so a slow network makes many
 * cuts and no large ones.
 */
import type { Clock } from '../../base/clock.js'
import type { Cut, Progress } from '../metadata/types.js'

export interface CutLimits {
  ageMs: number
  bytes: number
  operationBytes: number
}

/** 5 s: what a crash of this machine may cost of what was not fsynced is far less; this bounds what the network lacks.
 *  64 MiB: nine segments of the smallest scheme, so that all of them travel at once. 4 MiB: a batch stays far below the
 *  bridge's body limit even when every operation grows its extent. */
export const CUT_LIMITS: CutLimits = { ageMs: 5_000, bytes: 64 * 1_048_576, operationBytes: 4 * 1_048_576 }

/** How often the counters are looked at; reading them is free. */
const LOOK_EVERY_MS = 100
/** Cut and unpublished epochs that may wait. Beyond it only the amounts that are open grow; every cut has a cost of its own. */
const PENDING_EPOCHS_MAX = 256

export interface CutLedger {
  cut(options?: { view?: boolean }): Promise<Cut | null>
  progress(): Progress
}

export class Cutter {
  private readonly ledger: CutLedger
  private readonly clock: Clock
  private readonly onCut: (cut: Cut, hasView: boolean) => void
  private readonly limits: CutLimits
  private readonly wantsView: () => boolean
  private dirtySinceMs: number | null = null
  private cutting: Promise<Cut | null> | null = null

  constructor(
    parts: { ledger: CutLedger; clock: Clock; onCut: (cut: Cut, hasView: boolean) => void; wantsView: () => boolean },
    limits: CutLimits = CUT_LIMITS,
  ) {
    this.ledger = parts.ledger
    this.clock = parts.clock
    this.onCut = parts.onCut
    this.wantsView = parts.wantsView
    this.limits = limits
  }

  /** Runs until the signal fires. */
  async run(signal: AbortSignal): Promise<void> {
    while (await this.clock.sleep(LOOK_EVERY_MS, signal)) {
      if (this.isDue()) await this.cutNow()
    }
  }

  /** Null when nothing happened since the last cut. Two that ask at once share one cut only if it has not begun. */
  async cutNow(): Promise<Cut | null> {
    while (this.cutting !== null) await this.cutting
    const view = this.wantsView()
    this.cutting = this.ledger.cut({ view })
    try {
      const cut = await this.cutting
      this.dirtySinceMs = null
      if (cut !== null) this.onCut(cut, view)
      return cut
    } finally {
      this.cutting = null
    }
  }

  private isDue(): boolean {
    const { openBytes, openOperations, openOperationBytes, pendingEpochs } = this.ledger.progress()
    if (openOperations === 0) {
      this.dirtySinceMs = null
      return false
    }
    const nowMs = this.clock.monotonicMs()
    this.dirtySinceMs ??= nowMs
    if (openOperationBytes >= this.limits.operationBytes) return true
    if (pendingEpochs >= PENDING_EPOCHS_MAX) return false
    return openBytes >= this.limits.bytes || nowMs - this.dirtySinceMs >= this.limits.ageMs
  }
}
