/** One reply as the kernel reads it, put together in memory that the native door sends from. Header, then body. */
import type { Attributes, FileSystemStatistics, OpenReply, Timestamp } from './filesystem.js'
import type { InitAnswer } from './init.js'
import * as at from './offsets.js'
import { OPEN_REPLY_BIT, STATX_BASIC, STATX_BTIME } from './opcodes.js'
import { PrivilegedInodes } from './privileged-inodes.js'

const BODY = at.OUT_HEADER.size
const TWO_32 = 2 ** 32
/** What stat reports as the best size of reads and writes. */
const PREFERRED_IO_SIZE = 4096

/** How long the kernel may trust what it is told, in seconds. */
export interface CacheTimes {
  readonly entrySec: number
  readonly negativeSec: number
  readonly attributesSec: number
}

export class ReplyBytes {
  readonly view: DataView
  readonly bytes: Buffer
  readonly room: number
  readonly privileged = new PrivilegedInodes()
  private readonly times: CacheTimes
  private readonly noFlush: boolean

  /** noFlush: the file system wants no FLUSH, so the kernel need not ask even once. */
  constructor(memory: ArrayBuffer, times: CacheTimes, options: { noFlush: boolean }) {
    this.view = new DataView(memory)
    this.bytes = Buffer.from(memory)
    this.room = memory.byteLength - BODY
    this.times = times
    this.noFlush = options.noFlush
  }

  u32(offset: number, value: number): void {
    this.view.setUint32(offset, value, true)
  }

  /** Any safe integer, also a negative one. */
  u64(offset: number, value: number): void {
    this.view.setUint32(offset, value >>> 0, true)
    this.view.setInt32(offset + 4, Math.floor(value / TWO_32), true)
  }

  header(length: number, error: number, uniqueLow: number, uniqueHigh: number): void {
    this.view.setUint32(at.OUT_HEADER.length, length, true)
    this.view.setInt32(at.OUT_HEADER.error, -error, true)
    this.view.setUint32(at.OUT_HEADER.unique, uniqueLow, true)
    this.view.setUint32(at.OUT_HEADER.unique + 4, uniqueHigh, true)
  }

  attributes(offset: number, a: Attributes): void {
    this.privileged.note(a.ino, a.mode)
    this.u64(offset + at.ATTR.ino, a.ino)
    this.u64(offset + at.ATTR.fileSize, a.size)
    this.u64(offset + at.ATTR.blocks, a.blocks)
    this.u64(offset + at.ATTR.atime, a.atime.sec)
    this.u64(offset + at.ATTR.mtime, a.mtime.sec)
    this.u64(offset + at.ATTR.ctime, a.ctime.sec)
    this.u32(offset + at.ATTR.atimeNsec, a.atime.nsec)
    this.u32(offset + at.ATTR.mtimeNsec, a.mtime.nsec)
    this.u32(offset + at.ATTR.ctimeNsec, a.ctime.nsec)
    this.u32(offset + at.ATTR.mode, a.mode)
    this.u32(offset + at.ATTR.nlink, a.nlink)
    this.u32(offset + at.ATTR.uid, a.uid)
    this.u32(offset + at.ATTR.gid, a.gid)
    this.u32(offset + at.ATTR.rdev, a.rdev)
    this.u32(offset + at.ATTR.blockSize, PREFERRED_IO_SIZE)
    this.u32(offset + at.ATTR.flags, 0)
  }

  /** fuse_entry_out at `offset`; returns its size. */
  entry(offset: number, a: Attributes): number {
    this.u64(offset + at.ENTRY_OUT.nodeid, a.ino)
    this.u64(offset + at.ENTRY_OUT.generation, 0)
    this.u64(offset + at.ENTRY_OUT.entryValid, this.times.entrySec)
    this.u64(offset + at.ENTRY_OUT.attrValid, a.volatile === true ? 0 : this.times.attributesSec)
    this.u64(offset + at.ENTRY_OUT.entryValidNsec, 0)
    this.attributes(offset + at.ENTRY_OUT.attr, a)
    return at.ENTRY_OUT.size
  }

  /** An entry without an inode: in a LOOKUP reply "does not exist, remember that", in a listing "look it up". */
  noEntry(offset: number, validSec: number): number {
    this.bytes.fill(0, offset, offset + at.ENTRY_OUT.size)
    this.u64(offset + at.ENTRY_OUT.entryValid, validSec)
    return at.ENTRY_OUT.size
  }

  // The methods below write the body of a whole reply and return its size.

  entryBody(a: Attributes): number {
    return this.entry(BODY, a)
  }

  negativeBody(): number {
    return this.noEntry(BODY, this.times.negativeSec)
  }

  attributesBody(a: Attributes): number {
    this.u64(BODY + at.ATTR_OUT.attrValid, a.volatile === true ? 0 : this.times.attributesSec)
    this.u64(BODY + at.ATTR_OUT.attrValidNsec, 0)
    this.attributes(BODY + at.ATTR_OUT.attr, a)
    return at.ATTR_OUT.size
  }

