/**
 * The ioctls by which lsattr, chattr and xfs_io ask for inode flags. A file here has none and gets none: none is what is told, leaving it
 * so is success, and any other is refused as not supported, so that nobody believes that a file is immutable. Other ioctls are not known
 * (ENOTTY); what this drive says of a file is in extended attributes (S-18).
 */
import { ERRNO } from './errno.js'
import * as at from './offsets.js'
import { OP } from './opcodes.js'
import type { RequestOf } from './request.js'
import type { RequestBytes } from './request-bytes.js'

const BODY = at.IN_HEADER.size

/** linux/fs.h, on machines of 64 bits. */
export const IOCTL = {
  FS_IOC_GETFLAGS: 0x80086601,
  FS_IOC_SETFLAGS: 0x40086602,
  FS_IOC_FSGETXATTR: 0x801c581f,
  FS_IOC_FSSETXATTR: 0x401c5820,
} as const
/** struct fsxattr, the larger of the two answers. */
const ANSWER_SIZE_MAX = 28

export function decodeIoctl(from: RequestBytes, ino: number): RequestOf<typeof OP.IOCTL> {
  from.need(BODY, at.IOCTL_IN.size)
  const inSize = from.u32(BODY + at.IOCTL_IN.inSize)
  const start = BODY + at.IOCTL_IN.size
  from.need(start, inSize)
  const allZero = !from.bytes.subarray(start, start + inSize).some((byte) => byte !== 0)
  const [command, outSize] = [from.u32(BODY + at.IOCTL_IN.command), from.u32(BODY + at.IOCTL_IN.outSize)]
  return { op: OP.IOCTL, ino, command, outSize, allZero }
}

/** An errno, or 0: then the answer is `outSize` bytes of zeros. */
export function flagsOutcome({ command, outSize, allZero }: RequestOf<typeof OP.IOCTL>): number {
  switch (command) {
    case IOCTL.FS_IOC_GETFLAGS:
    case IOCTL.FS_IOC_FSGETXATTR:
      return outSize > ANSWER_SIZE_MAX ? ERRNO.EINVAL : 0
    case IOCTL.FS_IOC_SETFLAGS:
    case IOCTL.FS_IOC_FSSETXATTR:
      return allZero && outSize === 0 ? 0 : ERRNO.EOPNOTSUPP
    default:
      return ERRNO.ENOTTY
  }
}
