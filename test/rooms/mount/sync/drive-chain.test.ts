import t, { type Test } from 'tap'
import { AppError } from '../../../../src/base/errors.js'
import { ChainDouble } from '../../../support/chain-double.js'
import { keyOf, until } from '../../../support/named.js'
import { dumpTree, FakeHosts, makeFile, ROOT, rampBytes, write } from '../metadata/support.js'
import { Crash, Device, Fate } from './support.js'

const self = keyOf('device')
const other = keyOf('other')
const never = new AbortController().signal

function world(t: Test) {
  const chain = new ChainDouble(self)
  const hosts = new FakeHosts()
  const folder = t.testdir()
  const open = (options: Partial<Parameters<typeof Device.open>[0]> = {}) =>
    Device.open({ folder, chain, hosts, key: self, ...options })
  return { chain, hosts, open }
}

async function change(device: Device, name: string): Promise<void> {
  const file = await makeFile(device.ledger, ROOT, name)
  await write(device.ledger, file.ino, 0, rampBytes(1, 3_000))
  await device.cut()
}

/** Publishes until the call before or after which the process dies. */
async function dieAt(device: Device, fate: Fate, name: 'append' | 'published', dies: 'before' | 'after') {
  await device.chain.follow(never)
  if (!device.chain.isWriter) await device.chain.claimWriter(never)
  fate.dies = dies
  fate.name = name
  await device.publishAll().catch((error: unknown) => {
    if (!(error instanceof Crash)) throw error
  })
  await device.kill()
}

t.test('an epoch that was appended before a crash is recognised as our own, and published once', async (t) => {
  const { chain, hosts, open } = world(t)
  const fate = new Fate()
  const first = await open({ fate })
  await change(first, 'a')
  await dieAt(first, fate, 'published', 'before')
  t.same(chain.epochs, [1], 'it is in the chain, and the ledger does not know')
  const again = await open()
  t.match(await again.ledger.pendingEpochs(), [{ epoch: 1, stage: 'recorded' }])
  const waits = again.publisher.whenPublished(1, never)
  await again.publishAll(waits)
  t.same(chain.epochs, [1])
  t.equal(again.ledger.progress().publishedEpoch, 1)
  const tree = await dumpTree(again.ledger, hosts)
  t.equal(tree.size, 2)
  await again.close()
})

t.test('an append whose answer was lost is not made twice, also when others come behind it', async (t) => {
  const { chain, open } = world(t)
  const device = await open()
  await change(device, 'a')
  await device.chain.claimWriter(never)
  chain.failures = ['after']
  const done = device.publishAll()
  await until(() => chain.epochs.length === 1)
  chain.addDevice(other)
  await done
  t.same(chain.epochs, [1])
  t.equal(chain.records.at(-1)?.sequence, 3)
  await device.close()
})

t.test('records of the account that come between are taken in, and the epoch is signed again', async (t) => {
  const { chain, open } = world(t)
  const device = await open()
  await device.chain.claimWriter(never)
  await change(device, 'a')
  chain.addDevice(other)
  chain.turnKey()
  await device.publishAll()
  t.same(chain.epochs, [1])
  t.equal(chain.records.at(-1)?.keyTerm, 2, 'under the key term in force')
  t.same(device.stopped, [])
  await device.close()
})

t.test('a writer that lost its term stops, keeps what it has, and knows it after a restart', async (t) => {
  const { chain, open } = world(t)
  chain.addDevice(other)
  const device = await open()
  await change(device, 'a')
  await device.publishAll()
  await device.close()
  const again = await open()
  await again.chain.follow(never)
  await change(again, 'b')
  chain.claim(other)
  await again.publishClaimed()
  t.same(again.stopped, ['writer-fenced'])
  await t.rejects(again.publisher.whenPublished(2, never), { code: 'writer-fenced' })
  await again.close()
  const later = await open()
  await later.chain.follow(never)
  t.notOk(later.chain.isWriter)
  t.match(await later.ledger.pendingEpochs(), [{ epoch: 2 }], 'nothing of it is lost')
  await later.publishAll()
  t.same(chain.epochs, [1, 2], 'claimed again, it publishes them under its new term')
  await later.close()
})

t.test('a recorded epoch of an older term is signed again and not taken for a fence', async (t) => {
  const { chain, open } = world(t)
  chain.addDevice(other)
  const fate = new Fate()
  const device = await open({ fate })
  await change(device, 'a')
  await dieAt(device, fate, 'append', 'before')
  chain.claim(other)
  const again = await open()
  t.match(await again.ledger.pendingEpochs(), [{ stage: 'recorded' }])
  await again.publishAll()
  t.same(again.stopped, [])
  t.same(chain.epochs, [1])
  await again.close()
})

t.test('a device that was removed is told so', async (t) => {
  const { chain, open } = world(t)
  const device = await open()
  await change(device, 'a')
  await device.chain.claimWriter(never)
  chain.revoke(device.chain.state.devices.keys().next().value as never)
  await device.publishClaimed()
  t.same(device.stopped, ['device-revoked'])
  await device.close()
})

t.test('segments that the bridge has forgotten are stored again', async (t) => {
  const { chain, open } = world(t)
  chain.stored = new Set()
  const fate = new Fate()
  const device = await open({ fate })
  await change(device, 'a')
  await dieAt(device, fate, 'append', 'before')
  chain.stored.clear()
  const again = await open()
  await again.publishAll()
  t.equal(again.stores, 1)
  t.same(chain.epochs, [1])
  t.same(await again.ledger.check(), [])
  await again.close()
})

t.test('a bridge that went back, or shows another history, is not believed', async (t) => {
  const { chain, open } = world(t)
  const device = await open()
  await change(device, 'a')
  await device.publishAll()
  const { records, state } = chain
  chain.state = { ...state, head: { ...state.head, sequence: state.head.sequence - 1 } }
  await t.rejects(device.chain.follow(never), { code: 'drive-rolled-back' })
  chain.state = { ...state, head: { ...state.head, hash: Buffer.alloc(32) } }
  await t.rejects(device.chain.follow(never), { code: 'drive-forked' })
  chain.state = { ...state, head: { ...state.head, sequence: state.head.sequence + 2 } }
  await t.rejects(device.chain.follow(never), { code: 'chain-broken' }, 'a head that is never shown')
  t.equal(records.length, 3)
  await device.close()
})

t.test('a bridge that says head-moved for ever is asked a bounded number of times, then later', async (t) => {
  const { chain, open } = world(t)
  const device = await open()
  await device.chain.follow(never)
  await device.chain.claimWriter(never)
  await change(device, 'a')
  const taken = chain.appends
  chain.refuse = () => new AppError('head-moved', 'always')
  const stop = device.publishAll()
  await until(() => device.publisher.trouble() !== null)
  const soon = chain.appends - taken
  t.ok(soon > 0 && soon <= 8 * 40, `${soon} appends`)
  t.match(device.publisher.trouble(), { code: 'head-moved' })
  chain.refuse = null
  await stop
  t.same(chain.epochs, [1])
  await device.close()
})
