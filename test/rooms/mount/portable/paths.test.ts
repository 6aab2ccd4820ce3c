/** From paths to inodes, and files that are removed while they are open, over a file system in memory. */
import t from 'tap'
import { silentLog } from '../../../../src/base/log.js'
import type { Attributes } from '../../../../src/mount/fuse/filesystem.js'
import { Ask, ownContext } from '../../../../src/mount/portable/ask.js'
import { Handles } from '../../../../src/mount/portable/handles.js'
import { HiddenNames } from '../../../../src/mount/portable/hidden.js'
import { Paths } from '../../../../src/mount/portable/paths.js'
import { MemoryFileSystem } from '../../../support/memory-filesystem.js'

const ctx = ownContext()
const bytes = (text: string): Buffer => Buffer.from(text, 'latin1')
const THREADS = [Buffer.alloc(1), Buffer.alloc(1)] as const
const HIDDEN = '.fuse_hidden0000000200000001'

/** A tree a/b/c of directories with a file in it, nothing of it looked up. */
function scene(namesMax?: number) {
  const fs = new MemoryFileSystem()
  const counts = { lookups: 0 }
  const { lookup } = fs
  fs.lookup = (parent, name) => {
    counts.lookups++
    return lookup.call(fs, parent, name)
  }
  const made: Attributes[] = []
  for (const name of ['a', 'b', 'c']) made.push(fs.makeDirectory(made.at(-1)?.ino ?? 1, bytes(name), 0o755, ctx))
  const parent = made.at(-1)?.ino as number
  const file = fs.makeNode(parent, bytes('f\xe9'), 0o100644, 0, ctx)
  for (const { ino } of [...made, file]) fs.forget(ino, 1)
  const handles = new Handles()
  const paths = new Paths(fs, { namesMax })
  const removed = (parent: number, name: Buffer): void => paths.forgetName(parent, name)
  const hidden = new HiddenNames({ fs, handles, log: silentLog, removed })
  const held = (): number =>
    [...fs.inodes.values()].filter(({ ino }) => ino !== 1).reduce((n, one) => n + one.lookups, 0)
  return { fs, handles, hidden, paths, counts, held, parent, file, path: '/a/b/c/f\xe9' }
}

t.test('a name is asked for once, held while it is remembered, and all are given back', async (t) => {
  const { paths, hidden, counts, held, file, path } = scene()
  for (let i = 0; i < 3; i++) t.equal(await paths.use(path, hidden, ctx, (ino) => ino), file.ino)
  t.same([counts.lookups, held()], [4, 4])
  await t.rejects(
    paths.use(path, hidden, ctx, () => Promise.reject(new Error('x'))),
    { message: 'x' },
  )
  await t.rejects(
    paths.use('/a/none', hidden, ctx, () => 0),
    { code: 'not-found' },
  )
  await t.rejects(
    paths.use(`${path}/g`, hidden, ctx, () => 0),
    { code: 'not-a-directory' },
  )
  await t.rejects(
    paths.use('/a/\u0100', hidden, ctx, () => 0),
    { code: 'invalid-argument' },
  )
  t.equal(await paths.use('/', hidden, ctx, (ino) => ino), 1)
  t.equal(held(), 4)
  paths.forgetAll()
  t.equal(held(), 0)
})

t.test('a directory that is forgotten takes what is below it along', async (t) => {
  const { paths, hidden, held, path } = scene()
  await paths.use(path, hidden, ctx, () => 0)
  paths.forgetName(1, bytes('b'))
  t.equal(held(), 4, 'no such name')
  paths.forgetName(1, bytes('a'))
  t.equal(held(), 0)
})

t.test('as many names are remembered as there is room for', async (t) => {
  const { paths, hidden, fs, held, path } = scene(3)
  for (let i = 0; i < 3; i++) await paths.use(path, hidden, ctx, () => 0)
  t.ok(held() <= 3, 'who has lost his directory is not remembered')
  for (const name of ['x', 'y', 'z']) {
    fs.forget(fs.makeNode(1, bytes(name), 0o100644, 0, ctx).ino, 1)
    await paths.use(`/${name}`, hidden, ctx, () => 0)
  }
  t.equal(held(), 3)
})

t.test('what is forgotten while it is used stays addressable until then', async (t) => {
  const { paths, hidden, fs, held, parent, file, path } = scene()
  await paths.use(path, hidden, ctx, async (ino) => {
    fs.unlink(parent, bytes('f\xe9'))
    paths.forgetName(parent, bytes('f\xe9'))
    t.equal(fs.getAttributes(ino).nlink, 0)
  })
  t.notOk(fs.inodes.has(file.ino))
  t.equal(held(), 3)
})

