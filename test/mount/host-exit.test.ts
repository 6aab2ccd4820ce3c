/** A host leaves in order, as a process among processes: its shards are elsewhere before it says that it may go, and the drive reads all along. */
import fs from 'node:fs'
import fsp from 'node:fs/promises'
import path from 'node:path'
import t from 'tap'
import { bookedShards } from '../support/bridge-books.js'
import { differences, manifestOf } from '../support/drive-manifest.js'
import { Lab, type NetworkFacts } from '../support/drive-process.js'
import { isAlive, until } from '../support/programs.js'
import { rampBytes } from '../support/ramp.js'

t.setTimeout(240_000)

const HOSTS = 6
const FILES = 30

/** Reads everything from another place again and again, each time with a cache that holds none of it. */
function keepReading(lab: Lab, network: NetworkFacts): { stop(): Promise<number> } {
  let going = true
  const run = async () => {
    let rounds = 0
    for (; going || rounds === 0; rounds++) {
      const state = lab.path(`reader-${rounds}`)
      const mount = lab.made('reader')
      const drive = await lab.mount({ mount, state, network, words: ['--cache', '4MiB'] })
      const seen = await manifestOf(mount)
      if (seen.length <= FILES) throw new Error(`a reader saw ${seen.length} entries`)
      await drive.stop()
    }
    return rounds
  }
  const running = run()
  running.catch(() => undefined)
  return {
    stop: () => {
      going = false
      return running
    },
  }
}

t.test('a host that leaves hands everything over, says so, and its folder may go', async (t) => {
  const lab = new Lab(t)
  const { facts: network } = await lab.up({ hosts: HOSTS, words: ['--scheme', '2/4'] })
  const mount = lab.made('mnt')
  const drive = await lab.mount({ mount, state: network.state })
  for (let number = 0; number < FILES; number++) {
    await fsp.writeFile(path.join(mount, `file ${number}`), rampBytes(number, 150_000))
    if (number % 10 === 9) await lab.sync(network.state)
  }
  await lab.facts('sync', '--complete', '--state', network.state)
  const before = await manifestOf(mount)
  const booked = bookedShards(network.bridgeDir, 'all')
  // The lot may leave a host without any.
  const leaver = network.hosts.find(({ id }) => booked.some((one) => one.host === id)) as NetworkFacts['hosts'][0]
  const onIt = () => bookedShards(network.bridgeDir, 'all').filter((one) => one.host === leaver.id)
  t.ok(onIt().length > 0)
  const reading = keepReading(lab, network)

  const exit = await lab.shardrive(['host', 'exit', '--dir', leaver.dir, '--json'], 150_000)
  t.equal(exit.status, 0, exit.stderr)
  t.match(JSON.parse(exit.stdout.trim().split('\n').at(-1) as string), {
    host: leaver.id,
    exit: { phase: 'left', shardsLeft: 0 },
  })
  t.same(onIt(), [], 'in the books nothing is on it')
  t.ok(await reading.stop(), 'the drive was read all along')
  // The host asks the bridge again after ten seconds.
  await until('the host says so itself', async () => {
    const { standing } = await lab.facts('host', 'status', '--dir', leaver.dir)
    return (standing as { exit: { phase: string } } | null)?.exit.phase === 'left'
  })
  const again = await lab.shardrive(['host', 'exit', '--dir', leaver.dir])
  t.equal(again.status, 0)
  t.match(again.stdout, /nothing depends on this one any more/)

  process.kill(leaver.pid, 'SIGTERM')
  await until('the host ends when it is told to', () => !isAlive(leaver.pid))
  await fsp.rm(leaver.dir, { recursive: true })
  const counts = new Map<string, Set<string>>()
  for (const { segment, host } of bookedShards(network.bridgeDir, 'confirmed'))
    counts.set(segment, (counts.get(segment) ?? new Set()).add(host))
  t.ok(
    [...counts.values()].every((hosts) => hosts.size === 4 && !hosts.has(leaver.id)),
    'four of four, on those that stay',
  )

  fs.writeFileSync(path.join(mount, 'later'), 'later')
  await lab.facts('sync', '--complete', '--state', network.state)
  const after = await manifestOf(mount)
  const changed = differences(before, after).filter((one) => !/^\.(\/later)?: /.test(one))
  t.same(changed, [], 'nothing but the new file')
  t.equal(await drive.stop(), 0)
  await fsp.rm(network.state, { recursive: true })
  const recovered = await lab.mount({ mount, state: lab.path('recovered'), network })
  t.same(differences(after, await manifestOf(mount)), [], 'all of it, without the host that left')
  t.same(await lab.findings(lab.path('recovered')), [])
  t.equal(await recovered.stop(), 0)
})
