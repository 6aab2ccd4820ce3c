/**
 * Kernel request -> typed request. Throws AppError `malformed` and nothing else, whatever the bytes are; reads nothing
 * outside of what was received. Names, values and targets are copied, the data of WRITE is not.
 */
import type { AttributeChanges, OpenFlags, Timestamp } from './filesystem.js'
import { decodeIoctl } from './inode-flags.js'
import * as at from './offsets.js'
import {
  ALLOCATE_BIT,
  FSYNC_DATA_ONLY,
  GETATTR_FH,
  INIT_LOW,
  O,
  OP,
  OPEN_KILL_SUIDGID,
  SEEK,
  SETATTR_BIT,
  WRITE_BIT,
  XATTR_BIT,
} from './opcodes.js'
import type { Header, InitOffer, Request, RequestOf } from './request.js'
import { malformed, type RequestBytes } from './request-bytes.js'

const BODY = at.IN_HEADER.size
/** XATTR_NAME_MAX and XATTR_SIZE_MAX of Linux. */
const XATTR_NAME_MAX = 255
const XATTR_VALUE_MAX = 65_536
/** PATH_MAX without its NUL. */
const TARGET_SIZE_MAX = 4095
export const READ_SIZE_MAX = 1 << 20

export function decodeHeader(from: RequestBytes): Header {
  from.need(0, at.IN_HEADER.size)
  if (from.u32(at.IN_HEADER.length) !== from.length) throw malformed('its length field is wrong')
  return {
    opcode: from.u32(at.IN_HEADER.opcode),
    uniqueLow: from.u32(at.IN_HEADER.unique),
    uniqueHigh: from.u32(at.IN_HEADER.unique + 4),
    // Clamped, so that even nonsense is answered: no file system has such an inode.
    ino: from.u64Clamped(at.IN_HEADER.nodeid),
    uid: from.u32(at.IN_HEADER.uid),
    gid: from.u32(at.IN_HEADER.gid),
    pid: from.u32(at.IN_HEADER.pid),
  }
}

export function decodeRequest(from: RequestBytes, opcode: number, ino: number): Request {
  switch (opcode) {
    case OP.LOOKUP:
    case OP.UNLINK:
    case OP.RMDIR:
      return { op: opcode, ino, name: from.name(BODY) }
    case OP.REMOVEXATTR:
      return { op: opcode, ino, name: from.text(BODY, XATTR_NAME_MAX) }
    case OP.FORGET:
      return { op: opcode, ino, count: from.u64(BODY + at.FORGET_IN.count) }
    case OP.BATCH_FORGET:
      return { op: opcode, ino, forgets: decodeForgets(from) }
    case OP.GETATTR:
      return { op: opcode, ino, fh: from.u32(BODY) & GETATTR_FH ? from.u64(BODY + at.GETATTR_IN.fh) : undefined }
    case OP.STATX:
      from.need(BODY, at.STATX_IN.size)
      return { op: opcode, ino, fh: from.u32(BODY) & GETATTR_FH ? from.u64(BODY + at.STATX_IN.fh) : undefined }
    case OP.SETATTR:
      return { op: opcode, ino, changes: decodeChanges(from) }
    case OP.READLINK:
    case OP.STATFS:
    case OP.OPENDIR:
    case OP.DESTROY:
    case OP.SYNCFS:
    case OP.ACCESS:
      return { op: opcode, ino }
    case OP.IOCTL:
      return decodeIoctl(from, ino)
    case OP.READ:
    case OP.READDIR:
    case OP.READDIRPLUS:
      return decodeRead(from, opcode, ino)
    case OP.WRITE:
      return decodeWrite(from, ino)
    case OP.RELEASE:
    case OP.RELEASEDIR:
      from.need(BODY, at.RELEASE_IN.size)
      return { op: opcode, ino, fh: from.u64(BODY + at.RELEASE_IN.fh) }
    case OP.FLUSH:
      from.need(BODY, at.FLUSH_IN.size)
      return { op: opcode, ino, fh: from.u64(BODY + at.FLUSH_IN.fh) }
    case OP.FSYNC:
    case OP.FSYNCDIR: {
      const dataOnly = (from.u32(BODY + at.FSYNC_IN.flags) & FSYNC_DATA_ONLY) !== 0
      return { op: opcode, ino, fh: from.u64(BODY + at.FSYNC_IN.fh), dataOnly }
    }
    case OP.INIT:
      return { op: opcode, ino, offer: decodeOffer(from) }
    case OP.INTERRUPT:
      return { op: opcode, ino, uniqueLow: from.u32(BODY), uniqueHigh: from.u32(BODY + 4) }
    default:
      return decodeNamed(from, opcode, ino)
  }
}

