import t from 'tap'
import { World } from '../../support/bridge-world.js'
import { segmentNamed } from '../../support/named.js'

t.test('a drive is made, written, and read back from its chain', async (t) => {
  const world = await World.start(t.testdir())
  t.teardown(() => world.stop())
  const hosts = await world.hosts(8)
  const drive = await world.drive('a')
  const info = await drive.client.info()
  t.match(info, { policy: 'single-machine', scheme: { k: 4, n: 8 }, incarnation: 1 })
  await drive.claim()
  const segment = segmentNamed('one')
  t.same(await drive.store(segment, hosts), { stored: 8, committed: true })
  await drive.append(drive.epoch({ confirm: [segment.segment] }))
  const health = await drive.client.health(drive.id)
  t.match(health, { segments: 1, full: 1, short: [], unconfirmed: 0, bytes: 8 * 1_024, durable: false })
  const [located] = await drive.client.locate(drive.id, [segment.segment])
  t.equal(located?.shards.length, 8)
  const tokens = await drive.client.tokens(drive.id, [hosts[0]!.id])
  t.equal(tokens.size, 1)
  const list = await drive.client.drives()
  t.equal(list.length, 1)
  t.equal(list[0]?.head.sequence, 2)
})
