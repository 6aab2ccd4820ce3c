/** S-20, S-36: pins of a ledger that was set aside mean the same files in the one that was built again. */
import fs from 'node:fs'
import path from 'node:path'
import BetterSqlite3 from 'better-sqlite3'
import t, { type Test } from 'tap'
import type { LedgerClient } from '../../../../src/mount/metadata/client.js'
import { PAGE_BYTES } from '../../../../src/mount/metadata/database.js'
import { spoilPage } from '../../../support/ledger-damage.js'
import { DIRECTORY, makeFile, now, open, ROOT, rampBytes, scratch, write } from './support.js'

/** Inode numbers of the new ledger begin here: none is what it was. */
const NEW_INO = 500
const FILES = ['a', 'b', 'c', 'folder']

interface Old {
  file: string
  folder: string
}

/** Pinned: c, then folder, then a. */
async function oldLedger(t: Test): Promise<Old> {
  const folder = scratch(t)
  const ledger = await open(folder)
  const inos = new Map<string, number>()
  for (const name of FILES) {
    const { ino } = await makeFile(ledger, ROOT, name, name === 'folder' ? DIRECTORY : undefined)
    inos.set(name, ino)
    if (name !== 'folder') await write(ledger, ino, 0, rampBytes(ino, 1_000))
  }
  for (const name of ['c', 'b', 'folder', 'a']) await ledger.setPin(inos.get(name) as number, true)
  await ledger.setPin(inos.get('b') as number, false)
  await ledger.close()
  return { folder, file: path.join(folder, 'ledger.db') }
}

async function newLedger(t: Test, { file }: Old): Promise<LedgerClient> {
  const folder = scratch(t)
  await (await open(folder)).close()
  const db = new BetterSqlite3(path.join(folder, 'ledger.db'))
  db.prepare("INSERT OR REPLACE INTO counter (name, value) VALUES ('ino', ?)").run(NEW_INO)
  db.close()
  const ledger = await open(folder)
  t.teardown(() => ledger.close())
  const facts = await ledger.care.lookAtOld(file)
  await ledger.care.carryOver(file, { from: 0, last: facts?.lastPosition ?? null, cuts: [], mark: 'old' })
  return ledger
}

async function pinnedNames(ledger: LedgerClient): Promise<string[]> {
  const { entries } = await ledger.list(ROOT, 0, 100, false)
  const nameOf = new Map(entries.map((one) => [one.ino, one.name.toString()]))
  const pins = await ledger.pins()
  for (const ino of pins) if (ino < NEW_INO) throw new Error(`${ino} is a number of the old ledger`)
  return pins.map((ino) => nameOf.get(ino) ?? `inode ${ino}`)
}

/** The page that a small table or index is, from 0. */
function rootPage({ file }: Old, name: string): number {
  const db = new BetterSqlite3(file, { readonly: true })
  try {
    return Number(db.prepare('SELECT rootpage FROM sqlite_schema WHERE name = ?').pluck().get(name)) - 1
  } finally {
    db.close()
  }
}

t.test('S-20 S-36 pins are carried over by file, in their order, and once', async (t) => {
  const old = await oldLedger(t)
  const ledger = await newLedger(t, old)
  t.same(await ledger.care.carryPins(old.file), { pins: 3, lost: 0 })
  t.same(await pinnedNames(ledger), ['c', 'folder', 'a'])
  await ledger.care.carryPins(old.file)
  t.same(await pinnedNames(ledger), ['c', 'folder', 'a'])
})

t.test('S-36 a pin goes with its file, and is nobody else', async (t) => {
  const old = await oldLedger(t)
  const ledger = await newLedger(t, old)
  await ledger.unlink(ROOT, Buffer.from('c'), now(), 'file')
  await ledger.reapOrphans()
  t.same(await ledger.care.carryPins(old.file), { pins: 2, lost: 0 })
  t.same(await pinnedNames(ledger), ['folder', 'a'])
})

const SPOILT = {
  table: 'pin',
  index: 'sqlite_autoindex_pin_1',
  inodes: 'inode',
  'file ids': 'sqlite_autoindex_inode_1',
}

for (const [what, name] of Object.entries(SPOILT)) {
  t.test(`S-20 pins survive a spoilt page of the ${what}`, async (t) => {
    const old = await oldLedger(t)
    const ledger = await newLedger(t, old)
    spoilPage(old.folder, rootPage(old, name), 'noise')
    t.same(await ledger.care.carryPins(old.file), { pins: 3, lost: 0 })
    t.same((await pinnedNames(ledger)).sort(), ['a', 'c', 'folder'])
  })
}

t.test('S-20 what cannot be read of the pins is told', async (t) => {
  const old = await oldLedger(t)
  const ledger = await newLedger(t, old)
  for (const name of ['inode', 'sqlite_autoindex_inode_1']) spoilPage(old.folder, rootPage(old, name), 'zeros')
  t.same(await ledger.care.carryPins(old.file), { pins: 0, lost: 3 }, 'which files they were for')
  for (const name of ['pin', 'sqlite_autoindex_pin_1']) spoilPage(old.folder, rootPage(old, name), 'zeros')
  t.same(await ledger.care.carryPins(old.file), { pins: 0, lost: null }, 'how many there were')
  t.same(await pinnedNames(ledger), [])
})

t.test('S-20 a pin of which table and index say different things is not believed', async (t) => {
  const old = await oldLedger(t)
  const ledger = await newLedger(t, old)
  // The last record of the table's page ends with the inode number that was pinned first.
  const end = (rootPage(old, 'pin') + 1) * PAGE_BYTES
  const fd = fs.openSync(old.file, 'r+')
  const last = Buffer.alloc(1)
  fs.readSync(fd, last, 0, 1, end - 1)
  fs.writeSync(fd, Buffer.of((last[0] as number) - 1), 0, 1, end - 1)
  fs.closeSync(fd)
  t.same(await ledger.care.carryPins(old.file), { pins: 2, lost: 1 })
  t.same(await pinnedNames(ledger), ['folder', 'a'])
})
