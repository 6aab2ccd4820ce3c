/**
 * Attributes and space as fuse-native's C side takes them: arrays of 32-bit words. Sizes, blocks and times have two words; times are
 * milliseconds since 1970, so what lies before shows as 1970. Inode numbers have one word: an inode beyond it is refused, since
 * a number cut short would be that of another file.
 */
import { AppError } from '../../base/errors.js'
import type { Attributes, FileSystemStatistics, Timestamp } from '../fuse/filesystem.js'

const STAT_WORDS = 18
const STATFS_WORDS = 11
const WORD_MAX = 2 ** 32 - 1
const TWO_32 = 2 ** 32
const PREFERRED_IO_SIZE = 4096
/** libfuse's own "unknown", in listings. */
const UNKNOWN_INO = WORD_MAX

/** st_mode, st_uid, st_gid, st_size (2), st_dev, st_nlink, st_ino, st_rdev, st_blksize, st_blocks (2), three times (2 each). */
export function statWords(a: Attributes, nlink = a.nlink): Uint32Array {
  if (a.ino > WORD_MAX) throw new AppError('not-supported', 'this door shows inode numbers of 32 bits')
  const words = new Uint32Array(STAT_WORDS)
  words[0] = a.mode
  words[1] = a.uid
  words[2] = a.gid
  setPair(words, 3, a.size)
  words[6] = nlink
  words[7] = a.ino
  words[8] = a.rdev
  words[9] = PREFERRED_IO_SIZE
  setPair(words, 10, a.blocks)
  setPair(words, 12, millisecondsOf(a.atime))
  setPair(words, 14, millisecondsOf(a.mtime))
  setPair(words, 16, millisecondsOf(a.ctime))
  return words
}

/** For a listing, which tells no more than what a thing is. */
export function entryWords(ino: number, mode: number): Uint32Array {
  const words = new Uint32Array(STAT_WORDS)
  words[0] = mode
  words[7] = ino > WORD_MAX ? UNKNOWN_INO : ino
  return words
}

/** f_bsize, f_frsize, f_blocks, f_bfree, f_bavail, f_files, f_ffree, f_favail, f_fsid, f_flag, f_namemax. */
export function statfsWords(s: FileSystemStatistics): Uint32Array {
  let unit = 1
  while (s.blocks / unit > WORD_MAX) unit *= 2
  const inUnits = (blocks: number): number => Math.floor(blocks / unit)
  const files = Math.min(s.files, WORD_MAX)
  const filesFree = Math.min(s.filesFree, WORD_MAX)
  const words = new Uint32Array(STATFS_WORDS)
  words[0] = s.blockSize
  words[1] = s.blockSize * unit
  words[2] = inUnits(s.blocks)
  words[3] = inUnits(s.blocksFree)
  words[4] = inUnits(s.blocksAvailable)
  words[5] = files
  words[6] = filesFree
  words[7] = filesFree
  words[10] = s.nameMax
  return words
}

export function millisecondsOf(time: Timestamp): number {
  return Math.max(0, time.sec * 1000 + Math.floor(time.nsec / 1_000_000))
}

export function timestampOf(ms: number): Timestamp {
  const sec = Math.floor(ms / 1000)
  return { sec, nsec: (ms - sec * 1000) * 1_000_000 }
}

function setPair(words: Uint32Array, at: number, value: number): void {
  words[at] = value % TWO_32
  words[at + 1] = Math.floor(value / TWO_32)
}
