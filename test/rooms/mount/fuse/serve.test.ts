import t from 'tap'
import type { Attributes } from '../../../../src/mount/fuse/filesystem.js'
import { OP } from '../../../../src/mount/fuse/opcodes.js'
import { body, text, u16, u32, u64 } from '../../../support/kernel-requests.js'
import { MemoryFileSystem } from '../../../support/memory-filesystem.js'
import { rampBytes } from '../../../support/ramp.js'
import { fsWith, openCounter } from './counter.js'

const ENOENT = 2
const EIO = 5
const ERANGE = 34
const ENOSYS = 38
const ENODATA = 61
const EOPNOTSUPP = 95
const EINVAL = 22
const ENOTTY = 25

const FILE: Attributes = {
  ino: 2 ** 40 + 5,
  mode: 0o100640,
  nlink: 3,
  uid: 70_000,
  gid: 8,
  rdev: 0x12345678,
  size: 2 ** 41 + 1,
  blocks: 9,
  atime: { sec: -86_400, nsec: 1 },
  mtime: { sec: 2 ** 33, nsec: 2 },
  ctime: { sec: 5, nsec: 999_999_999 },
  btime: { sec: 6, nsec: 7 },
}
const FILE_BYTES = body(
  ...[u64(2 ** 40 + 5), u64(2 ** 41 + 1), u64(9), u64(-86_400), u64(2 ** 33), u64(5)],
  ...[u32(1), u32(2), u32(999_999_999), u32(0o100640), u32(3), u32(70_000), u32(8), u32(0x12345678), u32(4096), u32(0)],
)
const ENTRY_BYTES = body(u64(2 ** 40 + 5), u64(0), u64(100), u64(300), u32(0), u32(0), FILE_BYTES)

t.test('a found name is answered with its inode, long trusted', async (t) => {
  const { ask } = openCounter(fsWith({ lookup: () => FILE }))
  t.strictSame(ask({ opcode: OP.LOOKUP, unique: 2 ** 34, body: text('a') }), {
    unique: 2 ** 34,
    errno: 0,
    body: ENTRY_BYTES,
  })
})

t.test('a missing name is answered so that the kernel remembers its absence', async (t) => {
  const reply = openCounter(new MemoryFileSystem()).ask({ opcode: OP.LOOKUP, body: text('a') })
  t.equal(reply.errno, 0)
  t.strictSame(reply.body, body(u64(0), u64(0), u64(200), Buffer.alloc(104)))
})

t.test('attributes are answered to the nanosecond and before 1970, volatile ones are not trusted', async (t) => {
  const trusted = openCounter(fsWith({ getAttributes: () => FILE }))
  t.strictSame(trusted.ask({ opcode: OP.GETATTR, body: Buffer.alloc(16) }).body, body(u64(300), u64(0), FILE_BYTES))
  const made = openCounter(fsWith({ getAttributes: () => ({ ...FILE, volatile: true }) }))
  t.strictSame(made.ask({ opcode: OP.GETATTR, body: Buffer.alloc(16) }).body, body(u64(0), u64(0), FILE_BYTES))
})

t.test('statx is answered where birth times are wanted, and refused for good where not', async (t) => {
  const without = openCounter(fsWith({ getAttributes: () => FILE }))
  t.equal(without.ask({ opcode: OP.STATX, body: Buffer.alloc(24) }).errno, ENOSYS)
  const { ask } = openCounter(fsWith({ birthTimes: true, getAttributes: () => FILE }))
  const time = (sec: number, nsec: number): Buffer => body(u64(sec), u32(nsec), u32(0))
  const x = body(
    ...[u32(0xfff), u32(4096), u64(0), u32(3), u32(70_000), u32(8), u16(0o100640), u16(0)],
    ...[u64(2 ** 40 + 5), u64(2 ** 41 + 1), u64(9), u64(0)],
    ...[time(-86_400, 1), time(6, 7), time(5, 999_999_999), time(2 ** 33, 2)],
    ...[u32(0x456), u32(0x12378), u32(0), u32(0), Buffer.alloc(112)],
  )
  t.strictSame(ask({ opcode: OP.STATX, body: Buffer.alloc(24) }).body, body(u64(300), u64(0), u64(0), u64(0), x))
})

