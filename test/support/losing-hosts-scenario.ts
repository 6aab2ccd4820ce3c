/**
 * A network of 16 host processes loses five for good, one after the other, and then five more, while data flows: the bridge repairs
 * inside, then workers beside it. Each time every segment comes back above the threshold of repair, or onto every host that is left.
 */
import fs from 'node:fs'
import fsp from 'node:fs/promises'
import path from 'node:path'
import t, { type Test } from 'tap'
import { repairThreshold } from '../../src/bridge/repairs/repair-threshold.js'
import { bookedShards, bytesOn } from './bridge-books.js'
import { differences, manifestOf } from './drive-manifest.js'
import { Lab, type NetworkFacts, type Running } from './drive-process.js'
import { until } from './programs.js'

const HOSTS = 16
const LOST_EACH_WAVE = 5
const AWAY_MS = 2_000
const MB = 1_000_000
const BRIDGE_CHILD = path.resolve('dist-test/test/support/bridge-run-child.js')
const WORKER_CHILD = path.resolve('dist-test/test/support/worker-run-child.js')

export interface LossSizes {
  files: number
  fileBytes: number
  /** Of one kill: until everything is repaired. */
  repairMs: number
}

interface World {
  lab: Lab
  network: NetworkFacts
  bridge: Running
  living: Set<string>
}

async function startBridge(lab: Lab, network: NetworkFacts, worker: string | null): Promise<Running> {
  const repair = worker === null ? { inProcess: true } : { inProcess: false, workers: [worker] }
  const settings = JSON.stringify({ scheme: 'ladder', awayMs: AWAY_MS, repair })
  const bridge = await lab.daemon([network.bridgeDir, settings], {}, BRIDGE_CHILD)
  const online = async () => (await bridge.ask({})).online as number
  const living = (await lab.processes()).filter((one) => network.hosts.some(({ pid }) => pid === one.pid)).length
  await until('all living hosts are back', async () => (await online()) === living, 90_000)
  return bridge
}

/** How many shards of each confirmed segment lie on hosts that live. */
function countsOf({ network, living }: World): { has: number; dataShards: number; totalShards: number }[] {
  const segments = new Map<string, { hosts: Set<string>; has: number; dataShards: number; totalShards: number }>()
  for (const shard of bookedShards(network.bridgeDir, 'confirmed')) {
    const { dataShards, totalShards, host } = shard
    const one = segments.get(shard.segment) ?? { hosts: new Set<string>(), has: 0, dataShards, totalShards }
    segments.set(shard.segment, one)
    if (one.hosts.has(host)) throw new Error(`${host} has two shards of ${shard.segment}`)
    one.hosts.add(host)
    if (living.has(host)) one.has++
  }
  return [...segments.values()]
}

function isFull(world: World): boolean {
  return countsOf(world).every((one) => one.has > repairThreshold(one) || one.has >= world.living.size)
}

/** `8 x 12, 3 x 11`: how many segments have how many shards. */
function spreadOf(world: World): string {
  const counts = countsOf(world).map((one) => one.has)
  const many = [...new Set(counts)].sort((a, b) => b - a)
  return many.map((has) => `${has}: ${counts.filter((one) => one === has).length}`).join(', ')
}

