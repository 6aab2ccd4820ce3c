/** Steps that several operations share, and how an operation says that it does not fit. */
import { AppError } from '../../base/errors.js'
import type { FileId } from '../../model/ids.js'
import { isDirectory, type Node } from './inodes.js'
import type { Tables } from './tables.js'
import type { FileTime } from './types.js'

export function mismatch(why: string): AppError {
  return new AppError('chain-mismatch', `an operation does not fit the tree: ${why}`)
}

export function expectNode(t: Tables, file: FileId): Node {
  const node = t.inodes.byFileId(file)
  if (node === null) throw mismatch('unknown file')
  return node
}

export function expectDirectory(t: Tables, file: FileId): Node {
  const node = expectNode(t, file)
  if (!isDirectory(node)) throw mismatch('a parent is no directory')
  return node
}

/** Marks a node as changed by the operation at `position`. */
export function touch(t: Tables, node: Node, position: number): void {
  node.changed = position
  t.inodes.touch(node)
}

export function touchParent(t: Tables, parent: Node, time: FileTime, position: number): void {
  parent.mtime = time
  parent.ctime = time
  touch(t, parent, position)
}

/** A name of a node has gone. */
export function dropName(t: Tables, node: Node, parent: Node, time: FileTime, position: number): void {
  if (isDirectory(node)) {
    node.nlink = 0
    parent.nlink--
    t.inodes.touch(parent)
  } else {
    node.nlink--
  }
  node.ctime = time
  touch(t, node, position)
}
