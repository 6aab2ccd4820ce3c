/** The one place that knows SQLite's result codes: what can be expected of a disk becomes an AppError, the rest passes. */
import { AppError, type AppErrorOptions } from '../base/errors.js'

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

/** Runs SQL whose failures shall be AppErrors. */
export function guarded<T>(work: () => T): T {
  try {
    return work()
  } catch (error) {
    throw sqliteFailure(error)
  }
}
