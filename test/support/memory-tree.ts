/** The tables of the in-memory file system: inodes by number, open handles, and the steps that keep their counts. */
import { AppError } from '../../src/base/errors.js'
import type { FileSystemErrorCode, RequestContext } from '../../src/mount/fuse/filesystem.js'
import { DIRECTORY, Inode, keyOf, now } from './memory-inodes.js'

const SETGID = 0o2000
export const NAME_MAX = 255

export const failure = (code: FileSystemErrorCode): AppError => new AppError(code, code)

export class MemoryTree {
  readonly inodes = new Map<number, Inode>()
  readonly handles = new Map<number, Inode>()
  private nextIno = 2
  private nextHandle = 1

  constructor() {
    const root = new Inode(1, DIRECTORY | 0o755, { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 })
    root.nlink = 2
    root.parent = root
    this.inodes.set(1, root)
  }

  protected inode(ino: number): Inode {
    const inode = this.inodes.get(ino)
    if (inode === undefined) throw failure('stale')
    return inode
  }

  protected directory(ino: number): Inode {
    const inode = this.inode(ino)
    if (!inode.isDirectory) throw failure('not-a-directory')
    return inode
  }

  protected child(parent: number, name: Buffer): Inode {
    const dentry = this.directory(parent).entries.get(keyOf(name))
    if (dentry === undefined) throw failure('not-found')
    return dentry.inode
  }

  protected make(parent: number, name: Buffer, mode: number, ctx: RequestContext, target?: Buffer): Inode {
    if (name.length > NAME_MAX) throw failure('name-too-long')
    const directory = this.directory(parent)
    if (directory.entries.has(keyOf(name))) throw failure('exists')
    const inode = this.newInode(directory, mode, ctx, target)
    directory.add(name, inode)
    return inode
  }

  protected newInode(directory: Inode, mode: number, ctx: RequestContext, target?: Buffer): Inode {
    const gid = (directory.mode & SETGID) === 0 ? ctx.gid : directory.gid
    const inode = new Inode(this.nextIno++, mode, { uid: ctx.uid, gid }, target)
    inode.lookups = 1
    this.inodes.set(inode.ino, inode)
    return inode
  }

  protected place(directory: Inode, name: Buffer, inode: Inode, before: Inode): void {
    directory.add(name, inode)
    if (!inode.isDirectory) return
    before.nlink--
    directory.nlink++
    inode.parent = directory
  }

  protected handleOn(inode: Inode): number {
    const fh = this.nextHandle++
    this.handles.set(fh, inode)
    inode.handles++
    return fh
  }

  protected unlinked(inode: Inode): void {
    inode.nlink--
    inode.ctime = now()
    this.drop(inode)
  }

  protected drop(inode: Inode): void {
    if (inode.nlink === 0 && inode.lookups <= 0 && inode.handles === 0) this.inodes.delete(inode.ino)
  }
}
