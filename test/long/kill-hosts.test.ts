/** Hosts are killed under a writer (test/mount/hosts-write.test.ts looks at what is said meanwhile). */
import t from 'tap'
import { testSeed } from '../support/dice.js'
import { differences, manifestOf } from '../support/drive-manifest.js'
import { Lab } from '../support/drive-process.js'
import { PlanWork } from '../support/plan-work.js'

const seed = testSeed()
const files = 150
const largeBytesMax = 2_000_000

t.test(`hosts that are killed under a writer are missed by nobody (SEED=${seed})`, async (t) => {
  const lab = new Lab(t)
  const { facts: network } = await lab.up({ hosts: 8 })
  const { state, hosts } = network
  const mount = lab.made('mnt')
  const drive = await lab.mount({ mount, state })
  const work = new PlanWork(lab, { seed, folder: 'work', files, largeBytesMax })
  work.start(lab, mount)
  await work.reached(files)
  for (const host of hosts.slice(0, 2)) process.kill(host.pid, 'SIGKILL')
  t.equal(await work.end(), 0)
  await lab.sync(state)
  const before = await manifestOf(mount)
  t.equal(await drive.stop(), 0)
  const recovered = await lab.mount({ mount, state: lab.path('recovered'), network })
  t.same(differences(before, await manifestOf(mount)), [], 'read from the six that are left')
  for (const host of hosts.slice(0, 2)) await lab.daemon(['host', 'run', '--dir', host.dir])
  await lab.facts('sync', '--complete', '--state', lab.path('recovered'))
  t.same(differences(before, await manifestOf(mount, 'backward')), [])
  t.equal(await recovered.stop(), 0)
})
