/** An index that an older program made is brought on, and says the same afterwards. */
import fs from 'node:fs'
import path from 'node:path'
import Database from 'better-sqlite3'
import t from 'tap'
import { INDEX_KIND, INDEX_MIGRATIONS } from '../../../src/host/ledger/schema.js'
import { openDatabase } from '../../../src/sqlite/open.js'
import { checkStore, countersAgree, openStore, orderOf, readWhole, scratchDir } from '../../support/host-folder.js'

const SIZE = 5_000
const COLUMNS = 'pseudonym, segment, idx, shard, volume, offset, length, generation, stored_at, keep_until, damaged'

/** What this program knows of a folder, as one of `version` would have written it. */
function asOf(dir: string, version: number): void {
  const file = path.join(dir, 'index.db')
  fs.renameSync(file, `${file}.new`)
  const db = openDatabase(file, { kind: INDEX_KIND, migrations: INDEX_MIGRATIONS.slice(0, version) })
  db.exec(`ATTACH '${file}.new' AS new`)
  if (version === 3) {
    for (const table of ['volumes', 'shards', 'covers', 'facts'])
      db.exec(`INSERT INTO ${table} SELECT * FROM new.${table}`)
    db.exec('INSERT INTO serials SELECT serial, expires FROM new.serials')
    db.close()
    fs.rmSync(`${file}.new`)
    return
  }
  const trash = version >= 2
  db.exec(`INSERT INTO volumes SELECT number, indexed_to, live_bytes, dead_bytes + ${trash ? 0 : 'trash_bytes'},
    live_records${trash ? ', trash_bytes, trash_records' : ''} FROM new.volumes`)
  db.exec(`INSERT INTO shards SELECT ${COLUMNS}${trash ? ', trashed_at' : ''} FROM new.shards
    ${trash ? '' : 'WHERE trashed_at IS NULL'}`)
  db.exec('INSERT INTO serials SELECT serial, expires, 1 FROM new.serials')
  db.exec('INSERT INTO covers SELECT volume, target FROM new.covers')
  db.exec("INSERT INTO facts VALUES ('closed', 1)")
  db.close()
  fs.rmSync(`${file}.new`)
}

for (const version of [1, 2, 3]) {
  t.test(`an index of version ${version} is opened, serves, and is sound`, async (t) => {
    const dir = scratchDir(t)
    const volumeBytesMax = 12_000
    let store = await openStore(dir, { volumeBytesMax })
    for (let number = 0; number < 9; number++) {
      const { order, payload } = await orderOf(number, SIZE, { serial: number })
      await store.put(order, payload)
    }
    for (const number of [1, 2]) await store.remove((await orderOf(number, SIZE, { serial: 100 + number })).order)
    const before = store.totals()
    await store.stop()
    asOf(dir, version)
    store = await openStore(dir, { volumeBytesMax })
    t.equal(store.recovered.replayedRecords, 0, 'nothing was read anew')
    t.match(store.totals(), { shards: before.shards, volumeBytes: before.volumeBytes })
    t.equal(store.totals().trashShards, version === 1 ? 0 : 2)
    for (const number of [0, 3, 8]) {
      const { order, payload } = await orderOf(number, SIZE)
      t.ok((await readWhole(store, order)).equals(payload))
      t.ok(store.serialUsed((await orderOf(number, SIZE, { serial: number })).order))
    }
    const { digest, count } = (
      await store.inventory.digests({ from: 0, to: 2 ** 32 }, 1, new AbortController().signal)
    )[0]!
    t.equal(count, 7)
    t.ok(digest.some((byte) => byte !== 0))
    t.ok(countersAgree(store, dir))
    await store.stop()
    t.same((await checkStore(dir)).findings, [])
    const db = new Database(path.join(dir, `index.db.v${version}.copy`), { readonly: true })
    t.equal(db.pragma('user_version', { simple: true }), version, 'a copy of the old one stays')
    db.close()
  })
}
