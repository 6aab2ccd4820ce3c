/**
 * Tables of a bridge that may have lost its books (reconcile/reconciler.ts).
 *
 * marks: what this database was marked with, the newest last: a mark beside it, or at a host, that is not among them tells
 * that the database is an older one. found: what hosts say that lies on them; state: index into FOUND_STATES.
 * hosts.listed: the incarnation that has its inventory; listed_at: when that began. drives.told: the incarnation that a
 * device has told everything that its drive knows.
 */
export const reconcile = `
CREATE TABLE marks (tick INTEGER PRIMARY KEY, incarnation INTEGER NOT NULL, nonce BLOB NOT NULL) STRICT;

CREATE TABLE found (
  host_row INTEGER NOT NULL REFERENCES hosts (id), pseudonym BLOB NOT NULL, segment BLOB NOT NULL, idx INTEGER NOT NULL,
  shard BLOB NOT NULL, generation INTEGER NOT NULL, length INTEGER NOT NULL, stored_at INTEGER NOT NULL,
  state INTEGER NOT NULL, PRIMARY KEY (host_row, pseudonym, segment, idx)
) STRICT, WITHOUT ROWID;
CREATE INDEX found_segment ON found (segment);

ALTER TABLE hosts ADD COLUMN listed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE hosts ADD COLUMN listed_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE drives ADD COLUMN told INTEGER NOT NULL DEFAULT 0;
`
