/** What programs see through the door, with a real kernel and a file system in memory. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fsp from 'node:fs/promises'
import path from 'node:path'
import t, { type Test } from 'tap'
import { type DoorOptions, type MountedDoor, mountDoor } from '../../src/mount/fuse/door.js'
import type { RequestContext } from '../../src/mount/fuse/filesystem.js'
import { MemoryFileSystem } from '../support/memory-filesystem.js'
import { mountPlace, noMounts, run, sh, USER } from '../support/mounts.js'
import { until } from '../support/programs.js'
import { rampBytes } from '../support/ramp.js'

const MiB = 1 << 20
const skip = noMounts()
const root = process.geteuid?.() === 0

const NOBODY: RequestContext = { uid: 0, gid: 0, pid: 0, signal: new AbortController().signal }

interface Drive {
  readonly at: string
  readonly fs: MemoryFileSystem
  readonly door: MountedDoor
  path(name: string): string
}

async function mounted(t: Test, fs = new MemoryFileSystem(), options: DoorOptions = {}): Promise<Drive> {
  const at = mountPlace(t)
  const door = await mountDoor(at, { fs }, options)
  t.teardown(() => door.unmount({ graceMs: 100 }))
  return { at, fs, door, path: (name) => path.join(at, name) }
}

t.test('names are bytes: any but NUL and slash, up to 255 of them', { skip }, async (t) => {
  const { at } = await mounted(t)
  const whole = Buffer.from(Array.from({ length: 255 }, (_, i) => (i === 0x2e ? 0x41 : i + 1)))
  const odd = [Buffer.from('caf\xe9', 'latin1'), Buffer.from([0xff, 0xfe, 0x0a]), whole]
  const inside = (name: Buffer): Buffer => Buffer.concat([Buffer.from(`${at}/`), name])
  for (const name of odd) await fsp.writeFile(inside(name), name)
  const listed = await fsp.readdir(at, { encoding: 'buffer' })
  t.same(listed.map((name) => name.toString('hex')).sort(), odd.map((name) => name.toString('hex')).sort())
  for (const name of odd) t.same(await fsp.readFile(inside(name)), name)
  await t.rejects(fsp.writeFile(inside(Buffer.alloc(256, 0x61)), ''), { code: 'ENAMETOOLONG' })
})

t.test('times are kept to the nanosecond, also before 1970 and after 2106', { skip }, async (t) => {
  const drive = await mounted(t)
  await fsp.writeFile(drive.path('a'), '')
  for (const [seconds, nanoseconds] of [
    ['1234567890', '123456789'],
    ['-86400', '000000000'],
    ['-1', '500000000'],
    ['4294967297', '999999999'],
  ]) {
    await sh('touch -d "@$2.$3" "$1"', drive.path('a'), seconds ?? '', nanoseconds ?? '')
    const { mtimeNs } = await fsp.stat(drive.path('a'), { bigint: true })
    const beyond = BigInt(nanoseconds ?? 0) * (seconds?.startsWith('-') ? -1n : 1n)
    t.equal(mtimeNs, BigInt(seconds ?? 0) * 1_000_000_000n + beyond, `${seconds}.${nanoseconds}`)
  }
  await sh('touch -a -d @5.000000007 "$1"', drive.path('a'))
  const { atimeNs, mtimeNs } = await fsp.stat(drive.path('a'), { bigint: true })
  t.equal(atimeNs, 5_000_000_007n)
  t.equal(mtimeNs, 4_294_967_297_999_999_999n, 'the other time stays')
})

t.test('a new file belongs to the caller, whoever that is', { skip: skip || (!root && 'needs root') }, async (t) => {
  const drive = await mounted(t)
  await fsp.chmod(drive.at, 0o777)
  t.equal((await run('touch', [drive.path('theirs')], { uid: USER })).status, 0)
  const { uid, gid } = await fsp.stat(drive.path('theirs'))
  t.same({ uid, gid }, { uid: USER, gid: USER })
  t.match(drive.fs.seen.lastCaller, { uid: USER, gid: USER })
  t.ok(drive.fs.seen.lastCaller.pid > 0)
  await fsp.chmod(drive.path('theirs'), 0o600)
  t.equal((await run('cat', [drive.path('theirs')], { uid: USER + 1 })).status, 1, 'the kernel checks the mode')
  await sh('umask 027; touch "$1/masked"; mkdir -m 1777 "$1/open"', drive.at)
  t.equal((await fsp.stat(drive.path('masked'))).mode, 0o100640)
  t.equal((await fsp.stat(drive.path('open'))).mode, 0o041777)
})

t.test(
  'an ordinary caller that writes takes setuid and setgid away, and everybody sees it',
  {
    skip: skip || (!root && 'needs root'),
  },
  async (t) => {
    const drive = await mounted(t)
    const file = drive.path('f')
    await fsp.chmod(drive.at, 0o777)
    await fsp.writeFile(file, 'content')
    await fsp.chown(file, USER, USER)
    const modeAfter = async (script: string, uid?: number): Promise<string> => {
      await fsp.chmod(file, 0o6775)
      t.equal((await run('sh', ['-ec', script, 'sh', file], { uid })).status, 0, script)
      return ((await fsp.stat(file)).mode & 0o7777).toString(8)
    }
    for (const script of [
      'echo more >> "$1"',
      ': > "$1"',
      'truncate -s 3 "$1"',
      'fallocate -l 10000 "$1"',
      'dd if=/dev/zero of="$1" bs=4k count=1 oflag=direct conv=notrunc',
    ]) {
      t.equal(await modeAfter(script, USER), '775', script)
    }
    t.equal(await modeAfter('echo more >> "$1"'), '6775', 'root keeps them')
    t.equal(await modeAfter('chown 5:5 "$1"'), '775', 'but not in a change of owner')
  },
)

t.test('bytes travel in requests of 1 MiB and arrive where they belong', { skip }, async (t) => {
  const drive = await mounted(t)
  const content = rampBytes(7, 5 * MiB + 12_345)
  const file = await fsp.open(drive.path('big'), 'w+')
  await file.write(content, 0, content.length, 0)
  await file.close()
  t.equal(drive.fs.seen.largestWrite, MiB)
  await drive.door.invalidateInode((await fsp.stat(drive.path('big'))).ino)
  t.ok(content.equals(await fsp.readFile(drive.path('big'))), 'read back through the kernel')
  t.ok(drive.fs.seen.largestRead > 0, 'and not from its cache')
  if (root) {
    await drive.door.invalidateInode((await fsp.stat(drive.path('big'))).ino)
    await sh('dd if="$1" of=/dev/null bs=4M 2>&1', drive.path('big'))
    t.equal(drive.fs.seen.largestRead, MiB)
  }
  const [appended, sparse] = [drive.path('log'), drive.path('sparse')]
  await Promise.all(Array.from({ length: 50 }, (_, i) => fsp.appendFile(appended, `line ${i}\n`)))
  t.equal((await fsp.readFile(appended, 'utf8')).split('\n').length, 51, 'appends do not overwrite each other')
  await sh('truncate -s 9T "$1"; printf x | dd of="$1" bs=1 seek=8T conv=notrunc 2>&1', sparse)
  const { size, blocks } = await fsp.stat(sparse)
  t.equal(size, 9 * 2 ** 40)
  t.equal(blocks, 128)
})

t.test('a directory of 10,000 entries is listed whole, also while it is emptied', { skip }, async (t) => {
  const drive = await mounted(t)
  const names = Array.from({ length: 10_000 }, (_, i) => `entry-${String(i).padStart(5, '0')}`)
  for (const name of names) drive.fs.makeNode(1, Buffer.from(name), 0o100644, 0, NOBODY)
  t.same((await fsp.readdir(drive.at)).sort(), names)
  t.equal((await sh('ls -l "$1" | wc -l', drive.at)).trim(), '10001')
  await sh('find "$1" -name "entry-*" -delete', drive.at)
  t.same(await fsp.readdir(drive.at), [])
  t.same(await fsp.readdir(drive.at, { withFileTypes: true }), [])
})

t.test('links, nodes, renames and removals are what they are on a disk', { skip }, async (t) => {
  const drive = await mounted(t)
  await sh(
    `cd "$1"; echo one > a; ln a b; ln -s "b/../a" s; mkfifo p; mkdir -p d/e; mv a d/e/a; echo two > x; mv -T x b
     mv -n d/e/a b; rm -f s.gone; cp -a . ../copy-of-"$(basename "$1")"; rm -r ../copy-of-"$(basename "$1")"`,
    drive.at,
  )
  t.equal(await fsp.readFile(drive.path('d/e/a'), 'utf8'), 'one\n')
  t.equal(await fsp.readFile(drive.path('b'), 'utf8'), 'two\n')
  t.equal((await fsp.stat(drive.path('d/e/a'))).nlink, 1)
  t.equal(await fsp.readlink(drive.path('s')), 'b/../a')
  t.ok((await fsp.lstat(drive.path('p'))).isFIFO())
  await t.rejects(fsp.rmdir(drive.path('d')), { code: 'ENOTEMPTY' })
  await t.rejects(fsp.open(drive.path('b'), 'wx'), { code: 'EEXIST' })
  const open = await fsp.open(drive.path('b'), 'r+')
  await fsp.unlink(drive.path('b'))
  await open.write('TWO', 0)
  t.equal(await open.readFile('utf8'), 'TWO\n', 'an unlinked file lives while it is open')
  const { ino } = await open.stat()
  await open.datasync()
  await open.close()
  t.equal(drive.fs.seen.fsyncs, 1)
  await sh('cat "$1" 2>/dev/null || true', drive.path('b'))
  t.notOk([...drive.fs.handles.values()].some((inode) => inode.ino === ino))
})

t.test('the kernel asks once for a missing name and once for attributes', { skip }, async (t) => {
  const counts = { lookup: 0, attributes: 0 }
  class Counting extends MemoryFileSystem {
    override lookup(parent: number, name: Buffer): ReturnType<MemoryFileSystem['lookup']> {
      if (name.toString() === 'absent' || name.toString() === 'there') counts.lookup++
      return super.lookup(parent, name)
    }
    override getAttributes(ino: number): ReturnType<MemoryFileSystem['getAttributes']> {
      if (ino !== 1) counts.attributes++
      return super.getAttributes(ino)
    }
  }
  const drive = await mounted(t, new Counting())
  for (let i = 0; i < 5; i++) await t.rejects(fsp.stat(drive.path('absent')), { code: 'ENOENT' })
  t.equal(counts.lookup, 1)
  await fsp.mkdir(drive.path('there'))
  for (let i = 0; i < 5; i++) await fsp.stat(drive.path('there'))
  t.same(counts, { lookup: 2, attributes: 0 })

  drive.fs.makeDirectory(1, Buffer.from('absent'), 0o755, {
    uid: 0,
    gid: 0,
    pid: 0,
    signal: new AbortController().signal,
  })
  await t.rejects(fsp.stat(drive.path('absent')), { code: 'ENOENT' }, 'what changes behind its back is not seen')
  await drive.door.invalidateEntry(1, Buffer.from('absent'))
  t.ok((await fsp.stat(drive.path('absent'))).isDirectory(), 'until it is told')
  await drive.door.invalidateInode(999)
  await drive.door.invalidateEntry(1, Buffer.from('nobody asked'))
  const ino = (await fsp.stat(drive.path('there'))).ino
  drive.fs.removeDirectory(1, Buffer.from('there'))
  await drive.door.announceDeletion(1, ino, Buffer.from('there'))
  await t.rejects(fsp.stat(drive.path('there')), { code: 'ENOENT' })
})

t.test('S-40 slow calls in one directory wait side by side, and an interrupted one ends', { skip }, async (t) => {
  let waiting = 0
  let most = 0
  const slow = new MemoryFileSystem()
  const lookup = slow.lookup.bind(slow)
  let endless: AbortSignal | null = null
  Object.assign(slow, {
    lookup: async (parent: number, name: Buffer, ctx: { signal: AbortSignal }) => {
      waiting++
      most = Math.max(most, waiting)
      if (name.toString() === 'endless') endless = ctx.signal
      await new Promise((resolve, reject) => {
        const timer = setTimeout(resolve, name.toString() === 'endless' ? 100_000 : 100)
        ctx.signal.addEventListener('abort', () => {
          clearTimeout(timer)
          reject(ctx.signal.reason)
        })
      }).finally(() => waiting--)
      return lookup(parent, name)
    },
  })
  const drive = await mounted(t, slow)
  await sh('for i in 1 2 3 4 5 6 7 8; do test -e "$1/$i" & done; wait', drive.at)
  t.ok(most >= 6, `${most} at once`)
  const asking = spawn('test', ['-e', drive.path('endless')])
  const ended = once(asking, 'exit')
  await until('it is asked', () => endless !== null)
  asking.kill('SIGTERM')
  await until('the file system is told', () => endless?.aborted === true)
  t.match(await ended, [null, 'SIGTERM'])
})

t.test(
  'what the kernel lets go of is forgotten, file by file',
  { skip: skip || (!root && 'needs root') },
  async (t) => {
    const drive = await mounted(t)
    await sh(
      'cd "$1" && mkdir d && for i in $(seq 300); do echo $i > d/f$i; done && mv d/f1 d/g1 && rm d/f2 && ls -l d > /dev/null',
      drive.at,
    )
    const counted = () => [...drive.fs.inodes.values()].filter((one) => one.ino !== 1 && one.lookups > 0).length
    t.ok(counted() >= 299, `${counted()} are known`)
    await until('all are forgotten', async () => {
      await fsp.writeFile('/proc/sys/vm/drop_caches', '2')
      return counted() === 0
    })
    t.equal(await sh('cat "$1/d/g1" "$1/d/f300"', drive.at), '1\n300', 'and are there')
  },
)

t.test('extended attributes of any bytes are kept', { skip }, async (t) => {
  const drive = await mounted(t)
  await fsp.writeFile(drive.path('a'), '')
  if ((await run('setfattr', ['--version'])).status !== 0) return t.pass('setfattr is not installed')
  await sh('setfattr -n user.a -v 0x00ff10 "$1"; setfattr -n user.b "$1"', drive.path('a'))
  t.match(await sh('getfattr -d -e hex "$1" 2>/dev/null', drive.path('a')), /user\.a=0x00ff10/)
  t.not((await run('getfattr', ['-n', 'user.c', drive.path('a')])).status, 0)
  await sh('setfattr -x user.a "$1"', drive.path('a'))
  return t.notMatch(await sh('getfattr -d "$1" 2>/dev/null', drive.path('a')), /user\.a/)
})

t.test('a read-only mount refuses writes in the kernel', { skip }, async (t) => {
  const drive = await mounted(t, new MemoryFileSystem(), { readOnly: true })
  await t.rejects(fsp.writeFile(drive.path('a'), ''), { code: 'EROFS' })
})

t.test('holes are made and found', { skip: skip || (!root && 'measured as root') }, async (t) => {
  const drive = await mounted(t)
  await fsp.writeFile(drive.path('a'), rampBytes(3, MiB))
  await sh('fallocate -p -o 65536 -l 131072 "$1"', drive.path('a'))
  const after = await fsp.stat(drive.path('a'))
  t.equal(after.size, MiB)
  t.equal(after.blocks, (MiB - 131_072) / 512)
  await sh('cp --sparse=auto "$1" "$2"', drive.path('a'), drive.path('b'))
  t.equal((await fsp.stat(drive.path('b'))).blocks, after.blocks, 'cp finds them by SEEK_HOLE')
  t.ok((await fsp.readFile(drive.path('b'))).equals(await fsp.readFile(drive.path('a'))))
})
