import t from 'tap'
import {
  DIRECTORY,
  FILE,
  ledgerOf,
  makeFile,
  now,
  open,
  ROOT,
  rampBytes,
  readAll,
  scratch,
  subject,
  write,
} from './support.js'

const name = (text: string) => Buffer.from(text)

t.test('a file that was made is found, listed and counted in its directory', async (t) => {
  const ledger = await ledgerOf(t)
  const made = await makeFile(ledger, ROOT, 'a')
  t.match(await ledger.lookup(ROOT, name('a')), { ino: made.ino, mode: FILE, nlink: 1, size: 0, blocks: 0 })
  t.equal(await ledger.lookup(ROOT, name('b')), null)
  await makeFile(ledger, ROOT, 'd', DIRECTORY)
  t.equal((await ledger.attributes(ROOT)).nlink, 3)
  const page = await ledger.list(ROOT, 0, 10, true)
  t.same(
    page.entries.map((e) => [e.name.toString(), e.mode]),
    [
      ['a', 0o100000],
      ['d', 0o040000],
    ],
  )
  t.ok(page.end)
  await t.rejects(makeFile(ledger, ROOT, 'a'), { code: 'exists' })
  await t.rejects(makeFile(ledger, ROOT, 'x'.repeat(256)), { code: 'name-too-long' })
})

t.test('written bytes are read back, also when writes overlap', async (t) => {
  const ledger = await ledgerOf(t)
  const { ino } = await makeFile(ledger, ROOT, 'a')
  await write(ledger, ino, 0, rampBytes(1, 100_000))
  const after = await write(ledger, ino, 50_000, rampBytes(2, 10))
  t.match(after, { size: 100_000, blocks: 200 })
  const want = rampBytes(1, 100_000)
  rampBytes(2, 10).copy(want, 50_000)
  t.ok((await readAll(ledger, ino)).equals(want))
  await ledger.sync()
  t.ok((await readAll(ledger, ino)).equals(want))
  await write(ledger, ino, 300_000, Buffer.from('end'))
  t.ok((await readAll(ledger, ino)).equals(Buffer.concat([want, Buffer.alloc(200_000), Buffer.from('end')])))
  t.equal(await ledger.seek(ino, 0, 'hole'), 100_000)
  t.equal(await ledger.seek(ino, 100_000, 'data'), 300_000)
})

t.test('everything is there after a close and an open', async (t) => {
  const folder = scratch(t)
  const first = await open(folder)
  const { ino } = await makeFile(first, ROOT, 'a')
  await write(first, ino, 0, rampBytes(3, 3_000_000).subarray(0, 1_000_000))
  await first.setXattr(ino, name('user.x'), name('value'), 'any', now())
  await first.close()
  await t.rejects(first.lookup(ROOT, name('a')), { code: 'ledger-stopped' })
  const second = await open(folder)
  t.same(await second.check(), [])
  t.ok((await readAll(second, ino)).equals(rampBytes(3, 1_000_000)))
  t.same(await second.getXattr(ino, name('user.x')), name('value'))
  t.ok((await makeFile(second, ROOT, 'b')).ino > ino)
  await second.close()
})

t.test('a directory does not move into itself, and a full one is not replaced', async (t) => {
  const ledger = await ledgerOf(t)
  const a = await makeFile(ledger, ROOT, 'a', DIRECTORY)
  const b = await makeFile(ledger, a.ino, 'b', DIRECTORY)
  await t.rejects(ledger.rename(ROOT, name('a'), b.ino, name('c'), 'replace', now()), { code: 'invalid-argument' })
  await makeFile(ledger, ROOT, 'e', DIRECTORY)
  await t.rejects(ledger.rename(ROOT, name('e'), ROOT, name('a'), 'replace', now()), { code: 'not-empty' })
  await ledger.rename(a.ino, name('b'), ROOT, name('b'), 'replace', now())
  t.equal((await ledger.attributes(a.ino)).nlink, 2)
  t.equal((await ledger.attributes(ROOT)).nlink, 5)
  await ledger.rename(ROOT, name('b'), ROOT, name('a'), 'exchange', now())
  t.equal((await ledger.lookup(ROOT, name('a')))?.ino, b.ino)
})

t.test('an orphan keeps its bytes until it is reaped', async (t) => {
  const ledger = await ledgerOf(t)
  const { ino } = await makeFile(ledger, ROOT, 'a')
  await write(ledger, ino, 0, rampBytes(1, 10))
  t.equal(subject(await ledger.unlink(ROOT, name('a'), now(), 'file')).nlink, 0)
  t.ok((await readAll(ledger, ino)).equals(rampBytes(1, 10)))
  await ledger.reap([ino])
  await t.rejects(ledger.attributes(ino), { code: 'stale' })
  t.equal(ledger.progress().files, 1)
})
