/** What came of a lease: receipts are checked, hosts that failed are remembered, the segment is counted again. */
import type { Clock } from '../../base/clock.js'
import { AppError, codeOf } from '../../base/errors.js'
import type { Log } from '../../base/log.js'
import { deviceId, type PeerId } from '../../model/ids.js'
import { pseudonymOf } from '../../permits/pseudonym.js'
import { decodeReceipt, verifyReceipt } from '../../permits/receipt.js'
import type { AuditRequests } from '../audits/requests.js'
import type { Commits } from '../contracts/commits.js'
import type { HostRegistry } from '../hosts/registry.js'
import type { FinishedMove } from '../persist/repair-rows.js'
import type { SegmentRow } from '../persist/segment-rows.js'
import type { Store } from '../persist/store.js'
import { forgetOf } from '../placement/moves.js'
import type { HostTroubles } from './host-troubles.js'
import type { RepairFault } from './repair-job.js'
import type { RepairQueue } from './repair-queue.js'

export interface ReportsParts {
  store: Store
  hosts: HostRegistry
  commits: Commits
  queue: RepairQueue
  troubles: HostTroubles
  /** A host that answered wrongly is asked again, by somebody who may judge. */
  requests: AuditRequests
  clock: Clock
  log: Log
}

export interface RepairReport {
  lease: number
  receipts: readonly Buffer[]
  faults: readonly RepairFault[]
  /** Of the error that ended it; null: all was done. */
  code: string | null
}

/** A segment that fails waits for its own, doubling time and holds up no other. */
const FIRST_DELAY_MS = 30_000
const DELAY_MS_MAX = 3_600_000
const EVIDENCE_MAX = 10_000
/** The uploader's fault: told by the bytes, never tried again. */
const FATAL = 'segment-inconsistent'
/** What a failed fetch says about the host; other failures say nothing. */
const EVIDENCE: Record<string, string> = {
  'shard-wrong-bytes': 'wrong-bytes',
  'shard-truncated': 'truncated',
  'shard-damaged': 'wrong-bytes',
  'shard-not-found': 'refused',
}

export class Reports {
  private readonly parts: ReportsParts

  constructor(parts: ReportsParts) {
    this.parts = parts
  }

  /** The number of shards that lie where they should now. Told twice, or after its end, a report counts for nothing. */
  async take(holder: PeerId, report: RepairReport): Promise<number> {
    const { store } = this.parts
    const lease = await store.repairs.loadLease(report.lease)
    if (lease === null || lease.holder !== holder) return 0
    const segment = await store.segments.loadRow(lease.segmentRow)
    if (segment === null) return 0
    const stored = await this.record(segment, report)
    await store.repairs.release(report.lease)
    for (const fault of report.faults) await this.note(holder, segment, fault)
    await this.conclude(segment, report, stored)
    return stored
  }

  private async record(segment: SegmentRow, report: RepairReport): Promise<number> {
    const { store, commits, clock, log } = this.parts
    const moves = (await store.repairs.movesOf(segment.row)).filter((one) => one.lease === report.lease)
    const finished: FinishedMove[] = []
    let stored = 0
    for (const bytes of report.receipts) {
      try {
        const { index } = decodeReceipt(bytes)
        const move = moves.find((one) => one.index === index)
        if (move !== undefined) finished.push(this.finished(segment, move, report.lease, bytes))
        else {
          await commits.record(segment, [bytes])
          stored++
        }
      } catch (error) {
        if (!(error instanceof AppError)) throw error
        // One host's bad receipt takes nothing from the others'.
        log.warn({ segment: segment.segment, code: error.code }, 'a receipt of a repair does not count')
      }
    }
    return stored + (await store.repairs.finishMoves(segment.row, finished, clock.nowMs()))
  }

  private finished(
    segment: SegmentRow,
    move: { index: number; hostRow: number; generation: number },
    lease: number,
    bytes: Buffer,
  ): FinishedMove {
    const host = this.parts.hosts.atRow(move.hostRow)
    const shard = segment.shards[move.index]
    if (host === undefined || shard === undefined) throw new AppError('receipt-mismatch', 'no such shard or host')
    const receipt = verifyReceipt(bytes, {
      host: host.host,
      index: move.index,
      segment: segment.segment,
      shard: shard.shard,
      length: segment.shardLength,
      pseudonym: pseudonymOf(segment.drive, host.host),
    })
    if (receipt.generation !== move.generation) throw new AppError('receipt-mismatch', 'another generation')
    const forget = shard.offered ? forgetOf(segment, shard) : null
    return { index: move.index, lease, storedAt: this.parts.clock.nowMs(), receipt: bytes, forget }
  }

  private async note(holder: PeerId, segment: SegmentRow, fault: RepairFault): Promise<void> {
    const { store, hosts, troubles, clock, log } = this.parts
    const { host, index, way, code } = fault
    const known = hosts.get(host)
    if (known === undefined) return
    troubles.note(known.row, way, code)
    log.warn({ host, segment: segment.segment, way, code }, 'a host failed in a repair')
    const kind = EVIDENCE[code]
    if (kind === undefined || way !== 'fetch') return
    const evidence = { device: deviceId(holder), host, segment: segment.segment, index, kind, detail: code }
    await store.hosts.saveEvidence(segment.driveRow, evidence, clock.nowMs(), EVIDENCE_MAX)
    const generation = segment.shards[index]?.generation ?? 0
    await this.parts.requests.ask(known.row, [{ segmentRow: segment.row, index, generation }], 'evidence')
  }

  private async conclude(segment: SegmentRow, report: RepairReport, stored: number): Promise<void> {
    const { store, queue, clock, log } = this.parts
    const { row, drive } = segment
    if (stored > 0) await store.repairs.saveBegun(row)
    const health = await queue.count(row)
    if (report.code === null) return
    const isFatal = report.code === FATAL
    const attempts = (await store.repairs.loadQueued(row))?.attempts ?? 0
    const delayMs = Math.min(DELAY_MS_MAX, FIRST_DELAY_MS * 2 ** attempts)
    if (isFatal && health !== null) {
      // Dead letters are kept even if the segment is not short by its count: nobody may complete it.
      const { days, healthy, reachable, spare } = health
      await store.repairs.saveQueued(
        { segmentRow: row, days, healthy, reachable, spare, state: 'ready' },
        clock.nowMs(),
      )
    }
    await store.repairs.saveFailure(row, report.code, clock.nowMs() + delayMs, isFatal)
    const facts = { segment: segment.segment, drive, attempts, stored, code: report.code }
    if (isFatal) log.error(facts, 'a segment is not of one code word: its uploader made it so')
    else log.warn(facts, 'a repair was not finished')
  }
}

export function codeOfResult(error: AppError | null): string | null {
  return error === null ? null : codeOf(error)
}
