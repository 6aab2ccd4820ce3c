/** S-20: a ledger that shows less than was durable says so, and no other does. */
import fs from 'node:fs'
import path from 'node:path'
import t, { type Test } from 'tap'
import { systemRandom } from '../../../../src/base/random.js'
import { openTables } from '../../../../src/mount/metadata/tables.js'
import { noiseBytes } from '../../../support/noise.js'
import { key, makeFile, open, ROOT, scratch } from './support.js'

const FILES = ['ledger.db', 'ledger.db-wal', 'ledger.db-shm', 'ledger.db-synced']

/** Copies of the folder of a ledger that runs, as a kill leaves it: after a first sync, and after a second. */
const killed = { first: scratch(t), second: scratch(t) }

t.before(async () => {
  const folder = scratch(t)
  const ledger = await open(folder)
  await makeFile(ledger, ROOT, 'a')
  await ledger.sync()
  copyTo(folder, killed.first)
  await makeFile(ledger, ROOT, 'b')
  await ledger.sync()
  copyTo(folder, killed.second)
  await ledger.close()
})

function killedAgain(t: Test): string {
  const folder = scratch(t)
  copyTo(killed.second, folder)
  return folder
}

function copyTo(from: string, to: string): void {
  for (const name of FILES)
    if (fs.existsSync(path.join(from, name))) fs.copyFileSync(path.join(from, name), path.join(to, name))
}

/** Opened and closed as its thread does it. */
function isBehind(folder: string): boolean {
  const parts = { key: key(), random: systemRandom, nowMs: Date.now }
  const { database } = openTables({ file: path.join(folder, 'ledger.db'), ...parts })
  try {
    database.sync()
    return database.isBehind
  } finally {
    database.close()
  }
}

const WENT_BACK: [what: string, inject: (folder: string, older: string) => void][] = [
  ['its log is removed', (folder) => fs.rmSync(path.join(folder, 'ledger.db-wal'))],
  [
    'log and shared memory are removed',
    (folder) => ['-wal', '-shm'].map((end) => fs.rmSync(`${folder}/ledger.db${end}`)),
  ],
  ['its log is cut to nothing', (folder) => fs.truncateSync(path.join(folder, 'ledger.db-wal'), 0)],
  ['the last page of its log is cut off', (folder) => cutEnd(path.join(folder, 'ledger.db-wal'))],
  ['its log is noise', (folder) => fs.writeFileSync(path.join(folder, 'ledger.db-wal'), noiseBytes(4, 200_000))],
  ['its log is an older one', (folder, older) => fs.copyFileSync(`${older}/ledger.db-wal`, `${folder}/ledger.db-wal`)],
]

function cutEnd(file: string): void {
  fs.truncateSync(file, fs.statSync(file).size - 1)
}

const NOTHING_LOST: typeof WENT_BACK = [
  ['nothing happened', () => {}],
  ['its shared memory is removed', (folder) => fs.rmSync(path.join(folder, 'ledger.db-shm'))],
  ['its shared memory is cut', (folder) => fs.truncateSync(path.join(folder, 'ledger.db-shm'), 100)],
  [
    'its shared memory is noise',
    (folder) => fs.writeFileSync(path.join(folder, 'ledger.db-shm'), noiseBytes(4, 32_768)),
  ],
  ['the count is gone', (folder) => fs.rmSync(path.join(folder, 'ledger.db-synced'))],
  ['the count is cut', (folder) => fs.truncateSync(path.join(folder, 'ledger.db-synced'), 7)],
  ['the count is noise', (folder) => fs.writeFileSync(path.join(folder, 'ledger.db-synced'), noiseBytes(4, 16))],
  [
    'a loss of power kept an older count',
    (folder, older) => fs.copyFileSync(`${older}/ledger.db-synced`, `${folder}/ledger.db-synced`),
  ],
]

for (const [what, inject] of WENT_BACK) {
  t.test(`S-20 a ledger that was killed is behind when ${what}, until somebody heals it`, async (t) => {
    const folder = killedAgain(t)
    inject(folder, killed.first)
    t.equal(isBehind(folder), true)
    t.equal(isBehind(folder), true, 'being opened and closed does not make it forget')
  })
}

t.test('S-8 what is synced in a ledger that is behind is synced all the same: a pin, say', async (t) => {
  const folder = killedAgain(t)
  fs.rmSync(path.join(folder, 'ledger.db-wal'))
  const parts = { key: key(), random: systemRandom, nowMs: Date.now }
  const { database } = openTables({ file: path.join(folder, 'ledger.db'), ...parts })
  t.teardown(() => database.close())
  t.ok(database.isBehind)
  for (const name of ['first', 'second']) {
    database.alone(
      () => database.sql('INSERT INTO meta (key, value) VALUES (?, ?)').run(name, Buffer.from(name)),
      false,
    )
    const before = database.logFrames().all
    database.sync()
    t.ok(database.logFrames().all > before, 'SQLite syncs the log only behind a frame that is written')
  }
})

for (const [what, inject] of NOTHING_LOST) {
  t.test(`S-20 a ledger that was killed is whole when ${what}`, async (t) => {
    const folder = killedAgain(t)
    inject(folder, killed.first)
    t.equal(isBehind(folder), false)
    const ledger = await open(folder)
    t.ok(await ledger.lookup(ROOT, Buffer.from('b')))
    await ledger.close()
    t.equal(isBehind(folder), false)
  })
}

t.test('S-20 a closed ledger needs no log, and one that is older than its count is behind', async (t) => {
  const folder = scratch(t)
  const older = scratch(t)
  const first = await open(folder)
  await makeFile(first, ROOT, 'a')
  await first.close()
  t.notOk(fs.existsSync(path.join(folder, 'ledger.db-wal')))
  copyTo(folder, older)
  const second = await open(folder)
  await makeFile(second, ROOT, 'b')
  await second.close()
  t.equal(isBehind(folder), false)
  fs.copyFileSync(path.join(older, 'ledger.db'), path.join(folder, 'ledger.db'))
  t.equal(isBehind(folder), true)
  const other = await open(scratch(t))
  const facts = await other.care.lookAtOld(path.join(folder, 'ledger.db'))
  t.equal(facts?.lastPosition, null, 'what its last change was nobody knows')
  await other.close()
})
