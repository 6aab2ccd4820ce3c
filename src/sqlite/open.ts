/**
 * Opens databases for every room that holds SQL: WAL, pragmas, numbered migrations, transactions, failures as AppErrors.
 * This room has no tables of its own and is the only one that imports the driver.
 *
 * Durability: `synchronous` 'normal' keeps a consistent prefix after power loss; `flushToDisk` makes everything
 * committed so far durable; 'full' does so at every commit.
 */

import fs from 'node:fs'
import path from 'node:path'
import BetterSqlite3 from 'better-sqlite3'
import { AppError } from '../base/errors.js'
import { failpoint } from '../base/failpoint.js'
import { explained, makeFolder, syncFolder } from '../base/folders.js'
import { saysFull, systemCode } from '../base/system-code.js'
import type { Database } from './driver.js'
import { databaseFailure, guarded, guardedOn } from './failures.js'
import { expectTables, type Migration, migrate } from './migrate.js'

export interface DatabaseOptions {
  /** In order, the first is number 1. `user_version` is the number of the last one applied. */
  migrations: readonly Migration[]
  /** Four ASCII characters that tell one kind of database from another; another kind is refused (`database-foreign`). */
  kind: string
  synchronous?: 'normal' | 'full'
  /** Only when the file is made. */
  pageSizeBytes?: number
  /** Only when the file is made: `PRAGMA incremental_vacuum` gives pages back to the disk. */
  incrementalVacuum?: boolean
  cacheBytes?: number
  /** Reads go through mapped pages up to this; 0 = off. */
  mappedBytes?: number
  /** The WAL is cut to this after a checkpoint. */
  walBytesMax?: number
  /** One process, one connection; no shared-memory file. A second opener gets `database-busy`. */
  exclusive?: boolean
  /** Nothing is written, also no migration: the version must be the newest known. */
  readOnly?: boolean
  busyTimeoutMs?: number
}

const BUSY_TIMEOUT_MS = 5_000
const CACHE_BYTES = 16 * 1024 * 1024
const WAL_BYTES_MAX = 64 * 1024 * 1024

/**
 * Opens (and makes) the database and brings it to the newest migration. The file is 0600: it holds private facts.
 * Codes: `database-too-new`, `database-foreign`, `database-damaged`, `database-busy`, `database-unwritable`, `no-space`.
 */
export function openDatabase(file: string, options: DatabaseOptions): Database {
  return named(file, () => {
    if (!options.readOnly && file !== ':memory:') makeFile(file)
    failpoint('sqlite.open.made')
    const db = new BetterSqlite3(file, {
      readonly: options.readOnly ?? false,
      fileMustExist: options.readOnly ?? false,
      timeout: options.busyTimeoutMs ?? BUSY_TIMEOUT_MS,
    })
    try {
      setUp(db, file, options)
    } catch (error) {
      db.close()
      throw error
    }
    return db
  })
}

/** A failure to open says which of the program's databases it was. */
function named<T>(file: string, work: () => T): T {
  try {
    return work()
  } catch (thrown) {
    const error = databaseFailure(thrown, file)
    if (!(error instanceof AppError) || error.message.includes(file)) throw error
    const { code, message, retry, hint, cause } = error
    throw new AppError(code, `${file}: ${message}`, { retry, hint, cause })
  }
}

/**
 * Makes everything committed so far durable, whatever `synchronous` says. Call outside of a transaction. `write`: one statement
 * that changes something, and is durable with it; without it one is found that changes nothing.
 */
export function flushToDisk(db: Database, write = () => rewriteKind(db)): void {
  guardedOn(db, () => {
    const level = db.pragma('synchronous', { simple: true })
    db.pragma('synchronous = FULL')
    try {
      failpoint('sqlite.flush.begun')
      // At least one frame; the sync of its commit covers all frames before it.
      write()
    } finally {
      db.pragma(`synchronous = ${level}`)
    }
  })
}

/** The same without a byte more, where there is no room for one (`isUnwritten`): what is committed and not in the database file is in the log. */
export function flushLogToDisk(db: Database): void {
  const folder = path.dirname(db.name)
  explained(folder, () => {
    const fd = fs.openSync(`${db.name}-wal`, 'r')
    try {
      fs.fsyncSync(fd)
    } finally {
      fs.closeSync(fd)
    }
    // SQLite syncs the name of its log with its first sync, which may not have been.
    syncFolder(folder)
  })
}

function rewriteKind(db: Database): void {
  db.pragma(`application_id = ${db.pragma('application_id', { simple: true })}`)
}

/** BEGIN IMMEDIATE ... COMMIT; an error rolls back and is mapped. `work` must not wait. Not for nesting. */
export function transaction<T>(db: Database, work: () => T): T {
  return guardedOn(db, () => {
    if (db.inTransaction) throw new Error('a transaction is already open')
    db.exec('BEGIN IMMEDIATE')
    try {
      const result = work()
      db.exec('COMMIT')
      return result
    } catch (error) {
      // SQLite has rolled back by itself after some errors (full disk, I/O).
      if (db.inTransaction) db.exec('ROLLBACK')
      throw error
    }
  })
}

