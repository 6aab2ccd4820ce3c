/**
 * Real processes, and months of their time: half of a drive is deleted, its 30 days pass, and hosts hold exactly what the books say, one
 * by one, shard by shard. A host that was away for it, and for which the orders were lost, catches up with one round.
 */
import fs from 'node:fs'
import path from 'node:path'
import Database from 'better-sqlite3'
import t, { type Test } from 'tap'
import { recordBytes, VOLUME_HEADER_BYTES, volumeNumber } from '../../src/host/shards/offsets.js'
import { pseudonymOf } from '../../src/permits/pseudonym.js'
import { bookedShards, readBooks } from '../support/bridge-books.js'
import { differences, manifestOf } from '../support/drive-manifest.js'
import { Lab, type NetworkFacts, type Running } from '../support/drive-process.js'
import { isAlive, until } from '../support/programs.js'
import { rampBytes } from '../support/ramp.js'

t.setTimeout(280_000)

const HOSTS = 5
const FILES = 24
const FILE_BYTES = 400_000
const DAY_MS = 86_400_000
/** So small that most of what is deleted lies in volumes that are closed. */
const VOLUME_BYTES = 1_500_000
const BRIDGE_CHILD = path.resolve('dist-test/test/support/bridge-run-child.js')
const HOST_CHILD = path.resolve('dist-test/test/support/host-run-child.js')

/** `pseudonym segment index` of every shard that the books say is stored there. */
function bookedOn(network: NetworkFacts, { id }: NetworkFacts['hosts'][0]): { names: string[]; bytes: number } {
  const shards = bookedShards(network.bridgeDir, 'all').filter((one) => one.host === id)
  const nameOf = (one: (typeof shards)[0]) =>
    [pseudonymOf(one.drive as never, id as never), one.segment, one.index].join(' ')
  return { names: shards.map(nameOf).sort(), bytes: shards.reduce((sum, one) => sum + recordBytes(one.bytes), 0) }
}

class Months {
  private readonly file: string
  private days = 0

  constructor(file: string) {
    this.file = file
  }

  pass(days: number): void {
    this.days += days
    fs.writeFileSync(`${this.file}.new`, String(this.days * DAY_MS))
    fs.renameSync(`${this.file}.new`, this.file)
  }
}

/** The same network once more, with time that the test moves. */
async function startAgain(lab: Lab, network: NetworkFacts, clockFile: string) {
  for (const { pid } of [...network.hosts, { pid: network.bridgePid }]) process.kill(pid, 'SIGKILL')
  await until('all are dead', () => ![...network.hosts, { pid: network.bridgePid }].some(({ pid }) => isAlive(pid)))
  const startBridge = (env = {}) => lab.daemon([network.bridgeDir, '{}', clockFile], env, BRIDGE_CHILD)
  const bridge = await startBridge()
  const startHost = (at: number) =>
    lab.daemon([(network.hosts[at] as { dir: string }).dir, clockFile, String(VOLUME_BYTES)], {}, HOST_CHILD)
  const hosts: Running[] = await Promise.all(network.hosts.map((_, at) => startHost(at)))
  await allOnline(bridge, HOSTS)
  return { bridge, hosts, startHost, startBridge }
}

type Parties = Awaited<ReturnType<typeof startAgain>>

/** The bridge dies at this step of a chore, and is there again. */
async function dieAt(t: Test, parties: Parties, point: string, pull: string): Promise<void> {
  const online = (await parties.bridge.ask({})).online as number
  await parties.bridge.kill()
  const dying = await parties.startBridge({ SHARDRIVE_FAILPOINT: point })
  await allOnline(dying, online)
  await t.rejects(dying.ask({ pull }), /ended/, point)
  parties.bridge = await parties.startBridge()
  await allOnline(parties.bridge, online)
}

async function allOnline(bridge: Running, count: number): Promise<void> {
  await until(`${count} hosts are online`, async () => (await bridge.ask({})).online === count, 60_000)
}

async function fill(lab: Lab, mount: string, folder: string, state: string): Promise<void> {
  fs.mkdirSync(path.join(mount, folder))
  for (let number = 0; number < FILES; number++) {
    await fs.promises.writeFile(path.join(mount, folder, `${number}`), rampBytes(number + folder.length, FILE_BYTES))
  }
  await lab.facts('sync', '--complete', '--state', state)
}

async function heldOn(host: Running | undefined): Promise<string[]> {
  return (await (host as Running).ask({})).held as string[]
}

async function expectExact(t: Test, network: NetworkFacts, parties: Parties, at: number) {
  const { bridge, hosts } = parties
  const booked = () => bookedOn(network, network.hosts[at] as NetworkFacts['hosts'][0]).names
  await until(`host ${at} holds what the books say`, async () => {
    await bridge.ask({ pull: 'forget' })
    return JSON.stringify(await heldOn(hosts[at])) === JSON.stringify(booked())
  }).catch((error: Error) => t.fail(error.message))
  t.same(await heldOn(hosts[at]), booked(), `host ${at} holds exactly what the books say`)
}

