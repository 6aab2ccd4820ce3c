/** The drive dies at each step of publishing an epoch: nothing is lost, nothing comes twice, and the next start goes on. */
import t from 'tap'
import { differences, manifestOf } from './drive-manifest.js'
import { Lab } from './drive-process.js'
import { PlanWork } from './plan-work.js'
import { until } from './programs.js'

const DIES_TWICE = 'publish-recorded'

export function failpointsTest(points: readonly string[]): void {
  t.test('a drive that dies while it publishes loses nothing and publishes nothing twice', async (t) => {
    const lab = new Lab(t)
    const { facts: network } = await lab.up()
    const { state } = network
    const mount = lab.made('mnt')
    for (const [number, point] of points.entries()) {
      const folder = `at-${point}`
      const dying = await lab.mount({ mount, state, env: { SHARDRIVE_FAILPOINT: point } })
      const work = new PlanWork(lab, { seed: 100 + number, folder, files: 40, largeBytesMax: 1_000_000 })
      work.start(lab, mount)
      await work.end()
      const asked = lab.shardrive(['sync', '--state', state, '--timeout', '60'])
      await until(`it dies at ${point}`, () => dying.hasEnded, 60_000)
      t.equal(await dying.exited, 'SIGKILL', point)
      t.not((await asked).status, 0, 'nobody was told that it is stored')
      const { durable, begun } = work.counts()

      // Once it dies there again, perhaps before it says that it is ready.
      const diesAgain = point === DIES_TWICE
      const env: Record<string, string> = diesAgain ? { SHARDRIVE_FAILPOINT: point } : {}
      let survivor = await lab.mount({ mount, state, env }).catch(() => null)
      if (diesAgain) await lab.shardrive(['sync', '--state', state, '--timeout', '60'])
      if (survivor === null || survivor.hasEnded) survivor = await lab.mount({ mount, state })
      const steps = await work.stepsAt(mount, { atLeast: durable, atMost: begun })
      await lab.sync(state)
      t.equal(await work.stepsAt(mount, { atLeast: steps, atMost: steps }), steps)
      t.same(await lab.findings(state), [], 'fsck')
      t.equal(await survivor.stop(), 0)
    }
    const last = await lab.mount({ mount, state })
    const before = await manifestOf(mount)
    t.equal(await last.stop(), 0)
    const other = lab.path('recovered')
    const recovered = await lab.mount({ mount, state: other, network, words: ['--read-only'] })
    t.same(differences(before, await manifestOf(mount)), [], 'recovered from the phrase')
    t.same(await lab.findings(other), [])
    t.equal(await recovered.stop(), 0)
  })
}
