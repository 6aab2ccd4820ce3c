/**
 * Stable error codes -> errno, and back for what the native door returns. The only place in the mount that knows errno.
 * Numbers of Linux on x86, ARM and RISC-V.
 */
import { AppError } from '../../base/errors.js'
import type { FileSystemErrorCode } from './filesystem.js'

export const ERRNO = {
  EPERM: 1,
  ENOENT: 2,
  EINTR: 4,
  EIO: 5,
  ENXIO: 6,
  E2BIG: 7,
  EBADF: 9,
  EAGAIN: 11,
  ENOMEM: 12,
  EACCES: 13,
  EBUSY: 16,
  EEXIST: 17,
  EXDEV: 18,
  ENODEV: 19,
  ENOTDIR: 20,
  EISDIR: 21,
  EINVAL: 22,
  ENFILE: 23,
  ENOTTY: 25,
  EFBIG: 27,
  ENOSPC: 28,
  EROFS: 30,
  EMLINK: 31,
  ERANGE: 34,
  ENAMETOOLONG: 36,
  ENOSYS: 38,
  ENOTEMPTY: 39,
  ELOOP: 40,
  ENODATA: 61,
  EPROTO: 71,
  EOPNOTSUPP: 95,
  ECONNABORTED: 103,
  ENOTCONN: 107,
  ESTALE: 116,
  EDQUOT: 122,
} as const

const ERRNO_OF: Readonly<Record<FileSystemErrorCode, number>> = {
  'not-found': ERRNO.ENOENT,
  exists: ERRNO.EEXIST,
  'not-empty': ERRNO.ENOTEMPTY,
  'not-a-directory': ERRNO.ENOTDIR,
  'is-a-directory': ERRNO.EISDIR,
  'name-too-long': ERRNO.ENAMETOOLONG,
  'no-space': ERRNO.ENOSPC,
  'quota-exceeded': ERRNO.EDQUOT,
  'read-only': ERRNO.EROFS,
  'io-error': ERRNO.EIO,
  'invalid-argument': ERRNO.EINVAL,
  'not-permitted': ERRNO.EPERM,
  'access-denied': ERRNO.EACCES,
  'too-many-links': ERRNO.EMLINK,
  'not-supported': ERRNO.EOPNOTSUPP,
  'no-data': ERRNO.ENODATA,
  range: ERRNO.ERANGE,
  'too-big': ERRNO.E2BIG,
  stale: ERRNO.ESTALE,
  'bad-handle': ERRNO.EBADF,
  'no-such-position': ERRNO.ENXIO,
  busy: ERRNO.EBUSY,
  'cross-device': ERRNO.EXDEV,
  'file-too-large': ERRNO.EFBIG,
  'too-many-symlinks': ERRNO.ELOOP,
  interrupted: ERRNO.EINTR,
  'timed-out': ERRNO.EIO,
  offline: ERRNO.EIO,
  'too-many-open': ERRNO.ENFILE,
  'no-memory': ERRNO.ENOMEM,
}

/** undefined: not an expected failure of a file system, so EIO and a line in the log. */
export function errnoOf(error: unknown): number | undefined {
  if (!(error instanceof AppError)) return undefined
  if (error.code === 'malformed') return ERRNO.EINVAL
  return Object.hasOwn(ERRNO_OF, error.code) ? ERRNO_OF[error.code as FileSystemErrorCode] : undefined
}

/** EBUSY rather than 16, for messages. */
export function errnoName(errno: number): string {
  for (const [name, number] of Object.entries(ERRNO)) if (number === errno) return name
  return `errno ${errno}`
}
