/** fsck of the cache: every unit is opened, whatever is spoilt or belongs to nobody is dropped: all of it can be fetched again. */
import { isCode } from '../../base/errors.js'
import { openCached } from '../../crypto/at-rest.js'
import type { SecretBytes } from '../../crypto/secret.js'
import type { SegmentId } from '../../model/ids.js'
import type { Database } from '../../sqlite/driver.js'
import { quickCheck } from '../../sqlite/open.js'
import { UNITS_PER_RUN } from './cache-database.js'

export interface CacheLook {
  /** Ask again behind this row; null: this was the last. */
  readonly next: number | null
  readonly units: number
  readonly bytes: number
  readonly spoilt: number
  /** The whole file was spoilt and is begun anew. */
  readonly isAnew: boolean
}

interface UnitRow {
  id: number
  sealed: Buffer
  segment: Buffer | null
  number: number | null
}

/** One look: 4 MiB, some milliseconds for those who read meanwhile. */
const LOOK_UNITS = 64

export const NOTHING_LEFT: CacheLook = { next: null, units: 0, bytes: 0, spoilt: 0, isAnew: false }

/** The rows that do not open. The first look also reads the structure of the file: `database-damaged`. */
export function lookAtUnits(db: Database, key: SecretBytes, after: number): { look: CacheLook; spoilt: UnitRow[] } {
  if (after === 0) quickCheck(db)
  const text = `SELECT u.id, u.sealed, r.segment, r.number FROM units u LEFT JOIN runs r ON r.id = u.id / ${UNITS_PER_RUN}
    WHERE u.id > ? ORDER BY u.id LIMIT ${LOOK_UNITS}`
  const rows = db.prepare<[number], UnitRow>(text).all(after)
  const spoilt = rows.filter((row) => !opens(row, key))
  const bytes = rows.reduce((sum, row) => sum + row.sealed.length, 0)
  const next = rows.length < LOOK_UNITS ? null : (rows.at(-1)?.id ?? null)
  return { look: { next, units: rows.length, bytes, spoilt: spoilt.length, isAnew: false }, spoilt }
}

function opens({ id, sealed, segment, number }: UnitRow, key: SecretBytes): boolean {
  if (segment === null || number === null) return false
  const unit = number * UNITS_PER_RUN + (id % UNITS_PER_RUN)
  try {
    openCached(key, segment.toString('hex') as SegmentId, unit, sealed)
    return true
  } catch (error) {
    if (isCode(error, 'seal-broken')) return false
    throw error
  }
}