/** The rarer half: what makes, moves or opens, and what has ranges or extended attributes. */
function decodeNamed(from: RequestBytes, opcode: number, ino: number): Request {
  switch (opcode) {
    case OP.SYMLINK: {
      const name = from.name(BODY)
      return { op: opcode, ino, name, target: from.text(BODY + name.length + 1, TARGET_SIZE_MAX) }
    }
    case OP.MKNOD: {
      const mode = from.u32(BODY + at.MKNOD_IN.mode)
      const rdev = from.u32(BODY + at.MKNOD_IN.rdev)
      return { op: opcode, ino, mode, rdev, name: from.name(BODY + at.MKNOD_IN.size) }
    }
    case OP.MKDIR:
      return { op: opcode, ino, mode: from.u32(BODY) & 0o7777, name: from.name(BODY + at.MKDIR_IN.size) }
    case OP.RENAME:
      return decodeRename(from, opcode, ino, at.RENAME_IN.size, 0)
    case OP.RENAME2:
      return decodeRename(from, opcode, ino, at.RENAME2_IN.size, from.u32(BODY + at.RENAME2_IN.flags))
    case OP.LINK:
      return { op: opcode, ino, target: from.u64(BODY), name: from.name(BODY + at.LINK_IN.size) }
    case OP.OPEN: {
      const flags = decodeOpenFlags(from.u32(BODY), from.u32(BODY + at.OPEN_IN.openFlags))
      return { op: opcode, ino, flags }
    }
    case OP.CREATE:
    case OP.TMPFILE: {
      const mode = from.u32(BODY + at.CREATE_IN.mode) & 0o7777
      const flags = decodeOpenFlags(from.u32(BODY), from.u32(BODY + at.CREATE_IN.openFlags))
      if (opcode === OP.TMPFILE) return { op: opcode, ino, mode, flags }
      return { op: opcode, ino, mode, flags, name: from.name(BODY + at.CREATE_IN.size) }
    }
    case OP.SETXATTR:
      return decodeSetXattr(from, ino)
    case OP.GETXATTR: {
      const room = from.u32(BODY)
      return { op: opcode, ino, room, name: from.text(BODY + at.GETXATTR_IN.size, XATTR_NAME_MAX) }
    }
    case OP.LISTXATTR:
      return { op: opcode, ino, room: from.u32(BODY) }
    case OP.FALLOCATE:
      return {
        op: opcode,
        ino,
        fh: from.u64(BODY + at.FALLOCATE_IN.fh),
        offset: from.u64Clamped(BODY + at.FALLOCATE_IN.offset),
        length: from.u64Clamped(BODY + at.FALLOCATE_IN.length),
        flags: decodeAllocate(from.u32(BODY + at.FALLOCATE_IN.mode)),
      }
    case OP.LSEEK: {
      const whence = from.u32(BODY + at.LSEEK_IN.whence)
      const fh = from.u64(BODY + at.LSEEK_IN.fh)
      const offset = from.u64Clamped(BODY + at.LSEEK_IN.offset)
      const kind = whence === SEEK.DATA ? 'data' : whence === SEEK.HOLE ? 'hole' : undefined
      return { op: opcode, ino, fh, offset, whence: kind }
    }
    case OP.COPY_FILE_RANGE:
    case OP.COPY_FILE_RANGE_64:
      return decodeCopy(from, opcode, ino)
    default:
      return { op: 0, ino }
  }
}

