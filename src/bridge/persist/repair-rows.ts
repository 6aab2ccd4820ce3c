/** The queue of repairs, leases and the moves under them. */

import { failpoint } from '../../base/failpoint.js'
import { idBytes, type PeerId, peerId } from '../../model/ids.js'
import type { Database } from '../../sqlite/driver.js'
import { guarded } from '../../sqlite/failures.js'
import { transaction } from '../../sqlite/open.js'
import { prepareRepairs, type RawEntry, type RawMove } from './repair-sql.js'
import { insertDeletion, type ShardForget } from './segment-rows.js'

/** ready: a worker may take it. waiting: fewer than k shards can be reached. dead: the uploader's fault, never tried again. */
export const QUEUE_STATES = ['ready', 'waiting', 'dead'] as const
export type QueueState = (typeof QUEUE_STATES)[number]

export interface QueueEntry {
  segmentRow: number
  /** Expected days to loss: the fewest come first. */
  days: number
  healthy: number
  reachable: number
  /** Losses of healthy shards that it survives. */
  spare: number
  state: QueueState
  attempts: number
  nextAt: number
  code: string | null
  /** Some of its shards were made up for, and not yet all. */
  begun: boolean
}

export type QueueFacts = Pick<QueueEntry, 'segmentRow' | 'days' | 'healthy' | 'reachable' | 'spare'> & {
  state: 'ready' | 'waiting'
}

export interface Lease {
  segmentRow: number
  lease: number
  holder: PeerId
  untilMs: number
}

/** A shard goes from one host to another: written down before a token leaves, done with the receipt. */
export interface RepairMove {
  index: number
  hostRow: number
  generation: number
  fromRow: number
  fromGeneration: number
  /** What the new host is told to forget when nothing comes of it. */
  orphan: ShardForget
}

export interface FinishedMove {
  index: number
  lease: number
  storedAt: number
  receipt: Buffer
  /** For the host before, when it may have the shard. */
  forget: ShardForget | null
}

export class RepairRows {
  private readonly db: Database
  private readonly statements: ReturnType<typeof prepareRepairs>

  constructor(db: Database) {
    this.db = db
    this.statements = prepareRepairs(db)
  }

  /** In the queue with these facts; what was tried and what is dead stays so. */
  async saveQueued(facts: QueueFacts, nowMs: number): Promise<void> {
    const { segmentRow, days, healthy, reachable, spare, state } = facts
    const values = { segmentRow, days, healthy, reachable, spare, state: QUEUE_STATES.indexOf(state), nowMs }
    guarded(() => this.statements.enqueue.run(values))
  }

  /** It needs no repair. What is dead stays on record until its segment goes. */
  async removeQueued(segmentRow: number): Promise<void> {
    guarded(() => this.statements.dequeue.run(segmentRow))
  }

  async saveFailure(segmentRow: number, code: string, nextAtMs: number, isFatal: boolean): Promise<void> {
    const dead = QUEUE_STATES.indexOf('dead')
    guarded(() => this.statements.failed.run(nextAtMs, code, isFatal ? dead : null, segmentRow))
  }

  /** Shards were made up for: it stays in the queue until all are. Nothing for a segment that is not in it. */
  async saveBegun(segmentRow: number): Promise<void> {
    guarded(() => this.statements.begin.run(segmentRow))
  }

  /** Not its own fault: it is looked at again then. */
  async saveDelay(segmentRow: number, nextAtMs: number, code: string | null = null): Promise<void> {
    guarded(() => this.statements.delay.run(nextAtMs, code, segmentRow))
  }

  async loadQueued(segmentRow: number): Promise<QueueEntry | null> {
    const raw = guarded(() => this.statements.queued.get(segmentRow))
    return raw === undefined ? null : entryOf(raw)
  }

  /** Ready, due and not leased, the most endangered first. */
  async due(nowMs: number, limit: number): Promise<QueueEntry[]> {
    return guarded(() => this.statements.due.all(nowMs, nowMs, limit).map(entryOf))
  }

  async counts(): Promise<{ state: QueueState; spare: number; count: number }[]> {
    return guarded(() =>
      this.statements.counts
        .all()
        .map(({ state, spare, count }) => ({ state: QUEUE_STATES[state] ?? 'dead', spare, count })),
    )
  }

  /** Drives with segments in this state, and how many of each: the most first. */
  async drivesIn(state: QueueState, limit: number): Promise<{ drive: string; segments: number }[]> {
    return guarded(() =>
      this.statements.drivesIn
        .all(QUEUE_STATES.indexOf(state), limit)
        .map(({ drive, segments }) => ({ drive: drive.toString('hex'), segments })),
    )
  }

  /** Segments that lost a shard since they were last counted. */
  async dirty(limit: number): Promise<number[]> {
    return guarded(() => this.statements.dirty.all(limit).map((raw) => raw.segment_row))
  }

  async removeDirty(segmentRow: number): Promise<void> {
    guarded(() => this.statements.removeDirty.run(segmentRow))
  }