/** Several reads of one state: each alone would take and leave the lock of the database. `work` must not wait or write. */
export function reading<T>(db: Database, work: () => T): T {
  return guarded(() => {
    if (db.inTransaction) throw new Error('a transaction is already open')
    db.exec('BEGIN')
    try {
      return work()
    } finally {
      if (db.inTransaction) db.exec('COMMIT')
    }
  })
}

/** Checks structure, not every index entry, of all tables or of one. Throws `database-damaged`. Reads all of it. */
export function quickCheck(db: Database, table?: string): void {
  const what = table === undefined ? '1' : `'${table}'`
  const found = guarded(() => db.pragma(`quick_check(${what})`, { simple: true }))
  if (found !== 'ok') throw new AppError('database-damaged', `the database is damaged: ${inOneLine(String(found))}`)
}

const FINDING_CHARS_MAX = 200

/** "*** in database main ***" and the findings below it, as one line for logs and status. */
function inOneLine(found: string): string {
  return found
    .replace(/\*\*\*.*?\*\*\*/g, '')
    .replace(/\s+/g, ' ')
    .trim()
    .slice(0, FINDING_CHARS_MAX)
}

const SUFFIXES = ['', '-wal', '-shm', '-journal']

/** The files of a database that are there. */
export function filesOfDatabase(file: string): string[] {
  return SUFFIXES.map((suffix) => file + suffix).filter((one) => fs.existsSync(one))
}

/** Removes a database with all its side files: for databases that can be built again. */
export function removeDatabase(file: string): void {
  for (const suffix of SUFFIXES) fs.rmSync(file + suffix, { force: true })
}

function makeFile(file: string): void {
  try {
    makeFolder(path.dirname(file))
    fs.closeSync(fs.openSync(file, 'a', 0o600))
  } catch (error) {
    if (saysFull(error)) {
      throw new AppError('no-space', `the disk is full: ${file}`, {
        retry: 'later',
        hint: 'free some disk space',
        cause: error,
      })
    }
    throw new AppError('database-unwritable', `${file} cannot be written (${systemCode(error)})`, { cause: error })
  }
}

function setUp(db: Database, file: string, options: DatabaseOptions): void {
  undamaged(file, () => setPragmas(db, file, options))
  failpoint('sqlite.open.prepared')
  migrate(db, file, options.migrations, options.readOnly ?? false)
  if (file !== ':memory:') expectTables(db, file, options.migrations, () => new BetterSqlite3(':memory:'))
  if (!options.readOnly && kindOf(db) === 0) db.pragma(`application_id = ${kindNumber(options.kind)}`)
}

/** These statements are right: a file that they are an error for has a damaged header. */
function undamaged(file: string, work: () => void): void {
  try {
    work()
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'SQLITE_ERROR') throw error
    throw new AppError('database-damaged', `${file} is damaged: ${(error as Error).message}`, { cause: error })
  }
}

function setPragmas(db: Database, file: string, options: DatabaseOptions): void {
  // Before anything else is read: it decides how the WAL is locked.
  if (options.exclusive) db.pragma('locking_mode = EXCLUSIVE')
  refuseForeign(db, file, options)
  const isNew = db.pragma('user_version', { simple: true }) === 0
  if (!options.readOnly) {
    if (isNew && options.pageSizeBytes) db.pragma(`page_size = ${options.pageSizeBytes}`)
    if (isNew && options.incrementalVacuum) db.pragma('auto_vacuum = INCREMENTAL')
    db.pragma('journal_mode = WAL')
    db.pragma(`journal_size_limit = ${options.walBytesMax ?? WAL_BYTES_MAX}`)
  }
  db.pragma(`synchronous = ${options.synchronous === 'full' ? 'FULL' : 'NORMAL'}`)
  db.pragma('foreign_keys = ON')
  db.pragma('trusted_schema = OFF')
  db.pragma('temp_store = MEMORY')
  db.pragma(`cache_size = -${Math.ceil((options.cacheBytes ?? CACHE_BYTES) / 1024)}`)
  if (options.mappedBytes) db.pragma(`mmap_size = ${options.mappedBytes}`)
}

function refuseForeign(db: Database, file: string, options: DatabaseOptions): void {
  const found = kindOf(db)
  if (found === 0 || found === kindNumber(options.kind)) return
  throw new AppError('database-foreign', `${file} is a database of another kind, not ${options.kind}`)
}

function kindOf(db: Database): number {
  return db.pragma('application_id', { simple: true }) as number
}

function kindNumber(kind: string): number {
  const bytes = Buffer.from(kind, 'ascii')
  if (bytes.length !== 4) throw new Error(`kind must be four ASCII characters: ${kind}`)
  return bytes.readInt32BE(0)
}
