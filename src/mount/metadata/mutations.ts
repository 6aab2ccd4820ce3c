/**
 * Changes of names and attributes: look (rules.ts), then say what happens as operations, then apply them in one step of the
 * group. Everything here is synchronous and on the worker thread.
 */
import type { FileId } from '../../model/ids.js'
import { apply, CAPABILITY } from './apply.js'
import { isBelow } from './apply-rename.js'
import { inodeOf, isDirectory, isRegular, type Node, ROOT_INO } from './inodes.js'
import type { AttributeParts, MakeParts } from './ledger.js'
import { isMode, PERMISSIONS, S_IFDIR, S_IFLNK, S_ISGID, typeOf, withoutPrivileges } from './modes.js'
import * as o from './operations.js'
import { checkFree, checkName, checkRange, entryOf, nodeOf, parentOf, refuse, regularOf } from './rules.js'
import type { Tables } from './tables.js'
import type { Changed, FileTime } from './types.js'

/** Names of one file; a 32-bit counter is what stat can show everywhere. */
const LINKS_MAX = 2 ** 31 - 1

export function perform(t: Tables, operations: readonly o.Operation[]): void {
  t.database.step(() => {
    for (const operation of operations) apply(t, operation, t.log.append(operation), 0)
  })
}

export function changed(t: Tables, ...nodes: (Node | null)[]): Changed {
  const distinct = new Set<Node>()
  for (const node of nodes) if (node !== null) distinct.add(t.inodes.get(node.ino) ?? node)
  return { inodes: [...distinct].map((node) => inodeOf(node, t.inodes.version)) }
}

export function make(t: Tables, parts: MakeParts): Changed {
  const parent = parentOf(t, parts.parent)
  if (parts.name !== null) checkFree(t, parent, parts.name)
  const target = parts.target ?? Buffer.alloc(0)
  if (target.length > o.TARGET_BYTES_MAX) throw refuse('name-too-long', 'links lead at most 4,095 bytes far')
  const isLink = typeOf(parts.mode) === S_IFLNK
  if (!isMode(parts.mode) || isLink !== target.length > 0) throw refuse('invalid-argument', 'not a mode')
  const inherits = (parent.mode & S_ISGID) !== 0
  const file = t.random(16).toString('hex') as FileId
  const operation: o.Make = {
    ...{ kind: o.KIND.make, file, parent: parent.file, name: parts.name ?? hiddenName(file), target },
    mode: inherits && typeOf(parts.mode) === S_IFDIR ? parts.mode | S_ISGID : parts.mode,
    ...{ uid: parts.uid, gid: inherits ? parent.gid : parts.gid, rdev: parts.rdev ?? 0, time: parts.time },
  }
  perform(t, parts.name === null ? [operation, ...hide(operation, parent)] : [operation])
  return changed(t, t.inodes.byFileId(file), parent)
}

function hiddenName(file: FileId): Buffer {
  return Buffer.from(`.tmp-${file}`)
}

/** Takes the name of a new file away again, and the traces in its directory. */
function hide(made: o.Make, parent: Node): o.Operation[] {
  const { mtime, ctime } = parent
  return [
    { kind: o.KIND.unlink, parent: made.parent, name: made.name, time: made.time },
    { kind: o.KIND.attributes, file: parent.file, mtime, ctime },
  ]
}

export function link(t: Tables, ino: number, parentIno: number, name: Buffer, time: FileTime): Changed {
  const node = nodeOf(t, ino)
  const parent = parentOf(t, parentIno)
  if (isDirectory(node)) throw refuse('not-permitted', 'directories have one name')
  if (node.nlink >= LINKS_MAX) throw refuse('too-many-links', 'the file has too many names')
  checkFree(t, parent, name)
  perform(t, [{ kind: o.KIND.link, file: node.file, parent: parent.file, name, time }])
  return changed(t, node, parent)
}

export function unlink(
  t: Tables,
  parentIno: number,
  name: Buffer,
  time: FileTime,
  kind: 'file' | 'directory',
): Changed {
  const parent = parentOf(t, parentIno)
  const { node } = entryOf(t, parent, name)
  if (kind === 'file' && isDirectory(node)) throw refuse('is-a-directory', 'a directory')
  if (kind === 'directory' && !isDirectory(node)) throw refuse('not-a-directory', 'not a directory')
  if (isDirectory(node) && !t.dentries.isEmpty(node.ino)) throw refuse('not-empty', 'the directory is not empty')
  perform(t, [{ kind: o.KIND.unlink, parent: parent.file, name, time }])
  return changed(t, node, parent)
}

