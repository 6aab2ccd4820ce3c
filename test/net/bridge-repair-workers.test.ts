import t from 'tap'
import { silentLog } from '../../src/base/log.js'
import { Mender } from '../../src/bridge/repairs/mender.js'
import { RepairWorker } from '../../src/bridge/repairs/worker.js'
import { bridgeStatus, leaseRepair, reportRepair } from '../../src/bridge-client/repair-calls.js'
import { peerId } from '../../src/model/ids.js'
import type { DoneRequest } from '../../src/wire/repair-api.js'
import type { Net } from '../support/bridge-net.js'
import { keyOf } from '../support/named.js'
import { HOUR_MS, hostsOf, repaired, standing, storedNet, THRESHOLD, vanish } from '../support/repair-net.js'

const names = ['worker 1', 'worker 2']
const config = { repair: { workers: names.map((name) => keyOf(name).id), inProcess: false } }
const never = new AbortController().signal

/** A worker of its own, and which segments it was given. */
function workerOf(net: Net, name: string) {
  const client = net.world.client(keyOf(name))
  const transport = net.hub.node(peerId(keyOf(name).id))
  const leased: string[] = []
  const bridge = {
    greet: (signal: AbortSignal) => leaseRepair(client, { first: true }, { signal }),
    lease: async (signal: AbortSignal) => {
      const reply = await leaseRepair(client, {}, { signal })
      if (reply.job !== null) leased.push(reply.job.segment)
      return reply
    },
    done: (report: DoneRequest, signal: AbortSignal) => reportRepair(client, report, { signal }),
  }
  const { clock } = net.world
  const worker = new RepairWorker({ bridge, mender: new Mender({ transport, clock }), clock, log: silentLog })
  const drain = async () => {
    while (await worker.once(never));
  }
  return { client, leased, drain, stop: () => transport.stop() }
}

t.test('two workers share the queue and never work on the same segment', async (t) => {
  const stored = await storedNet(t, 12, 16, { config })
  const { net } = stored
  for (const host of net.hosts.slice(0, 3)) await vanish(net, host)
  await net.world.bridge.pull.repair()
  const before = await standing(stored)
  t.ok(before.filter((count) => count <= THRESHOLD).length > 2, 'the bridge leaves repairs to its workers')
  const workers = names.map((name) => workerOf(net, name))
  await Promise.all(workers.map((one) => Promise.all([one.drain(), one.drain()])))
  t.same(await standing(stored), repaired(before))
  const leased = workers.flatMap((one) => one.leased)
  t.equal(new Set(leased).size, leased.length)
  t.ok(workers.every((one) => one.leased.length > 0))
  for (const one of workers) await one.stop()
})

t.test('a worker that dies loses its lease, and the segment is repaired once, by another', async (t) => {
  const stored = await storedNet(t, 12, 1, { config })
  const { net, segments } = stored
  const { bridge, clock } = net.world
  const holders = await hostsOf(stored, segments[0]!)
  await vanish(net, holders[0]!)
  await vanish(net, holders[1]!)
  await bridge.pull.count()
  const [dying, other] = names.map((name) => workerOf(net, name))
  const { job } = await leaseRepair(dying!.client)
  t.equal(job?.segment, segments[0])
  t.equal((await leaseRepair(other!.client)).job, null, 'leased')
  await clock.leap(600_001)
  await other!.drain()
  t.same(await standing(stored), [8])
  t.same(other!.leased, segments)
  const late = { lease: job!.lease, receipts: [], faults: [], code: null }
  t.same(await reportRepair(dying!.client, late), { stored: 0 }, 'its word comes too late')
  const held = net.hosts.map((one) => one.shards()).reduce((sum, one) => sum + one, 0)
  t.equal(held, 8 - 2 + 2, 'nothing lies twice')
  for (const one of [dying, other]) await one!.stop()
})

t.test('done is told twice and counts once; another worker cannot tell it', async (t) => {
  const stored = await storedNet(t, 12, 1, { config })
  const { net } = stored
  const holders = await hostsOf(stored, stored.segments[0]!)
  await vanish(net, holders[3]!)
  await vanish(net, holders[5]!)
  await net.world.bridge.pull.count()
  const [one, two] = names.map((name) => workerOf(net, name))
  const { job } = await leaseRepair(one!.client)
  const report = { lease: job!.lease, receipts: [], faults: [], code: 'shards-unreachable' }
  t.same(await reportRepair(two!.client, report), { stored: 0 })
  t.equal((await leaseRepair(two!.client)).job, null, 'the lease stands')
  t.same(await reportRepair(one!.client, report), { stored: 0 })
  t.equal((await leaseRepair(two!.client)).job, null, 'the segment waits its time after a failure')
  await net.world.clock.leap(60_000)
  t.not((await leaseRepair(two!.client)).job, null)
  t.same(await reportRepair(one!.client, report), { stored: 0 })
  for (const each of [one, two]) await each!.stop()
})

t.test('keys that the operator did not list get no lease, and hosts see no token of theirs', async (t) => {
  const stored = await storedNet(t, 9, 1, { config })
  const { net, drive } = stored
  await t.rejects(leaseRepair(net.world.client(keyOf('stranger'))), { code: 'not-yours' })
  await t.rejects(leaseRepair(drive.client), { code: 'not-yours' })
  const report = { lease: 1, receipts: [], faults: [], code: null }
  await t.rejects(reportRepair(drive.client, report), { code: 'not-yours' })
  await t.rejects(bridgeStatus(drive.client), { code: 'not-yours' })
})

t.test('the status says what is queued, what is endangered and what cannot be read', async (t) => {
  const stored = await storedNet(t, 10, 3, { config })
  const { net } = stored
  const { bridge, clock, key } = net.world
  const status = () => bridgeStatus(net.world.client(key))
  t.match(await status(), { hosts: { online: 10, total: 10, away: 0 }, repairs: { queued: 0, waiting: 0 } })
  for (const host of net.hosts.slice(0, 3)) await vanish(net, host)
  await bridge.pull.count()
  const some = await status()
  const queued = (await standing(stored)).filter((count) => count <= THRESHOLD).length
  t.match(some, { hosts: { online: 7, away: 3 }, repairs: { queued, waiting: 0, dead: 0 } })
  for (const host of net.hosts.slice(3, 7)) await host.kill()
  await clock.leap(9 * HOUR_MS)
  await bridge.pull.count()
  const last = await status()
  t.match(last.repairs, { queued: 0, waiting: 3, waitingDrives: [{ drive: stored.drive.id, segments: 3 }] })
  t.equal(last.repairs.endangered, 3)
})