function decodeForgets(from: RequestBytes): [number, number][] {
  const count = from.u32(BODY + at.BATCH_FORGET_IN.count)
  const first = BODY + at.BATCH_FORGET_IN.size
  from.need(first, count * at.FORGET_ONE.size)
  const forgets: [number, number][] = []
  for (let i = 0; i < count; i++) {
    const one = first + i * at.FORGET_ONE.size
    forgets.push([from.u64(one + at.FORGET_ONE.nodeid), from.u64(one + at.FORGET_ONE.count)])
  }
  return forgets
}

function decodeRead(
  from: RequestBytes,
  op: typeof OP.READ | typeof OP.READDIR | typeof OP.READDIRPLUS,
  ino: number,
): Request {
  from.need(BODY, at.READ_IN.size)
  const size = Math.min(from.u32(BODY + at.READ_IN.count), READ_SIZE_MAX)
  return { op, ino, fh: from.u64(BODY + at.READ_IN.fh), offset: from.u64Clamped(BODY + at.READ_IN.offset), size }
}

function decodeWrite(from: RequestBytes, ino: number): Request {
  from.need(BODY, at.WRITE_IN.size)
  const size = from.u32(BODY + at.WRITE_IN.count)
  const start = BODY + at.WRITE_IN.size
  from.need(start, size)
  const writeFlags = from.u32(BODY + at.WRITE_IN.writeFlags)
  return {
    op: OP.WRITE,
    ino,
    fh: from.u64(BODY + at.WRITE_IN.fh),
    offset: from.u64Clamped(BODY + at.WRITE_IN.offset),
    data: from.bytes.subarray(start, start + size),
    // Not O_APPEND of the descriptor: the kernel, which locks the inode, has chosen the end already, unless it was told otherwise
    // for this write (RWF_NOAPPEND), or it writes back pages of a mapping; and where it says it keeps the bytes itself.
    killSuidGid: (writeFlags & WRITE_BIT.KILL_SUIDGID) !== 0,
  }
}

function decodeRename(
  from: RequestBytes,
  op: typeof OP.RENAME | typeof OP.RENAME2,
  ino: number,
  size: number,
  flags: number,
): Request {
  const name = from.name(BODY + size)
  return { op, ino, newParent: from.u64(BODY), flags, name, newName: from.name(BODY + size + name.length + 1) }
}

export function decodeOpenFlags(flags: number, openFlags: number): OpenFlags {
  const access = flags & O.ACCESS_MODE
  return {
    read: access !== O.WRITE_ONLY,
    write: access === O.WRITE_ONLY || access === O.READ_WRITE,
    append: (flags & O.APPEND) !== 0,
    truncate: (flags & O.TRUNC) !== 0,
    exclusive: (flags & O.EXCL) !== 0,
    sync: (flags & (O.SYNC | O.DSYNC)) !== 0,
    direct: (flags & O.DIRECT) !== 0,
    noAtime: (flags & O.NOATIME) !== 0,
    killSuidGid: (openFlags & OPEN_KILL_SUIDGID) !== 0,
  }
}