t.test(
  'half of a drive is deleted: after its time the hosts hold what is left, and not a shard more or less',
  async (t) => {
    const lab = new Lab(t)
    const { facts: network } = await lab.up({ hosts: HOSTS, words: ['--scheme', '2/4'] })
    const clockFile = lab.path('ahead')
    const time = new Months(clockFile)
    const parties = await startAgain(lab, network, clockFile)
    const { hosts } = parties
    const mount = lab.made('mnt')
    const first = await lab.mount({ mount, state: network.state })
    await fill(lab, mount, 'stays', network.state)
    await fill(lab, mount, 'goes', network.state)
    const full = await Promise.all(hosts.map((host) => host.ask({})))
    await lab.sh(`rm -r ${mount}/goes`)
    await lab.sync(network.state)
    const retired = () =>
      readBooks(network.bridgeDir, (db) =>
        db.prepare('SELECT count(*) FROM segments WHERE state = 2').pluck().get(),
      ) as number
    await until('what went is retired', async () => {
      fs.writeFileSync(path.join(mount, 'more'), String(performance.now()))
      await lab.sync(network.state)
      return retired() > 0
    })
    const before = await manifestOf(mount)
    t.equal(await first.stop(), 0)

    time.pass(29)
    await allOnline(parties.bridge, HOSTS)
    t.match(await parties.bridge.ask({ pull: 'sweep' }), { swept: 0 }, 'until 30 days later it may be had back')
    for (const at of network.hosts.keys()) await expectExact(t, network, parties, at)
    const away = HOSTS - 1
    await hosts[away]?.kill()
    await until('it is missed', async () => (await parties.bridge.ask({})).online === HOSTS - 1)
    time.pass(2)
    for (const step of ['inside', 'committed']) await dieAt(t, parties, `bridge-sweep-${step}`, 'sweep')
    await parties.bridge.ask({ pull: 'sweep' })
    t.equal(retired(), 0)
    for (const at of network.hosts.keys()) if (at !== away) await expectExact(t, network, parties, at)

    // What the host that is away was to be told is lost: nothing but the comparison finds it.
    const db = new Database(path.join(network.bridgeDir, 'bridge.db'), { timeout: 10_000 })
    const hostRow = 'host_row = (SELECT id FROM hosts WHERE host = ?)'
    const lost = db
      .prepare(`DELETE FROM deletions WHERE ${hostRow}`)
      .run(Buffer.from(network.hosts[away]?.id ?? '', 'hex'))
    db.close()
    t.ok(lost.changes > 0)
    hosts[away] = await parties.startHost(away)
    await allOnline(parties.bridge, HOSTS)
    const extra = (await heldOn(hosts[away])).length
    for (const step of ['inside', 'committed']) await dieAt(t, parties, `bridge-collect-${step}`, 'collect')
    const round = await parties.bridge.ask({ pull: 'collect' })
    t.comment(`one round over ${round.rounds} hosts: ${JSON.stringify(round)}; the late one held ${extra} shards`)
    t.match(round, { rounds: HOSTS, missing: 0, lost: 0, restored: 0 })
    await expectExact(t, network, parties, away)
    t.match(
      await parties.bridge.ask({ pull: 'collect' }),
      { unknown: 0, missing: 0, lost: 0, restored: 0 },
      'a second one finds nothing',
    )

    time.pass(8)
    for (const [at, host] of hosts.entries()) {
      const { bytes } = bookedOn(network, network.hosts[at] as NetworkFacts['hosts'][0])
      await until(`the trash of host ${at} is emptied`, async () => (await host.ask({})).trashBytes === 0)
      t.equal((await host.ask({})).liveBytes, bytes, 'to the byte')
    }
    // A day: everything is tidied up, also what is not worth it at once.
    time.pass(1)
    for (const at of hosts.keys()) {
      const { bytes } = bookedOn(network, network.hosts[at] as NetworkFacts['hosts'][0])
      const volumesDir = path.join((network.hosts[at] as NetworkFacts['hosts'][0]).dir, 'volumes')
      const files = () => fs.readdirSync(volumesDir).filter((name) => volumeNumber(name) !== null)
      const sizes = () => files().map((name) => fs.statSync(path.join(volumesDir, name)).size)
      const overBooks = () => sizes().reduce((sum, size) => sum + size - VOLUME_HEADER_BYTES, 0) - bytes
      await until(`host ${at} gives its disk back`, async () => overBooks() === 0).catch(() => {})
      t.equal(overBooks(), 0, `the files of host ${at} have what the books say, to the byte`)
      t.comment(
        `host ${at}: ${full[at]?.volumeBytes} bytes of disk became those of the books, ${bytes}, in ${sizes().length} files`,
      )
    }

    // Back in the present, as the program itself runs it: a device's clock is not ours to move.
    for (const one of [...hosts, parties.bridge]) t.equal(await one.stop(), 0)
    const again = await lab.daemon(['bridge', 'run', '--dir', network.bridgeDir])
    for (const { dir } of network.hosts) await lab.daemon(['host', 'run', '--dir', dir])
    await fs.promises.rm(network.state, { recursive: true })
    const recovered = await lab.mount({ mount, state: lab.path('recovered'), network })
    t.same(differences(before, await manifestOf(mount)), [], 'nothing that lives was touched')
    t.equal(await recovered.stop(), 0)
    t.equal(await again.stop(), 0)
    const books = await lab.shardrive(['bridge', 'fsck', '--dir', network.bridgeDir, '--json'])
    t.equal(books.status, 0, books.stdout)
  },
)
