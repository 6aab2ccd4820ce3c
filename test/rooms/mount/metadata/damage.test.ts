import fs from 'node:fs'
import path from 'node:path'
import BetterSqlite3 from 'better-sqlite3'
import t from 'tap'
import { PAGE_BYTES } from '../../../../src/mount/metadata/database.js'
import { OldLedger } from '../../../../src/mount/metadata/old-ledger.js'
import { startSweep } from '../../../../src/mount/metadata/sweep.js'
import { key, makeFile, open, ROOT, rampBytes, readAll, scratch, write } from './support.js'

t.test('S-20 a staged row that was changed on disk is damage: named, read-only, never served', async (t) => {
  const folder = scratch(t)
  const first = await open(folder)
  const { ino } = await makeFile(first, ROOT, 'a')
  await write(first, ino, 0, rampBytes(1, 10_000))
  await first.close()
  const db = new BetterSqlite3(path.join(folder, 'ledger.db'))
  const row = db.prepare('SELECT sealed FROM staged').get() as { sealed: Buffer }
  row.sealed[5_000] = (row.sealed[5_000] as number) ^ 1
  db.prepare('UPDATE staged SET sealed = ?').run(row.sealed)
  db.close()
  const reasons: (string | null)[] = []
  const second = await open(folder, { readOnly: (reason) => reasons.push(reason) })
  const refused = { code: 'database-damaged', hint: /shardrive mount/ }
  await t.rejects(readAll(second, ino), refused)
  t.match(second.readOnlyReason(), /damaged/)
  t.equal(reasons.length, 1)
  await t.rejects(makeFile(second, ROOT, 'b'), { code: 'read-only' })
  await second.sync()
  t.match(second.readOnlyReason(), /damaged/, 'damage does not heal by a commit')
  await second.close()
})

t.test('S-20 a database of a newer version, of another kind, or none at all is refused and left alone', async (t) => {
  const folder = scratch(t)
  await (await open(folder)).close()
  const file = path.join(folder, 'ledger.db')
  const db = new BetterSqlite3(file)
  db.pragma('user_version = 99')
  db.close()
  await t.rejects(open(folder), { code: 'database-too-new' })
  const other = scratch(t)
  fs.writeFileSync(path.join(other, 'ledger.db'), Buffer.alloc(8_192, 7))
  await t.rejects(open(other), { code: 'database-damaged', hint: /shardrive mount/ })
  t.ok(fs.readFileSync(path.join(other, 'ledger.db')).equals(Buffer.alloc(8_192, 7)))
})

t.test(
  'S-20 a ledger that does not open because of its rows is let go of before that is told: its files may be moved',
  async (t) => {
    const folder = scratch(t)
    await (await open(folder)).close()
    const file = path.join(folder, 'ledger.db')
    const db = new BetterSqlite3(file)
    const root = db.prepare("SELECT rootpage FROM sqlite_schema WHERE name = 'inode'").pluck().get() as number
    db.close()
    const bytes = fs.readFileSync(file)
    bytes.fill(0, (root - 1) * PAGE_BYTES, root * PAGE_BYTES)
    fs.writeFileSync(file, bytes)
    await t.rejects(open(folder), { code: 'database-damaged' })
    t.same(openFiles(folder), [])
  },
)

t.test('S-20 a sweep finds a spoilt tree of staged rows, and does not read through their bytes', async (t) => {
  const folder = scratch(t)
  const ledger = await open(folder)
  const { ino } = await makeFile(ledger, ROOT, 'a')
  await write(ledger, ino, 0, rampBytes(1, 500_000))
  await ledger.close()
  const file = path.join(folder, 'ledger.db')
  const db = new BetterSqlite3(file)
  const text = "SELECT pagetype, pageno FROM dbstat WHERE name = 'staged'"
  const pages = db.prepare(text).all() as { pagetype: string; pageno: number }[]
  db.close()
  const spoil = (kind: string) => {
    const bytes = fs.readFileSync(file)
    for (const { pagetype, pageno } of pages)
      if (pagetype === kind) bytes.fill(0xff, (pageno - 1) * PAGE_BYTES, pageno * PAGE_BYTES)
    fs.writeFileSync(file, bytes)
  }
  t.equal(await startSweep(file).found, null)
  t.ok(pages.filter(({ pagetype }) => pagetype === 'overflow').length > 10)
  spoil('overflow')
  t.equal(await startSweep(file).found, null, 'their seals tell when somebody needs them')
  spoil('leaf')
  t.match(await startSweep(file).found, /damaged/)
})

t.test('S-20 a sweep that cannot look says so', async (t) => {
  await t.rejects(startSweep(path.join(scratch(t), 'ledger.db')).found, { code: 'database-unwritable' })
})

t.test('S-20 a ledger that was set aside and somebody has locked is not taken for unreadable', async (t) => {
  const folder = scratch(t)
  await (await open(folder)).close()
  const file = path.join(folder, 'ledger.db')
  const looker = new BetterSqlite3(file)
  looker.pragma('locking_mode = EXCLUSIVE')
  looker.exec('BEGIN EXCLUSIVE')
  t.throws(() => new OldLedger(file, key()), { code: 'database-busy', retry: 'later' })
  looker.close()
  const old = new OldLedger(file, key())
  t.ok(old.facts())
  old.close()
})

/** Of this process, below `folder`. */
function openFiles(folder: string): string[] {
  const place = '/proc/self/fd'
  if (!fs.existsSync(place)) return []
  return fs.readdirSync(place).flatMap((fd) => {
    try {
      const file = fs.readlinkSync(path.join(place, fd))
      return file.startsWith(folder) ? [path.basename(file)] : []
    } catch {
      return []
    }
  })
}

t.test('plain bytes of staged rows are nowhere in the database file', async (t) => {
  const folder = scratch(t)
  const first = await open(folder)
  const { ino } = await makeFile(first, ROOT, 'a')
  await write(first, ino, 0, rampBytes(1, 100))
  await first.close()
  const raw = fs.readFileSync(path.join(folder, 'ledger.db'))
  t.notOk(raw.includes(rampBytes(1, 100).subarray(0, 32)), 'plain bytes are nowhere in the file')
})

t.test('when the worker ends, everything that waits is rejected, and so is what comes later', async (t) => {
  const folder = scratch(t)
  let stopped = 0
  const ledger = await open(folder, { stopped: () => void stopped++ })
  const waiting = [ledger.sync(), ledger.attributes(ROOT), makeFile(ledger, ROOT, 'a')]
  const outcomes = Promise.allSettled(waiting)
  await ledger.terminate()
  for (const one of await outcomes) {
    if (one.status === 'rejected') t.match(one.reason, { code: 'ledger-stopped' })
  }
  await t.rejects(ledger.attributes(ROOT), { code: 'ledger-stopped' })
  t.equal(stopped, 1)
  const again = await open(folder)
  t.same(await again.check(), [])
  await again.close()
})
