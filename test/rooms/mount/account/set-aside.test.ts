/** S-20: a ledger is set aside whole, whenever the process dies, and a ledger that is gone is missed. */
import fs from 'node:fs'
import path from 'node:path'
import t, { type Test } from 'tap'
import { isLedgerGone, setLedgerAside, unhealed } from '../../../../src/mount/account/set-aside.js'
import { scratch } from '../metadata/support.js'

const FILES = ['ledger.db-wal', 'ledger.db-shm', 'ledger.db', 'ledger.db-synced']

function folderWith(t: Test, names: readonly string[]): string {
  const folder = scratch(t)
  for (const name of names) fs.writeFileSync(path.join(folder, name), name)
  return folder
}

for (let moved = 0; moved <= FILES.length; moved++) {
  t.test(`S-20 what dies with ${moved} files of the ledger moved is gone on with by the next start`, async (t) => {
    const folder = folderWith(t, [...FILES, 'cache.db'])
    const aside = setLedgerAside(folder, 'its log was removed', 1_800_000_000_000)
    const about = path.join(aside.folder, 'about.json')
    fs.writeFileSync(about, fs.readFileSync(about, 'utf8').replace('"moved"', '"moving"'))
    for (const name of FILES.slice(moved)) fs.renameSync(path.join(aside.folder, name), path.join(folder, name))
    t.match(unhealed(folder), { name: aside.name, reason: 'its log was removed' })
    t.same(fs.readdirSync(folder).sort(), ['cache.db', 'damaged'], 'the count would be told of the next ledger')
    t.same(fs.readdirSync(aside.folder).sort(), ['about.json', ...FILES].sort())
    t.match(fs.readFileSync(about, 'utf8'), /"moved"/)
  })
}

t.test('S-20 a ledger is missed when anything beside it says that it was here', async (t) => {
  t.notOk(isLedgerGone(folderWith(t, ['device.key', 'drive.json'])))
  t.notOk(isLedgerGone(folderWith(t, FILES)))
  for (const name of ['ledger.db-wal', 'ledger.db-synced', 'cache.db']) {
    const folder = folderWith(t, [name])
    t.ok(isLedgerGone(folder), name)
    fs.writeFileSync(path.join(folder, 'ledger.db'), '')
    t.ok(isLedgerGone(folder), `${name} and a ledger that is cut to nothing`)
  }
})