  /** The lease, or null while somebody else has one that has not ended. What an ended one left is cleared away. */
  async lease(segmentRow: number, holder: PeerId, times: { nowMs: number; untilMs: number }): Promise<Lease | null> {
    return transaction(this.db, () => {
      const before = this.statements.leaseOf.get(segmentRow)
      if (before !== undefined && before.until > times.nowMs) return null
      if (before !== undefined) this.clear(before.lease)
      const lease = this.nextLease()
      this.statements.addLease.run(segmentRow, lease, idBytes(holder), times.untilMs)
      return { segmentRow, lease, holder, untilMs: times.untilMs }
    })
  }

  private nextLease(): number {
    this.statements.countLease.run()
    return (this.statements.leaseCount.get() as { value: number }).value
  }

  async loadLease(lease: number): Promise<Lease | null> {
    const raw = guarded(() => this.statements.leaseNumbered.get(lease))
    if (raw === undefined) return null
    return { segmentRow: raw.segment_row, lease, holder: peerId(raw.holder), untilMs: raw.until }
  }

  async heldBy(holder: PeerId): Promise<number[]> {
    return guarded(() => this.statements.heldBy.all(idBytes(holder)).map((raw) => raw.lease))
  }

  async leasedNow(nowMs: number): Promise<number> {
    return guarded(() => (this.statements.leasedNow.get(nowMs) as { count: number }).count)
  }

  /** What a lease moves, before any token of it leaves. The segment's generation rises with it. */
  async saveMoves(lease: Lease, generation: number, moves: readonly RepairMove[], nowMs: number): Promise<void> {
    transaction(this.db, () => {
      this.statements.raiseGeneration.run(generation, lease.segmentRow)
      for (const { index, hostRow, fromRow, fromGeneration, orphan } of moves) {
        const places = [lease.segmentRow, index, lease.lease, hostRow, generation, fromRow, fromGeneration] as const
        const names = [idBytes(orphan.pseudonym), idBytes(orphan.segment), idBytes(orphan.shard)] as const
        this.statements.addMove.run(...places, ...names, nowMs)
      }
    })
    failpoint('bridge.repair.leased')
  }

  async movesOf(segmentRow: number): Promise<(Omit<RepairMove, 'orphan'> & { lease: number })[]> {
    return guarded(() => this.statements.moves.all(segmentRow).map(moveOf))
  }

  /**
   * Receipts are here: the shards lie with their new hosts, those before forget theirs. A move that is gone, or whose
   * shard was moved by somebody else meanwhile, counts for nothing. The number that counted.
   */
  async finishMoves(segmentRow: number, finished: readonly FinishedMove[], nowMs: number): Promise<number> {
    const count = transaction(this.db, () => {
      let moved = 0
      for (const one of finished) moved += this.finish(segmentRow, one, nowMs) ? 1 : 0
      return moved
    })
    failpoint('bridge.repair.stored')
    return count
  }

  private finish(segmentRow: number, one: FinishedMove, nowMs: number): boolean {
    const raw = this.statements.move.get(segmentRow, one.index)
    if (raw === undefined || raw.lease !== one.lease) return false
    const wasStored = this.statements.storedOf.get(segmentRow, one.index)?.stored === 1
    const { changes } = this.statements.switchHost.run(
      raw.host_row,
      raw.generation,
      one.storedAt,
      one.receipt,
      segmentRow,
      one.index,
      raw.from_row,
      raw.from_generation,
    )
    if (changes !== 1) return false
    if (!wasStored) this.statements.addStored.run(segmentRow)
    if (one.forget !== null) insertDeletion(this.statements.addDeletion, one.forget, nowMs)
    this.statements.removeMove.run(segmentRow, one.index)
    return true
  }

  /** The end of a lease: moves without a receipt become deletions. */
  async release(lease: number): Promise<void> {
    transaction(this.db, () => this.clear(lease))
  }

  private clear(lease: number): void {
    this.statements.orphans.run(lease)
    this.statements.removeMoves.run(lease)
    this.statements.removeLease.run(lease)
  }

  /** Leases that ended without a word. */
  async expired(nowMs: number, limit: number): Promise<{ segmentRow: number; lease: number }[]> {
    return guarded(() =>
      this.statements.expired.all(nowMs, limit).map((raw) => ({ segmentRow: raw.segment_row, lease: raw.lease })),
    )
  }
}

function entryOf(raw: RawEntry): QueueEntry {
  const { days, healthy, reachable, spare, attempts, code } = raw
  const state = QUEUE_STATES[raw.state] ?? 'dead'
  const facts = { segmentRow: raw.segment_row, days, healthy, reachable, spare, state }
  return { ...facts, attempts, nextAt: raw.next_at, code, begun: raw.begun === 1 }
}

function moveOf(raw: RawMove) {
  const { idx: index, host_row: hostRow, generation, lease } = raw
  return { index, hostRow, generation, lease, fromRow: raw.from_row, fromGeneration: raw.from_generation }
}
