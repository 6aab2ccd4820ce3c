/** Each party of a drive is killed while it works: bridge, the drive, `up` with all of them. */
import fs from 'node:fs'
import t from 'tap'
import { testSeed } from '../support/dice.js'
import { differences, manifestOf } from '../support/drive-manifest.js'
import { Lab } from '../support/drive-process.js'
import { PlanWork } from '../support/plan-work.js'
import { isAlive, until } from '../support/programs.js'

const seed = testSeed()
const files = 150
const largeBytesMax = 2_000_000

t.test(`a bridge that is killed under a writer is waited for and nothing is lost (SEED=${seed})`, async (t) => {
  const lab = new Lab(t)
  const { facts: network } = await lab.up()
  const { state } = network
  const mount = lab.made('mnt')
  const drive = await lab.mount({ mount, state })
  const work = new PlanWork(lab, { seed, folder: 'work', files, largeBytesMax })
  work.start(lab, mount)
  await work.reached(files)
  process.kill(network.bridgePid, 'SIGKILL')
  t.equal(await work.end(), 0, 'writing does not need the bridge')
  const late = await lab.shardrive(['sync', '--state', state, '--timeout', '3', '--json'])
  t.equal(late.status, 8, `not stored, and said so: ${late.stderr}`)
  // It comes back, dies with an epoch taken and not answered, and comes back.
  const answerless = { SHARDRIVE_FAILPOINT: 'bridge-append-committed' }
  const dying = await lab.daemon(['bridge', 'run', '--dir', network.bridgeDir], answerless)
  await until('the bridge dies again', () => dying.hasEnded, 60_000)
  await lab.daemon(['bridge', 'run', '--dir', network.bridgeDir])
  await lab.sync(state)
  const before = await manifestOf(mount)
  t.equal(await drive.stop(), 0)
  const recovered = await lab.mount({ mount, state: lab.path('recovered'), network })
  t.same(differences(before, await manifestOf(mount)), [])
  t.equal(await recovered.stop(), 0)
})

t.test(`up that is killed takes its children along, and comes back whole (SEED=${seed})`, async (t) => {
  const lab = new Lab(t)
  const mount = lab.made('mnt')
  const up = await lab.up({ mount })
  const work = new PlanWork(lab, { seed, folder: 'work', files, largeBytesMax })
  work.start(lab, mount)
  await work.reached(files)
  await up.kill()
  await work.end()
  await until('the children have ended', async () => (await lab.processes()).length === 0)
  const { durable, begun } = work.counts()
  const again = await lab.up({ mount })
  t.same(
    again.facts.hosts.map((host) => host.id).sort(),
    up.facts.hosts.map((host) => host.id).sort(),
    'the same hosts',
  )
  await work.stepsAt(mount, { atLeast: durable, atMost: begun })
  await lab.sync(again.facts.state)
  t.same(await lab.findings(again.facts.state), [])
  const before = await manifestOf(mount)

  process.kill(again.facts.mountPid as number, 'SIGKILL')
  await until('the daemon is dead', () => !isAlive(again.facts.mountPid as number))
  const drive = await lab.mount({ mount, state: again.facts.state })
  t.same(differences(before, await manifestOf(mount)), [], 'a mount of its own on the state of up, over a stale one')
  t.equal(await drive.stop(), 0)
  await again.stop()
  t.same(lab.mounts(), [])
  t.ok(fs.existsSync(mount), 'a mount point that was there before stays')
})
