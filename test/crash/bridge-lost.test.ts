/** Real processes: a bridge's books are put back from a backup, or lost, with deaths on the way; no file is lost by it. */
import fs from 'node:fs'
import path from 'node:path'
import t, { type Test } from 'tap'
import { differences, manifestOf } from '../support/drive-manifest.js'
import { Lab, type NetworkFacts, type Running } from '../support/drive-process.js'
import { runProgram, until } from '../support/programs.js'
import { rampBytes } from '../support/ramp.js'

t.setTimeout(420_000)

const FILES = 60

interface Status {
  incarnation: number
  frozenSince: number | null
  hosts: { known: number; listed: number }
  drives: { known: number; told: number }
  unclaimed: { shards: number }
}

async function writeFiles(lab: Lab, mount: string, state: string, from: number): Promise<void> {
  for (let number = from; number < from + FILES; number++) {
    fs.writeFileSync(path.join(mount, `file ${number}`), rampBytes(number, 20_000))
    if (number % 20 === 19) await lab.sync(state)
  }
  await lab.sync(state)
}

async function network(t: Test): Promise<{ lab: Lab; facts: NetworkFacts; mount: string; drive: Running }> {
  const lab = new Lab(t)
  const { facts } = await lab.up()
  const mount = lab.made('mnt')
  const drive = await lab.mount({ mount, state: facts.state })
  await writeFiles(lab, mount, facts.state, 0)
  return { lab, facts, mount, drive }
}

/** The exit code, or the signal that ended it. */
async function dies(lab: Lab, words: string[], failpoint: string): Promise<number | string | null> {
  const env = { ...lab.env, SHARDRIVE_FAILPOINT: failpoint }
  const ran = await runProgram(process.execPath, [path.resolve('dist/main.js'), ...words], { env, timeoutMs: 60_000 })
  return ran.status
}

const run = (facts: NetworkFacts) => ['bridge', 'run', '--dir', facts.bridgeDir]

async function bridgeThatDies(lab: Lab, facts: NetworkFacts, failpoint: string): Promise<void> {
  const bridge = await lab.daemon(run(facts), { SHARDRIVE_FAILPOINT: failpoint })
  await until(`the bridge dies at ${failpoint}`, () => bridge.hasEnded, 90_000)
}

const status = async (lab: Lab, facts: NetworkFacts, ...words: string[]) => {
  const ran = await lab.shardrive(['bridge', 'reconcile', '--dir', facts.bridgeDir, '--json', ...words])
  return JSON.parse(ran.stdout) as Status
}

async function expectWhole(t: Test, lab: Lab, facts: NetworkFacts, mount: string, drive: Running): Promise<void> {
  fs.writeFileSync(path.join(mount, 'one more'), 'after it')
  await lab.sync(facts.state)
  const before = await manifestOf(mount)
  t.ok(before.length > 2 * FILES)
  t.equal(await drive.stop(), 0)
  const recovered = await lab.mount({ mount, state: lab.path('recovered'), network: facts })
  t.same(differences(before, await manifestOf(mount)), [], 'all of it, from the phrase')
  t.equal(await recovered.stop(), 0)
}

async function expectSound(t: Test, lab: Lab, facts: NetworkFacts): Promise<void> {
  const ran = await lab.shardrive(['bridge', 'fsck', '--dir', facts.bridgeDir, '--json'])
  t.equal(ran.status, 0, ran.stdout)
}

