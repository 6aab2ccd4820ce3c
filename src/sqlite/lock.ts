/**
 * One process per folder. The lock is an exclusive SQLite lock on a file of its own: it ends with the process however
 * that dies, leaves nothing stale behind, and also holds against a second taker in the same process.
 */
import BetterSqlite3 from 'better-sqlite3'
import { AppError, isCode } from '../base/errors.js'
import { guarded } from './failures.js'

/** Keeps them from the garbage collector, which would close them. */
const held = new Set<BetterSqlite3.Database>()

/**
 * Takes the lock at once or throws: `folder-locked`, `database-unwritable`, `no-space`. The value releases it; the file
 * stays. Nothing else may open the file: closing any descriptor of it would drop the lock.
 */
export function lockFolder(file: string): () => void {
  try {
    return guarded(() => take(file))
  } catch (error) {
    if (!isCode(error, 'database-busy')) throw error
    throw new AppError('folder-locked', `another process holds ${file}`, { cause: error, retry: 'later' })
  }
}

function take(file: string): () => void {
  const db = new BetterSqlite3(file, { timeout: 0 })
  try {
    db.pragma('journal_mode = MEMORY')
    db.exec('BEGIN EXCLUSIVE')
  } catch (error) {
    db.close()
    throw error
  }
  held.add(db)
  return () => {
    held.delete(db)
    db.close()
  }
}
