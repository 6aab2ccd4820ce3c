/** While one device writes, others recover the drive from its phrase: each finds a tree that existed at a cut of an epoch. */
import t from 'tap'
import { Dice, testSeed } from '../support/dice.js'
import { Lab } from '../support/drive-process.js'
import { PlanWork } from '../support/plan-work.js'
import { sleep } from '../support/programs.js'

const RECOVERIES = 2
const seed = testSeed()

t.test(`a recovery finds a state that existed, at any moment of writing (SEED=${seed})`, async (t) => {
  const dice = new Dice(seed)
  const lab = new Lab(t)
  const { facts: network } = await lab.up()
  const mount = lab.made('mnt')
  const drive = await lab.mount({ mount, state: network.state })
  const work = new PlanWork(lab, { seed, folder: 'work', files: 100_000, largeBytesMax: 2_000_000 })
  work.start(lab, mount)
  let stored = 0
  for (let round = 1; round <= RECOVERIES; round++) {
    await sleep(dice.roll(200, 6_000))
    if (round % 2 === 0) {
      const { ended } = work.counts()
      await lab.sync(network.state)
      stored = ended
    }
    const state = lab.path(`state-${round}`)
    const place = lab.made(`mnt-${round}`)
    const other = await lab.mount({ mount: place, state, network, words: ['--read-only'] })
    const steps = await work.stepsAt(place, { atLeast: stored, atMost: work.counts().begun })
    t.pass(`recovery ${round}: the state after step ${steps}; stored were ${stored}, done are ${work.counts().ended}`)
    t.same(await lab.findings(state), [], 'fsck')
    t.equal(await other.stop(), 0)
    stored = steps
  }
  await drive.kill()
  await work.end()
  const { durable, begun } = work.counts()
  const again = await lab.mount({ mount, state: network.state })
  const steps = await work.stepsAt(mount, { atLeast: Math.max(durable, stored), atMost: begun })
  t.pass(`after kill -9: step ${steps}, durable were ${durable}`)
  await lab.sync(network.state)
  t.same(await lab.findings(network.state), [])
  t.equal(await again.stop(), 0)
})
