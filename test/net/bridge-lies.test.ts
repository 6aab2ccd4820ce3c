/** The lying bridge itself: its lies are well-formed, signed, and seen by who checks them. */
import fs from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { deviceId } from '../../src/model/ids.js'
import { makeDeviceAdd } from '../../src/permits/chain-author.js'
import { decodeRecord, splitRecords } from '../../src/permits/chain-record.js'
import { checkHead, followRecord, startChain } from '../../src/permits/chain-rules.js'
import type { ChainState } from '../../src/permits/chain-state.js'
import { type TestDrive, World } from '../support/bridge-world.js'
import { LyingBridge } from '../support/lying-bridge.js'
import { keyOf, segmentNamed } from '../support/named.js'

async function follow(drive: TestDrive, from: ChainState | null, client = drive.client): Promise<ChainState> {
  let state = from
  const start = state === null ? 0 : state.head.sequence + 1
  for (const bytes of splitRecords(await client.chainPage(drive.id, start))) {
    const record = decodeRecord(bytes)
    state = state === null ? startChain(record, { drive: drive.id }) : followRecord(state, record)
  }
  checkHead(state as ChainState, await client.head(drive.id))
  return state as ChainState
}

t.test('a truncated, damaged or forgotten chain is told apart by a device with state', async (t) => {
  const liar = new LyingBridge()
  const world = await World.start(t.testdir(), liar.options)
  t.teardown(() => world.stop())
  const drive = await world.drive('a')
  await drive.claim()
  for (let at = 0; at < 3; at++) await drive.append(drive.epoch())
  const known = await follow(drive, null)
  t.equal(known.head.sequence, 4)
  liar.lies.truncateAt = 2
  t.equal((await follow(drive, null)).head.sequence, 2, 'a device without state cannot know')
  await t.rejects(follow(drive, known), { code: 'drive-rolled-back' })
  liar.lies.truncateAt = null
  liar.lies.damageRecord = 3
  await t.rejects(follow(drive, null), { code: 'chain-signature' })
  liar.lies.damageRecord = null
  liar.lies.dropAppends = true
  await drive.append(drive.epoch())
  liar.lies.dropAppends = false
  await t.rejects(follow(drive, drive.state), { code: 'drive-rolled-back' })
  t.ok(liar.told >= 4)
})

t.test('two histories for two devices are found as soon as they meet', async (t) => {
  const liar = new LyingBridge()
  const dir = t.testdir()
  const world = await World.start(path.join(dir, 'one'), liar.options)
  t.teardown(() => world.stop())
  const drive = await world.drive('a')
  const second = keyOf('second device')
  const add = {
    device: deviceId(second.id),
    termKeys: new Map([[1, drive.termKey]]),
    labelKey: drive.labelKey,
    timeMs: 0,
  }
  await drive.append(makeDeviceAdd(drive.state, add, drive.account), drive.owner)
  await drive.claim()
  const known = await follow(drive, null, world.client(second))
  await world.bridge.stop()
  fs.cpSync(path.join(dir, 'one'), path.join(dir, 'two'), { recursive: true })
  await world.startBridge()
  const otherLiar = new LyingBridge()
  const other = await World.start(path.join(dir, 'two'), { ...otherLiar.options, clock: world.clock })
  t.teardown(() => other.stop())
  await drive.append(drive.epoch({ sealed: Buffer.alloc(64, 1) }))
  const ours = drive.state
  drive.state = known
  const elsewhere = drive.epoch({ sealed: Buffer.alloc(64, 2) })
  await other.client(drive.device).append(drive.id, elsewhere.encoded)
  const fork = { service: otherLiar.honest, isOther: (caller: { key: string }) => caller.key === second.id }
  liar.lies.fork = fork
  const theirs = await follow(drive, known, world.client(second))
  t.equal(theirs.head.sequence, ours.head.sequence)
  t.notOk(theirs.head.hash.equals(ours.head.hash), 'each sees another')
  liar.lies.fork = null
  await t.rejects(follow(drive, theirs, world.client(second)), { code: 'drive-forked' })
})

t.test(
  'wrong ids, wrong hosts and invented receipts pass the client as shapes, for roots and chains to refuse',
  async (t) => {
    const liar = new LyingBridge()
    const world = await World.start(t.testdir(), liar.options)
    t.teardown(() => world.stop())
    const hosts = await world.hosts(8)
    const drive = await world.drive('a')
    await drive.claim()
    const one = segmentNamed('1')
    await drive.store(one, hosts)
    const honest = await drive.client.locate(drive.id, [one.segment])
    liar.lies.wrongShardIds = true
    const [ids] = await drive.client.locate(drive.id, [one.segment])
    t.ok(ids!.shards.every((shard, at) => shard.shard !== one.shards[at]))
    liar.lies.wrongShardIds = false
    liar.lies.wrongHosts = true
    const [moved] = await drive.client.locate(drive.id, [one.segment])
    t.ok(moved!.shards.every((shard, at) => shard.host !== honest[0]!.shards[at]!.host))
    liar.lies.wrongHosts = false
    liar.lies.inventReceipts = true
    const two = segmentNamed('2')
    t.same(await drive.store(two, hosts, 1), { stored: 8, committed: true })
    await t.rejects(drive.client.append(drive.id, drive.epoch({ confirm: [two.segment] }).encoded), {
      code: 'not-committed',
    })
  },
)
