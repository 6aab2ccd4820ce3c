import fs from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { until } from '../support/named.js'
import { HOUR_MS, storedNet } from '../support/repair-net.js'

t.test('a bridge without its books lets hosts keep what they have', async (t) => {
  const { net } = await storedNet(t, 9, 4, { ownTime: true, chores: true, hostOptions: { reportMs: 200 } })
  const { world } = net
  const before = net.hosts.map((one) => one.shards())
  // Beyond the age under which hosts refuse to delete by themselves.
  await world.clock.leap(96 * HOUR_MS)
  const { port } = world.bridge
  await world.bridge.stop()
  for (const end of ['', '-wal', '-shm']) fs.rmSync(path.join(world.dir, `bridge.db${end}`), { force: true })
  await world.startBridge(port)
  await until(() => world.bridge.hostsOnline().length === 9, 30_000)
  for (let hour = 0; hour < 30; hour++) {
    await world.clock.leap(HOUR_MS)
    // What wakes up now has its turn: requests and answers over real sockets.
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  t.equal(await world.rooms.store.hosts.countDeletions(), 0, 'nothing is ordered')
  t.same(
    net.hosts.map((one) => one.shards()),
    before,
  )
})
