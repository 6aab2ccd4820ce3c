/**
 * What lies here, in the order of shard ids, for the bridge to compare with its books. Read in pages: between them the
 * host serves others, so a digest may be of no single moment; the bridge looks again before it acts.
 */
import { idBytes, type ShardId } from '../../model/ids.js'
import {
  combineInventory,
  INVENTORY_HASH_BYTES,
  inventoryItemHash,
  type PrefixRange,
  partIndexOf,
} from '../../permits/inventory-item.js'
import type { Database, Statement } from '../../sqlite/driver.js'
import { guarded } from '../../sqlite/failures.js'
import type { ShardRow } from './sql.js'
import { shardOf } from './sql.js'
import type { ShardKey, StoredShard } from './types.js'

/** About 5 ms of hashing. */
const PAGE = 2_000
/** Behind every shard id. */
const END = Buffer.alloc(33, 0xff)
const EMPTY = Buffer.alloc(0)

type Cursor = [Buffer, Buffer, Buffer, number]

export class InventoryRows {
  private readonly page: Statement<[...Cursor, Buffer, number], ShardRow>

  constructor(db: Database) {
    this.page = db.prepare(
      `SELECT pseudonym, segment, idx, shard, volume, offset, length, generation, stored_at AS storedAtMs,
         keep_until AS keepUntilMs, damaged, trashed_at AS trashedAtMs, 0 AS recordBytes
       FROM shards WHERE (shard, pseudonym, segment, idx) > (?, ?, ?, ?) AND shard < ?
       ORDER BY shard, pseudonym, segment, idx LIMIT ?`,
    ) as Statement<[...Cursor, Buffer, number], ShardRow>
  }

  /** Of each part: how many sound shards are served, and their digest. Yields. */
  async digests(range: PrefixRange, parts: number, signal: AbortSignal): Promise<{ count: number; digest: Buffer }[]> {
    const sums = Array.from({ length: parts }, () => ({ count: 0, digest: Buffer.alloc(INVENTORY_HASH_BYTES) }))
    let after: (ShardKey & { shard: ShardId }) | null = null
    for (;;) {
      signal.throwIfAborted()
      const page: StoredShard[] = this.list(range, after, PAGE)
      for (const one of page) {
        if (one.damaged || one.trashedAtMs !== null) continue
        const sum = sums[partIndexOf(range, parts, Number.parseInt(one.shard.slice(0, 8), 16))]
        if (sum === undefined) continue
        sum.count++
        combineInventory(sum.digest, inventoryItemHash(one))
      }
      if (page.length < PAGE) return sums
      after = page[PAGE - 1] as StoredShard
      await new Promise((resolve) => setImmediate(resolve))
    }
  }

  /** Also damaged ones and those in the trash; those behind `after`, or from the beginning of the range. */
  list(range: PrefixRange, after: (ShardKey & { shard: ShardId }) | null, limit: number): StoredShard[] {
    const cursor: Cursor =
      after === null
        ? [prefixBytes(range.from), EMPTY, EMPTY, -1]
        : [idBytes(after.shard), idBytes(after.pseudonym), idBytes(after.segment), after.index]
    return guarded(() => this.page.all(...cursor, prefixBytes(range.to), limit)).map(shardOf)
  }
}

/** Four bytes stand before every id that begins with them. */
function prefixBytes(prefix: number): Buffer {
  if (prefix === 2 ** 32) return END
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(prefix)
  return bytes
}
