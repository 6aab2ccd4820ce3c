import t from 'tap'
import { silentLog } from '../../../../src/base/log.js'
import { accountId, deviceId } from '../../../../src/model/ids.js'
import { openLedger } from '../../../../src/mount/metadata/client.js'
import { RecordSpool } from '../../../../src/mount/sync/record-spool.js'
import { readChain, rebuildLedger } from '../../../../src/mount/sync/recovery.js'
import { DeviceTerms } from '../../../../src/mount/sync/term-keys.js'
import { ChainDouble, DRIVE } from '../../../support/chain-double.js'
import { Dice, testSeed } from '../../../support/dice.js'
import { keyOf } from '../../../support/named.js'
import { dumpTree, FakeHosts, key, makeFile, now, ROOT, rampBytes, write } from '../metadata/support.js'
import { Device, Fate } from './support.js'

const seed = testSeed()
const LIVES = 14
const self = keyOf('device')
const never = new AbortController().signal

/** A few operations and now and then a cut. */
async function work(device: Device, dice: Dice, life: number): Promise<void> {
  for (let step = 0; step < 4; step++) {
    const name = `file ${dice.roll(0, 9)}`
    const known = await device.ledger.lookup(ROOT, Buffer.from(name))
    const file = known ?? (await makeFile(device.ledger, ROOT, name))
    await write(device.ledger, file.ino, dice.roll(0, 3) * 1_000, rampBytes(life * 10 + step, dice.roll(1, 5_000)))
    if (dice.roll(0, 4) === 0) {
      await device.ledger.rename(
        ROOT,
        Buffer.from(name),
        ROOT,
        Buffer.from(`file ${dice.roll(0, 9)}`),
        'replace',
        now(),
      )
    }
    if (dice.roll(0, 1) === 0) await device.cut()
  }
  await device.ledger.sync()
}

/** What others do to the chain, and the network to us. */
function disturb(chain: ChainDouble, dice: Dice, life: number): void {
  if (dice.roll(0, 4) === 0) chain.addDevice(keyOf(`other ${life}`))
  if (dice.roll(0, 9) === 0) chain.turnKey()
  if (dice.roll(0, 3) === 0) chain.failures.push(dice.pick(['before', 'after'] as const))
}

t.test(`a publisher that dies at any step publishes each epoch exactly once (SEED=${seed})`, async (t) => {
  t.setTimeout(120_000)
  const dice = new Dice(seed)
  const chain = new ChainDouble(self)
  chain.stored = new Set()
  const hosts = new FakeHosts()
  const folder = t.testdir()
  const cuts = new Set<number>()
  for (let life = 0; life < LIVES; life++) {
    const fate = new Fate()
    const device = await Device.open({ folder, chain, hosts, key: self, fate, snapshotBytes: 1_500 })
    await work(device, dice, life)
    for (const one of await device.ledger.pendingEpochs()) cuts.add(one.epoch)
    disturb(chain, dice, life)
    fate.diesAt = fate.count + dice.roll(1, 70)
    fate.dies = dice.pick(['before', 'after'] as const)
    await device.publishAll().catch(() => undefined)
    t.same(device.stopped, [], `life ${life}`)
    if (fate.dead) await device.kill()
    else await device.close()
  }
  chain.failures = []
  const publishRest = async () => {
    const device = await Device.open({ folder, chain, hosts, key: self, snapshotBytes: 1 })
    for (let more = 0; more < 2; more++) {
      await work(device, dice, LIVES + more)
      await device.cut()
    }
    for (const one of await device.ledger.pendingEpochs()) cuts.add(one.epoch)
    await device.publishAll()
    return device
  }
  // What is left waits in a queue that is too long for a snapshot; with nothing before them the next ones get theirs.
  await (await publishRest()).close()
  const device = await publishRest()
  t.same(
    chain.epochs,
    [...cuts].sort((a, b) => a - b),
    'every epoch that was cut, once, in order',
  )
  t.ok(chain.snapshots.length > 0, 'snapshots among them')
  t.same(await device.ledger.check(), [])
  const tree = await dumpTree(device.ledger, hosts)
  await device.close()
  t.same(await replayed(chain, hosts, folder), tree, 'who replays the chain has the same tree')
})

async function replayed(chain: ChainDouble, hosts: FakeHosts, folder: string): Promise<Map<string, unknown>> {
  const ledger = await openLedger({ file: `${folder}/replayed.db`, stagedKey: key() })
  const spool = new RecordSpool(`${folder}/spool`)
  const found = await readChain(chain.bridge, { drive: DRIVE, account: accountId(chain.account.id) }, spool, never)
  const segments = {
    read: async (info: { segment: string }, offset: number, length: number) =>
      hosts.fetch(info.segment, offset, length),
  }
  const terms = new DeviceTerms(deviceId(self.id), self.boxKey())
  const parts = { bridge: chain.bridge, ledger, segments, log: silentLog, progress: () => {} }
  await rebuildLedger(found, spool, terms, parts, never)
  spool.close()
  const tree = await dumpTree(ledger, hosts)
  await ledger.close()
  return tree
}
