/** What a rename does to the tree, and the rules that it has to keep. */
import { isDirectory, type Node, ROOT_INO } from './inodes.js'
import type { Dentry } from './names.js'
import type { Rename } from './operations.js'
import type { Tables } from './tables.js'
import { dropName, expectDirectory, mismatch, touch, touchParent } from './tree-steps.js'

interface Place {
  parent: Node
  name: Buffer
  dentry: Dentry
  node: Node
}

export function applyRename(t: Tables, op: Rename, position: number): void {
  const parent = expectDirectory(t, op.parent)
  const newParent = expectDirectory(t, op.newParent)
  if (newParent.nlink === 0) throw mismatch('a removed directory gets a name')
  const from = find(t, parent, op.name)
  if (from === null) throw mismatch('no such name')
  const to = find(t, newParent, op.newName)
  if (isDirectory(from.node) && isBelow(t, newParent, from.node)) throw mismatch('a directory into itself')
  if (op.exchange) {
    if (to === null) throw mismatch('no such name')
    if (isDirectory(to.node) && isBelow(t, parent, to.node)) throw mismatch('a directory into itself')
    exchange(t, from, to)
    to.node.ctime = op.time
    touch(t, to.node, position)
  } else {
    // Two names of one file: both stay.
    if (to !== null && to.node === from.node) return
    if (to !== null) replace(t, from, to, op, position)
    move(t, from, newParent, op.newName)
  }
  from.node.ctime = op.time
  touch(t, from.node, position)
  touchParent(t, parent, op.time, position)
  touchParent(t, newParent, op.time, position)
}

function find(t: Tables, parent: Node, name: Buffer): Place | null {
  const dentry = t.dentries.get(parent.ino, name)
  const node = dentry && t.inodes.get(dentry.ino)
  return dentry && node ? { parent, name, dentry, node } : null
}

/** Whether `node` is `top` or lies below it. */
export function isBelow(t: Tables, node: Node, top: Node): boolean {
  for (let at: Node | null = node; at !== null; at = t.inodes.get(at.parent)) {
    if (at === top) return true
    if (at.ino === ROOT_INO || at.parent === 0) return false
  }
  return false
}

function replace(t: Tables, from: Place, to: Place, op: Rename, position: number): void {
  if (isDirectory(to.node) !== isDirectory(from.node)) throw mismatch('a directory for a file')
  if (isDirectory(to.node) && !t.dentries.isEmpty(to.node.ino)) throw mismatch('a directory is not empty')
  t.dentries.remove(to.parent.ino, to.name)
  dropName(t, to.node, to.parent, op.time, position)
}

function move(t: Tables, from: Place, newParent: Node, newName: Buffer): void {
  t.dentries.remove(from.parent.ino, from.name)
  // Inside one directory the entry keeps its place in the listing: it is neither missed nor seen twice.
  const cookie = from.parent === newParent ? from.dentry.cookie : undefined
  t.dentries.add(newParent.ino, newName, from.node.ino, from.node.mode, cookie)
  adopt(from.node, from.parent, newParent)
}

function exchange(t: Tables, from: Place, to: Place): void {
  t.dentries.point(from.parent.ino, from.name, to.node.ino, to.node.mode)
  t.dentries.point(to.parent.ino, to.name, from.node.ino, from.node.mode)
  adopt(from.node, from.parent, to.parent)
  adopt(to.node, to.parent, from.parent)
}

function adopt(node: Node, parent: Node, newParent: Node): void {
  if (!isDirectory(node) || parent === newParent) return
  node.parent = newParent.ino
  parent.nlink--
  newParent.nlink++
}