t.test('INIT agrees on our version, features and limits, or says that the kernel is too old', async (t) => {
  const { ask, agreed } = openCounter(new MemoryFileSystem())
  const offer = (minor: number, major = 7): Buffer =>
    body(u32(major), u32(minor), u32(2 ** 25), u32(0xffffffff), u32(0xffffffff), Buffer.alloc(44))
  const low = (1 << 0) | (1 << 3) | (1 << 5) | (1 << 13) | (1 << 14) | (1 << 18) | (1 << 21)
  const more = (1 << 22) | (1 << 23) | (1 << 25) | (1 << 28) | (1 << 30)
  const answer = (minor: number): Buffer =>
    body(
      ...[u32(7), u32(minor), u32(1 << 20), u32((low | more) >>> 0), u16(256), u16(192), u32(1 << 20), u32(1)],
      ...[u16(256), u16(0), u32((1 << 4) | (1 << 6)), Buffer.alloc(28)],
    )
  t.strictSame(ask({ opcode: OP.INIT, body: offer(99) }).body, answer(41))
  t.strictSame(ask({ opcode: OP.INIT, body: offer(36) }).body, answer(36))
  t.match(agreed, [{ minor: 41 }, { minor: 36 }])
  t.equal(ask({ opcode: OP.INIT, body: offer(0, 8) }).errno, 0, 'a newer major version is told ours')
  t.equal(agreed.length, 2, 'and asks again')
  t.equal(ask({ opcode: OP.INIT, body: offer(30) }).errno, EIO)
  t.match(agreed[2], { code: 'kernel-too-old' })
})

t.test('a file system is described to df in 64 bits', async (t) => {
  const s = {
    blockSize: 4096,
    blocks: 2 ** 40,
    blocksFree: 3,
    blocksAvailable: 2,
    files: 5,
    filesFree: 4,
    nameMax: 255,
  }
  const { body: answer } = openCounter(fsWith({ statistics: () => s })).ask({ opcode: OP.STATFS })
  const numbers = [u64(2 ** 40), u64(3), u64(2), u64(5), u64(4), u32(4096), u32(255), u32(4096)]
  t.strictSame(answer, body(...numbers, Buffer.alloc(28)))
})

t.test('reads go out of as many buffers as they lie in, and never exceed what was asked', async (t) => {
  const content = rampBytes(1, 3000)
  const parts = Array.from({ length: 300 }, (_, i) => content.subarray(10 * i, 10 * i + 10))
  const read = (size: number): Buffer => body(u64(1), u64(0), u32(size), u32(0), u64(0), u32(0), u32(0))
  const { ask } = openCounter(fsWith({ read: () => parts }))
  t.strictSame(ask({ opcode: OP.READ, body: read(3000) }).body, content)
  t.equal(ask({ opcode: OP.READ, body: read(2999) }).errno, EIO)
})

t.test('directory entries are packed until the room is used up, and only those are counted', async (t) => {
  const names = ['.', '..', 'a', 'x'.repeat(100), 'b']
  const entry = (name: string, i: number): object => ({
    name: Buffer.from(name),
    ino: i + 1,
    mode: 0o40755,
    cookie: i + 1,
    attributes: FILE,
  })
  const counted: number[] = []
  const fs = fsWith({ readDirectory: () => names.map(entry), remember: (ino: number) => counted.push(ino) })
  const { ask, ear } = openCounter(fs)
  const room = (size: number): Buffer => body(u64(1), u64(0), u32(size), u32(0), u64(0), u32(0), u32(0))
  const dirent = (i: number, name: string, padded: number): Buffer =>
    body(u64(i), u64(i), u32(name.length), u32(4), Buffer.concat([Buffer.from(name)], padded))
  const first = [dirent(1, '.', 8), dirent(2, '..', 8), dirent(3, 'a', 8)]
  t.strictSame(ask({ opcode: OP.READDIR, body: room(3 * 32 + 127) }).body, body(...first))
  t.strictSame(
    ask({ opcode: OP.READDIR, body: room(3 * 32 + 128) }).body,
    body(...first, dirent(4, 'x'.repeat(100), 104)),
  )
  t.strictSame(counted, [])
  const dots = Buffer.alloc(128)
  const plus = body(dots, dirent(1, '.', 8), dots, dirent(2, '..', 8), ENTRY_BYTES, dirent(3, 'a', 8))
  t.strictSame(ask({ opcode: OP.READDIRPLUS, body: room(3 * 160 + 100) }).body, plus)
  t.strictSame(counted, [FILE.ino], 'neither the dots nor what did not fit')

  const forgotten: number[] = []
  Object.assign(fs, { forget: (ino: number) => forgotten.push(ino) })
  ear.deaf = ENOENT
  openCounter(fs).put({ opcode: OP.READDIRPLUS, body: room(3 * 160 + 100) })
  t.strictSame(forgotten, [], 'what the kernel took stays counted')
})

