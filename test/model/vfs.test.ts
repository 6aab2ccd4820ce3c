/**
 * Random steps on the vfs (over a real ledger, with epochs cut and published in between) and on a small reference: the same
 * answers, the same tree, a sound ledger; and whoever applies the published epochs has the tree of the last cut.
 * SEED=... repeats a run; fast-check prints the shortest list of steps that fails.
 */
import { strict as assert } from 'node:assert'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import { FakeHosts, open } from '../rooms/mount/metadata/support.js'
import { testSeed } from '../support/dice.js'
import { Pair } from './pair.js'
import { type Plan, step } from './steps.js'
import { VfsDriver } from './vfs-driver.js'

const RUNS = Number(process.env.RUNS ?? 15)

const FIRST: Plan[] = [
  { do: 'make', path: { pick: 0, name: 'd' }, type: 'directory', mode: 0o755, gid: 0 },
  { do: 'make', path: { pick: 1, name: 'f' }, type: 'file', mode: 0o4755, gid: 0 },
  { do: 'make', path: { pick: 0, name: 'g' }, type: 'file', mode: 0o644, gid: 7 },
]

async function property(steps: readonly Plan[]): Promise<void> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'shardrive-model-'))
  const [ledger, replica] = await Promise.all([open(path.join(folder, 'a')), open(path.join(folder, 'b'))])
  const hosts = new FakeHosts()
  try {
    const driver = await VfsDriver.start(ledger, hosts)
    const pair = new Pair(driver, replica, hosts)
    for (const one of [...FIRST, ...steps]) await pair.carryOut(one)
    await pair.compare()
    for (const { ino, fh } of pair.held) driver.vfs.release(ino, fh)
    await pair.run({ do: 'cut' })
    while ((await ledger.pendingEpochs()).length > 0) await pair.publishOldest()
    await pair.compare()
    await driver.vfs.stop()
    assert.deepEqual(await ledger.check(), [])
    assert.deepEqual(await replica.check(), [])
    assert.equal(driver.vfs.openHandles, 0)
    assert.equal(driver.vfs.inodesHeld, 1, 'only the root stays in memory')
  } finally {
    await Promise.all([ledger.close(), replica.close()])
    fs.rmSync(folder, { recursive: true, force: true })
  }
}

/** Finding the shortest failing list may take longer than the default of 30 s. */
const TIME_MS = Number(process.env.RUNS === undefined ? 90_000 : 900_000)
t.setTimeout(TIME_MS + 30_000)

t.test(
  'the vfs does what the reference does, and so does a replica of its epochs',
  { timeout: TIME_MS + 20_000 },
  async (t) => {
    const seed = testSeed()
    t.comment(`SEED=${seed} RUNS=${RUNS}`)
    const lists = fc.array(step, { minLength: 10, maxLength: 80, size: 'max' })
    await fc.assert(fc.asyncProperty(lists, property), { seed, numRuns: RUNS, interruptAfterTimeLimit: TIME_MS })
    t.pass('same answers, same trees')
  },
)
