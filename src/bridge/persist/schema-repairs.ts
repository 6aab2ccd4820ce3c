/**
 * Tables of repair and of the rounds of garbage collection.
 *
 * repair_queue.state: index into QUEUE_STATES. repair_leases: who works on a segment, and until when; also completions
 * hold one. repair_moves: a shard that its lease gives to another host. The row in `shards` stays as it is until the new
 * host's receipt is here; a move that comes to nothing becomes a deletion for the host that may have stored it.
 * repair_hosts: the presence of each host as its segments were last counted (index into PRESENCES), and how far a walk
 * over them is. repair_dirty: segments that lost a shard since.
 */
export const repairTables = `
CREATE TABLE repair_queue (
  segment_row INTEGER PRIMARY KEY, days REAL NOT NULL, healthy INTEGER NOT NULL, reachable INTEGER NOT NULL,
  spare INTEGER NOT NULL, state INTEGER NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, next_at INTEGER NOT NULL DEFAULT 0,
  code TEXT, queued_at INTEGER NOT NULL
) STRICT;
CREATE INDEX repair_order ON repair_queue (days, segment_row) WHERE state = 0;
CREATE INDEX repair_states ON repair_queue (state, spare);

CREATE TABLE repair_leases (
  segment_row INTEGER PRIMARY KEY, lease INTEGER NOT NULL UNIQUE, holder BLOB NOT NULL, until INTEGER NOT NULL
) STRICT;
CREATE INDEX repair_leases_until ON repair_leases (until);

CREATE TABLE repair_moves (
  segment_row INTEGER NOT NULL, idx INTEGER NOT NULL, lease INTEGER NOT NULL,
  host_row INTEGER NOT NULL REFERENCES hosts (id), generation INTEGER NOT NULL,
  from_row INTEGER NOT NULL, from_generation INTEGER NOT NULL, pseudonym BLOB NOT NULL, segment BLOB NOT NULL,
  shard BLOB NOT NULL, made_at INTEGER NOT NULL,
  PRIMARY KEY (segment_row, idx)
) STRICT, WITHOUT ROWID;
CREATE INDEX repair_moves_lease ON repair_moves (lease);
CREATE INDEX repair_moves_host ON repair_moves (host_row, shard);

CREATE TABLE repair_hosts (
  host_row INTEGER PRIMARY KEY REFERENCES hosts (id), presence INTEGER NOT NULL, since INTEGER NOT NULL,
  walking INTEGER NOT NULL, walk_shard BLOB NOT NULL, walk_segment INTEGER NOT NULL, reconciled_at INTEGER
) STRICT;

CREATE INDEX deletions_named ON deletions (host_row, segment, idx);

CREATE TABLE repair_dirty (segment_row INTEGER PRIMARY KEY) STRICT;

CREATE TRIGGER shards_lost AFTER UPDATE OF lost ON shards WHEN NEW.lost = 1 BEGIN
  INSERT INTO repair_dirty VALUES (NEW.segment_row) ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER segments_unrepaired BEFORE DELETE ON segments BEGIN
  INSERT INTO deletions (host_row, pseudonym, segment, idx, shard, generation, created_at)
    SELECT host_row, pseudonym, segment, idx, shard, generation, made_at FROM repair_moves WHERE segment_row = OLD.id;
  DELETE FROM repair_moves WHERE segment_row = OLD.id;
  DELETE FROM repair_leases WHERE segment_row = OLD.id;
  DELETE FROM repair_queue WHERE segment_row = OLD.id;
  DELETE FROM repair_dirty WHERE segment_row = OLD.id;
END;
`

/** repair_queue.begun: shards of it were made up for, and not yet all of them. */
export const repairsBegun = 'ALTER TABLE repair_queue ADD COLUMN begun INTEGER NOT NULL DEFAULT 0;'
