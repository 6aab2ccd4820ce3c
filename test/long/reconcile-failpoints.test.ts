/** Real processes: old books are put back, and the bridge dies at each step of making them whole again. */
import fs from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { differences, manifestOf } from '../support/drive-manifest.js'
import { Lab } from '../support/drive-process.js'
import { until } from '../support/programs.js'
import { rampBytes } from '../support/ramp.js'

const FILES = 20
const FILE_BYTES = 20_000
const POINTS = ['reconcile-listing', 'restate-flushed', 'correct-inside', 'correct-committed', 'reconcile-forgotten']

t.test('a bridge that dies at each step of making old books whole has them whole in the end', async (t) => {
  const lab = new Lab(t)
  const { facts } = await lab.up()
  const { state, bridgeDir } = facts
  const mount = lab.made('mnt')
  const drive = await lab.mount({ mount, state })
  const write = async (folder: string) => {
    fs.mkdirSync(path.join(mount, folder))
    for (let number = 0; number < FILES; number++) {
      fs.writeFileSync(path.join(mount, folder, `${number}`), rampBytes(number, FILE_BYTES))
      if (number % 5 === 4) await lab.sync(state)
    }
  }
  const fsck = async (when: string) => {
    const ran = await lab.shardrive(['bridge', 'fsck', '--dir', bridgeDir, '--json'])
    t.equal(ran.status, 0, `${when}: ${ran.stdout}`)
  }
  await write('before')
  const copy = lab.path('backup.db')
  await lab.facts('bridge', 'backup', '--dir', bridgeDir, '--to', copy)
  await write('after')
  process.kill(facts.bridgePid, 'SIGKILL')
  await until('it is dead', async () => (await lab.shardrive(['bridge', 'fsck', '--dir', bridgeDir])).status === 0)
  const run = ['bridge', 'run', '--dir', bridgeDir]
  for (const point of POINTS) {
    // Each time anew: what a bridge took in before it died it need not be told again.
    await lab.facts('bridge', 'restore', '--from', copy, '--dir', bridgeDir, '--force')
    const dying = await lab.daemon(run, { SHARDRIVE_FAILPOINT: `bridge-${point}` })
    await until(`the bridge dies at ${point}`, () => dying.hasEnded, 120_000)
    await fsck(point)
  }
  const bridge = await lab.daemon(run)
  const isThrough = async () => {
    const { stdout } = await lab.shardrive(['bridge', 'reconcile', '--dir', bridgeDir, '--json'])
    return JSON.parse(stdout).frozenSince === null
  }
  await until('it is through', isThrough, 120_000)
  fs.writeFileSync(path.join(mount, 'one more'), 'after it')
  await lab.sync(state)
  const wanted = await manifestOf(mount)
  t.equal(await drive.stop(), 0)
  const recovered = await lab.mount({ mount, state: lab.path('recovered'), network: facts })
  t.same(differences(wanted, await manifestOf(mount)), [], 'what was stored after the backup too')
  t.equal(await recovered.stop(), 0)
  t.equal(await bridge.stop(), 0)
  await fsck('in the end')
})
