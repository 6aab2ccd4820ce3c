/** How mounts begin and end, with a real kernel. */
import fs from 'node:fs'
import fsp from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import t from 'tap'
import { mountDoor } from '../../src/mount/fuse/door.js'
import { mountWithFusermount, unmountWithFusermount } from '../../src/mount/fuse/fusermount.js'
import { clearStaleMount } from '../../src/mount/fuse/mount-point.js'
import { MemoryFileSystem } from '../support/memory-filesystem.js'
import { isMounted, mountPlace, noMounts, run, sh, startDoor, USER } from '../support/mounts.js'

const skip = noMounts()
const root = process.geteuid?.() === 0
const asRoot = skip || (!root && 'needs root')

t.test('a drive is there when mountDoor returns and gone when unmount does', { skip }, async (t) => {
  const place = mountPlace(t)
  const door = await mountDoor(place, { fs: new MemoryFileSystem() })
  t.ok(door.protocolMinor >= 31)
  await fsp.writeFile(path.join(place, 'a'), 'hello')
  t.equal(await fsp.readFile(path.join(place, 'a'), 'utf8'), 'hello')
  await Promise.all([door.unmount(), door.unmount()])
  t.equal(await door.ended, 'unmounted')
  t.notOk(isMounted(place))
  t.same(await fsp.readdir(place), [])
})

t.test('an unmount from outside ends it cleanly', { skip }, async (t) => {
  const place = mountPlace(t)
  const door = await mountDoor(place, { fs: new MemoryFileSystem() })
  await sh(root ? 'umount "$1"' : 'fusermount3 -u "$1"', place)
  t.equal(await door.ended, 'unmounted')
  await door.unmount()
})

t.test('a file that is open at unmount works for a while, then it ends', { skip }, async (t) => {
  const place = mountPlace(t)
  const door = await mountDoor(place, { fs: new MemoryFileSystem() })
  const file = await fsp.open(path.join(place, 'a'), 'w')
  const gone = door.unmount({ graceMs: 300 })
  await new Promise((resolve) => setTimeout(resolve, 100))
  t.notOk(isMounted(place), 'it is out of the tree at once')
  await file.write('still here')
  await gone
  t.equal(await door.ended, 'closed')
  await t.rejects(file.write('too late'), { code: /ENOTCONN|ECONNABORTED/ })
  await file.close().catch(() => undefined)
})

t.test('neither unmount nor exit waits for a request that is never answered', { skip }, async (t) => {
  for (const words of [['stuck'], ['stuck', 'exit']]) {
    const place = mountPlace(t)
    const door = startDoor(t, [place, ...words])
    t.match(await door.next(), { ready: place })
    const asking = run('mkdir', [path.join(place, 'x')])
    if (!words.includes('exit')) {
      t.match(await door.next(), { notifying: true })
      await new Promise((resolve) => setTimeout(resolve, 300))
      door.child.kill('SIGTERM')
      t.match(await door.next(), { ended: 'closed' })
    }
    t.equal(await door.exited, words.includes('exit') ? 3 : 0)
    t.match((await asking).stderr, /not connected|abort/, 'whoever waited is told')
    t.notOk(isMounted(place))
  }
})

t.test(
  'umount -f while a file is open ends it, and what stays in the tree can be taken away',
  { skip: asRoot },
  async (t) => {
    const place = mountPlace(t)
    const door = await mountDoor(place, { fs: new MemoryFileSystem() })
    const file = await fsp.open(path.join(place, 'a'), 'w')
    await run('umount', ['-f', place])
    t.equal(await door.ended, 'unmounted')
    t.ok(isMounted(place), 'it is dead, but there')
    await file.close().catch(() => undefined)
    await door.unmount()
    t.notOk(isMounted(place))
  },
)

