/** One sound request of every kind, as bytes and as what they mean. */
import type { OpenFlags } from '../../../../src/mount/fuse/filesystem.js'
import { OP } from '../../../../src/mount/fuse/opcodes.js'
import { body, text, u32, u64 } from '../../../support/kernel-requests.js'

export interface Sample {
  readonly opcode: number
  readonly ino: number
  readonly body: Buffer
  readonly means: object
}

const opened = (set: Partial<OpenFlags>): OpenFlags => ({
  read: true,
  write: false,
  append: false,
  truncate: false,
  exclusive: false,
  sync: false,
  direct: false,
  noAtime: false,
  killSuidGid: false,
  ...set,
})

const sample = (opcode: number, bytes: Buffer, means: object, ino = 7): Sample => ({
  opcode,
  ino,
  body: bytes,
  means: { op: opcode, ino, ...means },
})
const name = Buffer.from('caf\xe9', 'latin1')
const fileRange = body(u64(5), u64(2 ** 40), u32(4096), u32(0), u64(99), u32(0o2001), u32(0))
const rename = { newParent: 9, name, newName: Buffer.from('new') }
const copy = body(u64(1), u64(2), u64(3), u64(4), u64(5), u64(2n ** 63n), u64(0))
const copied = { fh: 1, offset: 2, toIno: 3, toFh: 4, toOffset: 5, length: Number.MAX_SAFE_INTEGER }

