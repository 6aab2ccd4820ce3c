/** A host as its owner sees it, on the command line: made, looked at, changed, copied, unplugged, left. Real processes. */
import { spawn } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import t, { type Test } from 'tap'
import { expectRefusal } from '../support/cli-refusals.js'
import { Lab } from '../support/drive-process.js'
import { until } from '../support/programs.js'

const lab = new Lab(t)
const run = ['bridge', 'run', '--dir', lab.path('bridge'), '--listen', '127.0.0.1:0', '--policy', 'single-machine']
const bridge = String((await lab.daemon(run)).facts.bridge)
const ADDRESS = '0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed'

type Facts = Record<string, unknown>

function initWords(dir: string, ...words: string[]): string[] {
  return ['host', 'init', '--dir', dir, '--bridge', bridge, '--space', '1GB', ...words]
}

function statusOf(dir: string): Promise<Facts> {
  return lab.facts('host', 'status', '--dir', dir)
}

async function words(...command: string[]): Promise<string> {
  const ran = await lab.shardrive(command)
  if (ran.status !== 0) throw new Error(`${command.join(' ')}: ${ran.stderr}`)
  return ran.stdout
}

t.test('a host is made from options, which are checked before anything is made', async (t) => {
  const dir = lab.path('made')
  const refused = (more: string[], says: RegExp) =>
    expectRefusal(t, lab, initWords(dir, ...more), { code: 'usage', exitCode: 2, says })
  await refused(['--payout-address', ADDRESS.replace('5aAe', '5AAe')], /checksum/)
  const secret = 'ab'.repeat(32)
  const report = await refused(['--payout-address', secret], /never|nobody/)
  t.notMatch(JSON.stringify(report), secret, 'what may be a key is not repeated')
  await refused(['--hours', '7'], /22-07/)
  await refused(['--hours', '07-07'], /same time/)
  await refused(['--zone', 'Mars/Olympus'], /Europe\/Madrid/)
  await refused(['--up', '2MB'], /MB\/s/)
  await refused(['--down', '10kB/s'], /100 kB\/s/)
  await refused(['--month', '5MB'], /1GB/)
  await expectRefusal(t, lab, ['host', 'init', '--dir', dir], { code: 'usage', exitCode: 2, says: /--bridge, --space/ })
  t.notOk(fs.existsSync(dir), 'nothing was made')
  const said = [
    '--hours',
    '22-7:30',
    '--zone',
    'Europe/Madrid',
    '--up',
    '2MB/s',
    '--down',
    '10MB/s',
    '--month',
    '200GB',
  ]
  await lab.facts(...initWords(dir, '--payout-address', ADDRESS.toLowerCase(), '--udp-port', '40000', ...said))
  t.match(JSON.parse(fs.readFileSync(path.join(dir, 'host.json'), 'utf8')), {
    version: 1,
    capacityBytes: 1_000_000_000,
    payoutAddress: ADDRESS,
    hours: { from: '22:00', to: '07:30' },
    zone: 'Europe/Madrid',
    upBytesPerSecondMax: 2_000_000,
    downBytesPerSecondMax: 10_000_000,
    monthBytesMax: 200_000_000_000,
    udpPort: 40_000,
  })
})

/** Runs it on a terminal of its own and types the answers. */
function typed(answers: string[], ...command: string[]): Promise<{ status: number | null; screen: string }> {
  const line = [process.execPath, path.resolve('dist/main.js'), ...command].map((one) => `'${one}'`).join(' ')
  const child = spawn('script', ['-qec', line, '/dev/null'], { env: { ...lab.env, TERM: 'dumb' } })
  let screen = ''
  child.stdout.on('data', (text) => {
    screen += text
  })
  for (const answer of answers) child.stdin.write(`${answer}\n`)
  const timer = setTimeout(() => child.kill('SIGKILL'), 60_000)
  return new Promise((resolve) => {
    child.once('close', (status) => {
      clearTimeout(timer)
      resolve({ status, screen })
    })
  })
}