t.test('two mounts in one process live and end apart', { skip }, async (t) => {
  const [one, two] = [mountPlace(t), mountPlace(t)]
  const doors = [
    await mountDoor(one, { fs: new MemoryFileSystem() }, { fsname: 'one' }),
    await mountDoor(two, { fs: new MemoryFileSystem() }, { fsname: 'two' }),
  ] as const
  await fsp.writeFile(path.join(one, 'only-in-one'), '')
  t.same(await fsp.readdir(two), [])
  t.match(await sh('grep "$1" /proc/mounts', one), /^one@\d+ \S+ fuse\.shardrive /)
  await doors[0].unmount()
  await fsp.writeFile(path.join(two, 'goes-on'), '')
  t.same(await fsp.readdir(two), ['goes-on'])
  await doors[1].unmount()
})

t.test('a place that cannot be mounted on is refused with a reason', { skip }, async (t) => {
  const place = mountPlace(t)
  const mount = (where: string): Promise<unknown> => mountDoor(where, { fs: new MemoryFileSystem() })
  await t.rejects(mount(path.join(place, 'missing')), { code: 'mountpoint-missing' })
  const file = path.join(place, 'file')
  fs.writeFileSync(file, '')
  await t.rejects(mount(file), { code: 'mountpoint-not-a-directory' })
  await t.rejects(mount(place), { code: 'mountpoint-not-empty' })
  fs.rmSync(file)
  const door = await mountDoor(place, { fs: new MemoryFileSystem() })
  await t.rejects(mount(place), { code: 'mountpoint-busy' })
  t.equal(await clearStaleMount(place), false, 'a living mount is left alone')
  await door.unmount()
})

t.test('a mount point with a shell command in its name is just a name', { skip }, async (t) => {
  const outer = mountPlace(t)
  const place = path.join(outer, 'a b$(touch pwned),x=\\y"\n')
  fs.mkdirSync(place)
  const door = await mountDoor(place, { fs: new MemoryFileSystem() })
  await fsp.writeFile(path.join(place, 'a'), '')
  await door.unmount()
  t.same(fs.readdirSync(place), [])
  fs.rmdirSync(place)
  t.notOk(fs.existsSync('pwned'))
})

for (const [who, uid] of [
  ['root', root ? undefined : -1],
  ['an ordinary user', root ? USER : undefined],
] as const) {
  const not = skip || (uid === -1 ? 'needs root' : who !== 'root' && !hasFusermount() && 'needs fusermount3')

  t.test(`after kill -9 of a daemon of ${who} the next start clears what is left`, { skip: not }, async (t) => {
    openDevice(t)
    const place = mountPlace(t, uid)
    const dead = startDoor(t, [place], { uid })
    t.match(await dead.next(), { ready: place })
    dead.child.kill('SIGKILL')
    await dead.exited
    t.ok(isMounted(place), 'it is left behind')
    const next = startDoor(t, [place], { uid })
    t.match(await next.next(), { ready: place })
    t.equal((await run('touch', [path.join(place, 'a')], { uid })).status, 0)
    next.child.kill('SIGTERM')
    t.match(await next.next(), { ended: 'unmounted' })
    t.equal(await next.exited, 0)
    t.notOk(isMounted(place))
  })

  t.test(`S-41 of two mounts of ${who} one is killed, and the other goes on`, { skip: not }, async (t) => {
    openDevice(t)
    const places = [mountPlace(t, uid), mountPlace(t, uid)] as const
    const doors = places.map((place) => startDoor(t, [place], { uid }))
    for (const [at, door] of doors.entries()) t.match(await door.next(), { ready: places[at] })
    for (const place of places)
      t.equal((await run('touch', [path.join(place, path.basename(place))], { uid })).status, 0)
    const [killed, living] = doors as [(typeof doors)[0], (typeof doors)[0]]
    killed.child.kill('SIGKILL')
    await killed.exited
    t.equal(
      (await run('ls', [places[1]], { uid })).stdout.toString().trim(),
      path.basename(places[1]),
      'it has its own names',
    )
    t.match((await run('touch', [path.join(places[0], 'x')], { uid })).stderr, /not connected/)
    living.child.kill('SIGTERM')
    t.match(await living.next(), { ended: 'unmounted' })
    t.ok(isMounted(places[0]), 'the other is left as it is')
    const next = startDoor(t, [places[0]], { uid })
    t.match(await next.next(), { ready: places[0] })
    next.child.kill('SIGTERM')
    t.match(await next.next(), { ended: 'unmounted' })
  })

  t.test(`process.exit of ${who} with a living mount leaves nothing`, { skip: not }, async (t) => {
    openDevice(t)
    const place = mountPlace(t, uid)
    const door = startDoor(t, [place, 'exit'], { uid })
    t.match(await door.next(), { ready: place })
    t.equal(await door.exited, 3)
    t.notOk(isMounted(place))
  })
}

