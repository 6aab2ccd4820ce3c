import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import t from 'tap'
import { databaseFailure, sqliteFailure } from '../../../src/sqlite/failures.js'
import { mountSmallDisk, noSmallDisks } from '../../support/small-disk.js'

/** Less than what is probed with. */
const DISK_BYTES = 65_536

const said = (code: string) => Object.assign(new Error('disk I/O error'), { code })

t.test('an error of a write is a failing disk where there is room', async (t) => {
  const file = path.join(t.testdir(), 'some.db')
  t.match(sqliteFailure(said('SQLITE_IOERR_WRITE')), { code: 'disk-failing' })
  t.match(databaseFailure(said('SQLITE_IOERR_WRITE'), file), { code: 'disk-failing' })
  t.same(fs.readdirSync(path.dirname(file)), [], 'nothing stays of the probe')
})

t.test(
  'S-15 where there is none it is a full disk: SQLite says nothing else of a quota',
  { skip: noSmallDisks() },
  async (t) => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'shardrive-disk-'))
    t.teardown(() => fs.rmSync(folder, { recursive: true, force: true }))
    mountSmallDisk(t, folder, DISK_BYTES)
    const file = path.join(folder, 'some.db')
    for (const code of ['SQLITE_IOERR_WRITE', 'SQLITE_IOERR_FSYNC', 'SQLITE_CANTOPEN'])
      t.match(databaseFailure(said(code), file), { code: 'no-space', retry: 'later' })
    t.match(databaseFailure(said('SQLITE_IOERR_READ'), file), { code: 'disk-failing' })
    t.match(databaseFailure(said('SQLITE_CORRUPT'), file), { code: 'database-damaged' })
    t.same(fs.readdirSync(folder), [])
  },
)
