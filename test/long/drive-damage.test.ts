/** Every kind of damage on every kind of page of a ledger, many times; and a mount whose only copy of some bytes is spoilt. */
import fs from 'node:fs'
import path from 'node:path'
import BetterSqlite3 from 'better-sqlite3'
import t from 'tap'
import { HEALING_POINTS } from '../support/crash-points.js'
import { damagedDrive, healAfter } from '../support/damage-scenario.js'
import { Dice, testSeed } from '../support/dice.js'
import { Lab } from '../support/drive-process.js'
import {
  DATABASE_GONE,
  FILE_DAMAGES,
  LOG_DAMAGES,
  pagesByKind,
  spoilPage,
  spoiltPages,
} from '../support/ledger-damage.js'
import { noMounts } from '../support/mounts.js'
import { until } from '../support/programs.js'

t.setTimeout(3_000_000)
const seed = testSeed()
const ROUNDS = 3
/** More than a healing carries over before its first pause. */
const PIECE_OPERATIONS = 8_192

interface Report {
  lost: { files: { path: string }[] }
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

t.test(
  `S-20 whatever happens to the ledger, nothing wrong is shown and nothing goes without a word (SEED=${seed})`,
  async (t) => {
    const dice = new Dice(seed)
    const drive = await damagedDrive(t)
    const { closed, killed } = drive
    const pages = [...pagesByKind(closed).values()].flat()
    const each = pages.map((page): (typeof FILE_DAMAGES)[number] => {
      const how = dice.pick(['zeros', 'noise', 'torn'] as const)
      return [`page ${page}: ${how}`, (state) => spoilPage(state, page, how)]
    })
    const several = Array.from({ length: ROUNDS }, () => spoiltPages(closed, dice)).flat()
    for (const one of [...FILE_DAMAGES, ...each, ...several])
      t.same(await healAfter(drive, closed, one, dice), [], one[0])
    for (const one of [...LOG_DAMAGES, DATABASE_GONE]) t.same(await healAfter(drive, killed, one, dice), [], one[0])
  },
)

t.test(
  'S-20 bytes that were only here are spoilt: read-only, named, and the way out is right',
  { skip: noMounts() },
  async (t) => {
    const lab = new Lab(t)
    const { facts: network } = await lab.up()
    const { state } = network
    const mount = lab.made('mnt')
    const ledger = path.join(state, 'ledger.db')
    const first = await lab.mount({ mount, state })
    fs.mkdirSync(path.join(mount, 'a'))
    fs.writeFileSync(path.join(mount, 'a/f3'), Buffer.alloc(6_000, 1))
    await lab.sync(state)
    t.equal(await first.stop(), 0)
    process.kill(network.bridgePid, 'SIGKILL')
    const local = await lab.mount({ mount, state })
    fs.writeFileSync(path.join(mount, 'a/f3'), Buffer.alloc(9_000, 3))
    fs.writeFileSync(path.join(mount, 'fresh'), Buffer.alloc(9_000, 4))
    fs.writeFileSync(path.join(mount, 'whole'), 'whole')
    for (let at = 0; at < PIECE_OPERATIONS; at++) fs.mkdirSync(path.join(mount, `folder ${at}`))
    await lab.sh('sync', { cwd: mount })
    t.equal(await local.stop(), 0)
    inDatabase(ledger, 'UPDATE staged SET sealed = zeroblob(9040) WHERE length = 9000')
    const met = await lab.mount({ mount, state })
    t.throws(() => fs.readFileSync(path.join(mount, 'fresh')), { code: 'EIO' })
    const notice = path.join(mount, 'THIS DRIVE IS READ-ONLY.txt')
    await until('it is said at the root', () => fs.existsSync(notice))
    t.match(fs.readFileSync(notice, 'utf8'), /damaged[\s\S]*shardrive unmount, then shardrive mount/)
    t.match(await lab.status(state), { readOnly: /damaged/ })
    t.match((await lab.shardrive(['status', '--state', state])).stdout, /READ-ONLY.*damaged[\s\S]*what to do/)
    const { status, report } = await fsck(lab, '--state', state)
    t.equal(status, 7)
    t.same(report.lost.files.map((one) => one.path).sort(), ['a/f3', 'fresh'])
    t.equal(await met.stop(), 0)
    await lab.daemon(['bridge', 'run', '--dir', network.bridgeDir])
    for (const point of ['mount.start.opened', 'mount.recover.kept', ...HEALING_POINTS, 'mount.start.online']) {
      const env = { SHARDRIVE_FAILPOINT: `${point}:1` }
      await t.rejects(lab.mount({ mount, state, env }), /ended at its start/, `cut short at ${point}`)
    }
    const healed = await lab.mount({ mount, state })
    t.equal(fs.readFileSync(path.join(mount, 'a/f3')).length, 6_000, 'the stored bytes')
    t.equal(fs.readFileSync(path.join(mount, 'whole'), 'utf8'), 'whole')
    t.notOk(fs.existsSync(path.join(mount, 'fresh')))
    t.equal(fs.readFileSync(path.join(mount, 'fresh (damaged)')).length, 9_000)
    const told = await lab.shardrive(['fsck', '--state', state])
    t.equal(told.status, 0)
    t.match(told.stdout, /\/a\/f3: [\s\S]*stored last/)
    t.match(told.stdout, /\/fresh \(damaged\): /)
    await lab.sync(state)
    t.equal(await healed.stop(), 0)
  },
)
