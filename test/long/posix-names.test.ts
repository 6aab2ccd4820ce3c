/** S-10 with 100,000 names in one directory. Who asks makes no difference to it. */
import fs from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { driveOf } from '../mount/vfs-mount.js'
import { manyNames } from '../suites/posix/listing.js'
import type { Scene } from '../suites/posix/scene.js'
import { ORDINARY, SuiteRun } from '../suites/posix/suite.js'

t.setTimeout(600_000)

t.test('S-10 100,000 names, and deleting them while listing', async (t) => {
  if (process.getuid?.() !== 0) return void t.pass('only root can become somebody else')
  const { mount } = await driveOf(t)
  fs.chmodSync(path.dirname(mount), 0o755)
  const run = new SuiteRun({ name: 'native door', folder: mount, deviations: [] }, ORDINARY)
  t.teardown(() => run.end())
  const cases = [{ clause: 'S-10' as const, name: '100,000 names', run: (s: Scene) => manyNames(s, 100_000) }]
  const results = await run.run({ name: 'listing', cases })
  t.same(
    results.flatMap(({ failures }) => failures),
    [],
  )
})
