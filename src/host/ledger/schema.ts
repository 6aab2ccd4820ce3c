/**
 * Tables of the host's index. Everything in it is derived from the volumes and can be built again from them; what is
 * not lives in a database of its own (kept.ts).
 */
import type { Migration } from '../../sqlite/migrate.js'
import { narrowKeys } from './narrow-keys.js'

export const INDEX_KIND = 'SDHI'
export const KEPT_KIND = 'SDHK'

/**
 * volumes.indexed_to: every record below this offset is in the index. Exact at all times:
 * indexed_to = header bytes + live_bytes + trash_bytes + dead_bytes.
 * covers: volume `volume` holds so many records that end or replace one in `target`, so it must outlive `target`:
 * without them a rebuild would bring the ended records back.
 * shards.place, shards.shard_key: 48 bits of a hash (keys.ts); item: of the inventory, null when it is not counted there.
 */
export const INDEX_MIGRATIONS: readonly Migration[] = [
  `CREATE TABLE volumes (
     number INTEGER PRIMARY KEY,
     indexed_to INTEGER NOT NULL,
     live_bytes INTEGER NOT NULL,
     dead_bytes INTEGER NOT NULL,
     live_records INTEGER NOT NULL
   ) STRICT;
   CREATE TABLE shards (
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
     damaged INTEGER NOT NULL DEFAULT 0,
     PRIMARY KEY (pseudonym, segment, idx)
   ) STRICT, WITHOUT ROWID;
   CREATE INDEX shards_by_id ON shards (shard, pseudonym);
   CREATE TABLE serials (serial BLOB PRIMARY KEY, expires INTEGER NOT NULL, volume INTEGER NOT NULL)
   STRICT, WITHOUT ROWID;
   CREATE INDEX serials_by_expiry ON serials (expires);
   CREATE TABLE covers (volume INTEGER, target INTEGER, PRIMARY KEY (volume, target)) STRICT, WITHOUT ROWID;
   CREATE TABLE damage (
     volume INTEGER NOT NULL,
     offset INTEGER NOT NULL,
     bytes INTEGER NOT NULL,
     reason TEXT NOT NULL,
     found_at INTEGER NOT NULL,
     PRIMARY KEY (volume, offset)
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE facts (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;`,
  // Trash: thrown away at this time (own clock), not served, its bytes still here. Counted apart from live bytes.
  `ALTER TABLE shards ADD COLUMN trashed_at INTEGER;
   ALTER TABLE volumes ADD COLUMN trash_bytes INTEGER NOT NULL DEFAULT 0;
   ALTER TABLE volumes ADD COLUMN trash_records INTEGER NOT NULL DEFAULT 0;
   CREATE INDEX shards_trashed ON shards (trashed_at) WHERE trashed_at IS NOT NULL;
   CREATE INDEX shards_by_place ON shards (volume, offset);
   CREATE INDEX shards_damaged ON shards (volume) WHERE damaged <> 0;`,
  narrowKeys,
  // By end first: tokens end about in the order in which they are used, so that a put writes where the put before it did. Of
  // those read back from volumes the end is not known, only when they may be forgotten; they are found by serial.
  `ALTER TABLE serials RENAME TO replayed_serials;
   CREATE TABLE serials (expires INTEGER NOT NULL, serial BLOB NOT NULL, PRIMARY KEY (expires, serial))
   STRICT, WITHOUT ROWID;`,
]

export const KEPT_MIGRATIONS: readonly Migration[] = [
  `CREATE TABLE witnesses (pseudonym BLOB PRIMARY KEY, sequence INTEGER NOT NULL, witness BLOB NOT NULL)
   STRICT, WITHOUT ROWID;
   CREATE TABLE serials (serial BLOB PRIMARY KEY, expires INTEGER NOT NULL) STRICT, WITHOUT ROWID;`,
  // What was lost here and the bridge has not been told yet; and how far the scrub is.
  `CREATE TABLE losses (
     pseudonym BLOB NOT NULL, segment BLOB NOT NULL, idx INTEGER NOT NULL, shard BLOB NOT NULL,
     generation INTEGER NOT NULL, found_at INTEGER NOT NULL,
     PRIMARY KEY (pseudonym, segment, idx)
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE facts (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;`,
  // What the bridge said last how far its books had come.
  'CREATE TABLE bridge_marks (one INTEGER PRIMARY KEY CHECK (one = 1), mark BLOB NOT NULL) STRICT;',
  'CREATE INDEX serials_by_expiry ON serials (expires);',
]
