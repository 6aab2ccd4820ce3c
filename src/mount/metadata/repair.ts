/**
 * Repairs of a ledger that lose nothing whatever was wrong: numbers that other rows tell, and staged rows that nobody names. What is
 * left can only be had from the chain. A file without a name is never made an orphan here (that would be its end), and
 * a segment that lost its last extent is never given up.
 */
import type { Tables } from './tables.js'

/** In order: what is mended first is counted by those behind it. */
const REPAIRS: [code: string, sql: string][] = [
  [
    'dentry-type',
    `UPDATE dentry SET type = (SELECT i.mode & 61440 FROM inode i WHERE i.ino = dentry.ino)
     WHERE EXISTS (SELECT 1 FROM inode i WHERE i.ino = dentry.ino AND i.mode & 61440 != dentry.type)`,
  ],
  [
    'file-links',
    `UPDATE inode SET nlink = c.n FROM (SELECT ino AS named, count(*) AS n FROM dentry GROUP BY ino) c
     WHERE c.named = inode.ino AND inode.mode & 61440 != 16384 AND inode.nlink != c.n`,
  ],
  [
    'directory-parent',
    `UPDATE inode SET parent = c.above FROM (SELECT ino AS named, min(parent) AS above, count(*) AS n FROM dentry GROUP BY ino) c
     WHERE c.named = inode.ino AND c.n = 1 AND inode.mode & 61440 = 16384 AND inode.nlink != 0 AND inode.parent != c.above`,
  ],
  [
    'directory-links',
    `UPDATE inode SET nlink = 2 + (SELECT count(*) FROM dentry d WHERE d.parent = inode.ino AND d.type = 16384)
     WHERE mode & 61440 = 16384 AND nlink != 0
       AND nlink != 2 + (SELECT count(*) FROM dentry d WHERE d.parent = inode.ino AND d.type = 16384)`,
  ],
  [
    'covered',
    `UPDATE inode SET covered = coalesce((SELECT sum(length) FROM extent e WHERE e.ino = inode.ino), 0)
     WHERE covered != coalesce((SELECT sum(length) FROM extent e WHERE e.ino = inode.ino), 0)`,
  ],
  [
    'segment-live',
    `UPDATE segment SET live = l.n FROM (SELECT g.id AS row, coalesce(sum(e.length), 0) AS n FROM segment g
       LEFT JOIN extent e ON e.segment = g.id GROUP BY g.id) l WHERE l.row = segment.id AND segment.live != l.n`,
  ],
  ['segment-dead', 'UPDATE segment SET died = NULL WHERE live > 0 AND died IS NOT NULL'],
  [
    'staged-unused',
    `DELETE FROM staged WHERE id NOT IN (SELECT staged FROM extent WHERE staged IS NOT NULL)
       AND id NOT IN (SELECT staged FROM cut_extent)`,
  ],
]

export interface Repaired {
  readonly code: string
  readonly rows: number
}

/** One transaction, durable. Call it after check() found something: it reads as much. */
export function repair(t: Tables): Repaired[] {
  const { database } = t
  const repaired: Repaired[] = []
  database.alone(() => {
    for (const [code, sql] of REPAIRS) {
      const rows = database.db.prepare(sql).run().changes
      if (rows > 0) repaired.push({ code, rows })
    }
  }, true)
  if (repaired.length > 0) {
    t.inodes.drop()
    t.segments.drop()
  }
  return repaired
}
