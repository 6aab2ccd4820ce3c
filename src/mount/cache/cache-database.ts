/**
 * cache.db: sealed units, and which runs of units there are. Everything in it can be fetched again, so it never waits for
 * the disk, and a file that is damaged, of another version or of something else is deleted and begun anew.
 */
import { codeOf } from '../../base/errors.js'
import type { Database, Statement } from '../../sqlite/driver.js'
import { openDatabase, removeDatabase } from '../../sqlite/open.js'
import type { Run } from './run-list.js'

/** Drawn anew where the tables change: an older cache is foreign then, and begins anew (a migration would copy gigabytes first). */
export const CACHE_KIND = 'SDCE'

/**
 * A run is 16 neighbouring units (1 MiB) of a segment: what is evicted together. Its id x 16 is where the ids of its units
 * begin, so they stand side by side and an eviction is one range. `pinned`: bit i is set when unit i of the run stays.
 */
const TABLES = `
  CREATE TABLE runs (
    id INTEGER PRIMARY KEY,
    segment BLOB NOT NULL,
    number INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    used INTEGER NOT NULL,
    pinned INTEGER NOT NULL,
    UNIQUE (segment, number)
  ) STRICT;
  CREATE TABLE units (id INTEGER PRIMARY KEY, sealed BLOB NOT NULL) STRICT;
`

/**
 * 1 MiB of units in one transaction, MB/s written new / with as much evicted (2 cores, NVMe): pages of 8 KiB 1,290 / 1,040,
 * 16 KiB 1,920 / 1,480, 64 KiB 2,170 / 1,900. A sealed unit is 40 bytes longer than 64 KiB, so large pages waste: 2, 3, 14 %.
 */
const PAGE_BYTES = 16_384
const MEMORY_BYTES = 8 * 1_048_576
const JOURNAL_BYTES_MAX = 4 * 1_048_576

const NOT_OURS = ['database-damaged', 'database-too-new', 'database-foreign']

/** `anew` is told why a file that was there is none of ours. Throws when the disk does not let it: `no-space`, `database-unwritable`,
 *  `disk-failing`, `database-busy`. */
export function openCacheDatabase(file: string, anew: (code: string) => void): Database {
  try {
    return open(file)
  } catch (error) {
    const code = codeOf(error)
    if (!NOT_OURS.includes(code)) throw error
    removeDatabase(file)
    anew(code)
    return open(file)
  }
}

function open(file: string): Database {
  const db = openDatabase(file, {
    migrations: [TABLES],
    kind: CACHE_KIND,
    pageSizeBytes: PAGE_BYTES,
    incrementalVacuum: true,
    cacheBytes: MEMORY_BYTES,
    exclusive: true,
    busyTimeoutMs: 0,
  })
  try {
    // Fresh pages need no entry in a rollback journal: each byte is written once, with a log twice (half the speed). A
    // killed process leaves a sound file; after a power failure the seal of every unit tells.
    db.pragma('journal_mode = PERSIST')
    db.pragma(`journal_size_limit = ${JOURNAL_BYTES_MAX}`)
    db.pragma('synchronous = OFF')
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

export interface Statements {
  findRun: Statement<[Buffer, number], number>
  addRun: Statement<[Buffer, number]>
  saveRun: Statement<[number, number, number, number]>
  dropRun: Statement<[number]>
  unit: Statement<[number], Buffer>
  putUnit: Statement<[number, Buffer]>
  dropUnits: Statement<[number, number]>
  sizesOf: Statement<[number, number], { id: number; bytes: number }>
}

export function prepareStatements(db: Database): Statements {
  return {
    findRun: db.prepare<[Buffer, number], number>('SELECT id FROM runs WHERE segment = ? AND number = ?').pluck(),
    addRun: db.prepare('INSERT INTO runs (segment, number, bytes, used, pinned) VALUES (?, ?, 0, 0, 0)'),
    saveRun: db.prepare('UPDATE runs SET bytes = ?, used = ?, pinned = ? WHERE id = ?'),
    dropRun: db.prepare('DELETE FROM runs WHERE id = ?'),
    unit: db.prepare<[number], Buffer>('SELECT sealed FROM units WHERE id = ?').pluck(),
    putUnit: db.prepare('INSERT INTO units (id, sealed) VALUES (?, ?) ON CONFLICT DO NOTHING'),
    dropUnits: db.prepare('DELETE FROM units WHERE id >= ? AND id < ?'),
    sizesOf: db.prepare('SELECT id, length(sealed) AS bytes FROM units WHERE id >= ? AND id < ?'),
  }
}

/** In the order of their last use. */
export function loadRuns(db: Database): Iterable<Run> {
  return db.prepare('SELECT id, bytes, used, pinned FROM runs ORDER BY used, id').iterate() as Iterable<Run>
}

export const UNITS_PER_RUN = 16

export function runOf(unit: number): number {
  return Math.floor(unit / UNITS_PER_RUN)
}

/** The id of a unit. */
export function rowOf(run: number, unit: number): number {
  return run * UNITS_PER_RUN + (unit % UNITS_PER_RUN)
}
