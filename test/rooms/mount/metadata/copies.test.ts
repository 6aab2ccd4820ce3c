import t from 'tap'
import type { LedgerClient } from '../../../../src/mount/metadata/client.js'
import {
  dumpTree,
  FakeHosts,
  ledgerOf,
  makeFile,
  nextHead,
  now,
  prepare,
  publish,
  ROOT,
  rampBytes,
  readAll,
  subject,
  write,
} from './support.js'

const ALL = { offset: 0, toOffset: 0, length: 10_000_000, killSuidGid: false }

async function copy(ledger: LedgerClient, ino: number, toIno: number, range: Partial<typeof ALL> = {}) {
  return ledger.copyRange({ ...ALL, ...range, ino, toIno, time: now() })
}

t.test('S-35 a copy of what is not on its way yet is stored once, for both', async (t) => {
  const [ledger, other] = [await ledgerOf(t), await ledgerOf(t)]
  const hosts = new FakeHosts()
  const [a, b] = [await makeFile(ledger, ROOT, 'a'), await makeFile(ledger, ROOT, 'b')]
  const bytes = rampBytes(1, 200_000)
  await write(ledger, a.ino, 0, bytes)
  t.equal((await copy(ledger, a.ino, b.ino, { offset: 50_000, toOffset: 7, length: 100_000 })).copied, 100_000)
  const inode = subject(await copy(ledger, a.ino, b.ino, { offset: 0, toOffset: 150_000, length: 10 }))
  t.match(inode, { size: 150_010, mode: b.mode })
  await write(ledger, a.ino, 60_000, rampBytes(2, 100))
  const expected = Buffer.alloc(150_010)
  bytes.copy(expected, 7, 50_000, 150_000)
  bytes.copy(expected, 150_000, 0, 10)
  t.ok((await readAll(ledger, b.ino)).equals(expected), 'the copy is as the source was')
  const cut = await ledger.cut()
  t.equal(cut?.stagedBytes, 200_100, 'nothing twice')
  const { operations } = await prepare(ledger, cut as never, hosts)
  await ledger.unlink(ROOT, Buffer.from('a'), now(), 'file')
  await ledger.reap([a.ino])
  await publish(ledger, cut?.epoch as number)
  await other.applyBatch(operations, cut?.epoch as number, nextHead())
  for (const one of [ledger, other]) {
    const { ino } = (await one.lookup(ROOT, Buffer.from('b'))) as { ino: number }
    const fetched = await readAll(one, ino, (...where) => hosts.fetch(...where))
    t.ok(fetched.equals(expected), 'after its publication, and elsewhere')
  }
})

t.test('S-35 what is on its way to hosts is left to reading and writing, what lies before it is copied', async (t) => {
  const ledger = await ledgerOf(t)
  const hosts = new FakeHosts()
  const [a, b] = [await makeFile(ledger, ROOT, 'a'), await makeFile(ledger, ROOT, 'b')]
  await write(ledger, a.ino, 10_000, rampBytes(1, 5_000))
  const cut = await ledger.cut()
  await t.rejects(copy(ledger, a.ino, b.ino, { offset: 12_000 }), { code: 'not-supported' })
  t.equal((await copy(ledger, a.ino, b.ino)).copied, 10_000, 'the hole before it')
  await prepare(ledger, cut as never, hosts)
  await t.rejects(copy(ledger, a.ino, b.ino, { offset: 10_000 }), { code: 'not-supported' })
  await publish(ledger, cut?.epoch as number)
  t.equal((await copy(ledger, a.ino, b.ino)).copied, 15_000)
  await write(ledger, a.ino, 0, rampBytes(3, 100))
  t.equal((await copy(ledger, a.ino, b.ino)).copied, 15_000, 'both kinds at once')
})

t.test('S-35 a copy keeps the segment of a source that is gone, here and elsewhere', async (t) => {
  const [ledger, other] = [await ledgerOf(t), await ledgerOf(t)]
  const hosts = new FakeHosts()
  const a = await makeFile(ledger, ROOT, 'a')
  const bytes = rampBytes(1, 100_000)
  await write(ledger, a.ino, 0, bytes)
  const through = async () => {
    const cut = await ledger.cut()
    const { operations, retire } = await prepare(ledger, cut as never, hosts)
    await other.applyBatch(operations, cut?.epoch as number, nextHead())
    await publish(ledger, cut?.epoch as number)
    t.same(await dumpTree(other, hosts), await dumpTree(ledger, hosts))
    return retire
  }
  await through()
  const b = await makeFile(ledger, ROOT, 'b')
  await copy(ledger, a.ino, b.ino)
  await ledger.unlink(ROOT, Buffer.from('a'), now(), 'file')
  await ledger.reap([a.ino])
  t.same(await through(), [], 'somebody names it')
  t.ok((await readAll(ledger, b.ino, (...where) => hosts.fetch(...where))).equals(bytes))
  await ledger.unlink(ROOT, Buffer.from('b'), now(), 'file')
  await ledger.reap([b.ino])
  t.equal((await through()).length, 1, 'nobody names it')
})

t.test('S-35 a snapshot holds copies of both kinds', async (t) => {
  const [ledger, other] = [await ledgerOf(t), await ledgerOf(t)]
  const hosts = new FakeHosts()
  const [a, b] = [await makeFile(ledger, ROOT, 'a'), await makeFile(ledger, ROOT, 'b')]
  await write(ledger, a.ino, 0, rampBytes(1, 30_000))
  const first = await ledger.cut()
  await prepare(ledger, first as never, hosts)
  await publish(ledger, first?.epoch as number)
  await write(ledger, a.ino, 20_000, rampBytes(2, 30_000))
  for (const toOffset of [5, 60_000]) await copy(ledger, a.ino, b.ino, { toOffset })
  const atCut = await dumpTree(ledger, hosts)
  const cut = await ledger.cut({ view: true })
  await prepare(ledger, cut as never, hosts)
  const head = await publish(ledger, cut?.epoch as number)
  const pieces: Buffer[] = []
  for await (const piece of ledger.exportSnapshot(cut?.epoch as number)) pieces.push(piece)
  await other.importSnapshot(pieces, cut?.epoch as number, head)
  t.same(await dumpTree(other, hosts), atCut)
})

t.test('S-35 copies that are none: behind the end, onto itself, beyond the largest file, of directories', async (t) => {
  const ledger = await ledgerOf(t)
  const a = await makeFile(ledger, ROOT, 'a')
  await write(ledger, a.ino, 0, rampBytes(1, 1_000))
  t.equal((await copy(ledger, a.ino, a.ino, { offset: 1_000 })).copied, 0)
  await t.rejects(copy(ledger, a.ino, a.ino, { toOffset: 999 }), { code: 'invalid-argument' })
  t.equal((await copy(ledger, a.ino, a.ino, { toOffset: 1_000 })).copied, 1_000)
  await t.rejects(copy(ledger, a.ino, a.ino, { toOffset: 2 ** 52 - 10 }), { code: 'file-too-large' })
  await t.rejects(copy(ledger, ROOT, a.ino), { code: 'is-a-directory' })
  await t.rejects(copy(ledger, a.ino, ROOT), { code: 'is-a-directory' })
})
