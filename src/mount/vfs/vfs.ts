/**
 * The rules of the drive: what POSIX promises, over a ledger that owns the truth and a reader that has the bytes. Both doors
 * speak to this class; nothing here knows errno or a kernel.
 *
 * Metadata never waits for the network: only read() of bytes that are not here does. Access times are kept when they are
 * set and do not follow reads (noatime). What is promised, clause by clause: docs/semantics.md.
 */

import { AppError } from '../../base/errors.js'
import { failpoint } from '../../base/failpoint.js'
import type * as fs from '../fuse/filesystem.js'
import { type BatchChanges, changedNames } from '../metadata/batch-changes.js'
import type { Inode } from '../metadata/types.js'
import * as attributes from './attributes.js'
import { Directories } from './directories.js'
import * as files from './files.js'
import { ROOT_INO } from './inode-table.js'
import * as names from './names.js'
import { NOTICE_HANDLE, NOTICE_INO, Notice } from './notice.js'
import type { Outdated } from './ports.js'
import { type VfsParts, VfsState } from './state.js'
import * as xattrs from './xattrs.js'

type Ctx = fs.RequestContext
type Maybe<T> = fs.MaybePromise<T>

export class Vfs implements fs.FileSystem {
  readonly birthTimes = true
  private readonly state: VfsState
  private readonly notice: Notice
  private readonly directories: Directories

  private constructor(state: VfsState) {
    this.state = state
    this.notice = new Notice(state.parts.notice)
    this.directories = new Directories(state, () => this.noticed())
  }

  /** Loads the root, ends orphans that a crash has left. `owner`: gets the root of a drive that nothing happened to yet. */
  static async start(parts: VfsParts, owner: { uid: number; gid: number }): Promise<Vfs> {
    const state = new VfsState(parts)
    let root = await parts.ledger.attributes(ROOT_INO)
    if (parts.ledger.readOnlyReason() === null) {
      await parts.ledger.reapOrphans()
      failpoint('mount.start.reaped')
      if (root.ctime.sec === 0 && root.ctime.nsec === 0) {
        const time = state.time()
        const times = { atime: time, mtime: time, ctime: time, time }
        root = state.learn(await parts.ledger.setAttributes({ ino: ROOT_INO, ...owner, ...times }))
      }
    }
    // Never forgotten.
    state.table.hold(root)
    return new Vfs(state)
  }

  /** A batch of the chain changed the tree: what was remembered of it is asked anew. Answers what the kernel may remember of it. */
  changedBehind(changes: BatchChanges): Outdated {
    const { fresh, table } = this.state
    fresh.forgetAll()
    this.directories.changedBehind()
    const inodes = [...changes.inodes].filter((ino) => table.get(ino) !== undefined)
    for (const ino of inodes) table.stale(ino, changes.asOf)
    // Without the directory it cannot know a name in it, nor that there is none.
    const names = [...changedNames(changes)].filter(({ parent }) => table.get(parent) !== undefined)
    return { inodes, names }
  }

  /** For the staging buffer: the ledger took (or refused) what was written. */
  written(ino: number, writes: number, result: Inode | Error): void {
    this.state.table.written(ino, writes, result)
  }

  /** After the unmount: hands over what is gathered, ends files that were only held open. The ledger is closed by others. */
  async stop(): Promise<void> {
    const { ledger, staging } = this.state.parts
    staging.flush()
    if (ledger.readOnlyReason() === null) await ledger.reapOrphans()
    await ledger.sync()
  }

  /** Open files and directories, for a clean end. */
  get openHandles(): number {
    return this.state.openHandles
  }

  /** Inodes in memory. */
  get inodesHeld(): number {
    return this.state.table.size
  }

  lookup(parent: number, name: Buffer): Maybe<fs.Attributes | null> {
    const found = names.lookup(this.state, parent, name)
    if (!this.notice.isName(parent, name)) return found
    return Promise.resolve(found).then((inode) => inode ?? this.noticed())
  }
  private noticed(): fs.Attributes | null {
    const root = this.state.table.get(ROOT_INO)?.inode
    return root === undefined ? null : this.notice.attributes(root)
  }
  forget(ino: number, count: number): void {
    this.state.table.forget(ino, count)
  }
  remember(ino: number): void {
    this.directories.remember(ino)
  }

  getAttributes(ino: number): Maybe<fs.Attributes> {
    if (ino === NOTICE_INO) return this.noticed() ?? gone()
    return attributes.getAttributes(this.state, ino)
  }
  setAttributes(ino: number, changes: fs.AttributeChanges): Promise<fs.Attributes> {
    return attributes.setAttributes(this.state, ino, changes)
  }
  readLink(ino: number): Promise<Buffer> {
    return attributes.readLink(this.state, ino)
  }

