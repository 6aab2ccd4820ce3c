import t from 'tap'
import {
  DIRECTORY,
  dumpTree,
  FakeHosts,
  ledgerOf,
  makeFile,
  nextHead,
  now,
  open,
  prepare,
  publish,
  ROOT,
  rampBytes,
  readAll,
  scratch,
  write,
} from './support.js'

const name = (text: string) => Buffer.from(text)

t.test('S-19 a published epoch, applied elsewhere, is the same tree', async (t) => {
  const ledger = await ledgerOf(t)
  const other = await ledgerOf(t)
  const hosts = new FakeHosts()
  const d = await makeFile(ledger, ROOT, 'd', DIRECTORY)
  const { ino } = await makeFile(ledger, d.ino, 'a')
  await write(ledger, ino, 0, rampBytes(1, 200_000))
  await write(ledger, ino, 100, rampBytes(2, 50_000))
  await ledger.setXattr(ino, name('user.x'), name('y'), 'any', now())
  await ledger.link(ino, ROOT, name('hard'), now())
  await ledger.setAttributes({ ino, size: 150_000, time: now() })
  await ledger.changeRange({
    ...{ ino, offset: 300_000, length: 10_000, action: 'allocate', keepSize: false, killSuidGid: false, time: now() },
  })
  const cut = await ledger.cut()
  if (cut === null) return void t.fail('nothing to cut')
  const { operations, confirm } = await prepare(ledger, cut, hosts)
  t.equal(confirm.length, 1)
  await other.applyBatch(operations, cut.epoch, nextHead())
  const head = await publish(ledger, cut.epoch)
  t.same(await dumpTree(other, hosts), await dumpTree(ledger, hosts))
  t.same(await ledger.head(), head)
  t.equal(await ledger.cut(), null)
  t.match(ledger.progress(), { pendingEpochs: 0, pendingBytes: 0, openBytes: 0, oldestUnpublishedMs: null })
  t.equal((await ledger.stateOf(ino)).state, 'stored')
  t.same((await ledger.stateOf(ino)).segments, confirm)
})

t.test('S-19 what is overwritten after the cut is published as it was at the cut', async (t) => {
  const ledger = await ledgerOf(t)
  const other = await ledgerOf(t)
  const hosts = new FakeHosts()
  const { ino } = await makeFile(ledger, ROOT, 'a')
  await write(ledger, ino, 0, rampBytes(1, 100_000))
  const first = await ledger.cut()
  const atCut = await dumpTree(ledger)
  await write(ledger, ino, 10, rampBytes(2, 90_000))
  await ledger.unlink(ROOT, name('a'), now(), 'file')
  await ledger.reap([ino])
  const second = await ledger.cut()
  if (first === null || second === null) return void t.fail('nothing to cut')
  t.same(second.stagedRows, [], 'the second write is dead at the second cut')
  await other.applyBatch((await prepare(ledger, first, hosts)).operations, first.epoch, nextHead())
  t.same(await dumpTree(other, hosts), atCut)
  await publish(ledger, first.epoch)
  const last = await prepare(ledger, second, hosts)
  await other.applyBatch(last.operations, second.epoch, nextHead())
  await publish(ledger, second.epoch)
  t.same(await dumpTree(other), await dumpTree(ledger))
  t.same(last.retire, [], 'the second epoch killed the segment, a later one retires it')
  await makeFile(ledger, ROOT, 'b')
  const third = await ledger.cut()
  if (third === null) return void t.fail('nothing to cut')
  t.equal((await prepare(ledger, third, hosts)).retire.length, 1)
  await publish(ledger, third.epoch)
})

