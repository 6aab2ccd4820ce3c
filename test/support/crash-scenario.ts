/** The mount daemon is killed again and again while one writer works; nothing durable may be lost, nothing may be out of order. */
import t from 'tap'
import { Dice, testSeed } from './dice.js'
import { differences, manifestOf } from './drive-manifest.js'
import { Lab } from './drive-process.js'
import { PlanWork } from './plan-work.js'
import { sleep } from './programs.js'

export interface CrashSizes {
  rounds: number
  files: number
  largeBytesMax: number
}

export function crashTest(sizes: CrashSizes): void {
  const seed = testSeed()
  t.test(`the mount daemon is killed ${sizes.rounds} times under a writer (SEED=${seed})`, async (t) => {
    const dice = new Dice(seed)
    const lab = new Lab(t)
    const { facts: network } = await lab.up()
    const { state } = network
    const mount = lab.made('mnt')
    let drive = await lab.mount({ mount, state })
    const past: { work: PlanWork; steps: number }[] = []
    for (let round = 1; round <= sizes.rounds; round++) {
      const { files, largeBytesMax } = sizes
      const work = new PlanWork(lab, { seed: dice.roll(1, 2 ** 31), folder: `round-${round}`, files, largeBytesMax })
      const killAt = dice.roll(10, files * 4)
      // Some rounds are killed while epochs leave one after the other.
      const pushing = round % 2 === 0 ? keepSyncing(lab, state) : null
      work.start(lab, mount)
      await work.reached(killAt)
      await drive.kill()
      await work.end()
      await pushing?.stop()
      const { durable, begun } = work.counts()
      drive = await lab.mount({ mount, state })
      const steps = await work.stepsAt(mount, { atLeast: durable, atMost: begun })
      t.ok(
        steps >= durable && steps <= begun,
        `round ${round}: killed in step ${begun}, durable to ${durable}, found ${steps}`,
      )
      t.same(await lab.findings(state), [], 'fsck')
      past.push({ work, steps })
      if (round % 3 === 0) await lab.sync(state)
    }
    await lab.sync(state)
    for (const { work, steps } of past) t.equal(await work.stepsAt(mount, { atLeast: steps, atMost: steps }), steps)
    const before = await manifestOf(mount)
    t.equal(await drive.stop(), 0)
    drive = await lab.mount({ mount, state: lab.path('recovered'), network })
    t.same(differences(before, await manifestOf(mount)), [], 'recovered from the phrase')
    t.same(await lab.findings(lab.path('recovered')), [])
    t.equal(await drive.stop(), 0)
  })
}

/** `shardrive sync`, one after the other. */
function keepSyncing(lab: Lab, state: string): { stop(): Promise<void> } {
  let isOver = false
  const loop = async () => {
    while (!isOver) {
      await lab.shardrive(['sync', '--state', state, '--timeout', '10'])
      await sleep(200)
    }
  }
  const running = loop()
  return {
    stop: async () => {
      isOver = true
      await running
    },
  }
}
