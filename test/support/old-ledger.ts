/** A ledger as an earlier release has left it: what it holds stays, its migrations but the first are undone. */
import fs from 'node:fs'
import Database from 'better-sqlite3'
import { LEDGER_MIGRATIONS } from '../../src/mount/metadata/schema.js'

const [first] = LEDGER_MIGRATIONS

/** Nobody else may have it open. Of a drive that has stored nothing yet: the table that changed is empty then, and made anew. */
export function ageLedger(file: string): void {
  if (!fs.existsSync(file)) return
  if (LEDGER_MIGRATIONS.length !== 3 || typeof first !== 'string')
    throw new Error('write how the newest migration is undone')
  const statements = first.split(';').filter((one) => /^\s*CREATE (?:TABLE|INDEX) segment\b|\bON segment \(/.test(one))
  const db = new Database(file)
  try {
    if (db.pragma('user_version', { simple: true }) !== LEDGER_MIGRATIONS.length) return
    const stored = db.prepare('SELECT count(*) FROM segment').pluck().get()
    if (stored !== 0) throw new Error(`the ledger knows ${stored} segments`)
    db.transaction(() => {
      db.exec(['DROP TABLE pin', 'DROP TABLE segment', ...statements].join(';'))
      db.pragma('user_version = 1')
    })()
  } finally {
    db.close()
  }
}

/** What a migration has put aside is as large as the ledger was, and the disks of crash tests are small. */
export function removeCopies(file: string): void {
  for (const version of [1, 2]) fs.rmSync(`${file}.v${version}.copy`, { force: true })
}
