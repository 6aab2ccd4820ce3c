/** What a bridge has written down, read beside it: which shard it believes on which host. */
import path from 'node:path'
import Database from 'better-sqlite3'

export interface BookedShard {
  segment: string
  drive: string
  dataShards: number
  totalShards: number
  bytes: number
  host: string
  index: number
}

/** Shards with a receipt; of segments that a record confirmed, or of all that hosts should hold. */
export function bookedShards(bridgeDir: string, which: 'confirmed' | 'all'): BookedShard[] {
  const states = which === 'confirmed' ? 'segments.state = 1' : '1'
  return readBooks(bridgeDir, (db) =>
    db
      .prepare(
        `SELECT lower(hex(segments.segment)) AS segment, lower(hex(drive)) AS drive, k AS dataShards, n AS totalShards,
           shard_length AS bytes, lower(hex(hosts.host)) AS host, idx AS "index"
         FROM shards JOIN segments ON segments.id = segment_row JOIN hosts ON hosts.id = host_row
         JOIN drives ON drives.id = drive_row WHERE shards.stored = 1 AND ${states}`,
      )
      .all(),
  ) as BookedShard[]
}

/** Bytes of shards with a receipt on this host. */
export function bytesOn(bridgeDir: string, host: string): number {
  return bookedShards(bridgeDir, 'all')
    .filter((one) => one.host === host)
    .reduce((sum, one) => sum + one.bytes, 0)
}

export function readBooks<T>(bridgeDir: string, read: (db: Database.Database) => T): T {
  const db = new Database(path.join(bridgeDir, 'bridge.db'), { readonly: true, timeout: 10_000 })
  try {
    return read(db)
  } finally {
    db.close()
  }
}
