/** Copies of the books, and whether books are sound. */
import fs from 'node:fs'
import path from 'node:path'
import Database from 'better-sqlite3'
import t from 'tap'
import { backupBooks, restoreBooks } from '../../../src/bridge/persist/books.js'
import { checkBooks } from '../../../src/bridge/reconcile/check-books.js'
import { World } from '../../support/bridge-world.js'
import { segmentNamed } from '../../support/named.js'

async function filled(dir: string) {
  const world = await World.start(dir)
  const hosts = await world.hosts(8)
  const drive = await world.drive('a')
  await drive.claim()
  const segments = [0, 1, 2].map((at) => segmentNamed(`s${at}`))
  for (const segment of segments) await drive.store(segment, hosts)
  await drive.append(drive.epoch({ confirm: segments.map((one) => one.segment) }))
  await drive.append(drive.epoch({ retire: [segmentNamed('s0').segment] }))
  return { world, drive, hosts }
}

t.test('a copy of a running bridge is whole, and what it forgot is there after it was put back', async (t) => {
  const dir = t.testdir({ bridge: {} })
  const bridge = path.join(dir, 'bridge')
  const { world, drive } = await filled(bridge)
  const to = path.join(dir, 'copy.db')
  let seen = 0
  const copying = backupBooks(bridge, to, (done, total) => {
    seen++
    t.ok(done <= total)
  })
  await drive.append(drive.epoch())
  const facts = await copying
  t.ok(seen > 0)
  t.equal(facts.incarnation, 1)
  t.equal(fs.statSync(to).mode & 0o777, 0o600)
  t.same(fs.readdirSync(dir).sort(), ['bridge', 'copy.db'], 'one file, nothing beside it')
  await t.rejects(
    backupBooks(bridge, to, () => undefined),
    { code: 'books-exist' },
  )
  t.throws(() => restoreBooks(to, bridge, { force: true }), { code: 'folder-locked' })
  await world.bridge.stop()
  t.throws(() => restoreBooks(to, bridge, { force: false }), { code: 'books-newer' })
  t.ok(fs.existsSync(path.join(bridge, 'bridge.db')))
  restoreBooks(to, bridge, { force: true })
  t.ok(fs.existsSync(path.join(bridge, 'bridge.db.replaced')), 'what was there is kept')
  t.same(checkBooks(bridge), [])
  await world.startBridge()
  const info = await world.client(world.key).info()
  t.ok(info.incarnation > 1)
  t.type(info.frozenSince, 'number')
  await world.bridge.stop()
  const elsewhere = path.join(dir, 'elsewhere')
  restoreBooks(to, elsewhere, { force: false })
  t.same(checkBooks(elsewhere), [])
})

t.test('what is no copy of a bridge is refused, and what was there stays', async (t) => {
  const dir = t.testdir({ bridge: {}, 'text.db': 'not a database, but long enough to look like something'.repeat(200) })
  const bridge = path.join(dir, 'bridge')
  const { world } = await filled(bridge)
  await world.bridge.stop()
  const before = fs.readFileSync(path.join(bridge, 'bridge.db'))
  t.throws(() => restoreBooks(path.join(dir, 'text.db'), bridge, { force: true }), { code: 'database-damaged' })
  t.throws(() => restoreBooks(path.join(dir, 'nothing.db'), bridge, { force: true }), { code: 'no-books' })
  t.ok(fs.readFileSync(path.join(bridge, 'bridge.db')).equals(before))
})

const spoils: [string, string, string][] = [
  ['a counter of a drive', 'UPDATE drives SET host_bytes = host_bytes + 1', 'drive-counters'],
  ['a shard that is stored and not counted', 'UPDATE shards SET stored = 0 WHERE idx = 1', 'segment-stored'],
  ['a shard that has gone', 'DELETE FROM shards WHERE idx = 7', 'segment-shards'],
  ['a segment in no state', 'UPDATE segments SET state = 7 WHERE id = 2', 'segment-state'],
  ['a shard on no host', 'PRAGMA foreign_keys = OFF; UPDATE shards SET host_row = 99 WHERE idx = 2', 'shard-row'],
  [
    'a deletion of what is placed',
    `INSERT INTO deletions (host_row, pseudonym, segment, idx, shard, generation, created_at)
     SELECT host_row, zeroblob(16), segment, idx, shard, 1, 1 FROM shards JOIN segments ON segments.id = segment_row
     WHERE segments.state = 1 LIMIT 1`,
    'deletion-placed',
  ],
  ['holdings of a host', 'UPDATE holdings SET bytes = 5 WHERE host_row = 1', 'holdings'],
  ['a record that is missing', 'DELETE FROM chain WHERE sequence = 2', 'chain'],
  ['a record that was changed', 'UPDATE chain SET record = zeroblob(size) WHERE sequence = 1', 'chain'],
  ['a head behind the last record', 'DELETE FROM chain WHERE sequence = 3', 'chain'],
]

t.test('books that do not fit themselves are found', async (t) => {
  const dir = t.testdir({ bridge: {} })
  const bridge = path.join(dir, 'bridge')
  const { world } = await filled(bridge)
  await world.bridge.stop()
  t.same(checkBooks(bridge), [])
  for (const [name, sql, code] of spoils) {
    const copy = path.join(dir, code + name.length)
    fs.cpSync(bridge, copy, { recursive: true })
    const db = new Database(path.join(copy, 'bridge.db'))
    db.exec(sql)
    db.close()
    t.ok(
      checkBooks(copy).some((one) => one.code === code),
      `${name}: ${code}`,
    )
  }
})
