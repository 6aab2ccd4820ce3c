/**
 * A repair worker beside the bridge: asks for a lease, mends, reports, again. It has a key and a peer of its own, knows
 * neither drives nor accounts, and may die at any moment: its lease ends by itself.
 */
import type { Clock } from '../../base/clock.js'
import { AppError, codeOf } from '../../base/errors.js'
import { hexOf } from '../../base/hex.js'
import type { Log } from '../../base/log.js'
import { hostId, segmentId, shardId } from '../../model/ids.js'
import type { DoneReply, DoneRequest, LeasedJob, LeaseReply } from '../../wire/repair-api.js'
import { Completer } from './completer.js'
import type { Mender } from './mender.js'
import type { RepairJob } from './repair-job.js'
import { codeOfResult } from './reports.js'
import { WorkBounds } from './work-bounds.js'

/** The bridge, as a worker needs it. */
export interface RepairBridge {
  /** Works on nothing yet. */
  greet(signal: AbortSignal): Promise<unknown>
  lease(signal: AbortSignal): Promise<LeaseReply>
  done(report: DoneRequest, signal: AbortSignal): Promise<DoneReply>
}

export interface RepairWorkerParts {
  bridge: RepairBridge
  mender: Mender
  clock: Clock
  log: Log
}

const LINES = 4
/** Nothing to do, or no bridge: asked again then. */
const IDLE_MS = 5_000

export class RepairWorker {
  private readonly parts: RepairWorkerParts
  private readonly bounds = new WorkBounds()
  private isGreeted = false

  constructor(parts: RepairWorkerParts) {
    this.parts = parts
  }

  /** Until aborted. */
  async run(signal: AbortSignal): Promise<void> {
    while (!this.isGreeted && !signal.aborted) {
      await this.greet(signal).catch((error: unknown) => this.refused(error, signal))
      if (!this.isGreeted && !(await this.parts.clock.sleep(IDLE_MS, signal))) return
    }
    await Promise.all(Array.from({ length: LINES }, () => this.runLine(signal)))
  }

  private async runLine(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      if (!(await this.once(signal)) && !(await this.parts.clock.sleep(IDLE_MS, signal))) return
    }
  }

  /** Before anything else: what an earlier life of this worker had leased is free again. */
  private async greet(signal: AbortSignal): Promise<void> {
    await this.parts.bridge.greet(signal)
    this.isGreeted = true
  }

  /** False when there was nothing to do, or it could not be done. */
  async once(signal: AbortSignal): Promise<boolean> {
    const { bridge, mender, log } = this.parts
    try {
      const { job } = await bridge.lease(signal)
      if (job === null) return false
      const taken = jobOf(job)
      const release = await this.bounds.enter(Completer.costOfJob(taken))
      try {
        const { lease, receipts, faults, error } = await mender.mend(taken, signal)
        const report = { lease, receipts: receipts.map(hexOf), faults, code: codeOfResult(error) }
        const { stored } = await bridge.done(report, signal)
        log.info({ segment: taken.segment, stored, code: report.code }, 'a segment was repaired')
      } finally {
        release()
      }
      return true
    } catch (error) {
      this.refused(error, signal)
      return false
    }
  }

  private refused(error: unknown, signal: AbortSignal): void {
    if (signal.aborted) return
    if (!(error instanceof AppError)) throw error
    this.parts.log.warn({ code: codeOf(error), err: error }, 'a repair could not be done')
  }
}

/** `malformed`: the bridge is pinned, but what it says is looked at all the same. */
function jobOf(job: LeasedJob): RepairJob {
  const { k, n, shardLength, shards } = job
  const isSound = k <= n && shards.length === n && [...job.sources, ...job.targets].every(({ index }) => index < n)
  if (!isSound) throw new AppError('malformed', 'a lease whose numbers do not fit')
  const read = <T extends { host: string; token: string }>(one: T) => ({
    ...{ ...one, host: hostId(one.host), token: Buffer.from(one.token, 'hex') },
  })
  return {
    ...{ lease: job.lease, untilMs: job.until, segment: segmentId(job.segment) },
    ...{ dataShards: k, totalShards: n, shardLength, shards: shards.map(shardId) },
    sources: job.sources.map(read),
    targets: job.targets.map((one) => ({ ...read(one), copyFrom: one.copyFrom && read(one.copyFrom) })),
  }
}