t.test('on a terminal it asks, explains, asks again for what cannot be, shows a summary, and makes it', async (t) => {
  const dir = lab.path('asked')
  const answers = [bridge, dir, '5 apples', '2GB', 'nonsense', ADDRESS, '22:30-07', '', '10MB/s', '', 'yes']
  const { status, screen } = await typed(answers, 'host', 'init')
  t.equal(status, 0, screen)
  t.match(screen, /is not a size/)
  t.match(screen, /no payout address/)
  t.match(screen, /make this host \[yes\]/)
  t.match(screen, /hours +22:30 to 07:00/)
  t.match(JSON.parse(fs.readFileSync(path.join(dir, 'host.json'), 'utf8')), {
    capacityBytes: 2_000_000_000,
    payoutAddress: ADDRESS,
    downBytesPerSecondMax: 10_000_000,
  })
  const other = lab.path('not-made')
  const answered = [other, '2GB', '', '', '', '', '', 'no']
  const stopped = await typed(answered, 'host', 'init', '--bridge', bridge)
  t.equal(stopped.status, 130, stopped.screen)
  t.notOk(fs.existsSync(other), 'a no makes nothing')
})

t.test('status tells of a host that runs, over a socket of its owner alone, and of one that does not', async (t) => {
  const dir = lab.path('status')
  await lab.facts(...initWords(dir))
  t.match(await statusOf(dir), { running: false, standing: null, diskThere: true, space: { lentBytes: 1_000_000_000 } })
  t.match(await words('host', 'status', '--dir', dir), /NOT RUNNING[\s\S]*start it with/)
  const host = await lab.daemon(['host', 'run', '--dir', dir])
  t.equal(fs.statSync(path.join(dir, 'control.sock')).mode & 0o777, 0o600)
  await until('the host is registered', async () => ((await statusOf(dir)) as { standing: unknown }).standing !== null)
  t.match(await statusOf(dir), {
    running: true,
    pid: host.pid,
    host: host.facts.id,
    shards: 0,
    disk: { state: 'fine' },
    refuses: null,
    isOpen: true,
    registered: true,
    standing: { state: 'good', vettedAt: null },
    earnings: { eurPerMonth: 0, counted: false },
    vettingDaysLeft: 21,
  })
  t.match(await lab.facts('host', 'evidence', '--dir', dir), { host: host.facts.id, evidence: [] })
  await expectRefusal(t, lab, ['host', 'evidence', '--dir', dir, '--id', '7'], {
    code: 'unknown-transcript',
    exitCode: 6,
  })
  const screen = await words('host', 'status', '--dir', dir)
  for (const word of ['runs', 'fine', 'not vetted yet', 'audits', 'all day', 'no limit', 'not counted until vetted']) {
    t.match(screen, word)
  }
  t.equal(await host.stop(), 0)
  t.match(await statusOf(dir), { running: false, standing: { state: 'good' } }, 'the bridge still knows it')
  await expectRefusal(t, lab, ['host', 'status', '--dir', lab.made('empty')], {
    code: 'host-folder-wrong',
    exitCode: 5,
  })
})

