import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import t from 'tap'
import { codeOf } from '../../../src/base/errors.js'
import { lockFolder } from '../../../src/sqlite/lock.js'
import {
  type DatabaseOptions,
  flushToDisk,
  openDatabase,
  quickCheck,
  removeDatabase,
  transaction,
} from '../../../src/sqlite/open.js'

const one: DatabaseOptions = { kind: 'TEST', migrations: ['CREATE TABLE a (x INTEGER PRIMARY KEY, y TEXT UNIQUE)'] }
const two: DatabaseOptions = {
  kind: 'TEST',
  migrations: [...one.migrations, (db) => db.exec("ALTER TABLE a ADD COLUMN z TEXT DEFAULT 'new'")],
}

function thrownCode(work: () => unknown): string {
  try {
    work()
  } catch (error) {
    return codeOf(error)
  }
  return 'nothing was thrown'
}

t.test('a new database is private, in WAL mode, at the newest version', async (t) => {
  const file = path.join(t.testdir(), 'deep', 'a.db')
  const db = openDatabase(file, two)
  t.equal(fs.statSync(file).mode & 0o777, 0o600)
  t.equal(db.pragma('journal_mode', { simple: true }), 'wal')
  t.equal(db.pragma('user_version', { simple: true }), 2)
  t.equal(db.pragma('foreign_keys', { simple: true }), 1)
  quickCheck(db)
  db.close()
})

t.test('an older database is copied whole before it is migrated', async (t) => {
  const file = path.join(t.testdir(), 'a.db')
  const old = openDatabase(file, one)
  old.exec("INSERT INTO a VALUES (1, 'kept')")
  old.close()
  const db = openDatabase(file, two)
  t.same(db.prepare('SELECT * FROM a').all(), [{ x: 1, y: 'kept', z: 'new' }])
  db.close()
  const copy = openDatabase(`${file}.v1.copy`, { ...one, readOnly: true })
  t.same(copy.prepare('SELECT * FROM a').all(), [{ x: 1, y: 'kept' }])
  copy.close()
})

t.test('the copy of before a migration goes a month later, when the newer version is opened again', async (t) => {
  const file = path.join(t.testdir(), 'a.db')
  openDatabase(file, one).close()
  openDatabase(file, two).close()
  const copy = `${file}.v1.copy`
  openDatabase(file, two).close()
  t.ok(fs.existsSync(copy), 'it is kept at first')
  const old = new Date(Date.now() - 31 * 86_400_000)
  fs.utimesSync(copy, old, old)
  openDatabase(file, { ...two, readOnly: true }).close()
  t.ok(fs.existsSync(copy), 'who only reads removes nothing')
  openDatabase(file, two).close()
  t.notOk(fs.existsSync(copy))
})

t.test('a migration that fails leaves the database as it was', async (t) => {
  const file = path.join(t.testdir(), 'a.db')
  openDatabase(file, one).close()
  const broken = { ...one, migrations: [...one.migrations, 'CREATE TABLE b (x); CREATE TABLE b (x)'] }
  t.throws(() => openDatabase(file, broken), { code: 'database-damaged', cause: { message: /already exists/ } })
  const db = openDatabase(file, one)
  t.equal(db.prepare("SELECT count(*) FROM sqlite_schema WHERE name = 'b'").pluck().get(), 0)
  db.close()
})

t.test('a newer, a foreign, a damaged and an old read-only database are refused by code', async (t) => {
  const file = path.join(t.testdir(), 'a.db')
  openDatabase(file, one).close()
  t.equal(
    thrownCode(() => openDatabase(file, { ...two, readOnly: true })),
    'database-too-old',
  )
  openDatabase(file, two).close()
  t.equal(
    thrownCode(() => openDatabase(file, one)),
    'database-too-new',
  )
  t.equal(
    thrownCode(() => openDatabase(file, { ...two, kind: 'ELSE' })),
    'database-foreign',
  )
  fs.writeFileSync(file, Buffer.alloc(8192, 0x5a))
  t.equal(
    thrownCode(() => openDatabase(file, two)),
    'database-damaged',
  )
  fs.mkdirSync(`${file}.d`)
  t.equal(
    thrownCode(() => openDatabase(`${file}.d`, two)),
    'database-unwritable',
  )
})

