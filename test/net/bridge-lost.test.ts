/** A bridge that loses its books, in part or all of them: hosts and devices tell it what it knew, and no file is lost. */
import t, { type Test } from 'tap'
import { codeOf } from '../../src/base/errors.js'
import type { BoxDevice } from '../support/box-device.js'
import { DriveNet } from '../support/drive-net.js'
import { until } from '../support/named.js'
import { rampBytes } from '../support/ramp.js'

const SIZE = 3_000
const DAY_MS = 24 * 3_600_000
const READ_ATTEMPTS = 4
const REPORT_MS = 1_000

t.setTimeout(600_000)

async function box(t: Test): Promise<{ net: DriveNet; device: BoxDevice }> {
  const net = await DriveNet.start(t, { reportMs: REPORT_MS })
  const device = await net.newAccount()
  await device.open()
  return { net, device }
}

async function writeFiles(device: BoxDevice, from: number, to: number, every: number): Promise<void> {
  for (let number = from; number < to; number++) {
    await device.hand.write(`file ${number}`, rampBytes(number, SIZE))
    if ((number + 1) % every === 0) await device.sync()
  }
  await device.sync()
}

/** Hosts of a busy machine may need longer than a read waits; what is wrong is never read again. */
async function read(device: BoxDevice, number: number): Promise<Buffer | null> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await device.hand.read(`file ${number}`)
    } catch (error) {
      if (codeOf(error) !== 'offline' || attempt >= READ_ATTEMPTS) return null
    }
  }
}

async function expectFiles(t: Test, device: BoxDevice, count: number): Promise<void> {
  const wrong: number[] = []
  for (let number = 0; number < count; number++) {
    const bytes = await read(device, number)
    if (bytes?.equals(rampBytes(number, SIZE)) !== true) wrong.push(number)
  }
  t.same(wrong, [], `${count} files are what was written`)
}

const shardsOf = (net: DriveNet) => net.hosts.reduce((sum, host) => sum + host.shards, 0)
const frozen = (net: DriveNet) =>
  net.rows<{ value: number | null }>("SELECT value FROM facts WHERE name = 'frozen_since'")[0]?.value !== null
const incarnation = (net: DriveNet) =>
  net.rows<{ value: number }>("SELECT value FROM facts WHERE name = 'incarnation'")[0]?.value ?? 0

/** Time goes by, chores run: what the bridge could throw away, it would. */
async function chores(net: DriveNet): Promise<void> {
  await net.world.bridge.pull.sweep()
  await net.world.bridge.pull.collect()
  await net.world.bridge.pull.forget()
}

async function reconciled(net: DriveNet): Promise<void> {
  await until(async () => {
    for (const device of net.devices) device.drive?.sync.retelling.wake()
    await net.world.bridge.pull.reconcile()
    return !frozen(net)
  }, 60_000)
}

async function readByAll(t: Test, net: DriveNet, device: BoxDevice, count: number): Promise<void> {
  await device.reopenCold()
  t.equal(device.readOnlyReason, null)
  await expectFiles(t, device, count)
  await device.close()
  const fresh = await net.joinAccount(device, 'fresh')
  await fresh.open()
  t.equal(fresh.readOnlyReason, null)
  await expectFiles(t, fresh, count)
  await fresh.hand.write('one more', rampBytes(5, SIZE))
  await fresh.sync()
}

t.test(
  'books from before the last 1,000 files, under a mounted drive: all is read, nothing was thrown away',
  async (t) => {
    const { net, device } = await box(t)
    await writeFiles(device, 0, 100, 50)
    await net.keepBridge()
    const before = incarnation(net)
    await writeFiles(device, 100, 1_100, 100)
    await net.world.bridge.pull.complete()
    const shards = shardsOf(net)
    const records = net.records(device)
    await net.putBooksBack()
    t.ok(incarnation(net) > before, 'the database says by itself that it is another one')
    t.ok(frozen(net))
    await net.world.clock.leap(31 * DAY_MS)
    await chores(net)
    await device.hand.write('meanwhile', rampBytes(1, SIZE))
    await device.sync()
    t.same(net.records(device).slice(0, records.length), records, 'the chain is back')
    await reconciled(net)
    await net.world.clock.leap(31 * DAY_MS)
    await chores(net)
    t.ok(shardsOf(net) >= shards, `${shardsOf(net)} shards, ${shards} before`)
    const short = () => net.rows<object>('SELECT stored, n, state FROM segments WHERE state = 1 AND stored < n')
    // What failed waits for its time, and that is driven; a host that asked during a leap has the wrong one for a minute.
    await until(async () => {
      await net.world.clock.leap(40_000)
      await net.world.bridge.pull.complete()
      return short().length === 0
    }, 150_000)
    t.pass('every segment is on all its hosts')
    await readByAll(t, net, device, 1_100)
  },
)

