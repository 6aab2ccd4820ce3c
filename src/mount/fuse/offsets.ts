/**
 * Where the fields of the kernel's structures lie, in bytes. Little or big endian as the machine is; all machines that
 * this program runs on are little endian. Offsets of a request's body count from its own start (after the header).
 */
export const IN_HEADER = {
  length: 0,
  opcode: 4,
  unique: 8,
  nodeid: 16,
  uid: 24,
  gid: 28,
  pid: 32,
  extLength: 36,
  size: 40,
}
export const OUT_HEADER = { length: 0, error: 4, unique: 8, size: 16 }

export const FORGET_IN = { count: 0, size: 8 }
export const BATCH_FORGET_IN = { count: 0, size: 8 }
export const FORGET_ONE = { nodeid: 0, count: 8, size: 16 }
export const GETATTR_IN = { flags: 0, fh: 8, size: 16 }
export const SETATTR_IN = {
  valid: 0,
  fh: 8,
  fileSize: 16,
  atime: 32,
  mtime: 40,
  ctime: 48,
  atimeNsec: 56,
  mtimeNsec: 60,
  ctimeNsec: 64,
  mode: 68,
  uid: 76,
  gid: 80,
  size: 88,
}
export const MKNOD_IN = { mode: 0, rdev: 4, umask: 8, size: 16 }
export const MKDIR_IN = { mode: 0, umask: 4, size: 8 }
export const RENAME_IN = { newParent: 0, size: 8 }
export const RENAME2_IN = { newParent: 0, flags: 8, size: 16 }
export const LINK_IN = { ino: 0, size: 8 }
export const OPEN_IN = { flags: 0, openFlags: 4, size: 8 }
export const CREATE_IN = { flags: 0, mode: 4, umask: 8, openFlags: 12, size: 16 }
export const READ_IN = { fh: 0, offset: 8, count: 16, readFlags: 20, lockOwner: 24, flags: 32, size: 40 }
export const WRITE_IN = { fh: 0, offset: 8, count: 16, writeFlags: 20, lockOwner: 24, flags: 32, size: 40 }
export const RELEASE_IN = { fh: 0, flags: 8, size: 24 }
export const FLUSH_IN = { fh: 0, size: 24 }
export const FSYNC_IN = { fh: 0, flags: 8, size: 16 }
export const SETXATTR_IN = { valueSize: 0, flags: 4, size: 8 }
export const GETXATTR_IN = { room: 0, size: 8 }
export const INIT_IN = { major: 0, minor: 4, maxReadahead: 8, flags: 12, flags2: 16, sizeOld: 16, size: 64 }
export const FALLOCATE_IN = { fh: 0, offset: 8, length: 16, mode: 24, size: 32 }
export const LSEEK_IN = { fh: 0, offset: 8, whence: 16, size: 24 }
export const COPY_IN = { fhIn: 0, offsetIn: 8, inoOut: 16, fhOut: 24, offsetOut: 32, length: 40, flags: 48, size: 56 }
export const STATX_IN = { getattrFlags: 0, fh: 8, statxFlags: 16, mask: 20, size: 24 }

export const ATTR = {
  ino: 0,
  fileSize: 8,
  blocks: 16,
  atime: 24,
  mtime: 32,
  ctime: 40,
  atimeNsec: 48,
  mtimeNsec: 52,
  ctimeNsec: 56,
  mode: 60,
  nlink: 64,
  uid: 68,
  gid: 72,
  rdev: 76,
  blockSize: 80,
  flags: 84,
  size: 88,
}
export const ENTRY_OUT = {
  nodeid: 0,
  generation: 8,
  entryValid: 16,
  attrValid: 24,
  entryValidNsec: 32,
  attrValidNsec: 36,
  attr: 40,
  size: 128,
}
export const ATTR_OUT = { attrValid: 0, attrValidNsec: 8, attr: 16, size: 104 }
export const OPEN_OUT = { fh: 0, openFlags: 8, size: 16 }
export const WRITE_OUT = { count: 0, size: 8 }
export const LSEEK_OUT = { offset: 0, size: 8 }
export const STATFS_OUT = {
  blocks: 0,
  blocksFree: 8,
  blocksAvailable: 16,
  files: 24,
  filesFree: 32,
  blockSize: 40,
  nameMax: 44,
  fragmentSize: 48,
  size: 80,
}
export const INIT_OUT = {
  major: 0,
  minor: 4,
  maxReadahead: 8,
  flags: 12,
  maxBackground: 16,
  congestionThreshold: 18,
  maxWrite: 20,
  timeGran: 24,
  maxPages: 28,
  mapAlignment: 30,
  flags2: 32,
  size: 64,
}
export const IOCTL_IN = { fh: 0, flags: 8, command: 12, argument: 16, inSize: 24, outSize: 28, size: 32 }
/** Result and flags, the counts of a conversation that this door does not hold; the bytes asked for follow. */
export const IOCTL_OUT = { result: 0, flags: 4, inCount: 8, outCount: 12, size: 16 }
export const DIRENT = { ino: 0, offset: 8, nameLength: 16, type: 20, name: 24 }
/** A readdirplus entry is an ENTRY_OUT followed by a DIRENT; both kinds are padded to 8 bytes. */
export const DIRENT_ALIGN = 8

/** statx reply: validity, then the kernel's struct statx as FUSE lays it out. */
export const STATX_OUT = { attrValid: 0, attrValidNsec: 8, statx: 32, size: 288 }
export const STATX = {
  mask: 0,
  blockSize: 4,
  attributes: 8,
  nlink: 16,
  uid: 20,
  gid: 24,
  mode: 28,
  ino: 32,
  fileSize: 40,
  blocks: 48,
  attributesMask: 56,
  atime: 64,
  btime: 80,
  ctime: 96,
  mtime: 112,
  rdevMajor: 128,
  rdevMinor: 132,
  devMajor: 136,
  devMinor: 140,
}
/** Within each of STATX's times. */
export const STATX_TIME = { sec: 0, nsec: 8 }

export const NOTIFY_INVAL_INODE_OUT = { ino: 0, offset: 8, length: 16, size: 24 }
export const NOTIFY_INVAL_ENTRY_OUT = { parent: 0, nameLength: 8, flags: 12, size: 16 }
export const NOTIFY_DELETE_OUT = { parent: 0, child: 8, nameLength: 16, size: 24 }

export function paddedDirentSize(nameLength: number): number {
  return Math.ceil((DIRENT.name + nameLength) / DIRENT_ALIGN) * DIRENT_ALIGN
}
