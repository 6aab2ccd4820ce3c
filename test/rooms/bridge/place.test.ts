import t, { type Test } from 'tap'
import { Store } from '../../../src/bridge/persist/store.js'
import { bridgeId } from '../../../src/model/ids.js'
import { decodeToken, verifyToken } from '../../../src/permits/token.js'
import { receiptsOf, type TestHost, World, type WorldOptions } from '../../support/bridge-world.js'
import { segmentNamed } from '../../support/named.js'

async function open(t: Test, options: WorldOptions = {}) {
  const world = await World.start(t.testdir(), options)
  t.teardown(() => world.stop())
  return world
}

t.test('each online host gets a token for exactly its shard; the others a row without', async (t) => {
  const world = await open(t)
  const hosts = await world.hosts(8, { online: 6 })
  const drive = await world.drive('a')
  const segment = segmentNamed('1')
  const [grant] = await drive.place(segment)
  t.match(grant, { segment: segment.segment, generation: 1, commit: 6 })
  t.same(
    grant!.hosts.map((row) => row.index),
    [0, 1, 2, 3, 4, 5, 6, 7],
  )
  t.equal(new Set(grant!.hosts.map((row) => row.host)).size, 8)
  const away = new Set(hosts.slice(6).map((host) => host.id))
  for (const { host, index, token } of grant!.hosts) {
    t.equal(token === null, away.has(host))
    if (token === null) continue
    const bridge = bridgeId(world.bridge.id)
    const facts = { bridge, host, holder: drive.deviceId, action: 'put' as const, nowMs: world.clock.nowMs() }
    t.match(verifyToken(token, facts), {
      bytes: segment.shardLength,
      generation: 1,
      target: { segment: segment.segment, index, shard: segment.shards[index] },
    })
  }
})

t.test('placing again renews what is not stored, and the threshold follows the hosts', async (t) => {
  const world = await open(t)
  const hosts = await world.hosts(8)
  const drive = await world.drive('a')
  await drive.claim()
  const segment = segmentNamed('1')
  const [first] = await drive.place(segment)
  t.equal(first!.commit, 7)
  const receipts = receiptsOf(first!, hosts)
  await drive.client.commit(drive.id, segment.segment, receipts.slice(0, 4))
  const missing = first!.hosts.slice(4).map((row) => hosts.find((host) => host.id === row.host) as TestHost)
  await missing[0]!.leave()
  await missing[1]!.leave()
  const [second] = await drive.place(segment)
  t.equal(second!.commit, 6)
  t.same(
    second!.hosts.map((row) => [row.index, row.token !== null]),
    [
      [4, false],
      [5, false],
      [6, true],
      [7, true],
    ],
  )
  const serials = [first!, second!].flatMap((one) => one.hosts.map((row) => row.token && decodeToken(row.token).serial))
  t.equal(new Set(serials.filter((one) => one !== null)).size, 10, 'a new token each time')
  await missing[2]!.leave()
  await t.rejects(drive.place(segment), { code: 'not-enough-hosts', details: { hostsOnline: 5, needed: 6 } })
  await missing[2]!.connect()
  t.same(await drive.client.commit(drive.id, segment.segment, receiptsOf(second!, hosts)), {
    stored: 6,
    committed: true,
  })
  await drive.append(drive.epoch({ confirm: [segment.segment] }))
  t.same((await drive.client.health(drive.id)).short, [{ segment: segment.segment, stored: 6, n: 8 }])
})

t.test(
  'where there are more hosts, shards of absent ones move; the old place counts no more and is cleared',
  async (t) => {
    const world = await open(t)
    const hosts = await world.hosts(10)
    const drive = await world.drive('a')
    const segment = segmentNamed('1')
    const [first] = await drive.place(segment)
    const gone = hosts.find((host) => host.id === first!.hosts[2]!.host) as TestHost
    const early = gone.receiptFor(first!.hosts[2]!.token!)
    await gone.leave()
    const [second] = await drive.place(segment)
    t.equal(second!.generation, 2)
    t.equal(second!.commit, 7)
    const moved = second!.hosts[2]!
    t.not(moved.host, gone.id)
    t.equal(decodeToken(moved.token!).generation, 2)
    t.equal(decodeToken(second!.hosts[3]!.token!).generation, 1, 'what stays keeps its generation')
    t.same(await drive.client.commit(drive.id, segment.segment, [early]), { stored: 0, committed: false })
    t.same(await drive.client.commit(drive.id, segment.segment, receiptsOf(second!, hosts)), {
      stored: 8,
      committed: true,
    })
    await gone.connect()
    const asked: Buffer[] = []
    gone.socket!.onDelete((token) => {
      asked.push(token)
      gone.socket!.sendDeleted({ serial: decodeToken(token).serial, ok: true })
    })
    await world.bridge.pull.forget()
    t.match(asked.map(decodeToken), [{ action: 'delete', generation: 1, target: { index: 2 } }])
  },
)

t.test('full hosts are said to be full; what was placed counts before it is reported', async (t) => {
  const world = await open(t)
  const hosts = await Promise.all(
    Array.from({ length: 8 }, (_, at) => world.host(String(at), { capacityBytes: at === 7 ? 5_000 : 2 ** 30 })),
  )
  const drive = await world.drive('a')
  await drive.place(segmentNamed('1'))
  await t.rejects(drive.place(segmentNamed('2')), { code: 'hosts-full' })
  const small = hosts[7] as TestHost
  await small.client.reportHost(small.id, { usedBytes: 0, freeBytes: 9_000, capacityBytes: 9_000 })
  await drive.place(segmentNamed('2'))
  t.match(await drive.client.space(), { hostsOnline: 8, hostsTotal: 8, totalBytes: (7 * 2 ** 30 + 9_000) / 2 })
})

t.test('under the standard policy hosts of one network or operator share no segment', async (t) => {
  const world = await open(t, { config: { policy: 'standard', behindProxy: true } })
  await world.hosts(8)
  const drive = await world.drive('a')
  await t.rejects(drive.place(segmentNamed('1')), { code: 'not-enough-hosts' }, 'all are on this machine')
  t.match(await drive.client.health(drive.id), { policy: 'standard', durable: true })
})

t.test('evidence is kept, the newest of each drive', async (t) => {
  const world = await open(t)
  const [host] = await world.hosts(1)
  const drive = await world.drive('a')
  const evidence = {
    host: host!.id,
    segment: segmentNamed('1').segment,
    index: 3,
    kind: 'wrong-bytes' as const,
    detail: 'leaf 7',
  }
  await drive.client.evidence(drive.id, evidence)
  await drive.client.evidence(drive.id, { ...evidence, kind: 'silent' })
  await t.rejects(drive.client.evidence(drive.id, { ...evidence, host: drive.deviceId as never }), {
    code: 'unknown-host',
  })
  await world.bridge.stop()
  const store = Store.open(world.dir)
  t.match(await store.hosts.evidenceOf(host!.id, 10), [
    { kind: 'silent' },
    { kind: 'wrong-bytes', index: 3, detail: 'leaf 7' },
  ])
  const row = (await store.accounts.loadDrive(drive.id))!.row
  for (let at = 0; at < 5; at++) {
    await store.hosts.saveEvidence(row, { ...evidence, device: drive.deviceId, kind: 'refused' }, at, 3)
  }
  t.equal((await store.hosts.evidenceOf(host!.id, 10)).length, 3)
  store.close()
  await world.startBridge()
})
