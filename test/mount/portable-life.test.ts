/** How mounts of the portable door begin and end, and what it does when a file system fails or hangs. */
import fs from 'node:fs'
import fsp from 'node:fs/promises'
import path from 'node:path'
import t from 'tap'
import { mountPortableDoor } from '../../src/mount/portable/door.js'
import { MemoryFileSystem } from '../support/memory-filesystem.js'
import { isMounted, mountPlace, run, sh, startDoor, USER } from '../support/mounts.js'
import { noPortableDoor } from '../support/portable.js'

const skip = await noPortableDoor()
const root = process.geteuid?.() === 0
t.setTimeout(120_000)

/** Nothing but the root is held. */
function heldBy(memory: MemoryFileSystem): { handles: number; lookups: number } {
  const lookups = [...memory.inodes.values()].filter(({ ino }) => ino !== 1).reduce((sum, one) => sum + one.lookups, 0)
  return { handles: memory.handles.size, lookups }
}

t.test(
  'a drive is there when the door is mounted and gone when it is unmounted, and nothing is held',
  { skip },
  async (t) => {
    const place = mountPlace(t)
    const memory = new MemoryFileSystem()
    const door = await mountPortableDoor(place, { fs: memory })
    t.match(
      fs.readFileSync('/proc/mounts', 'latin1'),
      new RegExp(`^shardrive@${process.pid} ${place} fuse.shardrive rw,nosuid,nodev`, 'm'),
    )
    await sh(
      `cd "$1"; mkdir -p a/b/c; echo hello > a/b/c/d; cat a/b/c/d a/b/c/d; ls -lR > /dev/null; mv a/b e; rm -r e`,
      place,
    )
    t.notOk(await door.unmountIfIdle().then(() => isMounted(place)))
    await Promise.all([door.unmount(), door.unmount()])
    t.equal(await door.ended, 'unmounted')
    t.same(await fsp.readdir(place), [])
    t.same(heldBy(memory), { handles: 0, lookups: 0 })
    t.same([...memory.inodes.keys()].length, 2, 'what was removed is gone from memory: the root and a are left')
  },
)

t.test(
  'a file that is open at unmount works for a while, then it ends, and its handle is given back',
  { skip },
  async (t) => {
    const place = mountPlace(t)
    const memory = new MemoryFileSystem()
    const door = await mountPortableDoor(place, { fs: memory })
    const file = await fsp.open(path.join(place, 'a'), 'w')
    t.equal(await door.unmountIfIdle(), false)
    const gone = door.unmount({ graceMs: 300 })
    await new Promise((resolve) => setTimeout(resolve, 100))
    t.notOk(isMounted(place), 'it is out of the tree at once')
    await file.write('still here')
    await gone
    t.equal(await door.ended, 'closed')
    await t.rejects(file.write('too late'), { code: /ENOTCONN|ECONNABORTED/ })
    await file.close().catch(() => undefined)
    t.same(heldBy(memory), { handles: 0, lookups: 0 })
  },
)

t.test('an unmount from outside is noticed, and so is one by force', { skip }, async (t) => {
  const place = mountPlace(t)
  const door = await mountPortableDoor(place, { fs: new MemoryFileSystem() })
  await sh(root ? 'umount "$1"' : 'fusermount3 -u "$1"', place)
  t.equal(await door.ended, 'unmounted')
  await door.unmount()
  if (!root) return
  const again = await mountPortableDoor(place, { fs: new MemoryFileSystem() })
  const file = await fsp.open(path.join(place, 'a'), 'w')
  await run('umount', ['-f', place])
  await again.ended
  await file.close().catch(() => undefined)
  await again.unmount()
  t.notOk(isMounted(place), 'what was dead in the tree is taken away')
})