  makeSymlink(parent: number, name: Buffer, target: Buffer, ctx: Ctx): Promise<fs.Attributes> {
    return names.makeSymlink(this.state, parent, name, target, ctx)
  }
  makeNode(parent: number, name: Buffer, mode: number, rdev: number, ctx: Ctx): Promise<fs.Attributes> {
    return names.make(this.state, { parent, name, mode, rdev }, ctx)
  }
  makeDirectory(parent: number, name: Buffer, mode: number, ctx: Ctx): Promise<fs.Attributes> {
    return names.makeDirectory(this.state, parent, name, mode, ctx)
  }
  link(ino: number, newParent: number, newName: Buffer): Promise<fs.Attributes> {
    return names.link(this.state, ino, newParent, newName)
  }
  unlink(parent: number, name: Buffer): Promise<void> {
    return names.remove(this.state, parent, name, 'file')
  }
  removeDirectory(parent: number, name: Buffer): Promise<void> {
    return names.remove(this.state, parent, name, 'directory')
  }
  rename(
    parent: number,
    name: Buffer,
    newParent: number,
    newName: Buffer,
    flags: { readonly noReplace: boolean; readonly exchange: boolean },
  ): Promise<void> {
    return names.rename(this.state, { parent, name }, { parent: newParent, name: newName }, flags)
  }

  open(ino: number, flags: fs.OpenFlags): Promise<fs.OpenReply> {
    if (ino === NOTICE_INO) {
      if (flags.write || flags.truncate) this.state.expectWritable()
      return Promise.resolve({ fh: NOTICE_HANDLE, directIo: true })
    }
    return files.open(this.state, ino, flags)
  }
  create(parent: number, name: Buffer, mode: number, flags: fs.OpenFlags, ctx: Ctx): Promise<fs.CreateReply> {
    return files.create(this.state, parent, name, mode, flags, ctx)
  }
  tmpFile(parent: number, mode: number, flags: fs.OpenFlags, ctx: Ctx): Promise<fs.CreateReply> {
    return files.create(this.state, parent, null, mode, flags, ctx)
  }
  read(ino: number, fh: number, offset: number, size: number, ctx: Ctx): Maybe<Buffer | readonly Buffer[]> {
    if (ino === NOTICE_INO) return this.notice.read(offset, size)
    return files.read(this.state, ino, fh, offset, size, ctx)
  }
  write(ino: number, fh: number, offset: number, data: Buffer, options: files.WriteOptions): Maybe<number> {
    return files.write(this.state, ino, fh, offset, data, options)
  }
  fsync(ino: number, fh: number, _dataOnly: boolean, ctx: Ctx): Promise<void> {
    if (ino === NOTICE_INO) return Promise.resolve()
    this.state.handle(fh, ino)
    return files.fsync(this.state, ino, ctx)
  }
  release(ino: number, fh: number): void {
    files.release(this.state, ino, fh)
  }
  allocate(ino: number, fh: number, offset: number, length: number, flags: fs.AllocateFlags): Promise<void> {
    return files.allocate(this.state, ino, fh, { offset, length }, flags)
  }
  seek(ino: number, fh: number, offset: number, whence: 'data' | 'hole'): Promise<number> {
    if (ino === NOTICE_INO) throw new AppError('not-supported', 'nobody looks for holes in a note')
    return files.seek(this.state, ino, fh, offset, whence)
  }
  copyRange(from: files.CopySource, to: files.CopyTarget, length: number): Promise<number> {
    return files.copyRange(this.state, from, to, length)
  }

  openDirectory(ino: number): Promise<{ fh: number }> {
    return this.directories.open(ino)
  }
  readDirectory(ino: number, fh: number, offset: number, limit: number, plus: boolean): Promise<fs.DirectoryEntry[]> {
    return this.directories.read(ino, fh, offset, limit, plus)
  }
  releaseDirectory(_ino: number, fh: number): void {
    this.directories.close(fh)
  }
  fsyncDirectory(ino: number, fh: number, _dataOnly: boolean, ctx: Ctx): Promise<void> {
    this.state.handle(fh, ino)
    return files.fsync(this.state, null, ctx)
  }

  getXattr(ino: number, name: Buffer, ctx: Ctx): Maybe<Buffer | null> {
    if (ino === NOTICE_INO) return null
    return xattrs.getXattr(this.state, ino, name, ctx)
  }
  listXattr(ino: number, ctx: Ctx): Maybe<readonly Buffer[]> {
    if (ino === NOTICE_INO) return []
    return xattrs.listXattr(this.state, ino, ctx)
  }
  setXattr(
    ino: number,
    name: Buffer,
    value: Buffer,
    flags: { readonly create: boolean; readonly replace: boolean },
    ctx: Ctx,
  ): Promise<void> {
    return xattrs.setXattr(this.state, ino, name, value, flags, ctx)
  }
  removeXattr(ino: number, name: Buffer, ctx: Ctx): Promise<void> {
    return xattrs.removeXattr(this.state, ino, name, ctx)
  }

  statistics(): fs.FileSystemStatistics {
    return attributes.statistics(this.state)
  }
  syncAll(ctx: Ctx): Promise<void> {
    return files.fsync(this.state, null, ctx)
  }
}

function gone(): never {
  throw new AppError('not-found', 'there is nothing to say any more')
}
