/** Kills of a drive without a network, in several runs at once, as a test: LIVES of a seed, all failpoints in turn, every kind of work. */
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import t, { type Test } from 'tap'
import { LocalDrive } from './crash-drives.js'
import { ANY_MOMENT, FIRST_POINTS, LOCAL_POINTS, PORTABLE_POINTS, type Point } from './crash-points.js'
import { CrashRun, type Life, type Outcome } from './crash-run.js'
import { tableOf } from './crash-table.js'
import { Dice, testSeed } from './dice.js'
import { noMounts } from './mounts.js'
import { noPortableDoor } from './portable.js'
import { scratchFolder } from './scratch-folder.js'
import { mountSmallDisk, noSmallDisks } from './small-disk.js'

/** So small that the log is moved while a few megabytes are written. */
const DISK_BYTES = 160 * 1_048_576
/** One kill in so many comes at any moment. */
const ANY_SHARE = 5
/** Some works end before they have passed a failpoint so often. */
const HITS_SHARE = 0.85

export interface CrashSizes {
  kills: number
  /** Drives that live beside one another. */
  runs: number
}

export function crashTest({ kills, runs }: CrashSizes): void {
  const seed = testSeed()
  const again = `SEED=${seed} npm run t -- ${path.relative('dist-test', process.argv[1] ?? '').replace(/js$/, 'ts')}`
  t.test(
    `S-1 S-3 S-8 S-13 S-20 a drive is killed ${kills} times (again: ${again})`,
    { skip: noMounts() },
    async (t) => {
      const first = FIRST_POINTS.map((point) => ({ point, workload: 'small', count: 1 }))
      const lives = livesOf(LOCAL_POINTS, kills - first.length, seed)
      const parts = Array.from({ length: runs }, (_, at) => lives.filter((_life, number) => number % runs === at))
      parts[0]?.unshift(...first)
      const outcomes = await Promise.all(parts.map((part, at) => localRun(t, part, seed + at)))
      if ((await noPortableDoor()) === false) {
        const dice = new Dice(seed)
        const portable = PORTABLE_POINTS.map((point) => lifeOf(point, dice))
        outcomes.push(await localRun(t, portable, seed, 'fuse-native'))
      }
      for (const line of tableOf(outcomes.flat())) t.comment(line)
      const hits = outcomes.flat().filter(({ isHit }) => isHit).length
      const all = outcomes.flat().length
      t.ok(hits >= HITS_SHARE * all, `${hits} of ${all} died at their failpoint`)
    },
  )
}

/** Every point in turn, with any of its kinds of work; in between, kills at any moment. */
export function livesOf(points: readonly Point[], count: number, seed: number): Life[] {
  const dice = new Dice(seed)
  const lives: Life[] = []
  let order: Point[] = []
  while (lives.length < count) {
    if (order.length === 0) order = dice.shuffle(points)
    const point = lives.length % ANY_SHARE === ANY_SHARE - 1 ? ANY_MOMENT : (order.shift() as Point)
    lives.push(lifeOf(point, dice))
  }
  return lives
}

function lifeOf(point: Point, dice: Dice): Life {
  return { point, workload: dice.pick(point.workloads), count: dice.roll(1, point.countMax) }
}

async function localRun(
  t: Test,
  lives: readonly Life[],
  seed: number,
  door: 'native' | 'fuse-native' = 'native',
): Promise<Outcome[]> {
  const { folder, remove } = scratchFolder()
  const places = { state: path.join(folder, 'disk', 'state'), mount: path.join(folder, 'mnt') }
  for (const one of [path.join(folder, 'disk'), places.mount]) fs.mkdirSync(one)
  if (!noSmallDisks()) mountSmallDisk(t, path.join(folder, 'disk'), DISK_BYTES)
  const drive = new LocalDrive(places, {}, door)
  const run = new CrashRun(drive, folder, seed)
  t.teardown(async () => {
    await run.end()
    await drive.end()
    if (!noSmallDisks()) spawnSync('umount', ['-l', path.join(folder, 'disk')])
    remove()
  })
  try {
    for (const life of lives) await run.live(life)
    await run.finish()
  } catch (error) {
    t.fail(`${run.describe()}: ${(error as Error).stack}`)
  }
  t.same(run.losses, [], `${lives.length} kills`)
  return run.outcomes
}
