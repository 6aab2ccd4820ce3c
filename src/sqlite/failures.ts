/** The one place that knows SQLite's result codes: what can be expected of a disk becomes an AppError, the rest passes. */
import { rmSync } from 'node:fs'
import { AppError, type AppErrorOptions, isCode } from '../base/errors.js'
import { writeWhole } from '../base/folders.js'
import { saysFull } from '../base/system-code.js'
import type { Database } from './driver.js'

interface Failure extends AppErrorOptions {
  code: string
  message: string
}

/** By the start of SQLite's own (extended) code; the first that fits counts. */
const FAILURES: [prefix: string, failure: Failure][] = [
  ['SQLITE_FULL', { code: 'no-space', message: 'the disk is full', retry: 'later', hint: 'free some disk space' }],
  // The shared-memory file cannot grow: on a full disk this is what a reader sees first.
  [
    'SQLITE_IOERR_SHMSIZE',
    { code: 'no-space', message: 'the disk is full', retry: 'later', hint: 'free some disk space' },
  ],
  ['SQLITE_CORRUPT', { code: 'database-damaged', message: 'the database is damaged' }],
  ['SQLITE_NOTADB', { code: 'database-damaged', message: 'the file is not a database' }],
  ['SQLITE_BUSY', { code: 'database-busy', message: 'another program holds the database', retry: 'later' }],
  ['SQLITE_IOERR', { code: 'disk-failing', message: 'the disk reports an error', hint: 'check the disk' }],
  ['SQLITE_CANTOPEN', { code: 'database-unwritable', message: 'the database cannot be opened' }],
  ['SQLITE_READONLY', { code: 'database-unwritable', message: 'the database cannot be written' }],
  ['SQLITE_PERM', { code: 'database-unwritable', message: 'the database cannot be written' }],
]

/** An error of the driver as AppError; anything else (constraints, wrong SQL, other errors) unchanged. */
export function sqliteFailure(error: unknown): unknown {
  if (error instanceof AppError || !(error instanceof Error)) return error
  const code: unknown = (error as { code?: unknown }).code
  if (typeof code !== 'string' || !code.startsWith('SQLITE_')) return error
  const found = FAILURES.find(([prefix]) => code.startsWith(prefix))
  if (found === undefined) return error
  const { code: ours, message, ...options } = found[1]
  return new AppError(ours, `${message} (${code})`, { ...options, cause: error })
}

/** What SQLite says of a write that a quota refused (EDQUOT), of a full disk that shows only at a flush (NFS), and of a file that there is no
 *  inode for: errors like any other. */
const PERHAPS_FULL = /^SQLITE_(IOERR_(WRITE|FSYNC|DIR_FSYNC|TRUNCATE|SHMOPEN|SHMMAP)|CANTOPEN)$/
/** More than one write of SQLite: when that did not fit, this does not. */
const PROBE_BYTES = 1_048_576

/**
 * The same for a database at `file`: whether more can be written beside it says whether its disk fails, or only has no room. Writes and
 * removes a file, and only after an error of the disk.
 */
export function databaseFailure(error: unknown, file: string): unknown {
  const failure = sqliteFailure(error)
  if (!(failure instanceof AppError) || failure === error || file === ':memory:') return failure
  const code = (error as { code: string }).code
  if (!PERHAPS_FULL.test(code) || !isFull(`${file}.probe`)) return failure
  const [, { code: full, message, ...options }] = FAILURES[0] as (typeof FAILURES)[number]
  return new AppError(full, `${message}, or the quota is used up (${code})`, { ...options, cause: error })
}

/** There was no room for a write, and nothing else happened: no fsync failed, which the system would tell only once. */
export function isUnwritten(error: unknown): boolean {
  if (!isCode(error, 'no-space')) return false
  const { code } = ((error as AppError).cause ?? {}) as { code?: string }
  return code === 'SQLITE_FULL' || code === 'SQLITE_IOERR_WRITE'
}

function isFull(probe: string): boolean {
  try {
    writeWhole(probe, Buffer.alloc(PROBE_BYTES, 1))
    return false
  } catch (error) {
    return saysFull(error)
  } finally {
    rmSync(probe, { force: true })
  }
}

/** Runs SQL whose failures shall be AppErrors. */
export function guarded<T>(work: () => T): T {
  try {
    return work()
  } catch (error) {
    throw sqliteFailure(error)
  }
}

/** The same for work that writes. */
export function guardedOn<T>(db: Database, work: () => T): T {
  try {
    return work()
  } catch (error) {
    throw databaseFailure(error, db.name)
  }
}
