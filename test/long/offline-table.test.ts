/**
 * What every operation does while the network is well, while this machine is just back from suspension, while the network loses half its
 * packets, has no bridge, no hosts, hangs, or is not there at all: how long, and which error. Metadata, cached data and writes are instant
 * in each, also while many reads wait for what is not here; those end within 30 s, and can be killed.
 */
import { spawn } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import t, { type Test } from 'tap'
import { HostsProcess } from '../support/hosts-process.js'
import { until } from '../support/named.js'
import { writeFile } from '../support/outside.js'
import { dropShare, inOwnNetwork, noOwnNetwork } from '../support/own-network.js'
import { sleep } from '../support/programs.js'
import { rampBytes } from '../support/ramp.js'

const HOSTS = 4
const STATES = [
  ...['well', 'back from suspension', 'half of all packets lost', 'bridge and hosts hang'],
  ...['no bridge', 'no hosts', 'no network'],
] as const
/** In these, what is not here can be had. */
const READABLE: readonly State[] = ['well', 'back from suspension', 'no bridge']
/** Both ends of a connection think that the other is gone after half a minute. */
const SUSPENDED_MS = 45_000
/** Reads of what is not here that wait all the while. */
const WAITING = 32
const WAITING_BYTES = 300_000
type State = (typeof STATES)[number]

const FILE_BYTES = 4_000_000
const WRITTEN_BYTES = 2_000_000
const READ_MS_MAX = 30_000
const INSTANT_MS_MAX = 2_000
/** Takes what is not stored along: it waits for the network, though not for ever. */
const UNMOUNT_MS_MAX = 60_000
const LIMIT_MS = 90_000

const UNCACHED = 'read uncached'
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
  [UNCACHED]: 'cat "cold $STATE" >/dev/null',
}

const KILLED = 'waiting reads, killed'

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

function signalAll(network: HostsProcess, signal: NodeJS.Signals): void {
  const names = ['bridge', ...Array.from({ length: HOSTS }, (_, at) => `host-${at}`)]
  for (const name of names) process.kill(network.pidOf(name), signal)
}

async function enter(state: State, network: HostsProcess): Promise<void> {
  if (state === 'back from suspension') {
    process.kill(network.pidOf('mount'), 'SIGSTOP')
    await sleep(SUSPENDED_MS)
    process.kill(network.pidOf('mount'), 'SIGCONT')
  }
  if (state === 'bridge and hosts hang') signalAll(network, 'SIGSTOP')
  if (state === 'half of all packets lost') dropShare(50)
  if (state === 'no network') dropShare(100)
  if (state === 'no bridge') await network.killBridge()
  if (state === 'no hosts') await Promise.all(Array.from({ length: HOSTS }, (_, at) => network.killHost(at)))
}

async function leave(state: State, network: HostsProcess): Promise<void> {
  dropShare(0)
  if (state === 'bridge and hosts hang') signalAll(network, 'SIGCONT')
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

/** Many programs that read what is not here. */
function readMany(mount: string): { kill(): Promise<Outcome> } {
  const children = Array.from({ length: WAITING }, (_, at) =>
    spawn('cat', [`many-${at}`], { cwd: mount, stdio: 'ignore' }),
  )
  const ended = Promise.all(children.map((one) => new Promise((resolve) => one.once('exit', resolve))))
  return {
    async kill() {
      const startedMs = performance.now()
      for (const one of children) one.kill('SIGKILL')
      await ended
      return { ms: Math.round(performance.now() - startedMs), failure: '' }
    },
  }
}

async function unmount(network: HostsProcess): Promise<Outcome> {
  const startedMs = performance.now()
  await network.stopMount()
  return { ms: Math.round(performance.now() - startedMs), failure: '' }
}

function expectBounds(t: Test, state: State, operation: string, { ms, failure }: Outcome): void {
  const limits: Record<string, number> = { [UNCACHED]: READ_MS_MAX, unmount: UNMOUNT_MS_MAX }
  t.ok(ms < (limits[operation] ?? INSTANT_MS_MAX), `${state}: ${operation} took ${ms} ms`)
  const mayFail = operation === UNCACHED && !READABLE.includes(state)
  t.ok(mayFail ? ['', 'Input/output error'].includes(failure) : failure === '', `${state}: ${operation}: ${failure}`)
}

function table(rows: ReadonlyMap<State, ReadonlyMap<string, Outcome>>): string[] {
  const time = (ms: number) => (ms < 10_000 ? `${ms} ms` : `${(ms / 1_000).toFixed(1)} s`)
  const cell = ({ ms, failure }: Outcome) => (failure === '' ? time(ms) : `${failure}, ${time(ms)}`)
  const lines = [...Object.keys(OPERATIONS), KILLED, 'unmount'].map((name) => [
    name,
    ...STATES.map((state) => cell(rows.get(state)?.get(name) as Outcome)),
  ])
  return [['', ...STATES], ['---', ...STATES.map(() => '---')], ...lines].map((line) => `| ${line.join(' | ')} |`)
}

const impossible = noOwnNetwork()
if (impossible !== null || (await inOwnNetwork())) {
  t.setTimeout(900_000)
  t.test('a drive in seven networks', { skip: impossible ?? false }, async (t) => {
    const network = await HostsProcess.start(t, { hosts: HOSTS, scheme: '2/4' })
    const { mount } = network.facts
    await writeFile(path.join(mount, 'kept'), rampBytes(1, FILE_BYTES))
    await writeFile(path.join(mount, 'cold'), rampBytes(2, FILE_BYTES))
    for (const [at, state] of STATES.entries()) {
      await writeFile(path.join(mount, `cold ${state}`), rampBytes(3 + at, FILE_BYTES))
    }
    for (let at = 0; at < WAITING; at++) {
      await writeFile(path.join(mount, `many-${at}`), rampBytes(100 + at, WAITING_BYTES))
    }
    t.equal((await network.command(['sync', '--complete'])).status, 0)
    await network.stopMount()
    const rows = new Map<State, Map<string, Outcome>>()
    for (const state of STATES) {
      await mountCold(network)
      await enter(state, network)
      const row = new Map<string, Outcome>()
      rows.set(state, row)
      const waiting = readMany(mount)
      for (const [operation, script] of Object.entries(OPERATIONS)) {
        if (operation === UNCACHED) row.set(KILLED, await waiting.kill())
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
