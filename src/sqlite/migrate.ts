/**
 * Numbered migrations. `user_version` says how far a database is; a newer one than this program knows is refused, and an
 * older one is copied beside itself (`<file>.v<N>.copy`) before it is touched. Each step and its number are one transaction. The copy is
 * for whoever goes back to the older program; an opening a month later removes it.
 */

import fs from 'node:fs'
import path from 'node:path'
import { systemClock } from '../base/clock.js'
import { AppError } from '../base/errors.js'
import { failpoint } from '../base/failpoint.js'
import { explained } from '../base/folders.js'
import type { Database } from './driver.js'

/** SQL text, or code for what SQL cannot say. Never changed once released: a change is another migration. */
export type Migration = string | ((db: Database) => void)

export function migrate(db: Database, file: string, migrations: readonly Migration[], readOnly: boolean): void {
  const found = db.pragma('user_version', { simple: true }) as number
  const newest = migrations.length
  if (found < 0) throw damaged(file, `version ${found}`)
  if (found > newest) {
    throw new AppError(
      'database-too-new',
      `${file} has version ${found}; this program knows versions up to ${newest}`,
      {
        hint: 'use the newer shardrive that wrote it',
      },
    )
  }
  if (found === newest) {
    if (!readOnly && file !== ':memory:') removeOldCopies(file, newest)
    return
  }
  if (readOnly) {
    throw new AppError('database-too-old', `${file} has version ${found} and cannot be migrated read-only`, {
      hint: 'open it once for writing',
    })
  }
  if (found > 0 && file !== ':memory:') copyBefore(db, file, found)
  // No step may see half of another, and foreign keys must not fire while tables are rebuilt.
  db.pragma('foreign_keys = OFF')
  try {
    for (let version = found + 1; version <= newest; version++)
      step(db, file, migrations[version - 1] as Migration, version)
  } finally {
    db.pragma('foreign_keys = ON')
  }
}

function step(db: Database, file: string, migration: Migration, version: number): void {
  db.exec('BEGIN IMMEDIATE')
  try {
    // Another opener may have been faster.
    if ((db.pragma('user_version', { simple: true }) as number) >= version) return void db.exec('ROLLBACK')
    if (version === 1 && tablesOf(db) !== '') throw damaged(file, 'tables and no version')
    if (typeof migration === 'string') db.exec(migration)
    else migration(db)
    db.pragma(`user_version = ${version}`)
    failpoint('sqlite.migrate.written')
    db.exec('COMMIT')
    failpoint('sqlite.migrate.done')
  } catch (error) {
    if (db.inTransaction) db.exec('ROLLBACK')
    throw version > 1 && isWrongSql(error) ? damaged(file, 'other tables than its version says', error) : error
  }
}

/** What a step says of tables that it did not expect. In a database that was empty it is the step that is wrong. */
function isWrongSql(error: unknown): boolean {
  return (error as { code?: unknown } | null)?.code === 'SQLITE_ERROR'
}

/** What migrations make of an empty database. */
const wanted = new WeakMap<readonly Migration[], string>()

/** `database-damaged` when the tables are not those that the version stands for: no statement would find what it names. */
export function expectTables(
  db: Database,
  file: string,
  migrations: readonly Migration[],
  empty: () => Database,
): void {
  let text = wanted.get(migrations)
  if (text === undefined) {
    const fresh = empty()
    migrate(fresh, ':memory:', migrations, false)
    text = tablesOf(fresh)
    fresh.close()
    wanted.set(migrations, text)
  }
  if (tablesOf(db) !== text) throw damaged(file, 'other tables than its version says')
}

function tablesOf(db: Database): string {
  const query = "SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' ORDER BY name"
  return db
    .prepare(query)
    .raw()
    .all()
    .map((row) => JSON.stringify(row))
    .join('\n')
}

function damaged(file: string, has: string, cause?: unknown): AppError {
  return new AppError('database-damaged', `${file} is damaged: it has ${has}`, { cause })
}

/** A whole and durable copy, or an error (`no-space`): a half copy never has the final name, and none stays behind. */
function copyBefore(db: Database, file: string, version: number): void {
  const copy = `${file}.v${version}.copy`
  const draft = `${copy}.draft`
  // Of attempts that were cut short: the database is still what it was, and the disk may not hold two copies.
  for (const name of [draft, copy]) fs.rmSync(name, { force: true })
  try {
    db.prepare('VACUUM INTO ?').run(draft)
    explained(path.dirname(file), () => {
      fs.chmodSync(draft, 0o600)
      syncPath(draft)
      failpoint('sqlite.migrate.copied')
      fs.renameSync(draft, copy)
      syncPath(path.dirname(copy))
    })
  } catch (error) {
    fs.rmSync(draft, { force: true })
    throw error
  }
}

/** Long enough to find out that the newer program does not do; what was changed since is not in the copy, which may be as large as the database. */
const COPY_KEPT_MS = 30 * 24 * 3_600_000

function removeOldCopies(file: string, newest: number): void {
  for (let version = 1; version < newest; version++) {
    const copy = `${file}.v${version}.copy`
    const madeMs = fs.statSync(copy, { throwIfNoEntry: false })?.mtimeMs
    if (madeMs === undefined || systemClock.nowMs() - madeMs < COPY_KEPT_MS) continue
    try {
      fs.rmSync(copy)
    } catch {
      // Nothing depends on it: the next opening tries again.
    }
  }
}

function syncPath(name: string): void {
  const fd = fs.openSync(name, 'r')
  try {
    fs.fsyncSync(fd)
  } finally {
    fs.closeSync(fd)
  }
}
