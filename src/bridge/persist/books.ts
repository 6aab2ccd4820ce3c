/**
 * Copies of the bridge's database: one made beside a running bridge, one put in its place. A copy is consistent, checked, and
 * there whole or not at all. What is put back says so in itself: the next start is a new incarnation, whatever lies beside it.
 */
import fs from 'node:fs'
import path from 'node:path'
import { AppError, isCode } from '../../base/errors.js'
import { failpoint } from '../../base/failpoint.js'
import { explained, makeFolder, syncFolder } from '../../base/folders.js'
import type { Database } from '../../sqlite/driver.js'
import { guarded } from '../../sqlite/failures.js'
import { lockFolder } from '../../sqlite/lock.js'
import { openDatabase, quickCheck, removeDatabase } from '../../sqlite/open.js'
import { PUT_BACK_FACT } from './incarnations.js'
import { DATABASE_FILE, DATABASE_KIND, MIGRATIONS } from './schema.js'

/** 4 MiB at a time: the bridge's own reads and writes come in between. */
const PAGES_AT_ONCE = 1_024

export interface BooksFacts {
  incarnation: number
  /** Of the newest mark: how far these books had come. */
  tick: number
  bytes: number
}

/** Read-only, also beside a running bridge. `no-books` when there are none. */
export function openBooks(dir: string): Database {
  const file = path.join(dir, DATABASE_FILE)
  if (!fs.existsSync(file)) {
    throw new AppError('no-books', `there is no database of a bridge in ${dir}`, {
      hint: 'name the folder of the bridge: --dir',
    })
  }
  return openDatabase(file, { migrations: MIGRATIONS, kind: DATABASE_KIND, readOnly: true })
}

/** One state of the database, whatever the bridge writes meanwhile. `books-exist`: nothing is written over. */
export async function backupBooks(
  dir: string,
  to: string,
  progress: (doneBytes: number, totalBytes: number) => void,
): Promise<BooksFacts> {
  if (fs.existsSync(to)) throw new AppError('books-exist', `${to} exists already`, { hint: 'name another file' })
  const draft = `${to}.draft`
  const db = openBooks(dir)
  try {
    explained(path.dirname(to), () => fs.rmSync(draft, { force: true }))
    const pageBytes = guarded(() => db.pragma('page_size', { simple: true })) as number
    // A reader's view stands still: the copy need not begin again whenever the bridge writes.
    guarded(() => db.exec('BEGIN; SELECT count(*) FROM facts'))
    await db
      .backup(draft, {
        progress: ({ totalPages, remainingPages }) => {
          progress((totalPages - remainingPages) * pageBytes, totalPages * pageBytes)
          return PAGES_AT_ONCE
        },
      })
      .catch((error: unknown) => guarded(() => Promise.reject(error)))
  } finally {
    db.close()
  }
  const facts = explained(path.dirname(to), () => settle(draft))
  fs.renameSync(draft, to)
  syncFolder(path.dirname(path.resolve(to)))
  return facts
}

/** Checked and on disk, one file without any beside it. */
function settle(file: string): BooksFacts {
  fs.chmodSync(file, 0o600)
  const db = openDatabase(file, { migrations: MIGRATIONS, kind: DATABASE_KIND })
  try {
    quickCheck(db)
    guarded(() => db.pragma('journal_mode = DELETE'))
  } finally {
    db.close()
  }
  sync(file)
  return factsOf(file)
}

function sync(file: string): void {
  const fd = fs.openSync(file, 'r')
  fs.fsyncSync(fd)
  fs.closeSync(fd)
}

function factsOf(file: string): BooksFacts {
  const db = openDatabase(file, { migrations: MIGRATIONS, kind: DATABASE_KIND, readOnly: true })
  try {
    const row = guarded(() =>
      db
        .prepare(
          `SELECT coalesce((SELECT value FROM facts WHERE name = 'incarnation'), 0) AS incarnation,
             coalesce((SELECT max(tick) FROM marks), 0) AS tick`,
        )
        .get(),
    ) as { incarnation: number; tick: number }
    return { ...row, bytes: fs.statSync(file).size }
  } finally {
    db.close()
  }
}

/**
 * Puts a copy in the place of the books; those that were there are kept as `bridge.db.replaced`. `folder-locked` while the
 * bridge runs, `books-newer` when what is there knows more (`force`: all the same), and what a copy is refused with.
 */
export function restoreBooks(from: string, dir: string, options: { force: boolean }): BooksFacts {
  if (!fs.existsSync(from))
    throw new AppError('no-books', `there is no file ${from}`, { hint: 'name a file that backup made: --from' })
  return explained(dir, () => {
    makeFolder(dir)
    const unlock = lockFolder(path.join(dir, 'bridge.lock'))
    try {
      return restoreLocked(from, dir, options.force)
    } finally {
      unlock()
    }
  })
}

function restoreLocked(from: string, dir: string, force: boolean): BooksFacts {
  const file = path.join(dir, DATABASE_FILE)
  const draft = `${file}.draft`
  removeDatabase(draft)
  fs.copyFileSync(from, draft)
  const facts = settle(draft)
  failpoint('bridge-restore-copied')
  const before = fs.existsSync(file) ? existing(file, force) : null
  if (before !== null && before.tick > facts.tick && !force) {
    removeDatabase(draft)
    throw new AppError('books-newer', 'the database that is here knows more than the copy', {
      hint: 'it is better than any copy of it; --force puts the copy in its place all the same and keeps it beside',
    })
  }
  markPutBack(draft)
  failpoint('bridge-restore-marked')
  if (before !== null) keepBeside(file)
  fs.renameSync(draft, file)
  syncFolder(dir)
  failpoint('bridge-restore-renamed')
  return facts
}

/** Its log is taken in, so that the file is all of it. One that cannot be opened is what copies are for. */
function existing(file: string, force: boolean): BooksFacts | null {
  try {
    return settle(file)
  } catch (error) {
    const isBroken = isCode(error, 'database-damaged') || isCode(error, 'database-foreign')
    if (!isBroken && !force) throw error
    removeSideFiles(file)
    return { incarnation: 0, tick: 0, bytes: fs.statSync(file).size }
  }
}

/** A log of other books would be taken for the log of those that come. */
function removeSideFiles(file: string): void {
  for (const suffix of ['-wal', '-shm', '-journal']) fs.rmSync(file + suffix, { force: true })
}

function keepBeside(file: string): void {
  const kept = `${file}.replaced`
  fs.rmSync(kept, { force: true })
  // A second name: at no moment are there no books.
  fs.linkSync(file, kept)
}

function markPutBack(file: string): void {
  const db = openDatabase(file, { migrations: MIGRATIONS, kind: DATABASE_KIND, synchronous: 'full' })
  try {
    guarded(() => {
      db.prepare('INSERT OR REPLACE INTO facts VALUES (?, 1)').run(PUT_BACK_FACT)
      db.pragma('journal_mode = DELETE')
    })
  } finally {
    db.close()
  }
  sync(file)
}
