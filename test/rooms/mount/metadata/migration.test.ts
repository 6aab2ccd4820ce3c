/** A ledger of the first version is brought to the present one, with a copy beside it, and nothing of it is lost. */
import fs from 'node:fs'
import path from 'node:path'
import Database from 'better-sqlite3'
import t from 'tap'
import { openLedger } from '../../../../src/mount/metadata/client.js'
import { LEDGER_KIND, LEDGER_MIGRATIONS } from '../../../../src/mount/metadata/schema.js'
import { openDatabase } from '../../../../src/sqlite/open.js'
import { key, ROOT, scratch } from './support.js'

t.test('the segments of a ledger of version 1 stay', async (t) => {
  const file = path.join(scratch(t), 'ledger.db')
  const old = openDatabase(file, { kind: LEDGER_KIND, migrations: LEDGER_MIGRATIONS.slice(0, 1) })
  old.exec(`INSERT INTO segment VALUES (7, x'${'ab'.repeat(32)}', x'${'cd'.repeat(32)}', 4, 8, 1, 100, 128, 1024, 100, 0, 1,
    NULL, NULL, NULL)`)
  old.close()
  const ledger = await openLedger({ file, stagedKey: key() })
  t.ok(await ledger.attributes(ROOT))
  t.match(await ledger.segment('ab'.repeat(32) as never), { dataShards: 4, totalShards: 8, plainLength: 100 })
  await ledger.close()
  t.ok(fs.existsSync(`${file}.v1.copy`))
  const db = new Database(file, { readonly: true })
  t.match(db.prepare('SELECT * FROM segment').get(), { id: 7, live: 100, born: 1, died: null })
  db.close()
})