t.test(
  'a user may mount only where it may write',
  { skip: asRoot || (!hasFusermount() && 'needs fusermount3') },
  async (t) => {
    openDevice(t)
    const place = mountPlace(t)
    fs.chmodSync(place, 0o755)
    t.match(await startDoor(t, [place], { uid: USER }).next(), { failed: 'mount-denied' })
    t.notOk(isMounted(place))
  },
)

const LABEL = { name: 'My drive, 100 %', icon: 'folder-remote' }
const LABEL_WORDS = 'x-gvfs-show,x-gvfs-name=My%20drive%2C%20100%20%25,x-gvfs-icon=folder-remote'

t.test('the desktop is told name and icon of a mount of root, and forgets them', { skip: asRoot }, async (t) => {
  const place = mountPlace(t)
  const noted = () =>
    fs
      .readFileSync('/run/mount/utab', 'utf8')
      .split('\n')
      .filter((line) => line.includes(place))
  const door = await mountDoor(place, { fs: new MemoryFileSystem() }, { label: LABEL })
  t.match(String((await run('findmnt', ['-m', '-n', '-o', 'OPTIONS', place])).stdout), LABEL_WORDS)
  t.equal(noted().length, 1)
  await door.unmount()
  t.same(noted(), [])
})

for (const [who, refuses] of [
  ['knows them', false],
  ['refuses them', true],
] as const) {
  t.test(
    `a fusermount3 that ${who} mounts with options of the desktop`,
    { skip: skip || !hasFusermount() },
    async (t) => {
      const place = mountPlace(t)
      const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'shardrive-fusermount-'))
      t.teardown(() => fs.rmSync(folder, { recursive: true, force: true }))
      // As those before 3.17 say it, and as those after pass the rest on.
      const known = `set -- "$1" "$(echo "$2" | sed 's/,x-gvfs-show.*//')" "$3" "$4"`
      const unknown = `case "$2" in *x-*) echo "fusermount3: unknown option 'x-gvfs-show'" >&2; exit 1;; esac`
      const script = `#!/bin/sh\nPATH=/usr/bin:/bin\ntest "$1" = -o || exec fusermount3 "$@"\necho "$2" >> ${folder}/asked\n${refuses ? unknown : known}\nexec fusermount3 "$@"\n`
      fs.writeFileSync(path.join(folder, 'fusermount3'), script, { mode: 0o755 })
      const before = process.env.PATH
      process.env.PATH = `${folder}:${before}`
      t.teardown(() => {
        process.env.PATH = before
      })
      const fd = await mountWithFusermount(place, 'rw,fsname=test,subtype=shardrive', false, LABEL)
      t.ok(isMounted(place))
      fs.closeSync(fd)
      await unmountWithFusermount(place, true)
      const asked = fs.readFileSync(path.join(folder, 'asked'), 'utf8').trim().split('\n')
      t.match(asked[0], `,${LABEL_WORDS}`)
      t.equal(asked.length, refuses ? 2 : 1)
      if (refuses) t.notMatch(asked[1], /x-/)
    },
  )
}

function hasFusermount(): boolean {
  return ['/usr/bin', '/bin'].some((folder) => fs.existsSync(path.join(folder, 'fusermount3')))
}

/** udev lets everybody open /dev/fuse; a machine without udev may not. */
function openDevice(t: { teardown(undo: () => void): void }): void {
  if (!root) return
  const { mode } = fs.statSync('/dev/fuse')
  fs.chmodSync('/dev/fuse', 0o666)
  t.teardown(() => fs.chmodSync('/dev/fuse', mode & 0o777))
}
