/**
 * fsck of the ledger: are the tables what a sequence of operations would have left? Findings carry numbers, never names.
 * Reads everything; call it between groups. At most FINDINGS_MAX findings of each kind.
 */
import type { Tables } from './tables.js'
import type { Finding } from './types.js'

const FINDINGS_MAX = 20

/** Each query answers rows that should not be there. `%d` are filled with its columns. */
const QUERIES: [code: string, message: string, sql: string][] = [
  [
    'dentry-without-inode',
    'a name in directory % leads to inode %, which does not exist',
    'SELECT d.parent, d.ino FROM dentry d LEFT JOIN inode i ON i.ino = d.ino WHERE i.ino IS NULL',
  ],
  [
    'dentry-without-directory',
    'a name lies in inode %, which is not a directory',
    'SELECT DISTINCT d.parent FROM dentry d LEFT JOIN inode i ON i.ino = d.parent WHERE i.ino IS NULL OR i.mode & 61440 != 16384',
  ],
  [
    'dentry-type',
    'the name of inode % says another type',
    'SELECT d.ino FROM dentry d JOIN inode i ON i.ino = d.ino WHERE d.type != i.mode & 61440',
  ],
  [
    'file-links',
    'inode % has % links and % names',
    `SELECT i.ino, i.nlink, (SELECT count(*) FROM dentry d WHERE d.ino = i.ino) AS names FROM inode i
     WHERE i.mode & 61440 != 16384 AND i.nlink != coalesce((SELECT n FROM name_count c WHERE c.ino = i.ino), 0)`,
  ],
  [
    'directory-links',
    'directory % has % links, should have %',
    `SELECT i.ino, i.nlink, 2 + coalesce(s.n, 0) FROM inode i LEFT JOIN directory_count s ON s.parent = i.ino
     WHERE i.mode & 61440 = 16384 AND i.nlink != 0 AND i.nlink != 2 + coalesce(s.n, 0)`,
  ],
  [
    'directory-names',
    'directory % has % names',
    `SELECT i.ino, coalesce(c.n, 0) FROM inode i LEFT JOIN name_count c ON c.ino = i.ino
     WHERE i.mode & 61440 = 16384 AND i.ino != 1 AND coalesce(c.n, 0) != (i.nlink != 0)`,
  ],
  [
    'directory-parent',
    'directory % thinks that its parent is %',
    `SELECT i.ino, i.parent FROM inode i JOIN dentry d ON d.ino = i.ino
     WHERE i.mode & 61440 = 16384 AND i.nlink != 0 AND i.parent != d.parent`,
  ],
  [
    'disconnected',
    'directory % cannot be reached from the root',
    `WITH RECURSIVE reached (ino) AS (SELECT 1 UNION SELECT d.ino FROM reached r JOIN dentry d ON d.parent = r.ino
       WHERE d.type = 16384)
     SELECT ino FROM inode WHERE mode & 61440 = 16384 AND nlink != 0 AND ino NOT IN (SELECT ino FROM reached)`,
  ],
  [
    'orphan-names',
    'a removed directory % still has names',
    'SELECT DISTINCT i.ino FROM inode i JOIN dentry d ON d.parent = i.ino WHERE i.nlink = 0',
  ],
  [
    'covered',
    'inode % says that % bytes are allocated, extents say %',
    `SELECT i.ino, i.covered, coalesce(e.n, 0) FROM inode i LEFT JOIN covered_count e ON e.ino = i.ino
     WHERE i.covered != coalesce(e.n, 0)`,
  ],
  [
    'extent-without-inode',
    'an extent belongs to inode %, which is no file',
    'SELECT DISTINCT e.ino FROM extent e LEFT JOIN inode i ON i.ino = e.ino WHERE i.ino IS NULL OR i.mode & 61440 != 32768',
  ],
  [
    'extent-overlap',
    'extents of inode % overlap at %',
    `SELECT ino, offset FROM (SELECT ino, offset, lag(ino) OVER w AS ino0, lag(offset + length) OVER w AS end0
       FROM extent WINDOW w AS (ORDER BY ino, offset)) WHERE ino = ino0 AND offset < end0`,
  ],
  [
    'extent-source',
    'an extent of inode % at % has no source of its own',
    `SELECT e.ino, e.offset FROM extent e LEFT JOIN staged s ON s.id = e.staged LEFT JOIN segment g ON g.id = e.segment
     WHERE e.length <= 0 OR (e.staged IS NOT NULL AND e.segment IS NOT NULL)
       OR (e.staged IS NOT NULL AND (s.id IS NULL OR e.source + e.length > s.length))
       OR (e.segment IS NOT NULL AND (g.id IS NULL OR e.source + e.length > g.plain_length))`,
  ],
  [
    'staged-unused',
    'nobody needs staged row %',
    `SELECT id FROM staged WHERE id NOT IN (SELECT staged FROM extent WHERE staged IS NOT NULL)
       AND id NOT IN (SELECT staged FROM cut_extent)`,
  ],
  [
    'segment-live',
    'segment % says that % bytes are in use, extents say %',
    `SELECT g.id, g.live, coalesce(e.n, 0) FROM segment g LEFT JOIN live_count e ON e.segment = g.id
     WHERE g.live != coalesce(e.n, 0)`,
  ],
  [
    'segment-dead',
    'segment % is in use and counts as given up in epoch %',
    'SELECT id, died FROM segment WHERE live > 0 AND died IS NOT NULL',
  ],
  [
    'xattr-without-inode',
    'an attribute belongs to inode %, which does not exist',
    'SELECT DISTINCT x.ino FROM xattr x LEFT JOIN inode i ON i.ino = x.ino WHERE i.ino IS NULL',
  ],
]

const COUNTS = `
CREATE TEMP TABLE name_count AS SELECT ino, count(*) AS n FROM main.dentry GROUP BY ino;
CREATE INDEX temp.name_count_ino ON name_count (ino);
CREATE TEMP TABLE directory_count AS SELECT parent, count(*) AS n FROM main.dentry WHERE type = 16384 GROUP BY parent;
CREATE INDEX temp.directory_count_parent ON directory_count (parent);
CREATE TEMP TABLE covered_count AS SELECT ino, sum(length) AS n FROM main.extent GROUP BY ino;
CREATE INDEX temp.covered_count_ino ON covered_count (ino);
CREATE TEMP TABLE live_count AS SELECT segment, sum(length) AS n FROM main.extent WHERE segment IS NOT NULL GROUP BY segment;
CREATE INDEX temp.live_count_segment ON live_count (segment);
`
const DROP_COUNTS = ['name_count', 'directory_count', 'covered_count', 'live_count']

export function check(t: Tables): Finding[] {
  const { database } = t
  database.flush()
  const findings: Finding[] = []
  database.db.exec(COUNTS)
  try {
    for (const [code, message, sql] of QUERIES) {
      const rows = database.db.prepare<[], number[]>(`${sql} LIMIT ${FINDINGS_MAX}`).raw().all() as number[][]
      for (const row of rows) {
        const left = [...row]
        findings.push({ code, message: message.replace(/%/g, () => String(left.shift())) })
      }
    }
  } finally {
    for (const name of DROP_COUNTS) database.db.exec(`DROP TABLE temp.${name}`)
  }
  return findings
}
