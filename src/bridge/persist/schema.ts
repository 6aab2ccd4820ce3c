/**
 * Tables of the bridge. Ids are raw bytes; times Unix ms in bridge time. No plaintext name, no key, no plain length.
 *
 * drives.chain_state is what the records up to the head say, verified, so that no append reads the chain again.
 * segments.state: 0 placed, 1 confirmed by a chain record, 2 retired by one. A drive's counters are kept by triggers,
 * so that health costs one row whatever the number of segments.
 * shards.offered: a put token for this host and generation has left the bridge, so the host may hold the shard.
 * deletions: what hosts must forget; a row goes when the host says that it did.
 */
import type { Migration } from '../../sqlite/migrate.js'
import { auditLosses, audits } from './schema-audits.js'
import { reconcile } from './schema-reconcile.js'
import { repairsBegun, repairTables } from './schema-repairs.js'

const first = `
CREATE TABLE facts (name TEXT PRIMARY KEY, value ANY) STRICT, WITHOUT ROWID;

CREATE TABLE accounts (
  account BLOB PRIMARY KEY, recovery_key BLOB NOT NULL, created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE drives (
  id INTEGER PRIMARY KEY, drive BLOB NOT NULL UNIQUE, account BLOB NOT NULL REFERENCES accounts (account),
  label BLOB NOT NULL, created_at INTEGER NOT NULL,
  head_sequence INTEGER NOT NULL, head_hash BLOB NOT NULL, chain_bytes INTEGER NOT NULL, chain_state TEXT NOT NULL,
  writer_device BLOB, writer_term INTEGER, heartbeat_at INTEGER,
  unconfirmed INTEGER NOT NULL DEFAULT 0, confirmed INTEGER NOT NULL DEFAULT 0,
  complete INTEGER NOT NULL DEFAULT 0, host_bytes INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX drives_account ON drives (account);

CREATE TABLE devices (
  device BLOB NOT NULL, drive_row INTEGER NOT NULL REFERENCES drives (id),
  added_at INTEGER NOT NULL, revoked INTEGER NOT NULL, last_seen_at INTEGER,
  PRIMARY KEY (device, drive_row)
) STRICT, WITHOUT ROWID;
CREATE INDEX devices_drive ON devices (drive_row);

CREATE TABLE chain (
  id INTEGER PRIMARY KEY, drive_row INTEGER NOT NULL REFERENCES drives (id), sequence INTEGER NOT NULL,
  kind INTEGER NOT NULL, size INTEGER NOT NULL, hash BLOB NOT NULL, record BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX chain_order ON chain (drive_row, sequence);

CREATE TABLE hosts (
  id INTEGER PRIMARY KEY, host BLOB NOT NULL UNIQUE, operator TEXT, subnet TEXT NOT NULL,
  capacity INTEGER NOT NULL, used INTEGER NOT NULL, free INTEGER NOT NULL,
  created_at INTEGER NOT NULL, reported_at INTEGER NOT NULL, seen_at INTEGER NOT NULL
) STRICT;

CREATE TABLE segments (
  id INTEGER PRIMARY KEY, drive_row INTEGER NOT NULL REFERENCES drives (id), segment BLOB NOT NULL, root BLOB NOT NULL,
  k INTEGER NOT NULL, n INTEGER NOT NULL, padded_length INTEGER NOT NULL, shard_length INTEGER NOT NULL,
  generation INTEGER NOT NULL, threshold INTEGER NOT NULL, stored INTEGER NOT NULL, state INTEGER NOT NULL,
  placed_at INTEGER NOT NULL, retired_at INTEGER
) STRICT;
CREATE UNIQUE INDEX segments_named ON segments (drive_row, segment);
CREATE INDEX segments_short ON segments (drive_row, id) WHERE state = 1 AND stored < n;
CREATE INDEX segments_unconfirmed ON segments (placed_at) WHERE state = 0;
CREATE INDEX segments_retired ON segments (retired_at) WHERE state = 2;

CREATE TABLE shards (
  segment_row INTEGER NOT NULL REFERENCES segments (id), idx INTEGER NOT NULL, shard BLOB NOT NULL,
  host_row INTEGER NOT NULL REFERENCES hosts (id), generation INTEGER NOT NULL,
  offered INTEGER NOT NULL, stored INTEGER NOT NULL, stored_at INTEGER, receipt BLOB,
  PRIMARY KEY (segment_row, idx)
) STRICT, WITHOUT ROWID;
CREATE INDEX shards_missing ON shards (host_row, segment_row) WHERE stored = 0;

CREATE TABLE deletions (
  id INTEGER PRIMARY KEY, host_row INTEGER NOT NULL REFERENCES hosts (id), pseudonym BLOB NOT NULL,
  segment BLOB NOT NULL, idx INTEGER NOT NULL, shard BLOB NOT NULL, generation INTEGER NOT NULL, created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX deletions_host ON deletions (host_row, id);

CREATE TABLE evidence (
  id INTEGER PRIMARY KEY, drive_row INTEGER NOT NULL REFERENCES drives (id), device BLOB NOT NULL,
  host BLOB NOT NULL, segment BLOB NOT NULL, idx INTEGER NOT NULL, kind TEXT NOT NULL, detail TEXT NOT NULL, at INTEGER NOT NULL
) STRICT;
CREATE INDEX evidence_host ON evidence (host);
CREATE INDEX evidence_drive ON evidence (drive_row);

CREATE TRIGGER segments_made AFTER INSERT ON segments BEGIN
  UPDATE drives SET unconfirmed = unconfirmed + (NEW.state = 0), confirmed = confirmed + (NEW.state = 1),
    complete = complete + (NEW.state = 1 AND NEW.stored = NEW.n),
    host_bytes = host_bytes + NEW.stored * NEW.shard_length
  WHERE id = NEW.drive_row;
END;
CREATE TRIGGER segments_changed AFTER UPDATE OF state, stored ON segments BEGIN
  UPDATE drives SET unconfirmed = unconfirmed + (NEW.state = 0) - (OLD.state = 0),
    confirmed = confirmed + (NEW.state = 1) - (OLD.state = 1),
    complete = complete + (NEW.state = 1 AND NEW.stored = NEW.n) - (OLD.state = 1 AND OLD.stored = OLD.n),
    host_bytes = host_bytes + (NEW.stored - OLD.stored) * NEW.shard_length
  WHERE id = NEW.drive_row;
END;
CREATE TRIGGER segments_gone AFTER DELETE ON segments BEGIN
  UPDATE drives SET unconfirmed = unconfirmed - (OLD.state = 0), confirmed = confirmed - (OLD.state = 1),
    complete = complete - (OLD.state = 1 AND OLD.stored = OLD.n),
    host_bytes = host_bytes - OLD.stored * OLD.shard_length
  WHERE id = OLD.drive_row;
END;
`

/**
 * hosts.facts: the last report, JSON. hosts.state: index into HOST_STATES. leaving_at: it asked to leave.
 * shards.lost: the host that it was stored on has it no more (a verdict, or its own word): another host takes it.
 */
const standing = `
ALTER TABLE hosts ADD COLUMN facts TEXT NOT NULL DEFAULT '{}';
ALTER TABLE hosts ADD COLUMN state INTEGER NOT NULL DEFAULT 0;
ALTER TABLE hosts ADD COLUMN vetted_at INTEGER;
ALTER TABLE hosts ADD COLUMN leaving_at INTEGER;
ALTER TABLE hosts ADD COLUMN left_at INTEGER;
ALTER TABLE shards ADD COLUMN lost INTEGER NOT NULL DEFAULT 0;
CREATE INDEX shards_host ON shards (host_row, shard);
`

export const MIGRATIONS: readonly Migration[] = [
  first,
  standing,
  audits,
  repairTables,
  reconcile,
  auditLosses,
  repairsBegun,
]
export const DATABASE_KIND = 'SDBR'
export const DATABASE_FILE = 'bridge.db'
