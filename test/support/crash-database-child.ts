/**
 * A database on a drive that is going to be killed: `write FOLDER LOG SEED STEPS` commits one transaction after the other and keeps an
 * account (crash-account.ts), `count FOLDER` says as JSON how many are there and what is wrong. Ends with 3 when the drive went away.
 */
import fs from 'node:fs'
import path from 'node:path'
import Database from 'better-sqlite3'
import { Account } from './crash-account.js'
import { type Counted, GONE_CODE, isGone } from './crash-programs.js'
import { Dice } from './dice.js'
import { rampBytes } from './ramp.js'

const [what = '', folder = '', log = '', seed = '0', steps = '0'] = process.argv.slice(2)
const file = path.join(folder, 'a.db')
const MODES = ['delete', 'truncate', 'wal', 'persist']

try {
  if (what === 'count') process.stdout.write(JSON.stringify(count()))
  else write()
} catch (error) {
  const code = String((error as { code?: unknown }).code)
  if (!code.startsWith('SQLITE_IOERR') && !code.startsWith('SQLITE_CANTOPEN') && !isGone(folder)) throw error
  process.exit(GONE_CODE)
}

function write(): void {
  const account = new Account(log)
  const dice = new Dice(Number(seed))
  const db = new Database(file)
  db.pragma(`journal_mode = ${dice.pick(MODES)}`)
  // The end of a transaction is durable in every mode of the journal.
  db.pragma('synchronous = EXTRA')
  db.exec(
    'CREATE TABLE rows (n INTEGER PRIMARY KEY, bytes BLOB); CREATE TABLE last (n INTEGER); INSERT INTO last VALUES (0)',
  )
  const put = db.prepare('INSERT INTO rows VALUES (?, ?)')
  const set = db.prepare('UPDATE last SET n = ?')
  const both = db.transaction((n: number, size: number) => {
    put.run(n, rampBytes(n, size))
    set.run(n)
  })
  for (let n = 1; n <= Number(steps); n++) {
    const size = dice.roll(0, 5) === 0 ? dice.roll(20_000, 200_000) : dice.roll(1, 4_000)
    account.around(true, () => both(n, size))
  }
  db.close()
}

function count(): Counted {
  if (!fs.existsSync(file)) return { count: 0, problems: [] }
  const db = new Database(file)
  const problems: string[] = []
  const checked = db.pragma('integrity_check', { simple: true })
  if (checked !== 'ok') problems.push(`integrity_check: ${checked}`)
  if (db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'last'").get() === undefined) return { count: 0, problems }
  const rows = db.prepare('SELECT n, bytes FROM rows ORDER BY n').all() as { n: number; bytes: Buffer }[]
  const last = (db.prepare('SELECT n FROM last').get() as { n: number } | undefined)?.n ?? 0
  if (last !== rows.length) problems.push(`${rows.length} rows, the last says ${last}`)
  for (const [at, { n, bytes }] of rows.entries()) {
    if (n !== at + 1 || !bytes.equals(rampBytes(n, bytes.length))) problems.push(`row ${n} at ${at} has other bytes`)
  }
  db.close()
  return { count: rows.length, problems }
}
