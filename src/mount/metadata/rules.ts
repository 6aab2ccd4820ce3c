/** What POSIX refuses, looked up before anything changes. Codes are those of FileSystemErrorCode. */
import { AppError } from '../../base/errors.js'
import { isDirectory, isRegular, type Node } from './inodes.js'
import type { Dentry } from './names.js'
import { FILE_BYTES_MAX, NAME_BYTES_MAX } from './operations.js'
import type { Tables } from './tables.js'

export function refuse(code: string, message: string): AppError {
  return new AppError(code, message)
}

export function nodeOf(t: Tables, ino: number): Node {
  const node = t.inodes.get(ino)
  if (node === null) throw refuse('stale', `no inode ${ino}`)
  return node
}

export function directoryOf(t: Tables, ino: number): Node {
  const node = nodeOf(t, ino)
  if (!isDirectory(node)) throw refuse('not-a-directory', 'the parent is not a directory')
  return node
}

/** A directory that may get names. */
export function parentOf(t: Tables, ino: number): Node {
  const node = directoryOf(t, ino)
  if (node.nlink === 0) throw refuse('not-found', 'the directory was removed')
  return node
}

export function regularOf(t: Tables, ino: number): Node {
  const node = nodeOf(t, ino)
  if (isDirectory(node)) throw refuse('is-a-directory', 'a directory has no bytes')
  if (!isRegular(node)) throw refuse('invalid-argument', 'only regular files have bytes here')
  return node
}

export function checkName(name: Buffer): void {
  if (name.length > NAME_BYTES_MAX) throw refuse('name-too-long', 'names have at most 255 bytes')
  const dots = name.every((byte) => byte === 0x2e) && name.length <= 2
  if (dots || name.includes(0) || name.includes(0x2f)) throw refuse('invalid-argument', 'not a file name')
}

export function checkFree(t: Tables, parent: Node, name: Buffer): void {
  checkName(name)
  if (t.dentries.get(parent.ino, name) !== null) throw refuse('exists', 'the name exists')
}

export function entryOf(t: Tables, parent: Node, name: Buffer): { dentry: Dentry; node: Node } {
  checkName(name)
  const dentry = t.dentries.get(parent.ino, name)
  if (dentry === null) throw refuse('not-found', 'no such name')
  return { dentry, node: nodeOf(t, dentry.ino) }
}

export function checkRange(offset: number, length: number): void {
  if (!Number.isSafeInteger(offset) || !Number.isSafeInteger(length) || offset < 0 || length < 0) {
    throw refuse('invalid-argument', 'not a range')
  }
  if (offset + length > FILE_BYTES_MAX) throw refuse('file-too-large', 'beyond the largest file')
}