export function rename(
  t: Tables,
  from: { parent: number; name: Buffer },
  to: { parent: number; name: Buffer },
  mode: 'replace' | 'no-replace' | 'exchange',
  time: FileTime,
): Changed {
  const parent = parentOf(t, from.parent)
  const newParent = parentOf(t, to.parent)
  const moved = entryOf(t, parent, from.name).node
  checkName(to.name)
  const dentry = t.dentries.get(newParent.ino, to.name)
  const other = dentry && nodeOf(t, dentry.ino)
  if (isDirectory(moved) && isBelow(t, newParent, moved)) throw refuse('invalid-argument', 'a directory into itself')
  if (mode === 'exchange') {
    if (other === null) throw refuse('not-found', 'no such name')
    if (isDirectory(other) && isBelow(t, parent, other)) throw refuse('invalid-argument', 'a directory into itself')
  } else if (other !== null) {
    if (mode === 'no-replace') throw refuse('exists', 'the name exists')
    checkReplace(t, moved, other)
  }
  if (moved === other) return changed(t, moved, parent, newParent)
  const names = { parent: parent.file, name: from.name, newParent: newParent.file, newName: to.name }
  perform(t, [{ kind: o.KIND.rename, ...names, exchange: mode === 'exchange', time }])
  return changed(t, moved, parent, newParent, other)
}

function checkReplace(t: Tables, moved: Node, other: Node): void {
  if (moved === other) return
  if (isDirectory(other) && !isDirectory(moved)) throw refuse('is-a-directory', 'a file onto a directory')
  if (!isDirectory(other) && isDirectory(moved)) throw refuse('not-a-directory', 'a directory onto a file')
  if (isDirectory(other) && !t.dentries.isEmpty(other.ino)) throw refuse('not-empty', 'the directory is not empty')
}

export function setAttributes(t: Tables, parts: AttributeParts): Changed {
  const node = parts.size === undefined ? nodeOf(t, parts.ino) : regularOf(t, parts.ino)
  if (parts.size !== undefined) checkRange(parts.size, 0)
  const owner = parts.uid !== undefined || parts.gid !== undefined
  let mode = parts.mode === undefined ? undefined : parts.mode & PERMISSIONS
  if (mode === undefined && (owner || parts.killSuidGid)) {
    const kept = withoutPrivileges(node.mode)
    if (kept !== node.mode) mode = kept & PERMISSIONS
  }
  const operations: o.Operation[] = []
  if (owner || parts.size !== undefined) operations.push(...dropCapability(t, node, parts.time))
  operations.push({
    ...{ kind: o.KIND.attributes, file: node.file, mode, uid: parts.uid, gid: parts.gid, size: parts.size },
    atime: parts.atime,
    mtime: parts.mtime ?? (parts.size === undefined ? undefined : parts.time),
    ctime: parts.ctime ?? parts.time,
  })
  perform(t, operations)
  return changed(t, node)
}

/** Operations that take a program's capabilities away, when it has any. */
export function dropCapability(t: Tables, node: Node, time: FileTime): o.Operation[] {
  if (!isRegular(node)) return []
  node.capability ??= t.xattrs.get(node.ino, CAPABILITY) !== null
  return node.capability ? [{ kind: o.KIND.removeXattr, file: node.file, name: CAPABILITY, time }] : []
}

/** Names and values of one inode together, as on ext4 with large inodes and more. */
const XATTR_TOTAL_BYTES_MAX = 262_144

export function setXattr(
  t: Tables,
  ino: number,
  name: Buffer,
  value: Buffer,
  mode: 'any' | 'create' | 'replace',
  time: FileTime,
): Changed {
  const node = nodeOf(t, ino)
  if (name.length > o.XATTR_NAME_BYTES_MAX) throw refuse('range', 'attribute names have at most 255 bytes')
  if (name.length === 0 || name.includes(0)) throw refuse('invalid-argument', 'not an attribute name')
  if (value.length > o.XATTR_VALUE_BYTES_MAX) throw refuse('too-big', 'attribute values have at most 64 KiB')
  const known = t.xattrs.get(node.ino, name)
  if (mode === 'create' && known !== null) throw refuse('exists', 'the attribute exists')
  if (mode === 'replace' && known === null) throw refuse('no-data', 'no such attribute')
  const more = value.length - (known?.length ?? -name.length)
  if (t.xattrs.totalBytes(node.ino) + more > XATTR_TOTAL_BYTES_MAX) {
    throw refuse('no-space', 'the attributes of one file take at most 256 KiB')
  }
  perform(t, [{ kind: o.KIND.setXattr, file: node.file, name, value, time }])
  return changed(t, node)
}

export function removeXattr(t: Tables, ino: number, name: Buffer, time: FileTime): Changed {
  const node = nodeOf(t, ino)
  if (t.xattrs.get(node.ino, name) === null) throw refuse('no-data', 'no such attribute')
  perform(t, [{ kind: o.KIND.removeXattr, file: node.file, name, time }])
  return changed(t, node)
}

/** Ends orphans; whoever has a name, or is unknown, is left alone. */
export function reap(t: Tables, inos: readonly number[]): void {
  for (const ino of inos) {
    const node = t.inodes.get(ino)
    if (node === null || node.nlink !== 0 || ino === ROOT_INO) continue
    perform(t, [{ kind: o.KIND.reap, file: node.file }])
  }
}
