/**
 * Third migration of the index: rows in the order in which they came, found by short keys; see keys.ts. The fact
 * `upgraded`: shards that were deleted before there was a trash are not in it, though a rebuilt index would have them there.
 */
import { pseudonymId, segmentId, shardId } from '../../model/ids.js'
import { inventoryItemHash } from '../../permits/inventory-item.js'
import type { Database } from '../../sqlite/driver.js'
import { placeKey, shardKey } from './keys.js'

const TABLE = `
  CREATE TABLE shards (
    id INTEGER PRIMARY KEY,
    place INTEGER NOT NULL,
    shard_key INTEGER NOT NULL,
    item BLOB,
    pseudonym BLOB NOT NULL,
    segment BLOB NOT NULL,
    idx INTEGER NOT NULL,
    shard BLOB NOT NULL,
    volume INTEGER NOT NULL,
    offset INTEGER NOT NULL,
    length INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    stored_at INTEGER NOT NULL,
    keep_until INTEGER NOT NULL,
    damaged INTEGER NOT NULL,
    trashed_at INTEGER
  ) STRICT;
  CREATE INDEX shards_by_place ON shards (place);
  CREATE INDEX shards_by_id ON shards (shard_key, id, item);
  CREATE UNIQUE INDEX shards_by_record ON shards (volume, offset);
  CREATE INDEX shards_trashed ON shards (trashed_at) WHERE trashed_at IS NOT NULL;
  CREATE INDEX shards_damaged ON shards (volume) WHERE damaged <> 0;`

export function narrowKeys(db: Database): void {
  const fixed = { deterministic: true, directOnly: true }
  db.function('place_key', fixed, (pseudonym, segment, idx) =>
    placeKey(pseudonym as Buffer, segment as Buffer, idx as number),
  )
  db.function('shard_key', fixed, (shard) => shardKey(shard as Buffer))
  db.function('item_hash', fixed, itemOf as (...args: unknown[]) => Buffer)
  db.exec(`DROP INDEX shards_by_place; DROP INDEX shards_by_id; DROP INDEX shards_trashed; DROP INDEX shards_damaged;
    ALTER TABLE shards RENAME TO shards_before;
    ${TABLE}
    INSERT INTO shards SELECT NULL, place_key(pseudonym, segment, idx), shard_key(shard),
      CASE WHEN damaged = 0 AND trashed_at IS NULL
        THEN item_hash(pseudonym, segment, idx, shard, generation, length) END,
      pseudonym, segment, idx, shard, volume, offset, length, generation, stored_at, keep_until, damaged, trashed_at
      FROM shards_before;
    DROP TABLE shards_before;
    CREATE TABLE used (serial BLOB PRIMARY KEY, expires INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    INSERT INTO used SELECT serial, expires FROM serials;
    DROP TABLE serials;
    ALTER TABLE used RENAME TO serials;
    CREATE INDEX serials_by_expiry ON serials (expires);
    ALTER TABLE covers ADD COLUMN records INTEGER NOT NULL DEFAULT 1;
    ALTER TABLE volumes ADD COLUMN missing INTEGER NOT NULL DEFAULT 0;
    INSERT INTO facts SELECT 'upgraded', 1 FROM volumes LIMIT 1;`)
}

function itemOf(pseudonym: Buffer, segment: Buffer, index: number, shard: Buffer, generation: number, length: number) {
  const ids = { pseudonym: pseudonymId(pseudonym), segment: segmentId(segment), shard: shardId(shard) }
  return inventoryItemHash({ ...ids, index, generation, length })
}
