// The disk under the state directory is full when a drive is ended, and at every step of a start that heals it: what was acknowledged is
// kept, the error says what to do, and it goes on when there is room again.
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import BetterSqlite3 from 'better-sqlite3'
import t, { type Test } from 'tap'
import { differences, manifestOf } from '../support/drive-manifest.js'
import { Lab } from '../support/drive-process.js'
import { type DriveSettings, FullDiskBench } from '../support/full-disk-bench.js'
import { spoilPage } from '../support/ledger-damage.js'
import { noMounts } from '../support/mounts.js'
import { sleep, until } from '../support/programs.js'
import { rampBytes } from '../support/ramp.js'
import { mountSmallDisk, noSmallDisks } from '../support/small-disk.js'

const MIB = 1_048_576
/** More than the cache leaves to others (512 MiB), so that there is one. */
const DISK_BYTES = 1_024 * MIB
const SETTINGS: DriveSettings = { cacheBytes: 4 * MIB, snapshotLogBytes: 1_000 }
const REACHED_MS = 45_000
const FULL_MS = 1_500
const FILES = 20
/** Their epoch is longer than what a snapshot is made after. */
const SMALL_FILES = 60
/** More than a healing carries over before its first pause. */
const PIECE_OPERATIONS = 8_192

const skip = noSmallDisks() || noMounts()
t.setTimeout(1_200_000)

async function benchOf(t: Test): Promise<FullDiskBench> {
  const lab = new Lab(t)
  const { facts: network } = await lab.up()
  const disk = lab.made('disk')
  mountSmallDisk(t, disk, DISK_BYTES)
  const bench = new FullDiskBench(lab, network, { disk, mount: lab.made('mnt') })
  await bench.start('', SETTINGS)
  return bench
}

/** Files that were taken, and are in no group that is on the disk: from now on it is full. */
async function takenOnly(t: Test, bench: FullDiskBench, folder: string, bytes: Buffer): Promise<string[]> {
  const sample = bench.lab.path('sample')
  fs.writeFileSync(sample, bytes)
  await bench.start('mount.commit.begun', SETTINGS)
  const arrived = bench.fillAtStop(REACHED_MS)
  const words = `mkdir ${folder}; for i in $(seq ${FILES}); do cp ${sample} ${folder}/$i && echo $i; done; true`
  const said = await bench.lab.sh(words, { cwd: bench.mount })
  t.ok(await arrived)
  await sleep(FULL_MS)
  t.match(await bench.status(), { readOnly: /no-space/ })
  return said.split('\n').filter((line) => line !== '')
}

const WAYS: Record<string, (t: Test, bench: FullDiskBench) => Promise<void>> = {
  'shardrive unmount': async (t, bench) => {
    const refused = await bench.lab.shardrive(['unmount', bench.mount])
    t.equal(refused.status, 5)
    t.match(refused.stderr, /full, and the last changes are only in memory.*no-space[\s\S]*free some disk space/)
    t.ok(fs.readdirSync(bench.mount).length > 0, 'it is still there')
    bench.spare()
    t.equal((await bench.lab.shardrive(['unmount', bench.mount])).status, 0)
  },
  'shardrive unmount --force': async (t, bench) => {
    const ended = bench.lab.shardrive(['unmount', '--force', bench.mount])
    await sleep(FULL_MS)
    bench.spare()
    t.equal((await ended).status, 0)
  },
  umount: async (t, bench) => {
    t.equal(spawnSync('umount', [bench.mount]).status, 0)
    await sleep(FULL_MS)
    bench.spare()
  },
  SIGTERM: async (_t, bench) => {
    const ended = bench.stop()
    await sleep(FULL_MS)
    bench.spare()
    await ended
  },
}

t.test('S-15 a drive that is ended on a full disk keeps what was acknowledged', { skip }, async (t) => {
  const bench = await benchOf(t)
  t.equal(await bench.stop(), 0)
  for (const [number, [way, end]] of Object.entries(WAYS).entries()) {
    await t.test(way, async (t) => {
      t.teardown(() => bench.end())
      const bytes = rampBytes(number, 20_000)
      const taken = await takenOnly(t, bench, `ended-${number}`, bytes)
      t.ok(taken.length > 0)
      await end(t, bench)
      t.equal(await bench.stop(), 0, 'the daemon has ended well')
      await bench.start('', SETTINGS)
      const wrong = taken.filter((name) => {
        const file = path.join(bench.mount, `ended-${number}`, name)
        return !fs.existsSync(file) || !fs.readFileSync(file).equals(bytes)
      })
      t.same(wrong, [])
      t.equal(await bench.stop(), 0)
    })
  }
})

function snapshots(state: string): number {
  const db = new BetterSqlite3(path.join(state, 'ledger.db'), { readonly: true })
  try {
    return db.prepare('SELECT count(*) FROM snapshot WHERE sequence IS NOT NULL').pluck().get() as number
  } finally {
    db.close()
  }
}

/** In the order in which a healing comes to them. */
const HEALING = [
  ...['mount.start.locked', 'mount.start.opened', 'mount.recover.read', 'mount.import.piece', 'mount.import.checked'],
  // What is written behind an import has room in its log: the full disk shows at the next large step.
  ...['mount.recover.kept', 'mount.start.chain', 'mount.carry.piece', 'mount.carry.written', 'mount.call.carryOver'],
]

t.test('S-20 a drive heals although the disk is full at each step of it', { skip }, async (t) => {
  const bench = await benchOf(t)
  const { lab, mount, state, network } = bench
  for (let at = 0; at < SMALL_FILES; at++) fs.writeFileSync(path.join(mount, `small ${at}`), rampBytes(at, 200))
  await lab.sync(state)
  // The next epoch is the one that is kept as a snapshot.
  fs.writeFileSync(path.join(mount, 'stored'), rampBytes(1, 3 * MIB))
  await lab.sync(state)
  await until('a snapshot is made', () => snapshots(state) > 0)
  t.equal(await bench.stop(), 0)
  process.kill(network.bridgePid, 'SIGKILL')
  const local = await lab.mount({ mount, state })
  for (let at = 0; at < PIECE_OPERATIONS; at++) fs.mkdirSync(path.join(mount, `folder ${at}`))
  fs.writeFileSync(path.join(mount, 'only here'), rampBytes(2, 5 * MIB))
  const before = await manifestOf(mount)
  t.equal(await local.stop(), 0)
  await lab.daemon(['bridge', 'run', '--dir', network.bridgeDir])
  spoilPage(state, 0, 'zeros')
  for (const point of HEALING) {
    const started = lab.mount({ mount, state, env: { SHARDRIVE_FAILPOINT: `${point}:1:stop` } })
    const failed = started.then(
      () => null,
      (error: Error) => error,
    )
    if (!(await bench.fillAtStop(REACHED_MS))) throw new Error(`it does not come to ${point}`)
    t.match(await failed, { code: 'no-space', message: /the disk of .*state is full/ }, point)
    bench.spare()
  }
  const healed = await lab.mount({ mount, state })
  t.same(differences(before, await manifestOf(mount)), [])
  t.same(await lab.findings(state), [], 'fsck')
  await lab.sync(state)
  t.equal(await healed.stop(), 0)
})
