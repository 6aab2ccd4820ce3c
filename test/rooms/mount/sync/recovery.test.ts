import t, { type Test } from 'tap'
import { AppError } from '../../../../src/base/errors.js'
import { silentLog } from '../../../../src/base/log.js'
import { accountId, deviceId } from '../../../../src/model/ids.js'
import type { SegmentInfo } from '../../../../src/model/segment.js'
import { type LedgerClient, openLedger } from '../../../../src/mount/metadata/client.js'
import { loadChainState } from '../../../../src/mount/sync/drive-chain.js'
import { RecordSpool } from '../../../../src/mount/sync/record-spool.js'
import { readChain, rebuildLedger } from '../../../../src/mount/sync/recovery.js'
import { DeviceTerms } from '../../../../src/mount/sync/term-keys.js'
import { ChainDouble, DRIVE } from '../../../support/chain-double.js'
import { keyOf } from '../../../support/named.js'
import { dumpTree, FakeHosts, key, makeFile, ROOT, rampBytes, write } from '../metadata/support.js'
import { Device } from './support.js'

const self = keyOf('device')
const never = new AbortController().signal

/** A drive of several epochs and at least two snapshots. */
async function drive(t: Test) {
  const chain = new ChainDouble(self)
  const hosts = new FakeHosts()
  const folder = t.testdir()
  const device = await Device.open({ folder, chain, hosts, key: self, snapshotBytes: 600 })
  for (let at = 0; at < 12; at++) {
    const file = await makeFile(device.ledger, ROOT, `file ${at % 8} ${at}`)
    await write(device.ledger, file.ino, 0, rampBytes(at, 2_000))
    await device.cut()
    await device.publishOn()
  }
  const tree = await dumpTree(device.ledger, hosts)
  await device.close()
  return { chain, hosts, folder, tree }
}

type Read = (info: SegmentInfo, offset: number, length: number) => Promise<Buffer>

async function recover(
  world: Awaited<ReturnType<typeof drive>>,
  ledger: LedgerClient,
  read: Read,
  progress = () => {},
) {
  const { chain, folder } = world
  const spool = new RecordSpool(`${folder}/spool`)
  try {
    const expected = { drive: DRIVE, account: accountId(chain.account.id) }
    const found = await readChain(chain.bridge, expected, spool, never)
    const terms = new DeviceTerms(deviceId(self.id), self.boxKey())
    const parts = { bridge: chain.bridge, ledger, segments: { read }, log: silentLog, progress }
    await rebuildLedger(found, spool, terms, parts, never)
  } finally {
    spool.close()
  }
}

function ledgerAt(folder: string, name: string): Promise<LedgerClient> {
  return openLedger({ file: `${folder}/${name}.db`, stagedKey: key() })
}

t.test('from the newest snapshot, from the older, from the log alone: the same tree', async (t) => {
  const world = await drive(t)
  t.ok(world.chain.snapshots.length >= 2, `${world.chain.snapshots.length} snapshots`)
  for (const unreadable of [0, 1, 2]) {
    const ledger = await ledgerAt(world.folder, `recovered ${unreadable}`)
    const bad = new Set<string>()
    const read: Read = async ({ segment }, offset, length) => {
      if (bad.size < unreadable) bad.add(segment)
      if (bad.has(segment)) throw new AppError('shards-unreachable', 'gone', { retry: 'later' })
      return world.hosts.fetch(segment, offset, length)
    }
    await recover(world, ledger, read)
    t.same(await dumpTree(ledger, world.hosts), world.tree, `${unreadable} unreadable snapshots`)
    t.same(await ledger.check(), [])
    t.same(
      (await ledger.snapshots()).map((one) => one.epoch),
      world.chain.snapshots.slice(-2),
      'both kept snapshots are known',
    )
    t.equal((await loadChainState(ledger))?.head.sequence, world.chain.state.head.sequence)
    await ledger.close()
  }
})

t.test('snapshot bytes that do not fit their hash are passed over', async (t) => {
  const world = await drive(t)
  const ledger = await ledgerAt(world.folder, 'recovered')
  let reads = 0
  await recover(world, ledger, async ({ segment }, offset, length) => {
    const bytes = Buffer.from(world.hosts.fetch(segment, offset, length))
    if (reads++ === 0) bytes[bytes.length - 1] = (bytes.at(-1) as number) ^ 1
    return bytes
  })
  t.same(await dumpTree(ledger, world.hosts), world.tree)
  await ledger.close()
})

t.test('a rebuild that was cut short goes on where it stood', async (t) => {
  const world = await drive(t)
  const none: Read = async () => {
    throw new AppError('shards-unreachable', 'gone')
  }
  for (const dies of [1, 5, 11]) {
    let ledger = await ledgerAt(world.folder, `cut ${dies}`)
    let steps = 0
    const stop = () => {
      if (++steps > dies + 2) throw new Error('the process died')
    }
    await t.rejects(recover(world, ledger, none, stop), { message: 'the process died' })
    t.equal(await loadChainState(ledger), null, 'it is not taken for finished')
    await ledger.sync()
    await ledger.terminate()
    ledger = await ledgerAt(world.folder, `cut ${dies}`)
    const begun = ledger.progress().publishedEpoch
    t.ok(begun > 0, `from epoch ${begun}`)
    await recover(world, ledger, none)
    t.same(await dumpTree(ledger, world.hosts), world.tree)
    await ledger.close()
  }
})

t.test('a bridge that hides the end of the chain, or all of it, is told so', async (t) => {
  const world = await drive(t)
  const ledger = await ledgerAt(world.folder, 'recovered')
  const read: Read = async ({ segment }, offset, length) => world.hosts.fetch(segment, offset, length)
  const { records } = world.chain
  const kept = records.splice(5)
  await t.rejects(recover(world, ledger, read), { code: 'chain-broken' })
  const first = records.splice(0)
  await t.rejects(recover(world, ledger, read), { code: 'not-found' })
  records.push(...first, ...kept)
  await recover(world, ledger, read)
  t.same(await dumpTree(ledger, world.hosts), world.tree)
  await ledger.close()
})