t.test(
  'books that are older than their drive, and nobody tells for a month: no host throws anything away',
  async (t) => {
    const { net, device } = await box(t)
    await writeFiles(device, 0, 20, 20)
    await net.keepBridge()
    // What these books know as placed and never confirmed would be swept, what they do not know at all be garbage.
    await writeFiles(device, 20, 120, 20)
    await device.close()
    await net.world.clock.leap(60_000)
    await net.world.bridge.pull.complete()
    const shards = shardsOf(net)
    await net.putBooksBack()
    net.change('UPDATE segments SET state = 0')
    await net.world.clock.leap(31 * DAY_MS)
    await net.everyHostBack()
    for (let round = 0; round < 3; round++) await chores(net)
    t.equal(shardsOf(net), shards)
    await device.open()
    await reconciled(net)
    await chores(net)
    t.ok(shardsOf(net) >= shards)
    await readByAll(t, net, device, 120)
  },
)

t.test('no books at all: hosts register, the drive is made again from what its device keeps', async (t) => {
  const { net, device } = await box(t)
  await writeFiles(device, 0, 300, 50)
  await device.close()
  await net.world.bridge.pull.complete()
  const shards = shardsOf(net)
  const records = net.records(device)
  const before = incarnation(net)
  await net.loseBooks()
  t.ok(incarnation(net) > before)
  await device.open()
  await until(async () => {
    await net.world.bridge.pull.reconcile()
    return net.rows<{ told: number }>('SELECT told FROM drives')[0]?.told === incarnation(net)
  }, 60_000)
  t.same(net.records(device).slice(0, records.length), records, 'the chain is back from its genesis')
  t.ok(frozen(net), 'others may still come')
  await net.world.clock.leap(2 * DAY_MS)
  await chores(net)
  await reconciled(net)
  await chores(net)
  t.ok(shardsOf(net) >= shards)
  t.same(net.rows('SELECT 1 FROM segments WHERE stored < n'), [])
  await readByAll(t, net, device, 300)
})

t.test('the whole folder put back fits itself: the first host that reports tells', async (t) => {
  const { net, device } = await box(t)
  await writeFiles(device, 0, 20, 20)
  await net.keepBridge()
  const before = incarnation(net)
  await writeFiles(device, 20, 60, 20)
  await net.putFolderBack()
  await until(() => incarnation(net) > before, 30_000)
  t.ok(net.logged('they were put back').length > 0)
  await device.hand.write('meanwhile', rampBytes(1, SIZE))
  await device.sync(60_000)
  await reconciled(net)
  await readByAll(t, net, device, 60)
})

t.test('a drive that nobody brings back keeps the bridge waiting, until its operator decides', async (t) => {
  const { net, device } = await box(t)
  await writeFiles(device, 0, 10, 10)
  await device.close()
  await net.loseBooks()
  await net.world.clock.leap(2 * DAY_MS)
  await net.world.bridge.pull.reconcile()
  t.ok(frozen(net))
  const operator = net.world.client(net.world.key)
  const status = await operator.reconcile({})
  t.match(status, { hosts: { known: 8, listed: 8 }, drives: { known: 0, told: 0 } })
  t.ok(status.unclaimed.shards > 0)
  t.equal((await operator.reconcile({ force: true })).frozenSince, null)
  t.notOk(frozen(net))
  await device.open()
  await until(() => device.drive?.sync.retelling.progress() === null && net.records(device).length > 0, 60_000)
  await readByAll(t, net, device, 10)
})