t.test('a backup is put back, with deaths on the way: what was stored after it is there', async (t) => {
  const { lab, facts, mount, drive } = await network(t)
  const copy = lab.path('backup.db')
  const dir = facts.bridgeDir
  const made = await lab.facts('bridge', 'backup', '--dir', dir, '--to', copy)
  t.match(made, { file: copy, holdsKey: false, incarnation: 1 })
  await writeFiles(lab, mount, facts.state, FILES)
  const busy = await lab.shardrive(['bridge', 'restore', '--from', copy, '--dir', dir, '--json'])
  t.match(JSON.parse(busy.stdout), { error: { code: 'folder-locked' } })
  process.kill(facts.bridgePid, 'SIGKILL')
  const words = ['bridge', 'restore', '--from', copy, '--dir', dir, '--force', '--json']
  for (const point of ['copied', 'marked']) t.not(await dies(lab, words, `bridge-restore-${point}`), 0, point)
  await expectSound(t, lab, facts)
  await dies(lab, words, 'bridge-restore-renamed')
  await expectSound(t, lab, facts)
  await bridgeThatDies(lab, facts, 'bridge-restate-inside')
  await bridgeThatDies(lab, facts, 'bridge-restate-committed')
  await expectSound(t, lab, facts)
  const bridge = await lab.daemon(run(facts))
  await until('it is through', async () => (await status(lab, facts)).frozenSince === null, 120_000)
  await expectWhole(t, lab, facts, mount, drive)
  t.ok((await status(lab, facts)).incarnation > 1_000_000_000)
  t.equal(await bridge.stop(), 0)
  await expectSound(t, lab, facts)
})

t.test('the database is gone, its key is there: hosts and the drive bring it back', async (t) => {
  const { lab, facts, mount, drive } = await network(t)
  await writeFiles(lab, mount, facts.state, FILES)
  process.kill(facts.bridgePid, 'SIGKILL')
  await until(
    'it is dead',
    async () => (await lab.shardrive(['bridge', 'fsck', '--dir', facts.bridgeDir])).status === 0,
  )
  const gone = fs.readdirSync(facts.bridgeDir).filter((name) => name.startsWith('bridge.db') || name === 'bridge.mark')
  for (const name of gone) fs.rmSync(path.join(facts.bridgeDir, name))
  await bridgeThatDies(lab, facts, 'bridge-restate-flushed')
  await expectSound(t, lab, facts)
  const bridge = await lab.daemon(run(facts))
  const isTold = ({ hosts, drives, unclaimed }: Status) =>
    hosts.listed === 4 && drives.known === 1 && drives.told === 1 && unclaimed.shards === 0
  await until('all have told', async () => isTold(await status(lab, facts)), 150_000)
  const told = await status(lab, facts)
  t.not(told.frozenSince, null, 'others may still come')
  await expectWhole(t, lab, facts, mount, drive)
  t.equal((await status(lab, facts, '--force')).frozenSince, null)
  t.equal(await bridge.stop(), 0)
  const dying = await lab.daemon(run(facts), { SHARDRIVE_FAILPOINT: 'bridge-reconcile-inside' })
  await lab.shardrive(['bridge', 'reconcile', '--dir', facts.bridgeDir, '--begin', '--json'])
  await until('the bridge dies while a host lists', () => dying.hasEnded, 60_000)
  await expectSound(t, lab, facts)
  await bridgeThatDies(lab, facts, 'bridge-reconcile-committed')
  await expectSound(t, lab, facts)
})

t.test('a bridge that dies while it takes receipts and records loses nothing that it answered', async (t) => {
  const { lab, facts, mount, drive } = await network(t)
  const waits: Promise<unknown>[] = []
  process.kill(facts.bridgePid, 'SIGKILL')
  // Inside before committed: the drive asks again with receipts that the first death took back.
  for (const step of ['commit-inside', 'commit-committed', 'append-inside']) {
    const point = `bridge-${step}`
    const bridge = await lab.daemon(run(facts), { SHARDRIVE_FAILPOINT: point })
    fs.writeFileSync(path.join(mount, point), rampBytes(7, 50_000))
    // A person waits: what is left of the attempts before is tried at once.
    const waiting = lab.shardrive(['sync', '--state', facts.state, '--timeout', '90', '--json'], 100_000)
    await until(`the bridge dies at ${point}`, () => bridge.hasEnded, 90_000)
    await expectSound(t, lab, facts)
    waits.push(waiting)
  }
  const bridge = await lab.daemon(run(facts))
  await lab.sync(facts.state)
  await Promise.allSettled(waits)
  const before = await manifestOf(mount)
  t.equal(await drive.stop(), 0)
  t.equal((await status(lab, facts)).frozenSince, null, 'a death is no other database')
  const recovered = await lab.mount({ mount, state: lab.path('recovered'), network: facts })
  t.same(differences(before, await manifestOf(mount)), [])
  t.equal(await recovered.stop(), 0)
  t.equal(await bridge.stop(), 0)
  await expectSound(t, lab, facts)
})
