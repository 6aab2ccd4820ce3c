/** A device whose clock is a year off, from the start or from one moment to the next: what is here is here, and the rest waits and says why. */
import t from 'tap'
import { DriveNet } from '../support/drive-net.js'
import { until } from '../support/named.js'
import { rampBytes } from '../support/ramp.js'

const YEAR_MS = 365 * 86_400_000
const SIZE = 30_000

t.setTimeout(120_000)

t.test('a clock that jumps by a year, back and forth, while mounted and at a mount', async (t) => {
  const net = await DriveNet.start(t)
  const device = await net.newAccount()
  await device.open()
  await device.hand.write('stored', rampBytes(1, SIZE))
  await device.sync()
  const trouble = async () => ((await device.status()).trouble as { code: string; message: string } | null) ?? null
  const ownSteps = [YEAR_MS, -YEAR_MS, 0]
  for (const [at, stepMs] of ownSteps.entries()) {
    device.clock.stepMs = stepMs
    const name = `written at step ${at}`
    await device.hand.write(name, rampBytes(10 + at, SIZE))
    await device.drive?.storage.ledger.sync()
    t.ok((await device.hand.read(name)).equals(rampBytes(10 + at, SIZE)), 'writing and fsync need no right time')
    if (stepMs === 0) continue
    await t.rejects(device.sync(1_000), 'hosts and bridge are not believed at a wrong time')
    await until(async () => (await trouble())?.code === 'clock-skew', 20_000)
    t.match((await trouble())?.message, /clock|min/)
    await device.drop()
    await device.open()
    t.ok((await device.hand.read('stored')).equals(rampBytes(1, SIZE)), 'a mount with a wrong clock reads')
    t.ok((await device.hand.read(name)).equals(rampBytes(10 + at, SIZE)))
  }
  await until(async () => device.readOnlyReason === null && (await trouble()) === null, 20_000)
  await device.sync()
  const shown = await device.hand.tree()
  t.equal(shown.size, 1 + ownSteps.length)
  const other = await net.joinAccount(device, 'other')
  await other.open({ readOnly: true })
  t.same([...(await other.hand.tree())], [...shown], 'in the end everything is stored, and nobody is fenced')
  t.equal(net.records(device).filter((one) => one.kind === 5).length, 1, 'the writer term was never lost')
})
