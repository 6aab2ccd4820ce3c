/** The POSIX suite through the kernel, on the native door, as root and as an ordinary user at the same time. */
import fs from 'node:fs'
import path from 'node:path'
import t, { type Test } from 'tap'
import { FAMILIES } from '../suites/posix/families.js'
import { report } from '../suites/posix/report.js'
import { ORDINARY, SuiteRun } from '../suites/posix/suite.js'
import { driveOf } from './vfs-mount.js'

// A shared machine; alone it takes half a minute.
t.setTimeout(240_000)

async function runAs(t: Test, uid: number): Promise<SuiteRun> {
  const { mount, setReadOnly } = await driveOf(t)
  fs.chmodSync(path.dirname(mount), 0o755)
  const run = new SuiteRun({ name: 'native door', folder: mount, deviations: [], setReadOnly }, uid)
  t.teardown(() => run.end())
  for (const family of FAMILIES) await run.run(family)
  await run.end()
  return run
}

t.test('POSIX on the native door, as root and as an ordinary user', async (t) => {
  if (process.getuid?.() !== 0) return void t.pass('only root can become somebody else')
  for (const run of await Promise.all([0, ORDINARY].map((uid) => runAs(t, uid)))) report(t, run, [])
})
