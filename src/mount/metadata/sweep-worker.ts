/** The thread of a sweep: the structure of every table but staged rows' bytes, one table after the other, each in a short read of its own. */
import { parentPort, workerData } from 'node:worker_threads'
import { type AppError, isCode } from '../../base/errors.js'
import type { Database } from '../../sqlite/driver.js'
import { sqliteFailure } from '../../sqlite/failures.js'
import { openDatabase, quickCheck } from '../../sqlite/open.js'
import { packError } from './packing.js'
import { LEDGER_KIND, LEDGER_MIGRATIONS } from './schema.js'
import type { Swept } from './sweep.js'

const CACHE_BYTES = 4 * 1_048_576
const TABLES = `SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name <> 'staged' ORDER BY name`
/** A quick_check would follow the pages of every row's bytes: gigabytes in one read, and as long the ledger could not begin its log anew. */
const STAGED =
  'SELECT max(id) AS last, count(length) AS rows FROM (SELECT id, length FROM staged WHERE id > ? ORDER BY id LIMIT 4096)'

/** The first damage in words; null: none. Other failures (a full disk, one that cannot be read) say nothing about the ledger. */
function sweep(file: string): Swept {
  try {
    const db = openDatabase(file, {
      migrations: LEDGER_MIGRATIONS,
      kind: LEDGER_KIND,
      readOnly: true,
      cacheBytes: CACHE_BYTES,
    })
    try {
      for (const table of db.prepare<[], string>(TABLES).pluck().all()) quickCheck(db, table)
      lookThroughStaged(db)
      return { damage: null }
    } finally {
      db.close()
    }
  } catch (error) {
    const failure = sqliteFailure(error)
    if (isCode(failure, 'database-damaged')) return { damage: (failure as AppError).message }
    return { failed: packError(failure) }
  }
}

/** Of each row all but its bytes. */
function lookThroughStaged(db: Database): void {
  const next = db.prepare<[number], { last: number | null }>(STAGED)
  for (let last: number | null = 0; last !== null; ) last = next.get(last)?.last ?? null
}

parentPort?.postMessage(sweep(workerData as string))
