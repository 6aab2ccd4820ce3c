/** host and bridge on the command line: damaged folders, taken ports, two processes for one folder. */
import fs from 'node:fs'
import path from 'node:path'
import t, { type Test } from 'tap'
import { expectRefusal } from '../support/cli-refusals.js'
import { Lab } from '../support/drive-process.js'

const lab = new Lab(t)
const bridgeDir = lab.path('bridge')
const running = await lab.daemon([
  'bridge',
  'run',
  '--dir',
  bridgeDir,
  '--listen',
  '127.0.0.1:0',
  '--policy',
  'single-machine',
])
const bridge = String(running.facts.bridge)
const hostDir = lab.path('host')
await lab.facts('host', 'init', '--dir', hostDir, '--bridge', bridge, '--space', '1GiB')
const host = await lab.daemon(['host', 'run', '--dir', hostDir])

/** Each file alone is damaged in a copy of the folder; the program must leave it as it is. */
async function refuseDamaged(
  t: Test,
  folder: string,
  words: string[],
  files: [name: string, code: string, exitCode: number][],
) {
  for (const [name, code, exitCode] of files) {
    const copy = lab.path(`damaged-${name}`)
    fs.cpSync(folder, copy, { recursive: true, filter: (one) => !/-(wal|shm)$|\.(lock|sock)$/.test(one) })
    const noise = Buffer.alloc(4_096, `${name} `)
    fs.writeFileSync(path.join(copy, name), noise, { mode: 0o600 })
    const found = await expectRefusal(t, lab, [...words, '--dir', copy], { code, exitCode })
    t.match(found.message, name, 'names the file')
    t.ok(fs.readFileSync(path.join(copy, name)).equals(noise), `${name} is left as it is`)
  }
}

t.test('a bridge refuses what is damaged in its folder', async (t) => {
  await refuseDamaged(
    t,
    bridgeDir,
    ['bridge', 'run'],
    [
      ['bridge.json', 'malformed', 7],
      ['bridge.key', 'bridge-key-broken', 5],
      ['bridge.db', 'database-damaged', 7],
    ],
  )
  const open = lab.path('open-key')
  fs.cpSync(bridgeDir, open, { recursive: true, filter: (one) => !/-(wal|shm)$|\.(lock|sock)$/.test(one) })
  fs.chmodSync(path.join(open, 'bridge.key'), 0o644)
  await expectRefusal(t, lab, ['bridge', 'run', '--dir', open], {
    code: 'bridge-key-open',
    exitCode: 5,
    says: /chmod 600/,
  })
})

t.test('a bridge refuses settings that cannot be', async (t) => {
  const run = (...words: string[]) => ['bridge', 'run', '--dir', lab.path('other-bridge'), ...words]
  const taken = new URL(bridge).host
  await expectRefusal(t, lab, run('--listen', taken), { code: 'listen-failed', exitCode: 5, says: /taken/ })
  await expectRefusal(t, lab, run('--listen', 'nonsense'), { code: 'bad-listen', exitCode: 2 })
  await expectRefusal(t, lab, run('--scheme', '9/3'), { code: 'usage', exitCode: 2, says: /4\/8/ })
  const open = run('--listen', '0.0.0.0:0', '--policy', 'single-machine')
  await expectRefusal(t, lab, open, { code: 'policy-public', exitCode: 2 })
  await expectRefusal(t, lab, ['bridge', 'run', '--dir', '/proc/nothing'], { code: 'state-unwritable', exitCode: 5 })
  await expectRefusal(t, lab, ['bridge', 'run', '--dir', bridgeDir], {
    code: 'folder-locked',
    exitCode: 8,
    says: /stop it/,
  })
})

t.test('a host refuses what is damaged in its folder', async (t) => {
  await refuseDamaged(
    t,
    hostDir,
    ['host', 'run'],
    [
      ['host.json', 'malformed', 7],
      ['host.key', 'malformed', 7],
    ],
  )
})

t.test('a host refuses settings that cannot be', async (t) => {
  const init = (...words: string[]) => ['host', 'init', '--dir', lab.path('other-host'), '--bridge', bridge, ...words]
  await expectRefusal(t, lab, init('--space', '5 apples'), { code: 'usage', exitCode: 2, says: /GiB/ })
  await expectRefusal(t, lab, init('--space', '1'), { code: 'usage', exitCode: 2, says: /at least/ })
  await expectRefusal(t, lab, init('--space', '1GiB', '--udp-port', 'abc'), { code: 'usage', exitCode: 2 })
  await expectRefusal(t, lab, init('--space', '1GiB', '--udp-port', '70000'), { code: 'usage', exitCode: 2 })
  t.notOk(fs.existsSync(lab.path('other-host')), 'nothing was made')
  const again = ['host', 'init', '--dir', hostDir, '--bridge', bridge, '--space', '1GiB']
  await expectRefusal(t, lab, again, { code: 'host-exists', exitCode: 4, says: /host run/ })
  const nobody = ['host', 'init', '--dir', lab.path('other-host'), '--bridge', 'http://127.0.0.1:39', '--space', '1GiB']
  await expectRefusal(t, lab, nobody, { code: 'bridge-unreachable', exitCode: 3 })
  await expectRefusal(t, lab, ['host', 'run', '--dir', lab.made('empty')], {
    code: 'host-folder-wrong',
    exitCode: 5,
    says: /host init/,
  })
  await expectRefusal(t, lab, ['host', 'run', '--dir', hostDir], { code: 'host-already-running', exitCode: 8 })
  t.notOk(host.hasEnded, 'the one that runs goes on')
})

t.test('up refuses what it cannot start, and leaves nothing running', async (t) => {
  const up = (...words: string[]) => ['up', '--no-mount', '--dir', lab.path('up'), ...words]
  await expectRefusal(t, lab, up('--hosts', '0'), { code: 'usage', exitCode: 2 })
  await expectRefusal(t, lab, up('--hosts', '3'), { code: 'usage', exitCode: 2, says: /too few for the scheme 4\/8/ })
  await expectRefusal(t, lab, up('--scheme', '5'), { code: 'usage', exitCode: 2 })
  await expectRefusal(t, lab, ['up', '--no-mount', '--dir', '/proc/nothing'], { code: 'state-unwritable', exitCode: 5 })
  t.notOk(fs.existsSync(lab.path('up')))
  fs.mkdirSync(lab.path('up', 'bridge'), { recursive: true })
  fs.writeFileSync(lab.path('up', 'bridge', 'bridge.json'), 'nonsense')
  const found = await expectRefusal(t, lab, up(), { code: 'malformed', exitCode: 7 })
  t.match(found.message, /^bridge: .*bridge\.json/)
  t.equal((await lab.processes()).filter((one) => /up\/(bridge|hosts)/.test(one.words)).length, 0)
})
