/**
 * A repair worker and its bridge are killed at every step of a repair. In the end every segment is whole on hosts of good
 * standing, none has two shards on one host, and whatever lies on a host is in the books or is to be deleted there.
 */
import fs from 'node:fs'
import path from 'node:path'
import Database from 'better-sqlite3'
import t from 'tap'
import { pseudonymOf } from '../../src/permits/pseudonym.js'
import { Lab, type NetworkFacts } from '../support/drive-process.js'
import { until } from '../support/programs.js'

const HOSTS = 7
const SUSPENDED = 2
const FILES = 12

interface Placed {
  segment_row: number
  host_row: number
  stored: number
  state: number
}

function withDatabase<T>(file: string, work: (db: Database.Database) => T): T {
  const db = new Database(file)
  try {
    return work(db)
  } finally {
    db.close()
  }
}

/** Names of everything that hosts hold and that neither the books nor an order to delete account for. */
function unaccounted(network: NetworkFacts): string[] {
  const accounted = new Set<string>()
  const name = (host: string, ...rest: (string | number)[]) => [host, ...rest].join(' ')
  withDatabase(path.join(network.bridgeDir, 'bridge.db'), (db) => {
    const placed = db
      .prepare(
        `SELECT hosts.host, drive, segments.segment, idx FROM shards JOIN hosts ON hosts.id = host_row
         JOIN segments ON segments.id = segment_row JOIN drives ON drives.id = drive_row WHERE shards.stored = 1`,
      )
      .all() as { host: Buffer; drive: Buffer; segment: Buffer; idx: number }[]
    for (const { host, drive, segment, idx } of placed) {
      const hex = host.toString('hex')
      const pseudonym = pseudonymOf(drive.toString('hex') as never, hex as never)
      accounted.add(name(hex, pseudonym, segment.toString('hex'), idx))
    }
    const orders = db
      .prepare('SELECT host, pseudonym, segment, idx FROM deletions JOIN hosts ON hosts.id = host_row')
      .all()
    for (const one of orders as { host: Buffer; pseudonym: Buffer; segment: Buffer; idx: number }[]) {
      const [host, pseudonym, segment] = [one.host, one.pseudonym, one.segment].map((bytes) => bytes.toString('hex'))
      accounted.add(name(host as string, pseudonym as string, segment as string, one.idx))
    }
  })
  return network.hosts.flatMap(({ id, dir }) =>
    withDatabase(path.join(dir, 'index.db'), (db) => {
      const held = db.prepare('SELECT hex(pseudonym) AS p, hex(segment) AS s, idx FROM shards').all()
      return (held as { p: string; s: string; idx: number }[])
        .map(({ p, s, idx }) => name(id, p.toLowerCase(), s.toLowerCase(), idx))
        .filter((one) => !accounted.has(one))
    }),
  )
}

t.test('a worker and a bridge that are killed in the middle of repairs leave nothing half done', async (t) => {
  const lab = new Lab(t)
  const up = await lab.up({ hosts: HOSTS, words: ['--scheme', '2/4'] })
  const network = up.facts
  const mount = lab.made('mnt')
  const drive = await lab.mount({ mount, state: network.state })
  for (let at = 0; at < FILES; at++) {
    fs.writeFileSync(path.join(mount, `file-${at}`), Buffer.alloc(200_000, at))
    await lab.sync(network.state)
  }
  t.equal(await drive.stop(), 0)

  const workerWords = ['bridge', 'run', '--role', 'repair', '--dir', lab.path('worker'), '--bridge', network.bridge]
  const first = await lab.daemon(workerWords)
  const key = String(first.facts.id)
  t.equal(await first.stop(), 0)
  process.kill(network.bridgePid, 'SIGKILL')
  const bridgeDb = path.join(network.bridgeDir, 'bridge.db')
  await until('the bridge is dead', () =>
    lab.processes().then((all) => !all.some((one) => one.pid === network.bridgePid)),
  )
  withDatabase(bridgeDb, (db) => db.prepare('UPDATE hosts SET state = 2 WHERE id <= ?').run(SUSPENDED))

  const bridgeWords = ['bridge', 'run', '--dir', network.bridgeDir, '--worker', key, '--repairs', 'workers']
  const status = async () => {
    const ran = await lab.shardrive(['bridge', 'status', '--dir', network.bridgeDir, '--json'])
    return JSON.parse(ran.stdout) as { hosts: { online: number }; repairs: Record<string, number> }
  }
  let bridge = await lab.daemon(bridgeWords)
  await until(
    'repairs are queued',
    async () => {
      const { hosts, repairs } = await status()
      return hosts.online === HOSTS && (repairs.queued ?? 0) > 3
    },
    90_000,
  )
  for (const point of ['bridge.repair.rebuilt', 'bridge.repair.pushed']) {
    const dying = await lab.daemon(workerWords, { SHARDRIVE_FAILPOINT: point })
    await until(`the worker dies at ${point}`, () => dying.hasEnded, 60_000)
    t.pass(`killed at ${point}`)
  }
  for (const point of ['bridge.repair.leased', 'bridge.repair.stored']) {
    await bridge.kill()
    bridge = await lab.daemon(bridgeWords, { SHARDRIVE_FAILPOINT: point })
    const worker = await lab.daemon(workerWords)
    await until(`the bridge dies at ${point}`, () => bridge.hasEnded, 90_000)
    await worker.kill()
    t.pass(`killed at ${point}`)
  }
  bridge = await lab.daemon(bridgeWords)
  const worker = await lab.daemon(workerWords)
  await until(
    'everything is repaired',
    async () => {
      const { hosts, repairs } = await status()
      return hosts.online === HOSTS && repairs.queued === 0 && repairs.leased === 0
    },
    120_000,
  )
  t.equal(await worker.stop(), 0)
  await bridge.stop()
  await up.stop()

  const placed = withDatabase(bridgeDb, (db) =>
    db.prepare('SELECT segment_row, host_row, stored, state FROM shards JOIN hosts ON hosts.id = host_row').all(),
  ) as Placed[]
  const bySegment = new Map<number, Placed[]>()
  for (const one of placed) bySegment.set(one.segment_row, [...(bySegment.get(one.segment_row) ?? []), one])
  t.ok(bySegment.size > 3)
  for (const shards of bySegment.values()) {
    t.equal(new Set(shards.map((one) => one.host_row)).size, 4)
    t.ok(shards.every((one) => one.stored === 1))
    t.ok(shards.filter((one) => one.state === 0).length > 3, 'all on hosts of good standing')
  }
  t.same(unaccounted(network), [])
})
