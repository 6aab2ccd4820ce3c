/**
 * What every operation does while the network is well, loses half its packets, has no bridge, no hosts, or is not there at all: how
 * long, and which error. Metadata, cached data and writes are instant in each; what is not here ends within 30 s.
 */
import { spawn } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import t, { type Test } from 'tap'
import { HostsProcess } from '../support/hosts-process.js'
import { until } from '../support/named.js'
import { writeFile } from '../support/outside.js'
import { dropShare, inOwnNetwork, noOwnNetwork } from '../support/own-network.js'
import { rampBytes } from '../support/ramp.js'

const HOSTS = 4
const STATES = ['well', 'half of all packets lost', 'no bridge', 'no hosts', 'no network'] as const
type State = (typeof STATES)[number]

const FILE_BYTES = 4_000_000
const WRITTEN_BYTES = 2_000_000
const READ_MS_MAX = 30_000
const INSTANT_MS_MAX = 2_000
/** Takes what is not stored along: it waits for the network, though not for ever. */
const UNMOUNT_MS_MAX = 60_000
const LIMIT_MS = 90_000

/** In the mount; `cold` was never read here, `kept` was. */
const OPERATIONS: Readonly<Record<string, string>> = {
  'open cached': ': < kept',
  'read cached': 'dd if=kept iflag=nocache count=0 status=none; cat kept >/dev/null',
  ls: 'ls -lR . >/dev/null',
  stat: 'stat cold kept >/dev/null',
  df: 'df . >/dev/null',
  write: `head -c ${WRITTEN_BYTES} /dev/urandom > "written $STATE"; sync "written $STATE"`,
  create: 'touch "new $STATE"',
  rename: 'mv "new $STATE" "renamed $STATE"',
  'read uncached': 'cat "cold $STATE" >/dev/null',
}

interface Outcome {
  ms: number
  /** Empty: it succeeded. */
  failure: string
}

function run(script: string, cwd: string, state: State | ''): Promise<Outcome> {
  const startedMs = performance.now()
  const child = spawn('bash', ['-c', script], {
    cwd,
    env: { ...process.env, LC_ALL: 'C', STATE: state },
    stdio: ['ignore', 'ignore', 'pipe'],
    timeout: LIMIT_MS,
    killSignal: 'SIGKILL',
  })
  let said = ''
  child.stderr.on('data', (text: Buffer) => {
    said = (said + text.toString()).slice(-500)
  })
  return new Promise((resolve) => {
    child.once('close', (code, signal) => {
      const why = said.trim().split('\n').at(-1)?.split(': ').at(-1) ?? ''
      const failure = code === 0 ? '' : why || signal || `exit ${code}`
      resolve({ ms: Math.round(performance.now() - startedMs), failure })
    })
  })
}

async function enter(state: State, network: HostsProcess): Promise<void> {
  if (state === 'half of all packets lost') dropShare(50)
  if (state === 'no network') dropShare(100)
  if (state === 'no bridge') await network.killBridge()
  if (state === 'no hosts') await Promise.all(Array.from({ length: HOSTS }, (_, at) => network.killHost(at)))
}

async function leave(state: State, network: HostsProcess): Promise<void> {
  dropShare(0)
  if (state === 'no bridge') await network.startBridge()
  if (state === 'no hosts') await Promise.all(Array.from({ length: HOSTS }, (_, at) => network.startHost(at)))
}

/** Ready for the next: mounted, nothing in the cache but `kept`. */
async function mountCold(network: HostsProcess): Promise<void> {
  const { mount, state } = network.facts
  for (const name of ['cache.db', 'cache.db-wal', 'cache.db-shm']) fs.rmSync(path.join(state, name), { force: true })
  await network.startMount()
  await until(async () => (await network.status()).hosts.online === HOSTS, 60_000)
  await run('cat kept >/dev/null', mount, '')
}

async function unmount(network: HostsProcess): Promise<Outcome> {
  const startedMs = performance.now()
  await network.stopMount()
  return { ms: Math.round(performance.now() - startedMs), failure: '' }
}

function expectBounds(t: Test, state: State, operation: string, { ms, failure }: Outcome): void {
  const limits: Record<string, number> = { 'read uncached': READ_MS_MAX, unmount: UNMOUNT_MS_MAX }
  t.ok(ms < (limits[operation] ?? INSTANT_MS_MAX), `${state}: ${operation} took ${ms} ms`)
  const mayFail = operation === 'read uncached' && !['well', 'no bridge'].includes(state)
  t.ok(mayFail ? ['', 'Input/output error'].includes(failure) : failure === '', `${state}: ${operation}: ${failure}`)
}

function table(rows: ReadonlyMap<State, ReadonlyMap<string, Outcome>>): string[] {
  const time = (ms: number) => (ms < 10_000 ? `${ms} ms` : `${(ms / 1_000).toFixed(1)} s`)
  const cell = ({ ms, failure }: Outcome) => (failure === '' ? time(ms) : `${failure}, ${time(ms)}`)
  const lines = [...Object.keys(OPERATIONS), 'unmount'].map((name) => [
    name,
    ...STATES.map((state) => cell(rows.get(state)?.get(name) as Outcome)),
  ])
  return [['', ...STATES], ['---', ...STATES.map(() => '---')], ...lines].map((line) => `| ${line.join(' | ')} |`)
}

const impossible = noOwnNetwork()
if (impossible !== null || (await inOwnNetwork())) {
  t.setTimeout(900_000)
  t.test('a drive in five networks', { skip: impossible ?? false }, async (t) => {
    const network = await HostsProcess.start(t, { hosts: HOSTS, scheme: '2/4' })
    const { mount } = network.facts
    await writeFile(path.join(mount, 'kept'), rampBytes(1, FILE_BYTES))
    await writeFile(path.join(mount, 'cold'), rampBytes(2, FILE_BYTES))
    for (const [at, state] of STATES.entries()) {
      await writeFile(path.join(mount, `cold ${state}`), rampBytes(3 + at, FILE_BYTES))
    }
    t.equal((await network.command(['sync', '--complete'])).status, 0)
    await network.stopMount()
    const rows = new Map<State, Map<string, Outcome>>()
    for (const state of STATES) {
      await mountCold(network)
      await enter(state, network)
      const row = new Map<string, Outcome>()
      rows.set(state, row)
      for (const [operation, script] of Object.entries(OPERATIONS)) {
        row.set(operation, await run(script, mount, state))
      }
      row.set('unmount', await unmount(network))
      for (const [operation, outcome] of row) expectBounds(t, state, operation, outcome)
      await leave(state, network)
    }
    for (const line of table(rows)) t.comment(line)
    await mountCold(network)
    t.equal((await network.command(['sync', '--complete', '--timeout', '120'])).status, 0)
    const kept = STATES.map((state) => fs.statSync(path.join(mount, `written ${state}`)).size)
    t.same(
      kept,
      STATES.map(() => WRITTEN_BYTES),
      'what was written meanwhile is stored',
    )
    for (const state of STATES) t.ok(fs.existsSync(path.join(mount, `renamed ${state}`)))
    await network.stopMount()
  })
}