t.test('set changes a running host at once, and one that does not run from its next start on', async (t) => {
  const dir = lab.path('set')
  await lab.facts(...initWords(dir))
  const set = (...more: string[]) => lab.facts('host', 'set', '--dir', dir, ...more)
  t.match(await set('--space', '2GB'), { running: false, capacityBytes: 2_000_000_000, notes: [/next start/] })
  const host = await lab.daemon(['host', 'run', '--dir', dir])
  t.match(await set('--space', '3GB', '--up', '2MB/s', '--hours', '22-07', '--zone', 'UTC'), {
    running: true,
    notes: [],
  })
  t.match(await statusOf(dir), {
    space: { lentBytes: 3_000_000_000 },
    terms: { upBytesPerSecondMax: 2_000_000, hours: { from: '22:00', to: '07:00' }, zone: 'UTC' },
  })
  await set('--hours', 'none', '--up', 'none')
  const { terms } = (await statusOf(dir)) as { terms: Facts }
  t.same([terms.hours, terms.upBytesPerSecondMax], [undefined, undefined])
  await expectRefusal(t, lab, ['host', 'set', '--dir', dir], { code: 'usage', exitCode: 2, says: /what to change/ })
  await expectRefusal(t, lab, ['host', 'set', '--dir', dir, '--up', '1kB/s'], { code: 'usage', exitCode: 2 })
  t.notOk(host.hasEnded)
  t.equal(await host.stop(), 0)
})

t.test('of a copied folder that runs twice, what began first stops with a code of its own and says why', async (t) => {
  const dir = lab.path('moved')
  await lab.facts(...initWords(dir))
  const first = await lab.daemon(['host', 'run', '--dir', dir])
  const connected = async (where: string) => ((await statusOf(where)) as { bridge: Facts }).bridge.connected === true
  await until('the first is connected', () => connected(dir))
  const copy = lab.path('moved-copy')
  fs.cpSync(dir, copy, { recursive: true, filter: (one) => !/\.(lock|sock)$/.test(one) })
  const second = await lab.daemon(['host', 'run', '--dir', copy])
  t.equal(await first.exited, 9, 'service managers are told not to start it again')
  t.match(first.log, /runs in another place/)
  t.match(first.log, /one host, one folder/)
  await until('the second is connected', () => connected(copy))
  t.notOk(second.hasEnded, 'they do not fight')
  t.equal(await second.stop(), 0)
})

t.test('a host whose disk goes away is offline, says so, and goes on by itself when it is back', async (t: Test) => {
  const dir = lab.path('unplugged')
  await lab.facts(...initWords(dir))
  const host = await lab.daemon(['host', 'run', '--dir', dir])
  const volumes = path.join(dir, 'volumes')
  const there = async () => (await statusOf(dir)) as { away?: Facts; bridge?: Facts }
  await until('it is connected', async () => (await there()).bridge?.connected === true)
  fs.renameSync(volumes, `${volumes}.away`)
  fs.mkdirSync(volumes)
  await until('it is offline', async () => (await there()).away !== undefined, 40_000)
  t.match(await there(), { away: { code: 'disk-away' } })
  t.match(await words('host', 'status', '--dir', dir), /OFFLINE: the disk of the shards is not there[\s\S]*by itself/)
  t.match(await lab.facts('host', 'status', '--dir', dir), { diskThere: false })
  fs.rmdirSync(volumes)
  fs.renameSync(`${volumes}.away`, volumes)
  await until('it is back', async () => (await there()).bridge?.connected === true, 40_000)
  t.notOk(host.hasEnded, 'the same process')
  t.equal(await host.stop(), 0)
  t.match(await words('host', 'status', '--dir', dir), /NOT RUNNING/)
})

t.test('a host asks to leave, may change its mind, and the wish outlives the command', async (t) => {
  const dir = lab.path('leaving')
  await lab.facts(...initWords(dir))
  await expectRefusal(t, lab, ['host', 'exit', '--dir', dir], { code: 'unknown-host', exitCode: 6 })
  const host = await lab.daemon(['host', 'run', '--dir', dir])
  await until('it is registered', async () => ((await statusOf(dir)) as { standing: unknown }).standing !== null)
  t.match(await lab.facts('host', 'exit', '--dir', dir, '--no-wait'), { exit: { phase: /leaving|left/ } })
  t.match(await lab.facts('host', 'exit', '--dir', dir, '--cancel'), { exit: { phase: 'none', shardsLeft: 0 } })
  t.match(await words('host', 'exit', '--dir', dir, '--cancel'), /stays/)
  t.equal(await host.stop(), 0)
})