async function wave(t: Test, world: World, name: string, mover: Running, sizes: LossSizes): Promise<void> {
  const { network, bridge, living } = world
  const movedBefore = (await mover.ask({})).movedBytes as number
  const startedMs = performance.now()
  const seconds: number[] = []
  let lostBytes = 0
  for (const host of network.hosts.filter(({ id }) => living.has(id)).slice(0, LOST_EACH_WAVE)) {
    lostBytes += bytesOn(network.bridgeDir, host.id)
    const killedMs = performance.now()
    process.kill(host.pid, 'SIGKILL')
    living.delete(host.id)
    await until(
      `all is full again on ${living.size} hosts`,
      async () => {
        await bridge.ask({ pull: 'repair' })
        return isFull(world)
      },
      sizes.repairMs,
    ).catch((error: Error) => {
      throw new Error(`${error.message}: ${spreadOf(world)}\n${bridge.log.slice(-6_000)}`)
    })
    seconds.push((performance.now() - killedMs) / 1_000)
  }
  const movedBytes = ((await mover.ask({})).movedBytes as number) - movedBefore
  t.ok(countsOf(world).every((one) => one.has >= Math.min(one.totalShards, living.size, one.dataShards + 3)))
  t.comment(
    `${name}: ${LOST_EACH_WAVE} of ${living.size + LOST_EACH_WAVE} hosts lost with ${(lostBytes / MB).toFixed(1)} MB; moved ${(movedBytes / MB).toFixed(1)} MB,`,
    `${(movedBytes / lostBytes).toFixed(2)} MB for each MB lost; full again ${seconds.map((one) => one.toFixed(1)).join(', ')} s after each loss,`,
    `${((performance.now() - startedMs) / 1_000).toFixed(1)} s in all; shards of a segment: segments: ${spreadOf(world)}`,
  )
}

/** Writes a file now and then until it is told to stop; resolves when it has stopped. */
function keepWriting(lab: Lab, mount: string): () => Promise<unknown> {
  const stop = lab.path('stop')
  const script = `mkdir ${mount}/live; n=0; while [ ! -e ${stop} ]; do
    head -c 150000 /dev/urandom > ${mount}/live/$n; n=$((n + 1)); sleep 0.5; done`
  const writing = lab.sh(script, { timeoutMs: 3_500_000 })
  return async () => {
    await fsp.writeFile(stop, '')
    return writing
  }
}

export function losingHostsTest(sizes: LossSizes): void {
  t.test('ten of sixteen hosts are lost in two waves, and not a file with them', async (t) => {
    const lab = new Lab(t)
    const { facts: network } = await lab.up({ hosts: HOSTS })
    process.kill(network.bridgePid, 'SIGKILL')
    await until('the first bridge is dead', async () => !fs.existsSync(`/proc/${network.bridgePid}`))
    const inside = await startBridge(lab, network, null)
    const world: World = { lab, network, bridge: inside, living: new Set(network.hosts.map(({ id }) => id)) }
    const mount = lab.made('mnt')
    const drive = await lab.mount({ mount, state: network.state })
    const fill = `for i in $(seq ${sizes.files}); do head -c ${sizes.fileBytes} /dev/urandom > ${mount}/f$i; done`
    await lab.sh(fill, { timeoutMs: 1_200_000 })
    await lab.sync(network.state)
    const stopWriting = keepWriting(lab, mount)
    t.ok(
      countsOf(world).every((one) => one.dataShards === 3 && one.totalShards === 12),
      '16 hosts carry 3 of 12',
    )

    await wave(t, world, 'inside', inside, sizes)
    // A worker greets its bridge at its first start.
    const worker = await lab.daemon([lab.made('worker'), network.bridge], {}, WORKER_CHILD)
    await inside.kill()
    world.bridge = await startBridge(lab, network, String(worker.facts.id))
    await wave(t, world, 'worker', worker, sizes)

    await stopWriting()
    await lab.sync(network.state)
    const before = await manifestOf(mount)
    t.equal(await drive.stop(), 0)
    await fsp.rm(network.state, { recursive: true })
    const state = lab.path('recovered')
    const recovered = await lab.mount({ mount, state, network })
    t.same(differences(before, await manifestOf(mount)), [], 'from six hosts, by the phrase')
    t.same(await lab.findings(state), [])
    t.equal(await recovered.stop(), 0)
    t.equal(await world.bridge.stop(), 0)
    const books = await lab.shardrive(['bridge', 'fsck', '--dir', network.bridgeDir, '--json'])
    t.equal(books.status, 0, books.stdout)
  })
}
