/**
 * Decides when an epoch is cut: 5 s after the first change, at 64 MiB of data or 4 MiB of operations, or when asked.
 * Cutting is cheap (the ledger closes its group); publishing is the publisher's business, so a slow network makes many
 * cuts and no large ones.
 */
import type { Clock } from '../../base/clock.js'
import { AppError, isCode } from '../../base/errors.js'
import type { Log } from '../../base/log.js'
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
/** After a cut that failed (a full disk) the next attempt waits so long. */
const REST_MS = 1_000
/** Cut and unpublished epochs that may wait. Beyond it only the amounts that are open grow; every cut has a cost of its own. */
const PENDING_EPOCHS_MAX = 256
/** Even then: one record names the segments of an epoch, and its body has room for 12,000 of them. */
const OPEN_BYTES_MAX = 8 * 1_073_741_824

export interface CutLedger {
  cut(options?: { view?: boolean }): Promise<Cut | null>
  progress(): Pick<Progress, 'openBytes' | 'openOperations' | 'openOperationBytes' | 'pendingEpochs' | 'newestPending'>
}

export class Cutter {
  private readonly ledger: CutLedger
  private readonly clock: Clock
  private readonly onCut: (cut: Cut, hasView: boolean) => void
  private readonly limits: CutLimits
  private readonly wantsView: () => boolean
  private readonly log: Log
  private readonly onPending: () => void
  private newest: number | null = null
  private dirtySinceMs: number | null = null
  private cutting: Promise<Cut | null> | null = null

  constructor(
    parts: {
      ledger: CutLedger
      clock: Clock
      log: Log
      onCut: (cut: Cut, hasView: boolean) => void
      /** There are cuts that we did not make: of an earlier life, or what grew too large was cut by the ledger itself. */
      onPending: () => void
      wantsView: () => boolean
    },
    limits: CutLimits = CUT_LIMITS,
  ) {
    this.ledger = parts.ledger
    this.clock = parts.clock
    this.onCut = parts.onCut
    this.wantsView = parts.wantsView
    this.log = parts.log
    this.onPending = parts.onPending
    this.limits = limits
  }

  /** Runs until the signal fires. A failed cut loses nothing: what is open stays open. */
  async run(signal: AbortSignal): Promise<void> {
    while (await this.clock.sleep(LOOK_EVERY_MS, signal)) {
      this.lookAtPending()
      if (!this.isDue()) continue
      try {
        await this.cutNow()
      } catch (error) {
        if (isCode(error, 'ledger-stopped')) return
        if (!(error instanceof AppError)) throw error
        this.log.warn({ code: error.code }, `no epoch was cut: ${error.message}`)
        await this.clock.sleep(REST_MS, signal)
      }
    }
  }

  /** Null when nothing happened since the last cut. Two that ask at once share one cut only if it has not begun. */
  async cutNow(): Promise<Cut | null> {
    // Whoever waits here wants a cut of its own, whatever became of this one.
    while (this.cutting !== null) await this.cutting.catch(() => undefined)
    const view = this.wantsView()
    this.cutting = this.ledger.cut({ view })
    try {
      const cut = await this.cutting
      this.dirtySinceMs = null
      if (cut === null) return null
      this.newest = cut.epoch
      this.onCut(cut, view)
      return cut
    } finally {
      this.cutting = null
    }
  }

  private lookAtPending(): void {
    const { newestPending } = this.ledger.progress()
    if (newestPending === null || newestPending <= (this.newest ?? 0)) return
    this.newest = newestPending
    this.onPending()
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
    if (openBytes >= OPEN_BYTES_MAX) return true
    if (pendingEpochs >= PENDING_EPOCHS_MAX) return false
    return openBytes >= this.limits.bytes || nowMs - this.dirtySinceMs >= this.limits.ageMs
  }
}
