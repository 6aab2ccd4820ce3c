/** The check of a host against itself finds what was spoilt, and calls it by its name. */
import fs from 'node:fs'
import path from 'node:path'
import Database from 'better-sqlite3'
import t from 'tap'
import { payloadOffset, recordBytes } from '../../../src/host/shards/offsets.js'
import { checkStore, NOW_MS, openStore, orderOf, scratchDir, volumeFile } from '../../support/host-folder.js'

const SIZE = 4_000

/** Six shards, one renewed, two in the trash, in three volumes. */
async function folder(t: { teardown(work: () => void): void }): Promise<string> {
  const dir = scratchDir(t)
  const store = await openStore(dir, { volumeBytesMax: 10_000 })
  for (let number = 0; number < 6; number++) {
    const { order, payload } = await orderOf(number, SIZE)
    await store.put(order, payload)
  }
  const again = await orderOf(3, SIZE, { generation: 2 })
  await store.put(again.order, again.payload)
  for (const number of [0, 4]) await store.remove((await orderOf(number, SIZE)).order)
  await store.stop()
  return dir
}

function spoilVolume(dir: string, at: number, number = 1): void {
  const file = fs.openSync(volumeFile(dir, number), 'r+')
  fs.writeSync(file, Buffer.from([0xee, 0xee, 0xee]), 0, 3, at)
  fs.closeSync(file)
}

function onIndex(dir: string, text: string, name = 'index.db'): void {
  const db = new Database(path.join(dir, name))
  db.exec(text)
  db.close()
}

async function codesOf(dir: string): Promise<string[]> {
  return [...new Set((await checkStore(dir)).findings.map((one) => one.code))].sort()
}

t.test('a sound host has no findings, and what was read is told', async (t) => {
  const dir = await folder(t)
  const check = await checkStore(dir)
  t.same(check.findings, [])
  t.match(check, { found: 0, shards: 4, trashShards: 2, records: 9, behindBytes: 0 })
  t.same(fs.readdirSync(dir).sort(), ['index.db', 'kept.db', 'volumes'], 'nothing is left over')
})

t.test('without an index nothing is called sound, and none is made', async (t) => {
  const dir = await folder(t)
  for (const end of ['', '-wal', '-shm']) fs.rmSync(path.join(dir, `index.db${end}`), { force: true })
  t.same(await codesOf(dir), ['index-missing'])
  t.same(fs.readdirSync(dir).sort(), ['kept.db', 'volumes'])
  await (await openStore(dir)).stop()
  t.same(await codesOf(dir), [], 'a start builds it')
})

const spoilings: [name: string, spoil: (dir: string) => void, codes: string[]][] = [
  ['a payload', (dir) => spoilVolume(dir, payloadOffset(64) + 100), ['shard-damaged']],
  ['a record header', (dir) => spoilVolume(dir, 64 + recordBytes(SIZE) + 40), ['record-missing', 'volume-damaged']],
  ['a volume that is gone', (dir) => fs.rmSync(volumeFile(dir, 2)), ['record-missing', 'volume-missing']],
  [
    'a volume that is cut',
    (dir) => fs.truncateSync(volumeFile(dir, 2), 5_000),
    ['record-missing', 'volume-damaged', 'volume-short'],
  ],
  ['a row that is gone', (dir) => onIndex(dir, 'DELETE FROM shards WHERE id = 2'), ['counter-wrong', 'row-missing']],
  ['a row with another place', (dir) => onIndex(dir, 'UPDATE shards SET offset = 80 WHERE id = 2'), ['row-wrong']],
  [
    'a row of another generation',
    (dir) => onIndex(dir, 'UPDATE shards SET generation = 7 WHERE id = 4'),
    ['row-wrong'],
  ],
  [
    'a row out of the trash',
    (dir) => onIndex(dir, 'UPDATE shards SET trashed_at = NULL WHERE id = 1'),
    ['counter-wrong', 'row-wrong'],
  ],
  [
    'a row twice',
    (dir) =>
      onIndex(
        dir,
        `CREATE TABLE x AS SELECT * FROM shards WHERE id = 3; UPDATE x SET id = 99, volume = 77; INSERT INTO shards SELECT * FROM x; DROP TABLE x`,
      ),
    ['row-twice'],
  ],
  [
    'a counter',
    (dir) => onIndex(dir, 'UPDATE volumes SET live_bytes = live_bytes + 8 WHERE number = 1'),
    ['counter-wrong'],
  ],
  ['a cover', (dir) => onIndex(dir, 'DELETE FROM covers'), ['cover-missing']],
  [
    'a mark without a loss',
    (dir) => onIndex(dir, 'UPDATE shards SET damaged = 1, item = NULL WHERE id = 2'),
    ['loss-missing'],
  ],
  [
    'a serial',
    (dir) => onIndex(dir, `INSERT INTO serials VALUES (x'${'77'.repeat(16)}', ${NOW_MS + 1_000})`, 'kept.db'),
    ['serial-missing'],
  ],
]

for (const [name, spoil, codes] of spoilings) {
  t.test(`found: ${name}`, async (t) => {
    const dir = await folder(t)
    spoil(dir)
    t.same(await codesOf(dir), codes)
  })
}

t.test('after a restart known damage is in the loss list, and nothing but the damage is found', async (t) => {
  const dir = await folder(t)
  fs.rmSync(volumeFile(dir, 2))
  const store = await openStore(dir, { volumeBytesMax: 10_000 })
  t.equal(store.upkeep.losses(10).length, 2)
  await store.stop()
  t.same(await codesOf(dir), ['volume-missing'])
})