t.test('bytes that nobody sees at the cut are not stored, but sizes and times stay', async (t) => {
  const ledger = await ledgerOf(t)
  const other = await ledgerOf(t)
  const hosts = new FakeHosts()
  const a = await makeFile(ledger, ROOT, 'a')
  const b = await makeFile(ledger, ROOT, 'b')
  await write(ledger, a.ino, 0, rampBytes(1, 4_096))
  await write(ledger, b.ino, 0, rampBytes(2, 4_096))
  await write(ledger, a.ino, 0, rampBytes(3, 4_096))
  await ledger.setAttributes({ ino: b.ino, size: 0, time: now() })
  await ledger.setAttributes({ ino: b.ino, size: 5_000, time: now() })
  const cut = await ledger.cut()
  if (cut === null) return void t.fail('nothing to cut')
  t.equal(cut.stagedRows.length, 1)
  t.equal(cut.stagedBytes, 4_096)
  await other.applyBatch((await prepare(ledger, cut, hosts)).operations, cut.epoch, nextHead())
  await publish(ledger, cut.epoch)
  t.same(await dumpTree(other, hosts), await dumpTree(ledger, hosts))
})

t.test('several cut epochs wait in order, over a restart in every stage', async (t) => {
  const folder = scratch(t)
  const hosts = new FakeHosts()
  let ledger = await open(folder)
  const { ino } = await makeFile(ledger, ROOT, 'a')
  for (let i = 0; i < 4; i++) {
    await write(ledger, ino, i * 1_000, rampBytes(i, 1_500))
    await ledger.cut()
  }
  const want = await readAll(ledger, ino)
  const restart = async () => {
    await ledger.close()
    ledger = await open(folder)
    t.same(await ledger.check(), [])
  }
  await restart()
  t.same(
    (await ledger.pendingEpochs()).map((one) => [one.epoch, one.stage]),
    [1, 2, 3, 4].map((epoch) => [epoch, 'cut']),
  )
  const [first, second] = await ledger.pendingEpochs()
  if (first === undefined || second === undefined) return void t.fail('no pending epochs')
  const made = await prepare(ledger, first, hosts)
  await prepare(ledger, second, hosts)
  await restart()
  t.same((await ledger.prepared(1)).operations, made.operations, 'prepared again is the same')
  await t.rejects(ledger.published(2, nextHead()), { code: 'epoch-out-of-order' })
  const head = nextHead()
  await ledger.saveRecord(1, { ...head, encoded: name('r') })
  await restart()
  t.match(await ledger.pendingEpochs(), [{ stage: 'recorded', record: { encoded: name('r') } }, { stage: 'prepared' }])
  t.same(await ledger.pendingSegments(), [])
  await ledger.published(1, head)
  await restart()
  t.match(await ledger.pendingEpochs(), [{ epoch: 2, stage: 'prepared' }, { epoch: 3 }, { epoch: 4 }])
  await publish(ledger, 2)
  for (const one of await ledger.pendingEpochs()) {
    await prepare(ledger, one, hosts)
    await publish(ledger, one.epoch)
  }
  t.ok((await readAll(ledger, ino, (s, o, l) => hosts.fetch(s, o, l))).equals(want))
  t.same(await ledger.check(), [])
  await ledger.close()
})

t.test('an epoch can be prepared anew with other segments; the old ones are remembered', async (t) => {
  const ledger = await ledgerOf(t)
  const hosts = new FakeHosts()
  const { ino } = await makeFile(ledger, ROOT, 'a')
  await write(ledger, ino, 0, rampBytes(1, 10))
  const cut = await ledger.cut()
  if (cut === null) return void t.fail('nothing to cut')
  const first = await prepare(ledger, cut, hosts)
  const second = await prepare(ledger, cut, hosts)
  t.not(first.confirm[0], second.confirm[0])
  t.same(await ledger.pendingSegments(), first.confirm)
  await t.rejects(ledger.materialise(cut.epoch, [], []), { code: 'invalid-argument' })
  t.equal((await ledger.pendingEpochs())[0]?.stage, 'prepared', 'a failed attempt leaves the one before')
  await publish(ledger, cut.epoch)
})

