/** A bridge that audits real hosts over the memory transport, honest ones and liars. */
import t from 'tap'
import { Net, Uploader } from '../support/bridge-net.js'
import { scratchFolder } from '../support/scratch-folder.js'

const HOUR_MS = 3_600_000

t.test('honest hosts prove what they have, again and again', async (t) => {
  const { folder, remove } = scratchFolder()
  const net = await Net.start(folder, 8)
  t.teardown(async () => {
    await net.stop()
    remove()
  })
  const drive = await net.world.drive('a')
  const uploader = new Uploader(net, drive)
  t.teardown(() => uploader.stop())
  for (let at = 0; at < 3; at++) await uploader.push(await uploader.seal(300_000))
  for (let at = 0; at < 4; at++) {
    await net.world.bridge.pull.audit()
    await net.world.clock.advance((2 * HOUR_MS) / 3)
  }
  const [host] = net.hosts
  const standing = await net.clientOf(host!).standing(host!.id)
  t.equal(standing.verdicts.success, 48, JSON.stringify(standing))
  t.match(standing, { state: 'good', score: 1, verdicts: { fail: 0, offline: 0, timeout: 0, unknown: 0 } })
  t.match(await net.world.bridge.auditStatus(), { bursts: 24, freezes: 0, states: { good: 8 } })
})
