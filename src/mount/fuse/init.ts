/**
 * The first request of a mount: kernel and door agree on a version, on features and on limits.
 *
 * Asked for: parallel operations in one directory, readdirplus, requests of 1 MiB, cached symlinks, O_TRUNC on open,
 * and that the file system clears setuid and setgid itself (HANDLE_KILLPRIV_V2; otherwise every write asks for an xattr).
 * The page cache is only dropped when we say so (EXPLICIT_INVAL_DATA): nobody changes bytes behind the mount.
 * Not asked for: direct I/O behind the back of who asks for it (ASYNC_DIO: the kernel does not drop cached pages when such a write ends, and
 * others read old bytes, against S-14), the write-back cache (a write would be acknowledged that nobody has seen: docs/adr/0013), locks (the kernel keeps
 * them by itself), POSIX ACLs, NFS export (inode numbers would have to outlive the mount).
 */
import { AppError } from '../../base/errors.js'
import { INIT_HIGH, INIT_LOW, PROTOCOL_MAJOR, PROTOCOL_MINOR, PROTOCOL_MINOR_MIN } from './opcodes.js'
import type { InitOffer } from './request.js'

const WANTED_LOW =
  INIT_LOW.ASYNC_READ |
  INIT_LOW.ATOMIC_O_TRUNC |
  INIT_LOW.BIG_WRITES |
  INIT_LOW.DO_READDIRPLUS |
  INIT_LOW.READDIRPLUS_AUTO |
  INIT_LOW.PARALLEL_DIROPS |
  INIT_LOW.ABORT_ERROR |
  INIT_LOW.MAX_PAGES |
  INIT_LOW.CACHE_SYMLINKS |
  INIT_LOW.EXPLICIT_INVAL_DATA |
  INIT_LOW.HANDLE_KILLPRIV_V2 |
  INIT_LOW.INIT_EXT
const WANTED_HIGH = INIT_HIGH.DIRECT_IO_ALLOW_MMAP | INIT_HIGH.NO_EXPORT_SUPPORT

export const REQUEST_DATA_MAX = 1 << 20
const READAHEAD_MAX = 1 << 20
/** Asynchronous requests (readahead, direct I/O, RELEASE) that the kernel lets be under way at once. */
const BACKGROUND_MAX = 256
/** From here on the kernel calls the mount congested and readahead holds back. */
const CONGESTED_AT = 192
/** Requests of 1 MiB in pages of 4 KiB; larger pages need fewer, and the kernel takes the smaller of its limits. */
const PAGES_MAX = 256

export interface InitAnswer {
  readonly major: number
  readonly minor: number
  readonly maxReadahead: number
  readonly flagsLow: number
  readonly flagsHigh: number
  readonly maxBackground: number
  readonly congestionThreshold: number
  readonly maxWrite: number
  readonly maxPages: number
}

/** Throws `kernel-too-old`. A kernel of a newer major version gets ours and asks again. */
export function negotiate(offer: InitOffer): InitAnswer {
  const older = offer.major < PROTOCOL_MAJOR || (offer.major === PROTOCOL_MAJOR && offer.minor < PROTOCOL_MINOR_MIN)
  if (older) {
    throw new AppError('kernel-too-old', `the kernel speaks FUSE ${offer.major}.${offer.minor}, 7.31 is needed`, {
      hint: 'use Linux 5.4 or newer',
    })
  }
  return {
    major: PROTOCOL_MAJOR,
    minor: offer.major > PROTOCOL_MAJOR ? PROTOCOL_MINOR : Math.min(offer.minor, PROTOCOL_MINOR),
    maxReadahead: Math.min(offer.maxReadahead, READAHEAD_MAX),
    flagsLow: offer.flagsLow & WANTED_LOW,
    flagsHigh: offer.flagsHigh & WANTED_HIGH,
    maxBackground: BACKGROUND_MAX,
    congestionThreshold: CONGESTED_AT,
    maxWrite: REQUEST_DATA_MAX,
    maxPages: PAGES_MAX,
  }
}
