/** Rules of the vfs that the model does not draw: handles, appends, races, limits, what is refused. */
import t, { type Test } from 'tap'
import type { OpenFlags } from '../../../../src/mount/fuse/filesystem.js'
import { VfsDriver } from '../../../model/vfs-driver.js'
import { FakeHosts, ledgerOf, prepare, publish, rampBytes } from '../metadata/support.js'

const FLAGS: OpenFlags = {
  ...{ read: true, write: true, append: false, truncate: false, exclusive: false, sync: false, direct: false },
  ...{ noAtime: false, killSuidGid: false },
}
const PLAIN = { append: false, killSuidGid: false }
const name = (text: string) => Buffer.from(text)

async function driveOf(t: Test) {
  const ledger = await ledgerOf(t)
  const hosts = new FakeHosts()
  const driver = await VfsDriver.start(ledger, hosts)
  const { vfs } = driver
  const ctx = driver.context()
  const create = async (text: string) => {
    const made = await vfs.create(1, name(text), 0o644, FLAGS, ctx)
    return { ino: made.attributes.ino, fh: made.fh }
  }
  return { ledger, hosts, driver, vfs, ctx, create }
}

t.test('S-14 appends of many handles never overlap, also while others truncate', async (t) => {
  const { vfs, ctx, create, driver } = await driveOf(t)
  const { ino, fh } = await create('log')
  const second = (await vfs.open(ino, FLAGS)).fh
  const append = { append: true, killSuidGid: false }
  const jobs: unknown[] = []
  for (let i = 0; i < 200; i++) {
    jobs.push(vfs.write(ino, i % 2 ? fh : second, 0, Buffer.alloc(10, 48 + (i % 10)), append))
    if (i === 100) jobs.push(vfs.setAttributes(ino, { size: 0, killSuidGid: false }))
  }
  await Promise.all(jobs)
  const { size } = await vfs.getAttributes(ino)
  t.equal(size, 99 * 10, 'what came after the cut follows it without gaps')
  const bytes = await driver.content(ino)
  for (let at = 0; at < size; at += 10) {
    if (!bytes.subarray(at, at + 10).equals(Buffer.alloc(10, bytes[at]))) t.fail(`a torn record at ${at}`)
  }
  t.same(await vfs.read(ino, fh, size, 100, ctx), [], 'the end of the file')
})

t.test('S-14 stat after a write shows size, time and blocks, whatever is still on its way', async (t) => {
  const { vfs, create, driver } = await driveOf(t)
  const { ino, fh } = await create('a')
  for (let i = 1; i <= 50; i++) {
    driver.clock.ns = BigInt(i) * 1_000_000_000n
    await vfs.write(ino, fh, i * 10_000, Buffer.alloc(5_000, 1), PLAIN)
    const found = await vfs.getAttributes(ino)
    t.match(found, { size: i * 10_000 + 5_000, mtime: { sec: i }, blocks: Math.ceil((i * 5_000) / 4_096) * 8 })
  }
})

t.test('S-14 an older answer of the ledger never takes the place of a newer one', async (t) => {
  const { vfs, ctx, create, ledger } = await driveOf(t)
  const older: [string, (ino: number, directory: number) => unknown][] = [
    ['attributes', (ino) => vfs.getAttributes(ino)],
    ['a lookup', () => vfs.lookup(1, name('log'))],
    ['a listing', (_, directory) => vfs.readDirectory(1, directory, 0, 100, true)],
  ]
  const { ino, fh } = await create('log')
  const { fh: directory } = await vfs.openDirectory(1)
  let size = 0
  const append = () => {
    size += 4
    return vfs.write(ino, fh, 0, Buffer.from('tail'), { append: true, killSuidGid: false })
  }
  for (const [what, ask] of older) {
    // All of it in one turn: what was asked before the second write is answered together with that write.
    const jobs = [append(), ask(ino, directory), append(), ledger.sync()]
    await Promise.all(jobs)
    t.equal((await vfs.getAttributes(ino)).size, size, `${what}: size`)
    const end = Buffer.concat([await vfs.read(ino, fh, size - 4, 100, ctx)].flat())
    t.equal(end.toString(), 'tail', `${what}: the end of the file`)
    await append()
    t.equal((await ledger.attributes(ino)).size, size, `${what}: an append follows the end`)
  }
})

t.test('S-9 a write and a truncation by others take setuid, setgid and capabilities away', async (t) => {
  const { vfs, ctx, create } = await driveOf(t)
  const { ino, fh } = await create('program')
  const capability = name('security.capability')
  const arm = async () => {
    await vfs.setAttributes(ino, { mode: 0o6775, killSuidGid: false })
    await vfs.setXattr(ino, capability, Buffer.alloc(20, 1), { create: false, replace: false }, ctx)
  }
  await arm()
  await vfs.write(ino, fh, 0, Buffer.from('x'), { append: false, killSuidGid: true })
  t.equal((await vfs.getAttributes(ino)).mode & 0o7777, 0o775)
  t.equal(await vfs.getXattr(ino, capability, ctx), null)
  await arm()
  await vfs.setAttributes(ino, { size: 0, killSuidGid: true })
  t.equal((await vfs.getAttributes(ino)).mode & 0o7777, 0o775)
  t.equal(await vfs.getXattr(ino, capability, ctx), null)
  await arm()
  await vfs.write(ino, fh, 0, Buffer.from('x'), PLAIN)
  t.equal((await vfs.getAttributes(ino)).mode & 0o7777, 0o6775, 'who may keep them keeps them')
})

