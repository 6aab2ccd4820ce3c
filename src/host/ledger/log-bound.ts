/** How long the write-ahead log of the index may become. */
import type { Database } from '../../sqlite/driver.js'
import { guarded } from '../../sqlite/failures.js'

/**
 * The log grows to this share of the index before it is written back: the longer it is, the more changes of one page
 * become one write. A log of fixed length would gather fewer of them the larger the trees are.
 */
const LOG_SHARE = 1 / 2
/** SQLite's own bound: a small index on a small disk stays small. */
const LOG_PAGES_MIN = 1_000
/**
 * 32 MiB: half of what a host leaves free on its disk, so that the other half is there for what the log is written back to;
 * a short stall when it is, and a start that reads it in 50 ms.
 */
const LOG_PAGES_MAX = 8_192

/** For the index as large as it is now. */
export function boundLog(db: Database): void {
  guarded(() => {
    const share = (db.pragma('page_count', { simple: true }) as number) * LOG_SHARE
    db.pragma(`wal_autocheckpoint = ${Math.round(Math.max(LOG_PAGES_MIN, Math.min(LOG_PAGES_MAX, share)))}`)
  })
}
