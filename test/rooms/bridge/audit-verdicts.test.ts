import path from 'node:path'
import t from 'tap'
import { AppError } from '../../../src/base/errors.js'
import { verdictOf, verdictOfError, verdictOfReach } from '../../../src/bridge/audits/verdicts.js'
import { DATABASE_KIND, MIGRATIONS } from '../../../src/bridge/persist/schema.js'
import { openDatabase } from '../../../src/sqlite/open.js'
import { Lab } from '../../support/audit-lab.js'

const local = (code: string) => new AppError(code, code)
const remote = (code: string) => new AppError(code, code, { details: { remote: true } })

t.test('what a failed challenge means, whoever says it', async (t) => {
  const table: [unknown, string, string | null][] = [
    [local('peer-unreachable'), 'offline', 'offline'],
    [local('fingerprint-mismatch'), 'offline', 'offline'],
    [local('timed-out'), 'timeout', 'offline'],
    [local('peer-lost'), 'timeout', 'offline'],
    [local('malformed'), 'timeout', 'offline'],
    [local('audit-signature'), 'timeout', 'unknown'],
    [local('audit-mismatch'), 'timeout', 'unknown'],
    [local('busy'), 'unknown', 'unknown'],
    [local('stopped'), 'unknown', 'unknown'],
    [remote('busy'), 'unknown', null],
    [remote('timed-out'), 'unknown', null],
    [remote('shard-not-found'), 'unknown', null],
    [remote('unknown-method'), 'unknown', null],
    [remote('audit-signature'), 'unknown', null],
    [new TypeError('a fault of our own'), 'unknown', 'unknown'],
  ]
  for (const [error, asked, knocked] of table) {
    t.equal(verdictOfError(error), asked, String(error))
    t.equal(verdictOfReach(error), knocked, `at the door: ${error}`)
  }
})

t.test('what a finding means', async (t) => {
  t.same((['proved', 'wrong', 'not-found', 'damaged', 'unreadable'] as const).map(verdictOf), [
    'success',
    'fail',
    'fail',
    'admitted',
    'again',
  ])
})

t.test('a bridge from before audits knows at once what is stored where, and asks for it', async (t) => {
  const dir = t.testdir()
  const lab = await Lab.open(dir, { hosts: 2, segments: 3 })
  lab.stop()
  const file = path.join(dir, 'bridge.db')
  const db = openDatabase(file, { migrations: MIGRATIONS, kind: DATABASE_KIND })
  const known = () => [
    db.prepare('SELECT * FROM holdings ORDER BY host_row').all(),
    db.prepare('SELECT * FROM proofs ORDER BY host_row, place').all(),
  ]
  const before = known()
  for (const name of ['shards_moved', 'shards_gone']) db.exec(`DROP TRIGGER ${name}`)
  const tables = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'").all()
  const old = new Set(['facts', 'accounts', 'drives', 'devices', 'chain', 'hosts', 'segments', 'shards'])
  for (const kept of ['deletions', 'evidence']) old.add(kept)
  for (const { name } of tables as { name: string }[]) if (!old.has(name)) db.exec(`DROP TABLE ${name}`)
  const audits = MIGRATIONS.find((one) => typeof one === 'string' && one.includes('CREATE TABLE holdings')) as string
  db.exec(audits)
  t.same(known(), before)
  t.match(before[0], [{ shards: 3, bytes: 3 * 4_096 }, { shards: 3 }])
  db.close()
})