t.test('a damaged header is told as damage, whatever it says', async (t) => {
  const file = path.join(t.testdir(), 'a.db')
  const spoilt = (at: number, value: number) => {
    removeDatabase(file)
    openDatabase(file, one).close()
    const bytes = fs.readFileSync(file)
    bytes.writeInt32BE(value, at)
    fs.writeFileSync(file, bytes)
    return thrownCode(() => openDatabase(file, one))
  }
  // Offsets of the file format: user_version, schema format.
  t.equal(spoilt(60, -5), 'database-damaged')
  t.equal(spoilt(60, 0), 'database-damaged', 'tables and no version')
  t.equal(spoilt(44, 99), 'database-damaged')
  removeDatabase(file)
  const db = openDatabase(file, one)
  db.exec('ALTER TABLE a RENAME TO b')
  db.close()
  t.equal(
    thrownCode(() => openDatabase(file, one)),
    'database-damaged',
    'a version without its tables',
  )
})

t.test('a transaction is all or nothing, and a full database is no-space', async (t) => {
  const file = path.join(t.testdir(), 'a.db')
  const db = openDatabase(file, one)
  transaction(db, () => db.exec("INSERT INTO a VALUES (1, 'x')"))
  t.throws(() =>
    transaction(db, () => {
      db.exec("INSERT INTO a VALUES (2, 'y')")
      throw new Error('changed my mind')
    }),
  )
  t.throws(() => transaction(db, () => transaction(db, () => {})), /already open/)
  t.equal(db.inTransaction, false)
  db.pragma('max_page_count = 8')
  const insert = db.prepare('INSERT INTO a (y) VALUES (?)')
  const fill = () => transaction(db, () => Array.from({ length: 100 }, (_, i) => insert.run(`${i}`.repeat(4000))))
  t.equal(thrownCode(fill), 'no-space')
  t.same(db.prepare('SELECT y FROM a').pluck().all(), ['x'])
  db.close()
})

t.test('flushToDisk needs no table and leaves the pragma as it was', async (t) => {
  const file = path.join(t.testdir(), 'a.db')
  const db = openDatabase(file, one)
  const before = fs.statSync(`${file}-wal`).size
  flushToDisk(db)
  t.ok(fs.statSync(`${file}-wal`).size > before, 'a frame was written, so the WAL was synced')
  t.equal(db.pragma('synchronous', { simple: true }), 1)
  db.close()
  removeDatabase(file)
  t.same(fs.readdirSync(path.dirname(file)), [])
})

t.test('an exclusive database admits one opener, also within one process', async (t) => {
  const file = path.join(t.testdir(), 'a.db')
  const db = openDatabase(file, { ...one, exclusive: true })
  db.exec("INSERT INTO a VALUES (1, 'x')")
  t.notOk(fs.existsSync(`${file}-shm`))
  t.equal(
    thrownCode(() => openDatabase(file, { ...one, exclusive: true, busyTimeoutMs: 0 })),
    'database-busy',
  )
  db.close()
})

t.test('a folder lock is taken once and given back', async (t) => {
  const file = path.join(t.testdir(), 'lock')
  const release = lockFolder(file)
  t.equal(
    thrownCode(() => lockFolder(file)),
    'folder-locked',
  )
  release()
  lockFolder(file)()
})

t.test('a folder lock holds against another process and ends with the process that is killed', async (t) => {
  const file = path.join(t.testdir(), 'lock')
  const module = pathToFileURL(path.join(import.meta.dirname, '../../../src/sqlite/lock.js')).href
  const script = `import { lockFolder } from '${module}'; lockFolder(process.argv[1]); globalThis.gc(); console.log('held'); setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['--expose-gc', '--input-type=module', '-e', script, file], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(child.stdout, 'data')
  t.equal(
    thrownCode(() => lockFolder(file)),
    'folder-locked',
  )
  child.kill('SIGKILL')
  await once(child, 'exit')
  lockFolder(file)()
})
