/** Kills of a drive that publishes, on a network of real processes, as a test; in the end it is recovered, and that is killed too. */
import fs from 'node:fs'
import path from 'node:path'
import t, { type Test } from 'tap'
import { NetDrive } from './crash-net-drive.js'
import { CLAIMED, NET_POINTS, type Point, RECOVERY_POINTS, TAKEN } from './crash-points.js'
import { CrashRun, type Life, type Outcome } from './crash-run.js'
import { tableOf } from './crash-table.js'
import { Dice, testSeed } from './dice.js'
import { differences, manifestOf } from './drive-manifest.js'
import { Lab, type NetworkFacts } from './drive-process.js'
import { noMounts } from './mounts.js'
import { noRecorder } from './power-log.js'
import { PowerState } from './power-state.js'

/** Several epochs are cut while a work goes on. */
const PACE = { share: 0.5, pauseMs: 8 }
/** Their log is longer than what a snapshot is due for. */
const LOG_FILES = 30
/** A busy machine publishes less while the works go on. */
const HITS_SHARE = 0.75

export interface NetSizes {
  /** Of NET_POINTS; the first start and what it meets come besides. */
  points: number
  recoveries: number
}

export function netCrashTest(sizes: NetSizes): void {
  const seed = testSeed()
  const again = `SEED=${seed} npm run t -- ${path.relative('dist-test', process.argv[1] ?? '').replace(/js$/, 'ts')}`
  t.test(`S-1 S-19 a drive that publishes is killed (again: ${again})`, { skip: noMounts() }, async (t) => {
    const dice = new Dice(seed)
    const lab = new Lab(t)
    const { facts: network } = await lab.up()
    const chosen = only(NET_POINTS, ({ name }) => name) ?? shareOf(NET_POINTS, sizes.points, seed)
    const points = [CLAIMED, ...TAKEN, ...dice.shuffle(chosen)]
    const lives = points.map((point) => lifeOf(point, dice))
    // Each death is a loss of power as well.
    const power = noRecorder() ? null : new PowerState(lab.folder, network.state, seed)
    const drive = new NetDrive(lab, network, '', power)
    const run = new CrashRun(drive, lab.folder, seed, PACE)
    t.teardown(() => run.end())
    try {
      for (const life of lives) await run.live(life)
      await run.look()
      await lab.sync(drive.state)
      const ends = only(RECOVERY_POINTS, (name) => name) ?? shareOf(RECOVERY_POINTS, sizes.recoveries, seed)
      await recoveries(t, { lab, network, drive, run }, dice.shuffle(ends))
      await run.finish()
    } catch (error) {
      t.fail(`${run.describe()}, ${power?.lost} lost: ${(error as Error).stack}`)
    }
    for (const line of tableOf(run.outcomes)) t.comment(line)
    t.same(run.losses, [], `${run.outcomes.length} kills`)
    const hits = run.outcomes.filter(({ isHit }) => isHit).length
    t.ok(hits >= HITS_SHARE * run.outcomes.length, `${hits} of ${run.outcomes.length} died at their failpoint`)
  })
}

/** Those that ONLY names, with a comma between two; null without it. */
function only<T>(all: readonly T[], nameOf: (one: T) => string): T[] | null {
  const names = process.env.ONLY?.split(',')
  return names === undefined ? null : all.filter((one) => names.includes(nameOf(one)))
}

/** So many of them, others for each seed: consecutive seeds come to all. */
function shareOf<T>(all: readonly T[], count: number, seed: number): T[] {
  const first = (seed * count) % all.length
  return [...all.slice(first), ...all.slice(0, first)].slice(0, count)
}

function lifeOf(point: Point, dice: Dice): Life {
  return { point, workload: dice.pick(point.workloads), count: dice.roll(1, point.countMax) }
}

interface Parts {
  lab: Lab
  network: NetworkFacts
  drive: NetDrive
  run: CrashRun
}

/** Each dies at its point, goes on where it stood, and shows the same tree. */
async function recoveries(t: Test, { lab, network, drive, run }: Parts, points: readonly string[]): Promise<void> {
  // The second epoch is a snapshot, since the first was long; the third lies behind it and is to be applied.
  for (const files of [LOG_FILES, 1, 1]) {
    for (let at = 0; at < files; at++) fs.writeFileSync(path.join(drive.mount, `last-${files}-${at}`), `${Date.now()}`)
    await lab.sync(drive.state)
  }
  const before = await manifestOf(drive.mount)
  for (const point of points) {
    const other = new NetDrive(lab, network, `-${point}`)
    const hasDied = await other.start(point).then(
      () => false,
      () => true,
    )
    const outcome: Outcome = { point, workload: 'recovery', isHit: hasDied, losses: [], findings: [] }
    run.outcomes.push(outcome)
    if (hasDied && !other.isKilled) throw new Error(`a recovery failed before ${point}`)
    if (hasDied) await other.start('')
    outcome.losses.push(...differences(before, await manifestOf(other.mount)))
    outcome.findings.push(...(await other.check()).findings)
    t.equal(await other.stop(), 0, point)
  }
}