t.test('S-13 rename keeps to its flags', async (t) => {
  const { vfs, create } = await driveOf(t)
  const a = await create('a')
  const b = await create('b')
  const no = { noReplace: false, exchange: false }
  await t.rejects(vfs.rename(1, name('a'), 1, name('b'), { ...no, noReplace: true }), { code: 'exists' })
  await vfs.rename(1, name('a'), 1, name('b'), { ...no, exchange: true })
  t.equal((await vfs.lookup(1, name('a')))?.ino, b.ino)
  await vfs.rename(1, name('b'), 1, name('a'), no)
  t.equal((await vfs.lookup(1, name('a')))?.ino, a.ino)
  t.equal((await vfs.getAttributes(b.ino)).nlink, 0, 'the replaced file lives while it is open')
  t.equal(await vfs.lookup(1, name('b')), null)
})

t.test('S-2 names are bytes, at most 255 of them', async (t) => {
  const { vfs, ctx, create } = await driveOf(t)
  await t.rejects(create('x'.repeat(256)), { code: 'name-too-long' })
  t.throws(() => vfs.lookup(1, Buffer.alloc(256, 120)), { code: 'name-too-long' })
  const odd = Buffer.from([0xff, 0x0a, 0x80])
  await vfs.makeDirectory(1, odd, 0o755, ctx)
  const { fh } = await vfs.openDirectory(1)
  const entries = [...(await vfs.readDirectory(1, fh, 0, 100, true))]
  t.same(
    entries.map((e) => e.name),
    [name('.'), name('..'), odd],
  )
  t.ok(entries[2]?.attributes)
})

t.test('S-10 a listing goes on behind its cookie while names come, go and move', async (t) => {
  const { vfs, ctx, create } = await driveOf(t)
  for (let i = 0; i < 100; i++) {
    const { ino, fh } = await create(`f${i}`)
    vfs.release(ino, fh)
  }
  const { fh } = await vfs.openDirectory(1)
  const seen: string[] = []
  for (let offset = 0; ; ) {
    const page = [...(await vfs.readDirectory(1, fh, offset, 7, false))]
    if (page.length === 0) break
    for (const entry of page) seen.push(entry.name.toString())
    offset = page.at(-1)?.cookie ?? 0
    const gone = page.at(-1)?.name.toString() ?? ''
    if (gone.startsWith('f')) await vfs.unlink(1, name(gone))
    if (gone === 'f40') await vfs.rename(1, name('f50'), 1, name('moved'), { noReplace: false, exchange: false })
  }
  const files = seen.filter((one) => one.startsWith('f') || one === 'moved')
  t.equal(new Set(files).size, files.length, 'nothing twice')
  t.equal(files.length, 100, 'nothing missed')
  vfs.releaseDirectory(1, fh)
  t.equal((await vfs.lookup(1, name('f0'))) !== null, true)
  void ctx
})

t.test('S-6 S-18 attributes: namespaces, virtual ones, and the state that they tell', async (t) => {
  const { vfs, ledger, hosts, ctx, create, driver } = await driveOf(t)
  const { ino, fh } = await create('a')
  await vfs.write(ino, fh, 0, rampBytes(1, 5_000), PLAIN)
  const any = { create: false, replace: false }
  await vfs.setXattr(ino, name('user.a'), name('1'), any, ctx)
  await t.rejects(vfs.setXattr(ino, name('user.a'), name('1'), { create: true, replace: false }, ctx), {
    code: 'exists',
  })
  await t.rejects(vfs.setXattr(ino, name('user.b'), name('1'), { create: false, replace: true }, ctx), {
    code: 'no-data',
  })
  await t.rejects(vfs.setXattr(ino, name('system.posix_acl_access'), name('1'), any, ctx), { code: 'not-supported' })
  await t.rejects(vfs.setXattr(ino, name('user.shardrive.state'), name('1'), any, ctx), { code: 'not-permitted' })
  await t.rejects(vfs.setXattr(ino, name('user.big'), Buffer.alloc(65_537), any, ctx), { code: 'too-big' })
  await vfs.setXattr(ino, name('trusted.t'), name('1'), any, ctx)
  const other = { ...driver.context(), uid: 1_000 }
  t.same(await vfs.listXattr(ino, other), [name('user.a')])
  t.equal(await vfs.getXattr(ino, name('trusted.t'), other), null)
  t.same((await vfs.listXattr(ino, ctx)).length, 2, 'virtual ones are not listed')
  t.same(await vfs.getXattr(ino, name('user.shardrive.state'), ctx), name('local'))
  t.equal(await vfs.getXattr(ino, name('user.shardrive.health'), ctx), null, 'nobody here knows of health')
  const cut = await ledger.cut()
  if (cut === null) return void t.fail('nothing to cut')
  await prepare(ledger, cut, hosts)
  await publish(ledger, cut.epoch)
  t.same(await vfs.getXattr(ino, name('user.shardrive.state'), ctx), name('stored'))
  t.ok((await driver.content(ino)).equals(rampBytes(1, 5_000)))
})

