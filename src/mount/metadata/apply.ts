/**
 * What each operation does to the tree. Local mutations (which have looked before), batches of the chain and snapshots all
 * come through here: that is why they agree. `chain-mismatch` when an operation does not fit the tree; the caller
 * takes the whole transaction back then.
 */
import { type FileId, ROOT_FILE } from '../../model/ids.js'
import { applyRename, isBelow } from './apply-rename.js'
import { isDirectory, isRegular, type Node, ROOT_INO } from './inodes.js'
import { isMode, PERMISSIONS, S_IFDIR, S_IFLNK, S_IFMT, S_IFREG, typeOf } from './modes.js'
import * as o from './operations.js'
import { removePin } from './pins.js'
import type { Tables } from './tables.js'
import { dropName, expectDirectory, expectNode, mismatch, touch, touchParent } from './tree-steps.js'
import type { FileTime } from './types.js'

function expectRegular(t: Tables, file: FileId): Node {
  const node = expectNode(t, file)
  if (!isRegular(node)) throw mismatch('not a regular file')
  return node
}

/** `position`: of the operation in the local log; 0 for what is published already. `epoch`: what segments are born in. */
export function apply(t: Tables, op: o.Operation, position: number, epoch: number): void {
  switch (op.kind) {
    case o.KIND.stagedWrite:
      applyStagedWrite(t, op, position)
      return
    case o.KIND.make:
      applyMake(t, op, position)
      return
    case o.KIND.link:
      applyLink(t, op, position)
      return
    case o.KIND.unlink:
      applyUnlink(t, op, position)
      return
    case o.KIND.rename:
      applyRename(t, op, position)
      return
    case o.KIND.attributes:
      applyAttributes(t, op, position)
      return
    case o.KIND.setXattr:
    case o.KIND.removeXattr:
      applyXattr(t, op, position)
      return
    case o.KIND.extent:
      applyExtent(t, op, position)
      return
    case o.KIND.hole: {
      const node = expectRegular(t, op.file)
      t.extents.clear(node, op.offset, op.offset + op.length)
      touch(t, node, position)
      return
    }
    case o.KIND.allocate: {
      const node = expectRegular(t, op.file)
      t.extents.reserve(node, op.offset, op.offset + op.length)
      touch(t, node, position)
      return
    }
    case o.KIND.reap:
      applyReap(t, op)
      return
    case o.KIND.segment:
      t.segments.add(op.info, epoch, epoch)
      return
    case o.KIND.putInode:
      applyPutInode(t, op)
      return
    case o.KIND.putDentry:
      applyPutDentry(t, op)
      return
  }
}

function applyStagedWrite(t: Tables, op: o.StagedWrite, position: number): void {
  const node = expectRegular(t, op.file)
  t.extents.put(node, op.offset, op.length, { staged: op.stagedId, segment: null, source: op.source })
  node.size = op.size
  node.mtime = op.time
  node.ctime = op.time
  touch(t, node, position)
}

function applyMake(t: Tables, op: o.Make, position: number): void {
  const parent = expectDirectory(t, op.parent)
  if (parent.nlink === 0) throw mismatch('a removed directory gets a name')
  if (t.dentries.get(parent.ino, op.name) !== null) throw mismatch('a name exists')
  if (t.inodes.byFileId(op.file) !== null) throw mismatch('a file exists')
  if (!isMode(op.mode) || (typeOf(op.mode) === S_IFLNK) !== op.target.length > 0) throw mismatch('impossible mode')
  const node = makeNode(t, op, op.time, position)
  node.nlink = 1
  if (isDirectory(node)) {
    node.nlink = 2
    node.parent = parent.ino
    parent.nlink++
  }
  t.inodes.add(node)
  t.dentries.add(parent.ino, op.name, node.ino, node.mode)
  touchParent(t, parent, op.time, position)
}

type NewFile = Pick<o.Make, 'file' | 'mode' | 'uid' | 'gid' | 'rdev' | 'target'>

function makeNode(t: Tables, of: NewFile, time: FileTime, changed: number): Node {
  return {
    ...{ ino: t.counters.take('ino'), file: of.file, mode: of.mode, nlink: 0, uid: of.uid, gid: of.gid },
    ...{ rdev: of.rdev, size: 0, covered: 0, atime: time, mtime: time, ctime: time, btime: time, parent: 0 },
    ...{ target: of.target.length > 0 ? of.target : null, changed, capability: false },
  }
}

function applyLink(t: Tables, op: o.Link, position: number): void {
  const node = expectNode(t, op.file)
  const parent = expectDirectory(t, op.parent)
  if (isDirectory(node) || parent.nlink === 0) throw mismatch('impossible link')
  if (t.dentries.get(parent.ino, op.name) !== null) throw mismatch('a name exists')
  t.dentries.add(parent.ino, op.name, node.ino, node.mode)
  node.nlink++
  node.ctime = op.time
  touch(t, node, position)
  touchParent(t, parent, op.time, position)
}

