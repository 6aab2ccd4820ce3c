import fs from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { silentLog } from '../../../src/base/log.js'
import { systemRandom } from '../../../src/base/random.js'
import { startBridge } from '../../../src/bridge/bridge.js'
import { loadBridgeKey } from '../../../src/bridge/bridge-key.js'
import { World } from '../../support/bridge-world.js'
import { DrivenClock } from '../../support/driven-clock.js'
import { keyOf, segmentNamed } from '../../support/named.js'

t.test('the same folder gives the same bridge: drives, chains, placements, receipts', async (t) => {
  const world = await World.start(t.testdir())
  t.teardown(() => world.stop())
  const hosts = await world.hosts(8)
  const drive = await world.drive('a')
  await drive.claim()
  const [one, two] = [segmentNamed('1'), segmentNamed('2')]
  await drive.store(one, hosts)
  await drive.append(drive.epoch({ confirm: [one.segment] }))
  const [grant] = await drive.place(two)
  const before = {
    health: await drive.client.health(drive.id),
    head: await drive.client.head(drive.id),
    chain: await drive.client.chainPage(drive.id, 0),
    located: await drive.client.locate(drive.id, [one.segment, two.segment]),
  }
  await world.restartBridge()
  t.same(await drive.client.health(drive.id), before.health)
  t.same(await drive.client.head(drive.id), before.head)
  t.same(await drive.client.chainPage(drive.id, 0), before.chain)
  t.same(await drive.client.locate(drive.id, [one.segment, two.segment]), before.located)
  const receipts = grant!.hosts.map((row) => hosts.find((host) => host.id === row.host)!.receiptFor(row.token!))
  t.same(await drive.client.commit(drive.id, two.segment, receipts), { stored: 8, committed: true })
  await drive.append(drive.epoch({ confirm: [two.segment] }))
  t.match(await drive.client.health(drive.id), { segments: 2, full: 2 })
})

t.test('one bridge a folder; a taken port and a public address are said clearly', async (t) => {
  const dir = t.testdir()
  const world = await World.start(dir)
  t.teardown(() => world.stop())
  const parts = { key: keyOf('bridge'), clock: new DrivenClock(), log: silentLog }
  const scheme = { dataShards: 4, totalShards: 8 }
  const start = (folder: string, listen: string) =>
    startBridge({ ...parts, dir: folder, config: { listen, policy: 'single-machine', scheme } })
  await t.rejects(start(dir, '127.0.0.1:0'), { code: 'folder-locked' })
  const second = path.join(dir, 'second')
  await t.rejects(start(second, `127.0.0.1:${world.bridge.port}`), { code: 'listen-failed' })
  await t.rejects(start(second, '0.0.0.0:0'), { code: 'policy-public' })
  const third = await start(second, '127.0.0.1:0')
  await third.stop()
  await third.stop()
})

t.test('the key file is made once, for its owner only', async (t) => {
  const dir = t.testdir()
  const first = loadBridgeKey(dir, systemRandom)
  t.equal(loadBridgeKey(dir, systemRandom).id, first.id)
  const file = path.join(dir, 'bridge.key')
  t.equal(fs.statSync(file).mode & 0o777, 0o600)
  fs.chmodSync(file, 0o644)
  t.throws(() => loadBridgeKey(dir, systemRandom), { code: 'bridge-key-open' })
  fs.chmodSync(file, 0o600)
  fs.truncateSync(file, 30)
  t.throws(() => loadBridgeKey(dir, systemRandom), { code: 'bridge-key-broken' })
})