t.test('a file system that fails without a word costs one errno, one that hangs a time limit', { skip }, async (t) => {
  const place = mountPlace(t)
  const memory = new MemoryFileSystem()
  const late: (() => void)[] = []
  Object.assign(memory, {
    makeDirectory: () => {
      throw new TypeError('a bug')
    },
    readLink: () => new Promise((resolve) => late.push(() => resolve(Buffer.from('a')))),
  })
  const { open } = memory
  memory.open = (ino, flags, ctx) =>
    new Promise((resolve) => late.push(() => resolve(open.call(memory, ino, flags, ctx)))) as never
  const door = await mountPortableDoor(place, { fs: memory }, { limitMs: 500 })
  t.match((await run('mkdir', [path.join(place, 'x')])).stderr, /Input\/output error/)
  await sh('ln -s a "$1/link"; : > "$1/file"', place)
  t.equal((await run('readlink', [path.join(place, 'link')])).status, 1)
  t.match((await run('cat', [path.join(place, 'file')])).stderr, /Input\/output error/)
  for (const finish of late) finish()
  await new Promise((resolve) => setTimeout(resolve, 50))
  await door.unmount()
  t.equal(await door.ended, 'unmounted')
  t.same(heldBy(memory), { handles: 0, lookups: 0 }, 'what was opened too late was closed again')
})

t.test(
  'a mount point with a shell command in its name is just a name; an unfit one is refused',
  { skip },
  async (t) => {
    const outer = mountPlace(t)
    const place = path.join(outer, 'a b$(touch pwned),x=\\y"\n')
    fs.mkdirSync(place)
    const door = await mountPortableDoor(place, { fs: new MemoryFileSystem() })
    await fsp.writeFile(path.join(place, 'a'), '')
    const again = mountPortableDoor(place, { fs: new MemoryFileSystem() })
    await t.rejects(again, { code: 'mountpoint-busy' })
    await door.unmount()
    t.same(fs.readdirSync(place), [])
    fs.rmdirSync(place)
    t.notOk(fs.existsSync('pwned'))
    const missing = mountPortableDoor(path.join(outer, 'missing'), { fs: new MemoryFileSystem() })
    await t.rejects(missing, { code: 'mountpoint-missing' })
    const deep = path.join(outer, ...Array.from({ length: 5 }, () => 'd'.repeat(250)))
    fs.mkdirSync(deep, { recursive: true })
    await t.rejects(mountPortableDoor(deep, { fs: new MemoryFileSystem() }), {
      code: 'mount-failed',
      message: /too long/,
    })
    fs.rmSync(path.join(outer, 'd'.repeat(250)), { recursive: true })
  },
)

for (const [who, uid] of [
  ['root', root ? undefined : -1],
  ['an ordinary user', root ? USER : undefined],
] as const) {
  const not = skip || (uid === -1 ? 'needs root' : false)

  t.test(
    `${who}: kill -9 leaves a dead mount that the next start clears; exit leaves nothing`,
    { skip: not },
    async (t) => {
      const place = mountPlace(t, uid)
      const dead = startDoor(t, [place, 'portable'], { uid })
      t.match(await dead.next(), { ready: place })
      dead.child.kill('SIGKILL')
      await dead.exited
      t.ok(isMounted(place), 'it is left behind')
      const next = startDoor(t, [place, 'portable'], { uid })
      t.match(await next.next(), { ready: place })
      t.equal((await run('touch', [path.join(place, 'a')], { uid })).status, 0)
      t.match((await run('stat', ['-c', '%u', path.join(place, 'a')], { uid })).stdout.toString(), String(uid ?? 0))
      next.child.kill('SIGTERM')
      t.match(await next.next(), { ended: 'unmounted' })
      t.equal(await next.exited, 0)
      t.notOk(isMounted(place))
      const exits = startDoor(t, [place, 'portable', 'exit'], { uid })
      t.match(await exits.next(), { ready: place })
      t.equal(await exits.exited, 3)
      t.notOk(isMounted(place))
    },
  )
}

t.test('neither unmount nor exit waits for a request that is never answered', { skip }, async (t) => {
  for (const words of [['stuck'], ['stuck', 'exit']]) {
    const place = mountPlace(t)
    const door = startDoor(t, [place, 'portable', ...words])
    t.match(await door.next(), { ready: place })
    const asking = run('mkdir', [path.join(place, 'x')])
    if (!words.includes('exit')) {
      t.match(await door.next(), { notifying: true })
      door.child.kill('SIGTERM')
      t.match(await door.next(), { ended: 'closed' })
    }
    t.equal(await door.exited, words.includes('exit') ? 3 : 0)
    t.match((await asking).stderr, /not connected|abort/, 'whoever waited is told')
    t.notOk(isMounted(place))
  }
})