t.test('S-17 a read-only drive says why, and still reads', async (t) => {
  const { vfs, ledger, ctx, create, driver } = await driveOf(t)
  const { ino, fh } = await create('a')
  await vfs.write(ino, fh, 0, rampBytes(1, 100), PLAIN)
  await ledger.setReadOnly('another device writes to this drive')
  const refused = { code: 'read-only', message: 'another device writes to this drive' }
  t.throws(() => vfs.write(ino, fh, 0, Buffer.from('x'), PLAIN), refused)
  await t.rejects(create('b'), refused)
  await t.rejects(vfs.unlink(1, name('a')), refused)
  await t.rejects(vfs.setAttributes(ino, { mode: 0o600, killSuidGid: false }), refused)
  await t.rejects(vfs.open(ino, FLAGS), refused)
  const reading = await vfs.open(ino, { ...FLAGS, write: false })
  t.same(Buffer.concat([(await vfs.read(ino, reading.fh, 0, 100, ctx)) as Buffer[]].flat()), rampBytes(1, 100))
  await ledger.setReadOnly(null)
  await vfs.unlink(1, name('a'))
  t.ok(driver.vfs.openHandles >= 2)
})

t.test('S-15 what is too large, unknown or not offered is refused by its code', async (t) => {
  const { vfs, ctx, create } = await driveOf(t)
  const { ino, fh } = await create('a')
  await t.rejects(vfs.setAttributes(ino, { size: 2 ** 53 - 1, killSuidGid: false }), { code: 'file-too-large' })
  for (const offset of [2 ** 52 - 3, 2 ** 52, 2 ** 53 - 5]) {
    t.throws(() => vfs.write(ino, fh, offset, Buffer.from('data'), PLAIN), { code: 'file-too-large' })
  }
  await vfs.fsync(ino, fh, false, ctx)
  t.equal((await vfs.getAttributes(ino)).size, 0, 'nothing was acknowledged and then lost')
  await t.rejects(vfs.setAttributes(1, { size: 1, killSuidGid: false }), { code: 'is-a-directory' })
  await t.rejects(vfs.makeSymlink(1, name('l'), Buffer.alloc(4_096, 97), ctx), { code: 'name-too-long' })
  await t.rejects(vfs.open(1, FLAGS), { code: 'is-a-directory' })
  await t.rejects(vfs.openDirectory(ino), { code: 'not-a-directory' })
  await t.rejects(Promise.resolve(vfs.getAttributes(99_999)), { code: 'stale' })
  t.throws(() => vfs.read(ino, 77, 0, 1, ctx), { code: 'bad-handle' })
  await t.rejects(vfs.copyRange({ ino, fh: 77, offset: 0 }, { ino, fh, offset: 0, killSuidGid: false }, 1), {
    code: 'bad-handle',
  })
  await t.rejects(vfs.seek(ino, fh, 0, 'data'), { code: 'no-such-position' })
  await t.rejects(vfs.link(1, 1, name('root')), { code: 'not-permitted' })
})

t.test('S-3 an inode is kept as long as a name, a handle or a lookup holds it, and no longer', async (t) => {
  const { vfs, ledger, create } = await driveOf(t)
  const { ino, fh } = await create('a')
  await vfs.unlink(1, name('a'))
  vfs.forget(ino, 1)
  t.equal((await vfs.getAttributes(ino)).nlink, 0, 'the handle holds it')
  const held = vfs.inodesHeld
  vfs.release(ino, fh)
  t.equal(vfs.inodesHeld, held - 1)
  await ledger.sync()
  await t.rejects(Promise.resolve(vfs.getAttributes(ino)), { code: 'stale' })
  t.equal(ledger.progress().files, 1)
})

t.test('S-16 statfs tells what the network has, less what is on its way there', async (t) => {
  const { vfs, create } = await driveOf(t)
  t.match(vfs.statistics(), { blockSize: 4_096, nameMax: 255, blocks: 0, blocksFree: 0 }, 'never heard of a bridge')
  const before = vfs.statistics().filesFree
  await create('a')
  t.equal(vfs.statistics().filesFree, before - 1)
})

t.test('a new drive gives its root to who mounts it first', async (t) => {
  const { vfs } = await driveOf(t)
  t.match(await vfs.getAttributes(1), { uid: 0, gid: 0, mode: 0o040755, nlink: 2, ctime: { sec: 0, nsec: 1 } })
})
