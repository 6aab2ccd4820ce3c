/** Numbers of the FUSE kernel protocol: requests, flags and notifications. linux/fuse.h is where they are from. */

export const ROOT_INO = 1
export const PROTOCOL_MAJOR = 7
/** The newest minor version whose layouts are in offsets.ts. */
export const PROTOCOL_MINOR = 41
/** Linux 5.4. Older kernels lack what the door relies on (MAX_PAGES, 64-byte INIT). */
export const PROTOCOL_MINOR_MIN = 31

export const OP = {
  LOOKUP: 1,
  FORGET: 2,
  GETATTR: 3,
  SETATTR: 4,
  READLINK: 5,
  SYMLINK: 6,
  MKNOD: 8,
  MKDIR: 9,
  UNLINK: 10,
  RMDIR: 11,
  RENAME: 12,
  LINK: 13,
  OPEN: 14,
  READ: 15,
  WRITE: 16,
  STATFS: 17,
  RELEASE: 18,
  FSYNC: 20,
  SETXATTR: 21,
  GETXATTR: 22,
  LISTXATTR: 23,
  REMOVEXATTR: 24,
  FLUSH: 25,
  INIT: 26,
  OPENDIR: 27,
  READDIR: 28,
  RELEASEDIR: 29,
  FSYNCDIR: 30,
  ACCESS: 34,
  CREATE: 35,
  INTERRUPT: 36,
  DESTROY: 38,
  IOCTL: 39,
  BATCH_FORGET: 42,
  FALLOCATE: 43,
  READDIRPLUS: 44,
  RENAME2: 45,
  LSEEK: 46,
  COPY_FILE_RANGE: 47,
  SYNCFS: 50,
  TMPFILE: 51,
  STATX: 52,
  COPY_FILE_RANGE_64: 53,
} as const

/** Bits of INIT: `low` is `flags`, `high` is `flags2`. */
export const INIT_LOW = {
  ASYNC_READ: 1 << 0,
  ATOMIC_O_TRUNC: 1 << 3,
  BIG_WRITES: 1 << 5,
  DO_READDIRPLUS: 1 << 13,
  READDIRPLUS_AUTO: 1 << 14,
  ASYNC_DIO: 1 << 15,
  PARALLEL_DIROPS: 1 << 18,
  ABORT_ERROR: 1 << 21,
  MAX_PAGES: 1 << 22,
  CACHE_SYMLINKS: 1 << 23,
  EXPLICIT_INVAL_DATA: 1 << 25,
  HANDLE_KILLPRIV_V2: 1 << 28,
  INIT_EXT: 1 << 30,
} as const

export const INIT_HIGH = {
  DIRECT_IO_ALLOW_MMAP: 1 << 4,
  NO_EXPORT_SUPPORT: 1 << 6,
} as const

export const SETATTR_BIT = {
  MODE: 1 << 0,
  UID: 1 << 1,
  GID: 1 << 2,
  SIZE: 1 << 3,
  ATIME: 1 << 4,
  MTIME: 1 << 5,
  FH: 1 << 6,
  ATIME_NOW: 1 << 7,
  MTIME_NOW: 1 << 8,
  CTIME: 1 << 10,
  KILL_SUIDGID: 1 << 11,
} as const

export const GETATTR_FH = 1 << 0
export const FSYNC_DATA_ONLY = 1 << 0
export const WRITE_BIT = { KILL_SUIDGID: 1 << 2 } as const
export const OPEN_KILL_SUIDGID = 1 << 0
export const OPEN_REPLY_BIT = { DIRECT_IO: 1 << 0, KEEP_CACHE: 1 << 1, NOFLUSH: 1 << 5 } as const
export const RENAME_BIT = { NOREPLACE: 1 << 0, EXCHANGE: 1 << 1 } as const
export const XATTR_BIT = { CREATE: 1 << 0, REPLACE: 1 << 1 } as const
export const ALLOCATE_BIT = { KEEP_SIZE: 1 << 0, PUNCH_HOLE: 1 << 1, ZERO_RANGE: 1 << 4 } as const
export const SEEK = { DATA: 3, HOLE: 4 } as const
export const STATX_BASIC = 0x7ff
export const STATX_BTIME = 0x800

export const NOTIFY = { INVAL_INODE: 2, INVAL_ENTRY: 3, DELETE: 6 } as const

/** Open flags that differ between machine types are not looked at, except O_DIRECT. */
export const O = {
  ACCESS_MODE: 0o3,
  WRITE_ONLY: 0o1,
  READ_WRITE: 0o2,
  EXCL: 0o200,
  TRUNC: 0o1000,
  APPEND: 0o2000,
  DSYNC: 0o10000,
  DIRECT: process.arch === 'arm64' || process.arch === 'arm' ? 0o200000 : 0o40000,
  NOATIME: 0o1000000,
  SYNC: 0o4000000,
} as const
