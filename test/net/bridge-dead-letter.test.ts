import t from 'tap'
import { bridgeStatus } from '../../src/bridge-client/repair-calls.js'
import { shardTree } from '../../src/crypto/merkle.js'
import { shardId } from '../../src/model/ids.js'
import { rampBytes } from '../support/ramp.js'
import { HOUR_MS, hostsOf, repaired, standing, storedNet, vanish } from '../support/repair-net.js'

t.test('a segment whose uploader made it of shards that do not belong together is not tried for ever', async (t) => {
  const stored = await storedNet(t, 14, 3)
  const { net, drive, uploader } = stored
  const { bridge, clock, key, rooms } = net.world
  const fresh = await uploader.seal(20_000)
  const { shardLength, segment } = fresh.info
  const bytes = rampBytes(99, shardLength)
  bytes.copy(fresh.shards, 7 * shardLength)
  fresh.shardIds[7] = shardId((await shardTree(bytes)).id)
  t.equal(await uploader.push(fresh), 8)
  await drive.append(drive.epoch({ confirm: [segment] }))
  await clock.advance(60_000)
  const holders = await hostsOf(stored, segment)
  for (const at of [7, 2]) await vanish(net, holders[at]!)
  const others = await standing(stored)
  for (let round = 0; round < 3; round++) {
    await bridge.pull.repair()
    await clock.leap(2 * HOUR_MS)
  }
  const status = await bridgeStatus(net.world.client(key))
  t.match(status.repairs, { dead: 1, queued: 0, leased: 0 })
  const located = await drive.client.locate(drive.id, [segment])
  t.equal(located[0]!.shards.filter((one) => one.stored).length, 8, 'its books are as they were')
  t.same(await standing(stored), repaired(others), 'and the others are repaired')
  const row = (await rooms.store.repairs.drivesIn('dead', 5))[0]
  t.same(row, { drive: drive.id, segments: 1 })
  const evidence = await Promise.all(net.hosts.map((one) => rooms.store.hosts.evidenceOf(one.id, 9)))
  t.same(evidence.flat(), [], 'no host is to blame')
})
