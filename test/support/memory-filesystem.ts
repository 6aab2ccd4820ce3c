/**
 * A FileSystem in memory: the smallest honest conformer of src/mount/fuse/filesystem.ts. For tests of the door, as a
 * reference for the vfs, and to measure what the door alone costs. Answers everything at once.
 */
import type {
  AllocateFlags,
  AttributeChanges,
  Attributes,
  CreateReply,
  DirectoryEntry,
  FileSystem,
  FileSystemStatistics,
  OpenFlags,
  OpenReply,
  RequestContext,
  Timestamp,
} from '../../src/mount/fuse/filesystem.js'
import { DIRECTORY, keyOf, now, REGULAR, SYMLINK, TYPE_MASK } from './memory-inodes.js'
import { failure, MemoryTree, NAME_MAX } from './memory-tree.js'

const SETGID = 0o2000
/** A copy may be short; the caller asks again. */
const COPY_MAX = 1 << 20

export class MemoryFileSystem extends MemoryTree implements FileSystem {
  readonly birthTimes: boolean
  /** For tests: what came in last, and how much at once. */
  readonly seen = { largestWrite: 0, largestRead: 0, lastCaller: { uid: -1, gid: -1, pid: -1 }, releases: 0, fsyncs: 0 }

  constructor(options: { birthTimes?: boolean } = {}) {
    super()
    this.birthTimes = options.birthTimes === true
  }

  lookup(parent: number, name: Buffer): Attributes | null {
    if (name.length > NAME_MAX) throw failure('name-too-long')
    const inode = this.directory(parent).entries.get(keyOf(name))?.inode
    if (inode === undefined) return null
    inode.lookups++
    return inode
  }

  forget(ino: number, count: number): void {
    const inode = this.inodes.get(ino)
    if (inode === undefined || ino === 1) return
    inode.lookups -= count
    this.drop(inode)
  }

  remember(ino: number): void {
    this.inode(ino).lookups++
  }

  getAttributes(ino: number): Attributes {
    return this.inode(ino)
  }

  setAttributes(ino: number, changes: AttributeChanges): Attributes {
    const inode = this.inode(ino)
    const type = inode.mode & TYPE_MASK
    if (changes.mode !== undefined) inode.mode = type | changes.mode
    if (changes.uid !== undefined || changes.gid !== undefined) {
      inode.uid = changes.uid ?? inode.uid
      inode.gid = changes.gid ?? inode.gid
      if (!inode.isDirectory) inode.killSuidGid()
    }
    if (changes.size !== undefined) {
      inode.resize(changes.size)
      inode.mtime = now()
      if (changes.killSuidGid) inode.killSuidGid()
    }
    inode.atime = timeOf(changes.atime, inode.atime)
    inode.mtime = timeOf(changes.mtime, inode.mtime)
    inode.ctime = changes.ctime ?? now()
    return inode
  }

  readLink(ino: number): Buffer {
    const { target } = this.inode(ino)
    if (target === undefined) throw failure('invalid-argument')
    return target
  }

  makeSymlink(parent: number, name: Buffer, target: Buffer, ctx: RequestContext): Attributes {
    return this.make(parent, name, SYMLINK | 0o777, ctx, target)
  }

  makeNode(parent: number, name: Buffer, mode: number, rdev: number, ctx: RequestContext): Attributes {
    const inode = this.make(parent, name, mode, ctx)
    inode.rdev = rdev
    return inode
  }

  makeDirectory(parent: number, name: Buffer, mode: number, ctx: RequestContext): Attributes {
    const directory = this.directory(parent)
    const inode = this.make(parent, name, DIRECTORY | mode | (directory.mode & SETGID), ctx)
    inode.nlink = 2
    inode.parent = directory
    directory.nlink++
    return inode
  }

  link(ino: number, newParent: number, newName: Buffer): Attributes {
    const inode = this.inode(ino)
    const directory = this.directory(newParent)
    if (directory.entries.has(keyOf(newName))) throw failure('exists')
    directory.add(newName, inode)
    inode.nlink++
    inode.ctime = now()
    inode.lookups++
    return inode
  }

  unlink(parent: number, name: Buffer): void {
    const inode = this.child(parent, name)
    if (inode.isDirectory) throw failure('is-a-directory')
    this.directory(parent).remove(name)
    this.unlinked(inode)
  }

  removeDirectory(parent: number, name: Buffer): void {
    const inode = this.child(parent, name)
    if (!inode.isDirectory) throw failure('not-a-directory')
    if (inode.entries.size > 0) throw failure('not-empty')
    this.directory(parent).remove(name)
    this.directory(parent).nlink--
    inode.nlink = 0
    this.drop(inode)
  }

  rename(
    parent: number,
    name: Buffer,
    newParent: number,
    newName: Buffer,
    flags: { noReplace: boolean; exchange: boolean },
  ): void {
    const [from, to] = [this.directory(parent), this.directory(newParent)]
    const inode = this.child(parent, name)
    const other = to.entries.get(keyOf(newName))?.inode
    if (flags.noReplace && other !== undefined) throw failure('exists')
    if (flags.exchange && other === undefined) throw failure('not-found')
    if (other === inode) return
    if (other !== undefined && !flags.exchange) {
      if (other.isDirectory) this.removeDirectory(newParent, newName)
      else this.unlink(newParent, newName)
    }
    from.remove(name)
    if (other !== undefined && flags.exchange) {
      to.remove(newName)
      this.place(from, name, other, to)
    }
    this.place(to, newName, inode, from)
    inode.ctime = now()
  }

