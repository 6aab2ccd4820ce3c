/**
 * Tables of ledger.db. Released migrations are never changed: a change is another entry.
 *
 * Names are blobs (raw bytes, compared bytewise). Times are two integers (seconds, nanoseconds): one of 64 bits does not
 * fit a JavaScript number. `changed` of an inode is the log position of the last operation on it.
 */
import type { Migration } from '../../sqlite/migrate.js'

/** 'SDLG' as application id. */
export const LEDGER_KIND = 'SDLG'

const FIRST = `
CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE inode (
  ino INTEGER PRIMARY KEY,
  file BLOB NOT NULL UNIQUE,
  mode INTEGER NOT NULL, nlink INTEGER NOT NULL, uid INTEGER NOT NULL, gid INTEGER NOT NULL, rdev INTEGER NOT NULL,
  size INTEGER NOT NULL,
  covered INTEGER NOT NULL,
  atime INTEGER NOT NULL, atime_ns INTEGER NOT NULL, mtime INTEGER NOT NULL, mtime_ns INTEGER NOT NULL,
  ctime INTEGER NOT NULL, ctime_ns INTEGER NOT NULL, btime INTEGER NOT NULL, btime_ns INTEGER NOT NULL,
  parent INTEGER NOT NULL,
  target BLOB,
  changed INTEGER NOT NULL
) STRICT;
CREATE INDEX inode_orphan ON inode (ino) WHERE nlink = 0;

CREATE TABLE dentry (
  parent INTEGER NOT NULL, name BLOB NOT NULL,
  ino INTEGER NOT NULL, type INTEGER NOT NULL,
  cookie INTEGER NOT NULL,
  PRIMARY KEY (parent, name)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX dentry_order ON dentry (parent, cookie);

CREATE TABLE xattr (
  ino INTEGER NOT NULL, name BLOB NOT NULL, value BLOB NOT NULL,
  PRIMARY KEY (ino, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE extent (
  ino INTEGER NOT NULL, offset INTEGER NOT NULL, length INTEGER NOT NULL,
  staged INTEGER, segment INTEGER,
  source INTEGER NOT NULL,
  PRIMARY KEY (ino, offset)
) STRICT, WITHOUT ROWID;
CREATE INDEX extent_staged ON extent (staged) WHERE staged IS NOT NULL;

CREATE TABLE staged (id INTEGER PRIMARY KEY, length INTEGER NOT NULL, sealed BLOB NOT NULL) STRICT;

CREATE TABLE segment (
  id INTEGER PRIMARY KEY,
  segment BLOB NOT NULL UNIQUE, root BLOB NOT NULL,
  k INTEGER NOT NULL, n INTEGER NOT NULL, key_term INTEGER NOT NULL,
  plain_length INTEGER NOT NULL, padded_length INTEGER NOT NULL, shard_length INTEGER NOT NULL,
  live INTEGER NOT NULL,
  stored INTEGER NOT NULL,
  born INTEGER NOT NULL,
  died INTEGER,
  retired INTEGER,
  snapshot INTEGER
) STRICT;
CREATE INDEX segment_dead ON segment (died) WHERE died IS NOT NULL;
CREATE INDEX segment_short ON segment (id) WHERE stored < n;
CREATE TABLE pending_segment (segment BLOB PRIMARY KEY) STRICT, WITHOUT ROWID;
CREATE TABLE placement (segment BLOB PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE op_log (
  last INTEGER PRIMARY KEY, first INTEGER NOT NULL,
  time_ms INTEGER NOT NULL,
  operations BLOB NOT NULL
) STRICT;

CREATE TABLE epoch (
  epoch INTEGER PRIMARY KEY,
  log_from INTEGER NOT NULL, log_to INTEGER NOT NULL,
  staged_to INTEGER NOT NULL,
  operation_bytes INTEGER NOT NULL, staged_bytes INTEGER NOT NULL,
  first_ms INTEGER NOT NULL, time_ms INTEGER NOT NULL,
  stage TEXT NOT NULL,
  retire BLOB,
  record_sequence INTEGER
) STRICT;
CREATE TABLE cut_extent (
  epoch INTEGER NOT NULL, file BLOB NOT NULL, offset INTEGER NOT NULL, length INTEGER NOT NULL,
  staged INTEGER NOT NULL, source INTEGER NOT NULL,
  PRIMARY KEY (epoch, file, offset)
) STRICT, WITHOUT ROWID;
CREATE TABLE mapping (
  staged INTEGER PRIMARY KEY, epoch INTEGER NOT NULL, segment INTEGER NOT NULL, offset INTEGER NOT NULL
) STRICT;
CREATE INDEX mapping_epoch ON mapping (epoch);

CREATE TABLE record (sequence INTEGER PRIMARY KEY, hash BLOB NOT NULL, encoded BLOB NOT NULL) STRICT;
CREATE TABLE snapshot (epoch INTEGER PRIMARY KEY, sequence INTEGER) STRICT;
`

/** How many shards are stored is the bridge's to say: nobody kept it here. */
const NO_STORED_COUNT = `
DROP INDEX segment_short;
ALTER TABLE segment DROP COLUMN stored;
`

/** What this device keeps here (docs/semantics.md, S-36): a fact of the machine, like inode numbers, and in no operation. */
const PINS = 'CREATE TABLE pin (number INTEGER PRIMARY KEY, ino INTEGER NOT NULL UNIQUE) STRICT;'

export const LEDGER_MIGRATIONS: readonly Migration[] = [FIRST, NO_STORED_COUNT, PINS]
