/**
 * What lies here, in the order of shard ids, for the bridge to compare with its books. Read in pages: between them the
 * host serves others, so a digest may be of no single moment; the bridge looks again before it acts.
 */
import { idBytes, type ShardId } from '../../model/ids.js'
import { combineInventory, INVENTORY_HASH_BYTES, type PrefixRange, partIndexOf } from '../../permits/inventory-item.js'
import type { Database, Statement } from '../../sqlite/driver.js'
import { guarded } from '../../sqlite/failures.js'
import { KEYS_PER_PREFIX, shardKey } from './keys.js'
import { SHARD, type ShardRow, shardOf } from './sql.js'
import type { ShardKey, StoredShard } from './types.js'

/** Entries of the index alone, no rows: some milliseconds. */
const PAGE = 4_000
const EMPTY = Buffer.alloc(0)

type Item = [shardKey: number, id: number, item: Buffer | null]
type Place = [Buffer, Buffer, Buffer, number]

export class InventoryRows {
  private readonly items: Statement<[number, number, number, number], Item>
  private readonly page: Statement<[number, number, ...Place, number], ShardRow>

  constructor(db: Database) {
    // Everything that it reads is in the index by id.
    this.items = db
      .prepare(
        `SELECT shard_key, id, item FROM shards WHERE (shard_key, id) > (?, ?) AND shard_key < ?
         ORDER BY shard_key, id LIMIT ?`,
      )
      .raw() as unknown as Statement<[number, number, number, number], Item>
    this.page = db.prepare(
      `SELECT ${SHARD} FROM shards WHERE shard_key >= ? AND shard_key < ?
         AND (shard, pseudonym, segment, idx) > (?, ?, ?, ?)
       ORDER BY shard_key, shard, pseudonym, segment, idx LIMIT ?`,
    ) as Statement<[number, number, ...Place, number], ShardRow>
  }

  /** Of each part: how many sound shards are served, and their digest. Yields. */
  async digests(range: PrefixRange, parts: number, signal: AbortSignal): Promise<{ count: number; digest: Buffer }[]> {
    const sums = Array.from({ length: parts }, () => ({ count: 0, digest: Buffer.alloc(INVENTORY_HASH_BYTES) }))
    let after: [shardKey: number, id: number] = [range.from * KEYS_PER_PREFIX - 1, Number.MAX_SAFE_INTEGER]
    for (;;) {
      signal.throwIfAborted()
      const page = guarded(() => this.items.all(...after, range.to * KEYS_PER_PREFIX, PAGE))
      for (const [key, , item] of page) {
        if (item === null) continue
        const sum = sums[partIndexOf(range, parts, Math.floor(key / KEYS_PER_PREFIX))]
        if (sum === undefined) continue
        sum.count++
        combineInventory(sum.digest, item)
      }
      const last = page.at(-1)
      if (last === undefined || page.length < PAGE) return sums
      after = [last[0], last[1]]
      await new Promise((resolve) => setImmediate(resolve))
    }
  }

  /** Also damaged ones and those in the trash; those behind `after`, or from the beginning of the range. */
  list(range: PrefixRange, after: (ShardKey & { shard: ShardId }) | null, limit: number): StoredShard[] {
    const place: Place =
      after === null
        ? [EMPTY, EMPTY, EMPTY, -1]
        : [idBytes(after.shard), idBytes(after.pseudonym), idBytes(after.segment), after.index]
    const fromKey = after === null ? 0 : shardKey(place[0])
    const from = Math.max(range.from * KEYS_PER_PREFIX, fromKey)
    return guarded(() => this.page.all(from, range.to * KEYS_PER_PREFIX, ...place, limit)).map(shardOf)
  }
}