function applyUnlink(t: Tables, op: o.Unlink, position: number): void {
  const parent = expectDirectory(t, op.parent)
  const dentry = t.dentries.get(parent.ino, op.name)
  const node = dentry && t.inodes.get(dentry.ino)
  if (!node) throw mismatch('no such name')
  if (isDirectory(node) && !t.dentries.isEmpty(node.ino)) throw mismatch('a directory is not empty')
  t.dentries.remove(parent.ino, op.name)
  dropName(t, node, parent, op.time, position)
  touchParent(t, parent, op.time, position)
}

function applyAttributes(t: Tables, op: o.ChangeAttributes, position: number): void {
  const node = op.size === undefined ? expectNode(t, op.file) : expectRegular(t, op.file)
  if (op.mode !== undefined) {
    if ((op.mode & ~(PERMISSIONS | S_IFMT)) !== 0) throw mismatch('impossible mode')
    node.mode = (node.mode & S_IFMT) | (op.mode & PERMISSIONS)
  }
  if (op.uid !== undefined) node.uid = op.uid
  if (op.gid !== undefined) node.gid = op.gid
  if (op.atime) node.atime = op.atime
  if (op.mtime) node.mtime = op.mtime
  if (op.ctime) node.ctime = op.ctime
  if (op.size !== undefined) {
    if (op.size < node.size) t.extents.clearFrom(node, op.size)
    node.size = op.size
  }
  touch(t, node, position)
}

export const CAPABILITY = Buffer.from('security.capability')

function applyXattr(t: Tables, op: o.SetXattr | o.RemoveXattr, position: number): void {
  const node = expectNode(t, op.file)
  if (op.kind === o.KIND.setXattr) t.xattrs.put(node.ino, op.name, op.value)
  else t.xattrs.remove(node.ino, op.name)
  if (op.name.equals(CAPABILITY)) node.capability = op.kind === o.KIND.setXattr
  node.ctime = op.time
  touch(t, node, position)
}

function applyExtent(t: Tables, op: o.PutExtent, position: number): void {
  const node = expectRegular(t, op.file)
  const segment = t.segments.rowOf(op.segment)
  if (segment === null) throw mismatch('an extent names an unknown segment')
  if (op.segmentOffset + op.length > t.segments.info(segment).plainLength) throw mismatch('beyond the segment')
  t.extents.put(node, op.offset, op.length, { staged: null, segment, source: op.segmentOffset })
  touch(t, node, position)
}

function applyReap(t: Tables, op: o.Reap): void {
  const node = expectNode(t, op.file)
  if (node.nlink !== 0 || node.ino === ROOT_INO) throw mismatch('a file with a name ends')
  t.extents.clearFrom(node, 0)
  t.xattrs.removeAll(node.ino)
  removePin(t, node.ino)
  t.inodes.remove(node)
}

function applyPutInode(t: Tables, op: o.PutInode): void {
  if (!isMode(op.mode) || (typeOf(op.mode) === S_IFLNK) !== op.target.length > 0) throw mismatch('impossible mode')
  if (op.size > 0 && typeOf(op.mode) !== S_IFREG) throw mismatch('a size without bytes')
  const isRoot = op.file === ROOT_FILE
  const known = t.inodes.byFileId(op.file)
  if (isRoot ? typeOf(op.mode) !== S_IFDIR : known !== null) throw mismatch('a file is put twice')
  const node = isRoot && known ? known : makeNode(t, op, op.btime, 0)
  Object.assign(node, { mode: op.mode, uid: op.uid, gid: op.gid, rdev: op.rdev, size: op.size })
  Object.assign(node, { atime: op.atime, mtime: op.mtime, ctime: op.ctime, btime: op.btime })
  if (node === known) {
    t.inodes.touch(node)
    return
  }
  // Two names ('.' and the one in the parent) come with the dentry.
  node.capability = undefined
  t.inodes.add(node)
}

function applyPutDentry(t: Tables, op: o.PutDentry): void {
  const parent = expectDirectory(t, op.parent)
  const node = expectNode(t, op.file)
  if (t.dentries.get(parent.ino, op.name) !== null) throw mismatch('a name exists')
  if (isDirectory(node)) {
    if (node.parent !== 0) throw mismatch('a directory has two names')
    if (isBelow(t, parent, node)) throw mismatch('a directory inside itself')
    node.parent = parent.ino
    node.nlink += 2
    parent.nlink++
    t.inodes.touch(parent)
  } else {
    node.nlink++
  }
  t.dentries.add(parent.ino, op.name, node.ino, node.mode)
  t.inodes.touch(node)
}
