/**
 * Whoever makes a drive, or the bridge, dies at each step of it: the next attempt ends with exactly one drive of the name and
 * one device, and the bridge has not learnt the name.
 */
import fs from 'node:fs'
import path from 'node:path'
import t, { type Test } from 'tap'
import { withAccount } from '../../src/app/account-setup.js'
import { systemRandom } from '../../src/base/random.js'
import { drawPhrase } from '../../src/crypto/phrase.js'
import { listDrives } from '../../src/mount/account/account-chain.js'
import { ACCOUNT_POINTS } from '../support/crash-points.js'
import { tableOf } from '../support/crash-table.js'
import { Lab, type Running } from '../support/drive-process.js'
import { runProgram, until } from '../support/programs.js'

const CHILD = path.resolve('dist-test/programs/create-child.js')
t.setTimeout(280_000)

interface Ended {
  status: number
  drive?: string
  device?: string
  code?: string
}

async function bench(t: Test) {
  const lab = new Lab(t)
  const phrase = await drawPhrase(systemRandom)
  const dir = lab.path('bridge')
  const first = ['--listen', '127.0.0.1:0', '--policy', 'single-machine']
  const start = (env: Record<string, string>, words: string[] = []) =>
    lab.daemon(['bridge', 'run', '--dir', dir, ...words], env)
  let bridge: Running = await start({}, first)
  const url = String(bridge.facts.bridge)
  const restart = async (env: Record<string, string> = {}) => {
    await bridge.stop()
    bridge = await start(env)
  }
  const run = async (what: string, state: string, name: string, failpoint = ''): Promise<Ended> => {
    const env = { ...lab.env, SHARDRIVE_FAILPOINT: failpoint }
    const ran = await runProgram(process.execPath, [CHILD, what, phrase, url, lab.path(state), name], { env })
    return { status: ran.status, ...(ran.stdout === '' ? {} : JSON.parse(ran.stdout)) }
  }
  /** Names of the account's drives, and how many devices each has. */
  const drives = () =>
    withAccount(phrase, { bridgeUrl: url }, async ({ client, keys }) => {
      const access = { drives: () => client.drives(), records: async () => [], append: async () => undefined }
      const found: Record<string, number[]> = {}
      for (const { drive, name } of await listDrives(access, keys)) {
        found[name] = [...(found[name] ?? []), (await client.devices(drive)).length]
      }
      return found
    })
  const hasDied = () => until('the bridge dies', () => bridge.hasEnded)
  return { lab, dir, run, drives, restart, hasDied }
}

t.test('a process that makes an account with its drive dies at each step', async (t) => {
  const { lab, dir, run, drives } = await bench(t)
  for (const point of ACCOUNT_POINTS) t.equal((await run('account', 'state', 'main', point)).status, -1, point)
  const died = ACCOUNT_POINTS.map((point) => ({ point, workload: 'account', isHit: true, losses: [], findings: [] }))
  for (const line of tableOf(died)) t.comment(line)
  t.same(await drives(), { main: [1] }, 'the last of them had made it')
  const made = await run('account', 'state', 'main')
  t.equal(made.status, 0)
  t.same(await drives(), { main: [1] })
  t.match(JSON.parse(fs.readFileSync(lab.path('state', 'drive.json'), 'utf8')), {
    drive: made.drive,
    device: made.device,
  })
  t.notOk(made.drive === undefined || made.device === undefined)

  // Its directory is lost, and made anew: the same drive, one more device.
  const elsewhere = await run('account', 'elsewhere', 'main')
  t.match(elsewhere, { status: 0, drive: made.drive })
  t.not(elsewhere.device, made.device)
  t.same(await drives(), { main: [2] })
  for (const name of fs.readdirSync(dir)) {
    const bytes = fs.readFileSync(path.join(dir, name))
    t.notOk(bytes.includes('"main"') || bytes.includes('\x04main'), `${name} does not hold the name`)
  }
})

t.test('a process that makes another drive, or joins one, dies at each step', async (t) => {
  const { run, drives } = await bench(t)
  t.equal((await run('account', 'state', 'main')).status, 0)
  for (const point of ['mount.device.written', 'mount.device.settled']) {
    t.equal((await run('drive', 'photos', 'photos', point)).status, -1, point)
  }
  t.match(await run('drive', 'other', 'photos'), { status: 1, code: 'drive-exists' }, 'a name that is taken is refused')
  t.equal((await run('drive', 'photos', 'photos')).status, 0, 'but the attempt is gone on with where it was begun')
  t.same(await drives(), { main: [1], photos: [1] })
  for (const point of ['mount.device.written', 'mount.device.settled']) {
    t.equal((await run('join', 'second', 'photos', point)).status, -1, point)
  }
  t.equal((await run('join', 'second', 'photos')).status, 0)
  t.same(await drives(), { main: [1], photos: [2] })
})

t.test('a bridge that dies with a drive made, or half made, has one in the end', async (t) => {
  const { run, drives, restart, hasDied } = await bench(t)
  for (const [at, point] of ['bridge-drive-inside', 'bridge-drive-flushed'].entries()) {
    await restart({ SHARDRIVE_FAILPOINT: point })
    t.match(await run('account', `state ${at}`, `drive ${at}`), { status: 1, code: 'bridge-unreachable' }, point)
    await hasDied()
    await restart()
    t.equal((await run('account', `state ${at}`, `drive ${at}`)).status, 0, point)
  }
  t.same(await drives(), { 'drive 0': [1], 'drive 1': [1] })
})

t.test('two processes that make the drive of one name at once make one', async (t) => {
  const { run, drives } = await bench(t)
  const both = await Promise.all([run('account', 'one', 'main'), run('account', 'two', 'main')])
  t.match(both, [{ status: 0 }, { status: 0 }])
  t.equal(both[0].drive, both[1].drive)
  t.same(await drives(), { main: [2] })
})
