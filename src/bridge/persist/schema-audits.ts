/**
 * Tables of audits and reputation. Rounds and windows are numbers: time divided by their length (audits/times.ts).
 *
 * holdings: what is stored on each host now, kept by triggers: no audit and no standing counts shards.
 * proofs: what is stored on each host, small and in the order of place, the first bytes of its shard id: what audits draw
 * from, kept by the same triggers. proved_at: when the shard was last proved; at first when its receipt came. Apart from
 * shards, whose rows are large: a burst writes sixteen of these, and most of a host's lie on a few pages.
 * standings: score and known as reputation/score.ts moves them; state_at: since when the host is in its state.
 * audit_requests: shards to be asked for before any others are drawn, not before due_at. cause: index into CAUSES of
 * audit-records.ts. leaf: the very leaf that was asked for before, null for any. tries: how often it came to nothing.
 * held_verdicts: what was found in a round that is not closed yet; penalties wait for its end. tries: how often it was
 * found while penalties were frozen. success: leaves proved in the same burst, which count when the failures do.
 * audit_windows: what a host was asked in each window, and what came of it. audit_rounds: how many hosts were asked; gone since.
 * accusers: devices that reported evidence, and how often the audit found them right or wrong.
 */
export const audits = `
CREATE TABLE holdings (host_row INTEGER PRIMARY KEY, shards INTEGER NOT NULL, bytes INTEGER NOT NULL) STRICT;
INSERT INTO holdings SELECT host_row, count(*), sum(shard_length)
  FROM shards JOIN segments ON segments.id = segment_row WHERE shards.stored = 1 GROUP BY host_row;

CREATE TABLE proofs (
  host_row INTEGER NOT NULL, place BLOB NOT NULL, segment_row INTEGER NOT NULL, idx INTEGER NOT NULL,
  bytes INTEGER NOT NULL, proved_at INTEGER, PRIMARY KEY (host_row, place, segment_row, idx)
) STRICT, WITHOUT ROWID;
CREATE INDEX proofs_oldest ON proofs (host_row, proved_at);
INSERT INTO proofs SELECT host_row, substr(shard, 1, 6), segment_row, idx, shard_length, stored_at
  FROM shards JOIN segments ON segments.id = segment_row WHERE shards.stored = 1;

CREATE TRIGGER shards_moved AFTER UPDATE OF stored, host_row ON shards
WHEN NEW.stored <> OLD.stored OR (NEW.stored = 1 AND NEW.host_row <> OLD.host_row) BEGIN
  UPDATE holdings SET shards = shards - 1,
    bytes = bytes - (SELECT shard_length FROM segments WHERE id = OLD.segment_row)
  WHERE host_row = OLD.host_row AND OLD.stored = 1;
  DELETE FROM proofs WHERE host_row = OLD.host_row AND place = substr(OLD.shard, 1, 6)
    AND segment_row = OLD.segment_row AND idx = OLD.idx;
  INSERT OR REPLACE INTO proofs
    SELECT NEW.host_row, substr(NEW.shard, 1, 6), NEW.segment_row, NEW.idx, shard_length, NEW.stored_at
    FROM segments WHERE id = NEW.segment_row AND NEW.stored = 1;
  INSERT INTO holdings SELECT NEW.host_row, 1, shard_length FROM segments WHERE id = NEW.segment_row AND NEW.stored = 1
  ON CONFLICT (host_row) DO UPDATE SET shards = shards + 1, bytes = bytes + excluded.bytes;
END;
CREATE TRIGGER shards_gone AFTER DELETE ON shards WHEN OLD.stored = 1 BEGIN
  UPDATE holdings SET shards = shards - 1,
    bytes = bytes - (SELECT shard_length FROM segments WHERE id = OLD.segment_row)
  WHERE host_row = OLD.host_row;
  DELETE FROM proofs WHERE host_row = OLD.host_row AND place = substr(OLD.shard, 1, 6)
    AND segment_row = OLD.segment_row AND idx = OLD.idx;
END;

CREATE TABLE standings (
  host_row INTEGER PRIMARY KEY REFERENCES hosts (id), score REAL NOT NULL, known REAL NOT NULL,
  success INTEGER NOT NULL, fail INTEGER NOT NULL, lost INTEGER NOT NULL, offline INTEGER NOT NULL,
  timeout INTEGER NOT NULL, unknown INTEGER NOT NULL,
  first_at INTEGER, state_at INTEGER NOT NULL, round INTEGER NOT NULL, answer_ms REAL
) STRICT;

CREATE TABLE audit_windows (
  host_row INTEGER NOT NULL, at_window INTEGER NOT NULL, asked INTEGER NOT NULL, online INTEGER NOT NULL,
  success INTEGER NOT NULL, fail INTEGER NOT NULL, PRIMARY KEY (host_row, at_window)
) STRICT, WITHOUT ROWID;
CREATE TABLE audit_rounds (round INTEGER PRIMARY KEY, hosts INTEGER NOT NULL) STRICT;

CREATE TABLE audit_requests (
  host_row INTEGER NOT NULL, segment_row INTEGER NOT NULL, idx INTEGER NOT NULL, generation INTEGER NOT NULL,
  leaf INTEGER, cause INTEGER NOT NULL, tries INTEGER NOT NULL, due_at INTEGER NOT NULL, accuser BLOB,
  PRIMARY KEY (host_row, segment_row, idx)
) STRICT, WITHOUT ROWID;
CREATE INDEX audit_requests_due ON audit_requests (host_row, due_at);

CREATE TABLE held_verdicts (
  id INTEGER PRIMARY KEY, round INTEGER NOT NULL, host_row INTEGER NOT NULL, segment_row INTEGER NOT NULL,
  idx INTEGER NOT NULL, generation INTEGER NOT NULL, admitted INTEGER NOT NULL, tries INTEGER NOT NULL,
  success INTEGER NOT NULL, why TEXT NOT NULL, transcript INTEGER, at INTEGER NOT NULL, UNIQUE (host_row, segment_row, idx)
) STRICT;
CREATE INDEX held_round ON held_verdicts (round);

CREATE TABLE accusers (device BLOB PRIMARY KEY, was_right INTEGER NOT NULL, was_wrong INTEGER NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE notices (
  id INTEGER PRIMARY KEY, host_row INTEGER NOT NULL, at INTEGER NOT NULL, state INTEGER NOT NULL, why TEXT NOT NULL,
  transcript INTEGER
) STRICT;
CREATE INDEX notices_host ON notices (host_row, id);

CREATE TABLE transcripts (
  id INTEGER PRIMARY KEY AUTOINCREMENT, host_row INTEGER NOT NULL, at INTEGER NOT NULL, body BLOB NOT NULL
) STRICT;
CREATE INDEX transcripts_host ON transcripts (host_row, id);
`

/**
 * audit_windows.fail counts shards caught lost, admitted those that the host named itself, frozen what was found while penalties
 * were frozen (audits/breaker.ts). Who was asked in a round stands in standings.round.
 */
export const auditLosses = `
ALTER TABLE audit_windows ADD COLUMN admitted INTEGER NOT NULL DEFAULT 0;
ALTER TABLE audit_windows ADD COLUMN frozen INTEGER NOT NULL DEFAULT 0;
DROP TABLE audit_rounds;
CREATE INDEX audit_frozen ON audit_windows (at_window) WHERE frozen > 0;
`