  openBody(reply: OpenReply, after = 0): number {
    const flags =
      (this.noFlush ? OPEN_REPLY_BIT.NOFLUSH : 0) |
      (reply.directIo === true ? OPEN_REPLY_BIT.DIRECT_IO : 0) |
      (reply.keepCache !== false && reply.directIo !== true ? OPEN_REPLY_BIT.KEEP_CACHE : 0)
    this.u64(BODY + after + at.OPEN_OUT.fh, reply.fh)
    this.u64(BODY + after + at.OPEN_OUT.openFlags, flags)
    return after + at.OPEN_OUT.size
  }

  u32Body(value: number): number {
    this.u64(BODY, value)
    return at.WRITE_OUT.size
  }

  u64Body(value: number): number {
    this.u64(BODY, value)
    return at.LSEEK_OUT.size
  }

  zerosBody(size: number): number {
    this.bytes.fill(0, BODY, BODY + size)
    return size
  }

  statisticsBody(s: FileSystemStatistics): number {
    this.bytes.fill(0, BODY, BODY + at.STATFS_OUT.size)
    this.u64(BODY + at.STATFS_OUT.blocks, s.blocks)
    this.u64(BODY + at.STATFS_OUT.blocksFree, s.blocksFree)
    this.u64(BODY + at.STATFS_OUT.blocksAvailable, s.blocksAvailable)
    this.u64(BODY + at.STATFS_OUT.files, s.files)
    this.u64(BODY + at.STATFS_OUT.filesFree, s.filesFree)
    this.u32(BODY + at.STATFS_OUT.blockSize, s.blockSize)
    this.u32(BODY + at.STATFS_OUT.nameMax, s.nameMax)
    this.u32(BODY + at.STATFS_OUT.fragmentSize, s.blockSize)
    return at.STATFS_OUT.size
  }

  statxBody(a: Attributes): number {
    this.privileged.note(a.ino, a.mode)
    const x = BODY + at.STATX_OUT.statx
    this.bytes.fill(0, BODY, BODY + at.STATX_OUT.size)
    this.u64(BODY + at.STATX_OUT.attrValid, a.volatile === true ? 0 : this.times.attributesSec)
    this.u32(x + at.STATX.mask, a.btime === undefined ? STATX_BASIC : STATX_BASIC | STATX_BTIME)
    this.u32(x + at.STATX.blockSize, PREFERRED_IO_SIZE)
    this.u32(x + at.STATX.nlink, a.nlink)
    this.u32(x + at.STATX.uid, a.uid)
    this.u32(x + at.STATX.gid, a.gid)
    this.view.setUint16(x + at.STATX.mode, a.mode, true)
    this.u64(x + at.STATX.ino, a.ino)
    this.u64(x + at.STATX.fileSize, a.size)
    this.u64(x + at.STATX.blocks, a.blocks)
    this.statxTime(x + at.STATX.atime, a.atime)
    this.statxTime(x + at.STATX.ctime, a.ctime)
    this.statxTime(x + at.STATX.mtime, a.mtime)
    if (a.btime !== undefined) this.statxTime(x + at.STATX.btime, a.btime)
    this.u32(x + at.STATX.rdevMajor, (a.rdev & 0xfff00) >>> 8)
    this.u32(x + at.STATX.rdevMinor, (a.rdev & 0xff) | ((a.rdev >>> 12) & 0xfff00))
    return at.STATX_OUT.size
  }

  private statxTime(offset: number, time: Timestamp): void {
    this.u64(offset + at.STATX_TIME.sec, time.sec)
    this.u32(offset + at.STATX_TIME.nsec, time.nsec)
  }

  initBody(answer: InitAnswer): number {
    this.bytes.fill(0, BODY, BODY + at.INIT_OUT.size)
    this.u32(BODY + at.INIT_OUT.major, answer.major)
    this.u32(BODY + at.INIT_OUT.minor, answer.minor)
    this.u32(BODY + at.INIT_OUT.maxReadahead, answer.maxReadahead)
    this.u32(BODY + at.INIT_OUT.flags, answer.flagsLow)
    this.view.setUint16(BODY + at.INIT_OUT.maxBackground, answer.maxBackground, true)
    this.view.setUint16(BODY + at.INIT_OUT.congestionThreshold, answer.congestionThreshold, true)
    this.u32(BODY + at.INIT_OUT.maxWrite, answer.maxWrite)
    this.u32(BODY + at.INIT_OUT.timeGran, 1)
    this.view.setUint16(BODY + at.INIT_OUT.maxPages, answer.maxPages, true)
    this.u32(BODY + at.INIT_OUT.flags2, answer.flagsHigh)
    return at.INIT_OUT.size
  }
}