function decodeChanges(from: RequestBytes): AttributeChanges {
  from.need(BODY, at.SETATTR_IN.size)
  const valid = from.u32(BODY + at.SETATTR_IN.valid)
  const has = (bit: number): boolean => (valid & bit) !== 0
  const time = (set: number, now: number, sec: number, nsec: number): Timestamp | 'now' | undefined =>
    has(now) ? 'now' : has(set) ? from.time(BODY + sec, BODY + nsec) : undefined
  return {
    mode: has(SETATTR_BIT.MODE) ? from.u32(BODY + at.SETATTR_IN.mode) & 0o7777 : undefined,
    uid: has(SETATTR_BIT.UID) ? from.u32(BODY + at.SETATTR_IN.uid) : undefined,
    gid: has(SETATTR_BIT.GID) ? from.u32(BODY + at.SETATTR_IN.gid) : undefined,
    size: has(SETATTR_BIT.SIZE) ? from.u64Clamped(BODY + at.SETATTR_IN.fileSize) : undefined,
    atime: time(SETATTR_BIT.ATIME, SETATTR_BIT.ATIME_NOW, at.SETATTR_IN.atime, at.SETATTR_IN.atimeNsec),
    mtime: time(SETATTR_BIT.MTIME, SETATTR_BIT.MTIME_NOW, at.SETATTR_IN.mtime, at.SETATTR_IN.mtimeNsec),
    ctime: has(SETATTR_BIT.CTIME) ? from.time(BODY + at.SETATTR_IN.ctime, BODY + at.SETATTR_IN.ctimeNsec) : undefined,
    fh: has(SETATTR_BIT.FH) ? from.u64(BODY + at.SETATTR_IN.fh) : undefined,
    killSuidGid: has(SETATTR_BIT.KILL_SUIDGID),
  }
}

function decodeSetXattr(from: RequestBytes, ino: number): Request {
  const valueSize = from.u32(BODY + at.SETXATTR_IN.valueSize)
  if (valueSize > XATTR_VALUE_MAX) throw malformed(`an attribute of ${valueSize} bytes`)
  const flags = from.u32(BODY + at.SETXATTR_IN.flags)
  const name = from.text(BODY + at.SETXATTR_IN.size, XATTR_NAME_MAX)
  const value = from.copy(BODY + at.SETXATTR_IN.size + name.length + 1, valueSize)
  const create = (flags & XATTR_BIT.CREATE) !== 0
  return { op: OP.SETXATTR, ino, name, value, create, replace: (flags & XATTR_BIT.REPLACE) !== 0 }
}

function decodeAllocate(mode: number): RequestOf<typeof OP.FALLOCATE>['flags'] {
  const keepSize = (mode & ALLOCATE_BIT.KEEP_SIZE) !== 0
  const punchHole = (mode & ALLOCATE_BIT.PUNCH_HOLE) !== 0
  const zeroRange = (mode & ALLOCATE_BIT.ZERO_RANGE) !== 0
  const known = ALLOCATE_BIT.KEEP_SIZE | ALLOCATE_BIT.PUNCH_HOLE | ALLOCATE_BIT.ZERO_RANGE
  if ((mode & ~known) !== 0 || (punchHole && zeroRange)) return undefined
  return { keepSize, punchHole, zeroRange }
}

function decodeCopy(
  from: RequestBytes,
  op: typeof OP.COPY_FILE_RANGE | typeof OP.COPY_FILE_RANGE_64,
  ino: number,
): Request {
  return {
    op,
    ino,
    fh: from.u64(BODY + at.COPY_IN.fhIn),
    offset: from.u64Clamped(BODY + at.COPY_IN.offsetIn),
    toIno: from.u64(BODY + at.COPY_IN.inoOut),
    toFh: from.u64(BODY + at.COPY_IN.fhOut),
    toOffset: from.u64Clamped(BODY + at.COPY_IN.offsetOut),
    length: from.u64Clamped(BODY + at.COPY_IN.length),
  }
}

function decodeOffer(from: RequestBytes): InitOffer {
  from.need(BODY, at.INIT_IN.sizeOld)
  const flagsLow = from.u32(BODY + at.INIT_IN.flags)
  const extended = (flagsLow & INIT_LOW.INIT_EXT) !== 0
  return {
    major: from.u32(BODY + at.INIT_IN.major),
    minor: from.u32(BODY + at.INIT_IN.minor),
    maxReadahead: from.u32(BODY + at.INIT_IN.maxReadahead),
    flagsLow,
    flagsHigh: extended ? from.u32(BODY + at.INIT_IN.flags2) : 0,
  }
}