t.test('a snapshot is the state at its cut, imported into nothing', async (t) => {
  const ledger = await ledgerOf(t)
  const other = await ledgerOf(t)
  const hosts = new FakeHosts()
  const d = await makeFile(ledger, ROOT, 'd', DIRECTORY)
  for (let i = 0; i < 30; i++) {
    const { ino } = await makeFile(ledger, i % 2 ? d.ino : ROOT, `f${i}`)
    await write(ledger, ino, i * 10, rampBytes(i, 1_000 + i))
    if (i % 5 === 0) await ledger.setXattr(ino, name('user.n'), name(String(i)), 'any', now())
  }
  const loose = await ledger.make({ parent: ROOT, name: null, mode: 0o100600, uid: 0, gid: 0, time: now() })
  const cut = await ledger.cut({ view: true })
  if (cut === null) return void t.fail('nothing to cut')
  const atCut = await dumpTree(ledger)
  await ledger.unlink(ROOT, name('f2'), now(), 'file')
  await prepare(ledger, cut, hosts)
  const head = await publish(ledger, cut.epoch)
  const pieces: Buffer[] = []
  for await (const piece of ledger.exportSnapshot(cut.epoch)) pieces.push(piece)
  const all = Buffer.concat(pieces)
  const torn = [all.subarray(0, 1), all.subarray(1, 7), all.subarray(7, 5_000), all.subarray(5_000)]
  await other.importSnapshot(torn, cut.epoch, head)
  t.same(await dumpTree(other, hosts), atCut)
  t.equal(other.progress().files, ledger.progress().files)
  t.equal(await other.reapOrphans(), 2 - (loose.inodes.length - 1), 'the nameless file came along')
  await t.rejects(other.importSnapshot([all], cut.epoch, head), { code: 'local-changes' })
  const info = hosts.seal(all)
  await ledger.recordSnapshot({ epoch: cut.epoch, sequence: head.sequence + 1, segments: [info.segment] }, [info])
  t.match(await ledger.snapshots(), [{ epoch: cut.epoch, segments: [info.segment] }])
})

t.test('a snapshot that is cut off or unsound leaves nothing behind', async (t) => {
  const ledger = await ledgerOf(t)
  const other = await ledgerOf(t)
  await makeFile(ledger, ROOT, 'd', DIRECTORY)
  const cut = await ledger.cut({ view: true })
  if (cut === null) return void t.fail('nothing to cut')
  await prepare(ledger, cut, new FakeHosts())
  const head = await publish(ledger, cut.epoch)
  const pieces: Buffer[] = []
  for await (const piece of ledger.exportSnapshot(cut.epoch)) pieces.push(piece)
  const all = Buffer.concat(pieces)
  await t.rejects(other.importSnapshot([all.subarray(0, -1)], cut.epoch, head), { code: 'malformed' })
  await t.rejects(other.importSnapshot([Buffer.from([2])], cut.epoch, head), { code: 'unsupported-version' })
  t.equal(other.progress().files, 1)
  await other.importSnapshot([all], cut.epoch, head)
  t.same(await dumpTree(other), await dumpTree(ledger))
})

t.test('segments that a kept snapshot names are not retired before it goes', async (t) => {
  const ledger = await ledgerOf(t)
  const hosts = new FakeHosts()
  const { ino } = await makeFile(ledger, ROOT, 'a')
  await write(ledger, ino, 0, rampBytes(1, 10))
  const epoch = async (view = false) => {
    await ledger.setAttributes({ ino: ROOT, mode: 0o755, time: now() })
    const cut = await ledger.cut({ view })
    if (cut === null) throw new Error('nothing to cut')
    const made = await prepare(ledger, cut, hosts)
    const head = await publish(ledger, cut.epoch)
    if (view) {
      for await (const _ of ledger.exportSnapshot(cut.epoch));
      const info = hosts.seal(name(`snapshot ${cut.epoch}`))
      await ledger.recordSnapshot({ epoch: cut.epoch, sequence: head.sequence, segments: [info.segment] }, [info])
    }
    return made.retire
  }
  await epoch(true)
  await write(ledger, ino, 0, rampBytes(2, 10))
  t.same(await epoch(), [])
  t.same(await epoch(), [], 'the snapshot still names it')
  await epoch(true)
  t.same(await epoch(), [])
  await epoch(true)
  t.equal((await epoch()).length, 2, 'the first snapshot went, with its own segment and the one it named')
  t.equal((await ledger.snapshots()).length, 2)
})
