/**
 * Receipts in: each is the signed word of a host that it holds the shard, checked against the placement. A segment is
 * committed at its threshold; only a committed one can be confirmed by a chain record.
 */
import type { Clock } from '../../base/clock.js'
import { AppError } from '../../base/errors.js'
import type { DriveId, PeerId } from '../../model/ids.js'
import { pseudonymOf } from '../../permits/pseudonym.js'
import { decodeReceipt, verifyReceipt } from '../../permits/receipt.js'
import type { CommitReply, CommitRequest } from '../../wire/api.js'
import type { Access } from '../accounts/access.js'
import type { SegmentRow, StoredShard } from '../persist/segment-rows.js'
import type { Store } from '../persist/store.js'

export class Commits {
  private readonly store: Store
  private readonly access: Access
  private readonly clock: Clock

  constructor(parts: { store: Store; access: Access; clock: Clock }) {
    this.store = parts.store
    this.access = parts.access
    this.clock = parts.clock
  }

  /** All receipts must be sound; one of a host that the shard was moved away from meanwhile counts for nothing. */
  async commit(key: PeerId, drive: DriveId, request: CommitRequest): Promise<CommitReply> {
    const { drive: row } = await this.access.deviceOf(key, drive)
    const segment = await this.store.segments.load(row.row, request.segment as never)
    if (segment === null) {
      throw new AppError('unknown-segment', 'the segment is not placed', { hint: 'place and push it again' })
    }
    return this.record(
      segment,
      request.receipts.map((hex) => Buffer.from(hex, 'hex')),
    )
  }

  async record(segment: SegmentRow, receipts: readonly Buffer[]): Promise<CommitReply> {
    const stored = receipts.map((receipt) => this.check(segment, receipt)).filter((one) => one !== null)
    const { stored: count, threshold } = await this.store.segments.saveReceipts(segment.row, stored)
    return { segment: segment.segment, stored: count, committed: count >= threshold }
  }

  /** `receipt-malformed`, `receipt-mismatch`, `receipt-signature`; null when it is of an older placement. */
  private check(segment: SegmentRow, bytes: Buffer): StoredShard | null {
    const { host, index } = decodeReceipt(bytes)
    const shard = segment.shards[index]
    if (shard === undefined) throw new AppError('receipt-mismatch', 'the segment has no such shard')
    const receipt = verifyReceipt(bytes, {
      host,
      index,
      segment: segment.segment,
      shard: shard.shard,
      length: segment.shardLength,
      pseudonym: pseudonymOf(segment.drive, host),
    })
    if (shard.host !== host || shard.generation !== receipt.generation) return null
    const { generation, hostRow } = shard
    return { index, generation, hostRow, storedAt: this.clock.nowMs(), receipt: bytes }
  }
}
