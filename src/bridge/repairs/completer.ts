/**
 * Works on one segment in this process: takes a lease, mends, reports. For completions (what was never stored) and for
 * repairs alike. What fails here concerns this segment only.
 */
import type { PeerId } from '../../model/ids.js'
import type { SegmentRow } from '../persist/segment-rows.js'
import type { LeaseDesk, TakeOptions } from './lease-desk.js'
import type { Mender } from './mender.js'
import type { RepairJob } from './repair-job.js'
import { codeOfResult, type Reports } from './reports.js'

export interface CompleterParts {
  desk: LeaseDesk
  mender: Mender
  reports: Reports
  /** The bridge itself. */
  holder: PeerId
}

/** done: something was stored. nothing: complete, or gone. waiting: hosts are missing. */
export type Completion = 'done' | 'nothing' | 'waiting'

const COMPLETION: TakeOptions = { withStored: false, limited: false }

export class Completer {
  private readonly parts: CompleterParts

  constructor(parts: CompleterParts) {
    this.parts = parts
  }

  /** Memory that completing this segment takes, bytes. */
  static costOf(segment: Pick<SegmentRow, 'shardLength' | 'dataShards' | 'totalShards' | 'stored'>): number {
    return segment.shardLength * (segment.dataShards + segment.totalShards - segment.stored)
  }

  static costOfJob(job: RepairJob): number {
    return job.shardLength * (job.dataShards + job.targets.length)
  }

  /** Fails with `shards-unreachable`, `segment-inconsistent`, or what the pushes failed with. */
  async complete(row: number, signal: AbortSignal): Promise<Completion> {
    const taken = await this.parts.desk.take(row, this.parts.holder, COMPLETION)
    if (typeof taken === 'string') return taken === 'nothing' || taken === 'leased' ? 'nothing' : 'waiting'
    await this.work(taken, signal)
    return 'done'
  }

  /** The number of shards that were stored. Fails as complete does. */
  async work(job: RepairJob, signal: AbortSignal): Promise<number> {
    const { desk, mender, reports, holder } = this.parts
    try {
      const { lease, receipts, faults, error } = await mender.mend(job, signal)
      const stored = await reports.take(holder, { lease, receipts, faults, code: codeOfResult(error) })
      if (error !== null) throw error
      return stored
    } catch (error) {
      if (signal.aborted) await desk.giveUp(job.lease)
      throw error
    }
  }
}