t.test('what the kernel did not take is forgotten and released again', async (t) => {
  const fs = new MemoryFileSystem()
  const { put, ear } = openCounter(fs)
  ear.deaf = ENOENT
  put({ opcode: OP.CREATE, body: body(u32(2), u32(0o100644), u32(0), u32(0), text('a')) })
  put({ opcode: OP.LOOKUP, body: text('a') })
  t.equal(fs.handles.size, 0)
  t.equal(fs.inodes.get(2)?.lookups, 0)
})

t.test('a setuid bit that a write cleared is dropped from the cache before the write is answered', async (t) => {
  const { put, ask, ear } = openCounter(fsWith({ getAttributes: () => ({ ...FILE, mode: 0o104755 }), write: () => 1 }))
  const write = (flags: number): Buffer =>
    body(u64(1), u64(0), u32(1), u32(flags), u64(0), u32(1), u32(0), Buffer.from('x'))
  const killing = { opcode: OP.WRITE, ino: FILE.ino, body: write(4) }
  t.strictSame(ask(killing).body, u64(1), 'the kernel knows of no such bit yet')
  ask({ opcode: OP.GETATTR, ino: FILE.ino, body: Buffer.alloc(16) })
  ask({ ...killing, body: write(0) })
  put(killing)
  const [dropped, answered] = ear.heard.splice(0)
  t.match(dropped, { unique: 0, errno: -2, body: body(u64(FILE.ino), u64(-1), u64(0)) }, 'first the notification')
  t.match(answered, { unique: 2, errno: 0 })
  t.strictSame(ask(killing).body, u64(1), 'once')
})

t.test('extended attributes are sized first, and told apart when missing or when there is no room', async (t) => {
  const fs = new MemoryFileSystem()
  fs.inodes.get(1)?.xattrs.set('user.a', Buffer.from('value'))
  fs.inodes.get(1)?.xattrs.set('user.b', Buffer.from(''))
  const { ask } = openCounter(fs)
  const get = (room: number, name = 'user.a'): Buffer => body(u32(room), u32(0), text(name))
  t.strictSame(ask({ opcode: OP.GETXATTR, body: get(0) }).body, u64(5))
  t.strictSame(ask({ opcode: OP.GETXATTR, body: get(5) }).body, Buffer.from('value'))
  t.equal(ask({ opcode: OP.GETXATTR, body: get(4) }).errno, ERANGE)
  t.equal(ask({ opcode: OP.GETXATTR, body: get(4, 'user.c') }).errno, ENODATA)
  t.equal(ask({ opcode: OP.GETXATTR, body: get(64, 'system.posix_acl_access') }).errno, EOPNOTSUPP)
  t.strictSame(ask({ opcode: OP.LISTXATTR, body: u64(0) }).body, u64(14))
  t.strictSame(ask({ opcode: OP.LISTXATTR, body: u64(64) }).body, Buffer.from('user.a\0user.b\0'))
})

t.test('S-39 of inode flags there are none: to be told, to be left so, and not to be set', async (t) => {
  const { ask } = openCounter(new MemoryFileSystem())
  const ioctl = (command: number, outSize: number, given: Buffer = Buffer.alloc(0)): Buffer =>
    body(u64(1), u32(0), u32(command), u64(0), u32(given.length), u32(outSize), given)
  const flags = [0x80086601, 4] as const
  t.strictSame(ask({ opcode: OP.IOCTL, body: ioctl(...flags) }).body, Buffer.alloc(20))
  t.equal(ask({ opcode: OP.IOCTL, body: ioctl(flags[0], 29) }).errno, EINVAL, 'more than any answer has')
  t.strictSame(ask({ opcode: OP.IOCTL, body: ioctl(0x401c5820, 0, Buffer.alloc(28)) }).body, Buffer.alloc(16))
  t.equal(ask({ opcode: OP.IOCTL, body: ioctl(0x40086602, 0, u32(0x10)) }).errno, EOPNOTSUPP)
  t.equal(ask({ opcode: OP.IOCTL, body: ioctl(1, 0) }).errno, ENOTTY)
})

t.test('every lookup that the kernel forgets is forgotten, one by one or in batches', async (t) => {
  const forgotten: [number, number][] = []
  const { put, ear } = openCounter(fsWith({ forget: (ino: number, count: number) => forgotten.push([ino, count]) }))
  put({ opcode: OP.FORGET, ino: 9, body: u64(3) })
  put({ opcode: OP.BATCH_FORGET, ino: 0, body: body(u32(2), u32(0), u64(8), u64(1), u64(9), u64(2 ** 40)) })
  t.strictSame(forgotten, [
    [9, 3],
    [8, 1],
    [9, 2 ** 40],
  ])
  t.same(ear.heard, [], 'and nothing is answered')
})
