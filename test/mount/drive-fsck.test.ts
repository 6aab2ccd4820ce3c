/** fsck as a person runs it, on a drive that is mounted and on one that is not, and a mount that heals what is damaged. */
import fs from 'node:fs'
import path from 'node:path'
import BetterSqlite3 from 'better-sqlite3'
import t from 'tap'
import { differences, manifestOf } from '../support/drive-manifest.js'
import { Lab } from '../support/drive-process.js'
import { spoilPage } from '../support/ledger-damage.js'
import { noMounts } from '../support/mounts.js'
import { until } from '../support/programs.js'

t.setTimeout(200_000)

interface Report {
  findings: { code: string }[]
  repaired: { code: string }[]
  cache: { units: number; spoilt: number }
  placement: { segments: number; full: number; read: number } | null
  lost: { count: number }
  setAside: { folder: string; isHealed: boolean }[]
}

async function fsck(lab: Lab, ...words: string[]): Promise<{ status: number | null; report: Report }> {
  const ran = await lab.shardrive(['fsck', ...words, '--json'])
  return { status: ran.status, report: JSON.parse(ran.stdout.trim().split('\n').at(-1) as string) }
}

function inDatabase(file: string, sql: string): void {
  const db = new BetterSqlite3(file)
  db.exec(sql)
  db.close()
}

t.test('S-20 fsck looks, repairs and tells; a mount heals', { skip: noMounts() }, async (t) => {
  const lab = new Lab(t)
  const { facts: network } = await lab.up()
  const { state } = network
  const mount = lab.made('mnt')
  const ledger = path.join(state, 'ledger.db')
  const first = await lab.mount({ mount, state })
  await lab.sh(
    'mkdir a && for i in $(seq 40); do head -c $((i * 2000)) /dev/urandom > a/f$i; done; ln a/f1 b; ln -s a c',
    {
      cwd: mount,
    },
  )
  await lab.sync(state)
  const before = await manifestOf(mount)

  await t.test('a sound drive, mounted', async (t) => {
    const { status, report } = await fsck(lab, '--state', state, '--read')
    t.equal(status, 0)
    t.same([report.findings, report.repaired, report.lost.count], [[], [], 0])
    t.ok(report.cache.units > 0, 'what was written is in the cache')
    t.ok(report.placement !== null && report.placement.segments > 0)
    t.equal(report.placement?.read, report.placement?.segments, 'every segment was read')
    const words = await lab.shardrive(['fsck', '--state', state])
    t.match(words.stdout, /segments on the network.*\nsound\n$/)
  })

  await t.test('counters, spoilt units and leftovers are repaired', async (t) => {
    t.equal(await first.stop(), 0)
    inDatabase(ledger, 'UPDATE inode SET covered = covered + 7 WHERE ino = 5; UPDATE segment SET live = 1')
    inDatabase(
      path.join(state, 'cache.db'),
      'UPDATE units SET sealed = zeroblob(60) WHERE id = (SELECT min(id) FROM units)',
    )
    fs.writeFileSync(path.join(state, 'drive.json.draft'), 'half')
    const looked = await fsck(lab, '--state', state, '--dry-run')
    t.equal(looked.status, 7)
    const codes = ['cache-spoilt', 'covered', 'leftover', 'segment-live']
    t.same([...new Set(looked.report.findings.map((one) => one.code))].sort(), codes)
    const { status, report } = await fsck(lab, '--state', state)
    t.equal(status, 0)
    t.same(report.repaired.map((one) => one.code).sort(), codes)
    t.same((await fsck(lab, '--state', state)).report.repaired, [], 'nothing is left')
  })

  await t.test('a spoilt page: fsck says so, the mount heals', async (t) => {
    for (let page = 3; page < 8; page++) spoilPage(state, page, 'noise')
    const cache = path.join(state, 'cache.db')
    const ran = await lab.shardrive(['fsck', '--state', state])
    t.equal(ran.status, 7)
    const doctor = await lab.shardrive(['doctor', '--state', state])
    t.equal(doctor.status, 5)
    t.match(doctor.stdout, /BAD {2}local database: damage was met.*\n.*shardrive mount heals it/)
    t.match(ran.stdout + ran.stderr, /what to do: .*shardrive mount/)
    fs.writeFileSync(cache, Buffer.alloc(100_000, 7))
    const healed = await lab.mount({ mount, state })
    t.match(healed.log, /the drive is healed: /)
    t.match(healed.log, /the cache of read data is damaged and is begun anew/)
    t.same(differences(before, await manifestOf(mount)), [], 'every file is there, byte for byte')
    t.notMatch(healed.log, /\bf1[0-9]\b/, 'no name is in the log')
    const { status, report } = await fsck(lab, '--state', state)
    t.equal(status, 0)
    t.equal(report.setAside.length, 1)
    t.ok(report.setAside[0]?.isHealed)
    t.ok(fs.existsSync(path.join(report.setAside[0]?.folder as string, 'ledger.db')), 'the damaged file is kept')
    t.same(fs.readFileSync(path.join(mount, 'a/f3')).length, 6_000)
    fs.writeFileSync(path.join(mount, 'after'), 'it can be written again')
    await lab.sync(state)
    t.equal(await healed.stop(), 0)
  })

  await t.test(
    'a log that somebody removed behind a daemon that was killed: fsck says so, the mount heals',
    async (t) => {
      const running = await lab.mount({ mount, state })
      await lab.sh('echo only here > late && sync late', { cwd: mount })
      await running.stop('SIGKILL')
      fs.rmSync(path.join(state, 'ledger.db-wal'))
      const ran = await lab.shardrive(['fsck', '--state', state])
      t.equal(ran.status, 7)
      t.match(ran.stdout + ran.stderr, /ledger.db-wal\) was removed or cut/)
      const healed = await lab.mount({ mount, state })
      t.match(healed.log, /the local database is damaged: its log \(ledger.db-wal\)/)
      t.equal(fs.readFileSync(path.join(mount, 'after'), 'utf8'), 'it can be written again')
      t.equal((await fsck(lab, '--state', state)).status, 0)
      t.equal(await healed.stop(), 0)
    },
  )

  await t.test('a spoilt page that no start needs is found all the same', async (t) => {
    spoilPage(state, rootPage(ledger, 'snapshot'), 'noise')
    const found = await lab.mount({ mount, state })
    await until('the sweep says so', () => /database is damaged|database-damaged/.test(found.log))
    t.equal(await found.stop(), 0)
    // A machine that is too busy to look within the patience of a start finds it behind it: the next one heals then.
    t.equal(await (await lab.mount({ mount, state })).stop(), 0)
    const { status, report } = await fsck(lab, '--state', state)
    t.equal(status, 0)
    t.same(
      report.setAside.map((one) => one.isHealed),
      [true, true, true],
    )
  })
})

/** From 0. */
function rootPage(file: string, table: string): number {
  const db = new BetterSqlite3(file)
  const page = db.prepare('SELECT rootpage FROM sqlite_schema WHERE name = ?').pluck().get(table) as number
  db.close()
  return page - 1
}
