/** The thread of a sweep: the structure of every table but staged rows' bytes, one table after the other, each in a short read of its own. */
import { parentPort, workerData } from 'node:worker_threads'
import { AppError, codeOf } from '../../base/errors.js'
import { sqliteFailure } from '../../sqlite/failures.js'
import { openDatabase, quickCheck } from '../../sqlite/open.js'
import { LEDGER_KIND, LEDGER_MIGRATIONS } from './schema.js'

const CACHE_BYTES = 4 * 1_048_576
const TABLES = `SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name`

/** The first damage in words; null: none. Other failures (a full disk) say nothing about the ledger. */
function sweep(file: string): string | null {
  try {
    const db = openDatabase(file, {
      migrations: LEDGER_MIGRATIONS,
      kind: LEDGER_KIND,
      readOnly: true,
      cacheBytes: CACHE_BYTES,
    })
    try {
      for (const table of db.prepare<[], string>(TABLES).pluck().all()) quickCheck(db, table)
      return null
    } finally {
      db.close()
    }
  } catch (error) {
    const failure = sqliteFailure(error)
    if (codeOf(failure) === 'database-damaged') return (failure as AppError).message
    if (failure instanceof AppError) return null
    throw failure
  }
}

parentPort?.postMessage(sweep(workerData as string))