t.test('who was asking when a change was told does not remember what he found', async (t) => {
  const { fs, paths, hidden, held, path } = scene()
  await paths.use('/a/b/c', hidden, ctx, () => 0)
  const { lookup } = fs
  fs.lookup = (parent, name) => {
    paths.forgetName(99, bytes('elsewhere'))
    return lookup.call(fs, parent, name)
  }
  await paths.use(path, hidden, ctx, () => 0)
  t.equal(held(), 3)
})

async function hiding(thread = 0) {
  const here = scene()
  const { fs, handles, hidden, paths, file } = here
  handles.add(file.ino, fs.open(file.ino, {} as never, ctx).fh)
  const ask = new Ask(THREADS[thread] as Buffer)
  const [from, to] = [await paths.place(here.path, ask), await paths.place(`/a/b/c/${HIDDEN}`, ask)]
  await hidden.hide(ask, from, to)
  const named = (): boolean => {
    const found = fs.lookup(from.parent, from.name)
    if (found !== null) fs.forget(found.ino, 1)
    return found !== null
  }
  return { ...here, ask, other: new Ask(THREADS[1]), from, to, named }
}

t.test(
  'an open file loses its name when its thread comes with anything else, and its bytes when it is closed',
  async (t) => {
    const { hidden, paths, fs, ask, other, to, named, file, handles } = await hiding()
    const waits = hidden.gate(other, 'getattr')
    t.ok(waits instanceof Promise, 'others wait')
    t.equal(named(), true)
    await hidden.gate(ask, 'getattr')
    await waits
    t.equal(named(), false)
    t.equal(hidden.gate(other, 'getattr'), undefined)
    t.equal(await paths.use(`/a/b/c/${HIDDEN}`, hidden, ctx, (ino, isHidden) => isHidden && ino), file.ino)
    t.equal(hidden.isAnyIn(to.parent), true)
    for (const { ino, fh } of handles.takeAll()) fs.release(ino, fh)
    t.ok(fs.inodes.has(file.ino))
    t.equal(hidden.drop(to), true)
    t.notOk(fs.inodes.has(file.ino), 'nothing is left')
    t.equal(hidden.drop(to), false)
  },
)

t.test('a rename onto the name is one rename: it has all the time it needs, also when it fails', async (t) => {
  for (const fails of [false, true]) {
    const { hidden, fs, ask, from, file } = await hiding()
    t.equal(hidden.gate(ask, 'rename'), undefined)
    const owed = hidden.claim(ask)
    t.ok(owed)
    await new Promise((resolve) => setTimeout(resolve, 60))
    const there = fs.lookup(from.parent, from.name) as Attributes
    t.equal(there.ino, file.ino, 'nobody has removed it meanwhile')
    if (!fails) {
      fs.makeNode(from.parent, bytes('new'), 0o100644, 0, ctx)
      fs.rename(from.parent, bytes('new'), from.parent, from.name, { noReplace: false, exchange: false })
    }
    await hidden.settle(owed as never, true)
    const after = fs.lookup(from.parent, from.name) as Attributes
    t.equal(after.ino === file.ino, fails)
    t.equal(hidden.claim(ask), null)
  }
})

t.test('without any word from its thread the name is removed soon, and a late rename waits for that', async (t) => {
  const { hidden, ask, named } = await hiding()
  for (let i = 0; i < 100 && named(); i++) await new Promise((resolve) => setTimeout(resolve, 5))
  t.equal(named(), false)
  t.equal(hidden.gate(ask, 'rename'), undefined)
  t.equal(hidden.claim(ask), null)
})

t.test('a name of that form is refused to everybody else, and a file that is not open keeps its own', async (t) => {
  const { hidden, paths, held, path } = scene()
  t.throws(() => hidden.refuseName(bytes(HIDDEN)), { code: 'not-permitted' })
  t.doesNotThrow(() => hidden.refuseName(bytes('.fuse_hidden')))
  const ask = new Ask(THREADS[0])
  const [from, to] = [await paths.place(path, ask), await paths.place(`/a/b/c/${HIDDEN}`, ask)]
  await t.rejects(hidden.hide(ask, from, to), { code: 'not-permitted' })
  await hidden.dropAll()
  paths.forgetAll()
  t.equal(held(), 0)
})