export const SAMPLES: readonly Sample[] = [
  sample(OP.LOOKUP, text('caf\xe9'), { name }),
  sample(OP.FORGET, u64(3), { count: 3 }),
  sample(OP.BATCH_FORGET, body(u32(2), u32(0), u64(8), u64(1), u64(2 ** 41 + 9), u64(5)), {
    forgets: [
      [8, 1],
      [2 ** 41 + 9, 5],
    ],
  }),
  sample(OP.GETATTR, body(u32(1), u32(0), u64(77)), { fh: 77 }),
  sample(OP.GETATTR, body(u32(0), u32(0), u64(77)), { fh: undefined }),
  sample(
    OP.SETATTR,
    body(
      u32(0b1_0111_1111),
      ...[u32(0), u64(77), u64(2 ** 33), u64(0), u64(-1), u64(1234567890), u64(0), u32(999_999_999), u32(5)],
      ...[u32(0), u32(0o100644), u32(0), u32(12), u32(34), u32(0)],
    ),
    {
      changes: {
        mode: 0o644,
        uid: 12,
        gid: 34,
        size: 2 ** 33,
        atime: { sec: -1, nsec: 999_999_999 },
        mtime: 'now',
        ctime: undefined,
        fh: 77,
        killSuidGid: false,
      },
    },
  ),
  sample(OP.READLINK, body(), {}),
  sample(OP.SYMLINK, body(text('caf\xe9'), text('../x')), { name, target: Buffer.from('../x') }),
  sample(OP.MKNOD, body(u32(0o020600), u32(0x103), u32(0o22), u32(0), text('caf\xe9')), {
    name,
    mode: 0o020600,
    rdev: 0x103,
  }),
  sample(OP.MKDIR, body(u32(0o1755), u32(0o22), text('caf\xe9')), { name, mode: 0o1755 }),
  sample(OP.UNLINK, text('caf\xe9'), { name }),
  sample(OP.RMDIR, text('caf\xe9'), { name }),
  sample(OP.RENAME, body(u64(9), text('caf\xe9'), text('new')), { ...rename, flags: 0 }),
  sample(OP.RENAME2, body(u64(9), u32(2), u32(0), text('caf\xe9'), text('new')), { ...rename, flags: 2 }),
  sample(OP.LINK, body(u64(11), text('caf\xe9')), { target: 11, name }),
  sample(OP.OPEN, body(u32(0o103002), u32(1)), {
    flags: opened({ write: true, append: true, truncate: true, killSuidGid: true }),
  }),
  sample(OP.READ, fileRange, { fh: 5, offset: 2 ** 40, size: 4096 }),
  sample(OP.WRITE, body(u64(5), u64(2 ** 40), u32(4), u32(4), u64(0), u32(0o2001), u32(0), Buffer.from('data')), {
    fh: 5,
    offset: 2 ** 40,
    data: Buffer.from('data'),
    killSuidGid: true,
  }),
  sample(OP.STATFS, body(), {}),
  sample(OP.RELEASE, body(u64(5), u32(0), u32(0), u64(0)), { fh: 5 }),
  sample(OP.FSYNC, body(u64(5), u32(1), u32(0)), { fh: 5, dataOnly: true }),
  sample(OP.SETXATTR, body(u32(3), u32(1), text('user.a'), Buffer.from('v\0w')), {
    name: Buffer.from('user.a'),
    value: Buffer.from('v\0w'),
    create: true,
    replace: false,
  }),
  sample(OP.GETXATTR, body(u32(64), u32(0), text('user.a')), { name: Buffer.from('user.a'), room: 64 }),
  sample(OP.LISTXATTR, body(u32(64), u32(0)), { room: 64 }),
  sample(OP.REMOVEXATTR, text('user.a'), { name: Buffer.from('user.a') }),
  sample(OP.FLUSH, body(u64(5), u32(0), u32(0), u64(0)), { fh: 5 }),
  sample(OP.INIT, body(u32(7), u32(45), u32(131072), u32(0x40400009), u32(0x50), Buffer.alloc(44)), {
    offer: { major: 7, minor: 45, maxReadahead: 131072, flagsLow: 0x40400009, flagsHigh: 0x50 },
  }),
  sample(OP.OPENDIR, body(u32(0), u32(0)), {}),
  sample(OP.READDIR, fileRange, { fh: 5, offset: 2 ** 40, size: 4096 }),
  sample(OP.READDIRPLUS, fileRange, { fh: 5, offset: 2 ** 40, size: 4096 }),
  sample(OP.RELEASEDIR, body(u64(5), u32(0), u32(0), u64(0)), { fh: 5 }),
  sample(OP.FSYNCDIR, body(u64(5), u32(0), u32(0)), { fh: 5, dataOnly: false }),
  sample(OP.ACCESS, body(u32(4), u32(0)), {}),
  sample(OP.CREATE, body(u32(0o301), u32(0o100640), u32(0o22), u32(0), text('caf\xe9')), {
    name,
    mode: 0o640,
    flags: opened({ read: false, write: true, exclusive: true }),
  }),
  sample(OP.TMPFILE, body(u32(0o20000002), u32(0o100600), u32(0), u32(0), text('#1')), {
    mode: 0o600,
    flags: opened({ write: true }),
  }),
  sample(OP.INTERRUPT, body(u32(8), u32(1)), { uniqueLow: 8, uniqueHigh: 1 }),
  sample(OP.DESTROY, body(), {}),
  sample(OP.IOCTL, body(u64(5), u32(0), u32(0x80086601), u64(99), u32(0), u32(4)), {
    ...{ command: 0x80086601, outSize: 4, allZero: true },
  }),
  sample(OP.IOCTL, body(u64(5), u32(0), u32(0x40086602), u64(99), u32(4), u32(0), u32(16)), {
    ...{ command: 0x40086602, outSize: 0, allZero: false },
  }),
  sample(OP.FALLOCATE, body(u64(5), u64(4096), u64(8192), u32(3), u32(0)), {
    fh: 5,
    offset: 4096,
    length: 8192,
    flags: { keepSize: true, punchHole: true, zeroRange: false },
  }),
  sample(OP.LSEEK, body(u64(5), u64(4096), u32(3), u32(0)), { fh: 5, offset: 4096, whence: 'data' }),
  sample(OP.COPY_FILE_RANGE, copy, copied),
  sample(OP.COPY_FILE_RANGE_64, copy, copied),
  sample(OP.SYNCFS, u64(0), {}),
  sample(OP.STATX, body(u32(1), u32(0), u64(77), u32(0), u32(0xfff)), { fh: 77 }),
]