  open(ino: number, flags: OpenFlags, ctx: RequestContext): OpenReply {
    this.seen.lastCaller = { uid: ctx.uid, gid: ctx.gid, pid: ctx.pid }
    const inode = this.inode(ino)
    if (flags.truncate) {
      inode.resize(0)
      inode.touch()
      if (flags.killSuidGid) inode.killSuidGid()
    }
    return { fh: this.handleOn(inode) }
  }

  create(parent: number, name: Buffer, mode: number, flags: OpenFlags, ctx: RequestContext): CreateReply {
    this.seen.lastCaller = { uid: ctx.uid, gid: ctx.gid, pid: ctx.pid }
    const there = this.directory(parent).entries.get(keyOf(name))?.inode
    if (there !== undefined && flags.exclusive) throw failure('exists')
    if (there === undefined) {
      const inode = this.make(parent, name, REGULAR | mode, ctx)
      return { attributes: inode, fh: this.handleOn(inode) }
    }
    there.lookups++
    return { attributes: there, ...this.open(there.ino, flags, ctx) }
  }

  tmpFile(parent: number, mode: number, _flags: OpenFlags, ctx: RequestContext): CreateReply {
    const inode = this.newInode(this.directory(parent), REGULAR | mode, ctx)
    inode.nlink = 0
    return { attributes: inode, fh: this.handleOn(inode) }
  }

  read(ino: number, _fh: number, offset: number, size: number): readonly Buffer[] {
    this.seen.largestRead = Math.max(this.seen.largestRead, size)
    return this.inode(ino).readAt(offset, size)
  }

  write(
    ino: number,
    _fh: number,
    offset: number,
    data: Buffer,
    options: { append: boolean; killSuidGid: boolean },
  ): number {
    this.seen.largestWrite = Math.max(this.seen.largestWrite, data.length)
    const inode = this.inode(ino)
    inode.writeAt(options.append ? inode.size : offset, data)
    inode.touch()
    if (options.killSuidGid) inode.killSuidGid()
    return data.length
  }

  fsync(): void {
    this.seen.fsyncs++
  }

  release(_ino: number, fh: number): void {
    const inode = this.handles.get(fh)
    if (inode === undefined) throw failure('bad-handle')
    this.handles.delete(fh)
    inode.handles--
    this.seen.releases++
    this.drop(inode)
  }

  allocate(ino: number, _fh: number, offset: number, length: number, flags: AllocateFlags): void {
    const inode = this.inode(ino)
    if (flags.punchHole || flags.zeroRange) inode.zero(offset, length)
    if (!flags.keepSize) inode.size = Math.max(inode.size, offset + length)
    if (flags.killSuidGid) inode.killSuidGid()
    inode.touch()
  }

  seek(ino: number, _fh: number, offset: number, whence: 'data' | 'hole'): number {
    const found = this.inode(ino).seek(offset, whence === 'hole')
    if (found === undefined) throw failure('no-such-position')
    return found
  }

  copyRange(
    from: { ino: number; offset: number },
    to: { ino: number; offset: number; killSuidGid: boolean },
    length: number,
  ): number {
    const data = Buffer.concat(this.inode(from.ino).readAt(from.offset, Math.min(length, COPY_MAX)))
    this.inode(to.ino).writeAt(to.offset, data)
    this.inode(to.ino).touch()
    if (to.killSuidGid) this.inode(to.ino).killSuidGid()
    return data.length
  }

  openDirectory(ino: number): { fh: number } {
    return { fh: this.handleOn(this.directory(ino)) }
  }

  *readDirectory(ino: number, _fh: number, offset: number): Iterable<DirectoryEntry> {
    const directory = this.directory(ino)
    const parent = directory.parent ?? directory
    if (offset < 1) yield { name: Buffer.from('.'), ino, mode: directory.mode, cookie: 1 }
    if (offset < 2) yield { name: Buffer.from('..'), ino: parent.ino, mode: parent.mode, cookie: 2 }
    for (const { name, inode, cookie } of directory.entries.values()) {
      if (cookie > offset) yield { name, ino: inode.ino, mode: inode.mode, cookie, attributes: inode }
    }
  }

  releaseDirectory(ino: number, fh: number): void {
    this.release(ino, fh)
  }

  fsyncDirectory(): void {
    this.seen.fsyncs++
  }

  getXattr(ino: number, name: Buffer): Buffer | null {
    return this.inode(ino).xattrs.get(keyOf(name)) ?? null
  }

  listXattr(ino: number): Buffer[] {
    return [...this.inode(ino).xattrs.keys()].map((key) => Buffer.from(key, 'latin1'))
  }

  setXattr(ino: number, name: Buffer, value: Buffer, flags: { create: boolean; replace: boolean }): void {
    const { xattrs } = this.inode(ino)
    if (flags.create && xattrs.has(keyOf(name))) throw failure('exists')
    if (flags.replace && !xattrs.has(keyOf(name))) throw failure('no-data')
    xattrs.set(keyOf(name), value)
  }

  removeXattr(ino: number, name: Buffer): void {
    if (!this.inode(ino).xattrs.delete(keyOf(name))) throw failure('no-data')
  }

  statistics(): FileSystemStatistics {
    const blocks = 2 ** 33
    const [files, filesFree] = [2 ** 32, 2 ** 32 - this.inodes.size]
    return { blockSize: 4096, blocks, blocksFree: blocks, blocksAvailable: blocks, files, filesFree, nameMax: NAME_MAX }
  }

  syncAll(): void {
    this.seen.fsyncs++
  }
}

function timeOf(change: Timestamp | 'now' | undefined, before: Timestamp): Timestamp {
  return change === 'now' ? now() : (change ?? before)
}
