/**
 * The POSIX suite through the kernel, on the portable door, as root and as an ordinary user at the same time. What it
 * does not keep is named in test/suites/posix/portable-deviations.ts, by what docs/semantics.md says of this door.
 */
import fs from 'node:fs'
import path from 'node:path'
import t, { type Test } from 'tap'
import { driveOf } from '../mount/vfs-mount.js'
import { FAMILIES } from '../suites/posix/families.js'
import { portableDeviations } from '../suites/posix/portable-deviations.js'
import { report } from '../suites/posix/report.js'
import { ORDINARY, SuiteRun } from '../suites/posix/suite.js'
import { noPortableDoor } from '../support/portable.js'

const skip = await noPortableDoor()
// A shared machine: a minute on two cores that others use too, as long as the native door.
t.setTimeout(280_000)

/** The kernel asks this door for each name every time, so that these take it ten seconds and more. Who asks makes no difference to them. */
const LEFT_OUT: Readonly<Record<number, readonly string[]>> = {
  // The ordinary user asks both; of the first, with a tenth of the names.
  0: ['10,000 names, and deleting them while listing', 'names that come and go do not hide or double the others'],
  [ORDINARY]: ['trees 600 folders deep: deeper than a path can say, moved and left'],
}

/** Of 7,390 for root and 7,365 for the other. Races may take one or two. */
const HELD_MIN: Readonly<Record<number, number>> = { 0: 6_735, [ORDINARY]: 6_685 }

async function runAs(t: Test, uid: number): Promise<SuiteRun> {
  const { mount, setReadOnly } = await driveOf(t, 'fuse-native')
  fs.chmodSync(path.dirname(mount), 0o755)
  const door = { name: 'portable door', folder: mount, leavesOut: LEFT_OUT[uid], setReadOnly }
  const run = new SuiteRun({ ...door, deviations: portableDeviations(uid) }, uid)
  t.teardown(() => run.end())
  for (const family of FAMILIES) await run.run(family)
  await run.end()
  return run
}

t.test('POSIX on the portable door, as root and as an ordinary user', { skip }, async (t) => {
  if (process.getuid?.() !== 0) return void t.pass('only root can become somebody else')
  const names = FAMILIES.flatMap((family) => family.cases.map((one) => one.name))
  for (const name of Object.values(LEFT_OUT).flat()) t.ok(names.includes(name), `${name} is a case`)
  const uids = [0, ORDINARY]
  const runs = await Promise.all(uids.map((uid) => runAs(t, uid)))
  for (const [i, run] of runs.entries()) {
    const uid = uids[i] as number
    report(t, run, portableDeviations(uid), HELD_MIN[uid])
  }
})
