/**
 * Messages that make the kernel forget what it caches.
 *
 * The kernel takes locks for them: that of the parent directory for entries, that of pages for bytes. A message waits
 * (on its own thread) while a request that holds the lock is being answered, so none may be sent and awaited from within
 * such a request, and they are for rare news. A daemon that is killed with SIGKILL at just that moment leaves a mount
 * that hangs instead of a dead one; the next mount there ends it (mount-daemon.ts).
 */

import * as at from './offsets.js'
import { NOTIFY } from './opcodes.js'

const BODY = at.OUT_HEADER.size

function message(code: number, size: number): Buffer {
  const bytes = Buffer.alloc(BODY + size)
  bytes.writeUInt32LE(bytes.length, at.OUT_HEADER.length)
  bytes.writeInt32LE(code, at.OUT_HEADER.error)
  return bytes
}

function writeU64(bytes: Buffer, offset: number, value: number): void {
  bytes.writeBigInt64LE(BigInt(value), offset)
}

/** Attributes, and the cached bytes from `offset` on: `length` of them, 0 for all. offset < 0: attributes only. */
export function inodeInvalidation(ino: number, offset: number, length: number): Buffer {
  const bytes = message(NOTIFY.INVAL_INODE, at.NOTIFY_INVAL_INODE_OUT.size)
  writeU64(bytes, BODY + at.NOTIFY_INVAL_INODE_OUT.ino, ino)
  writeU64(bytes, BODY + at.NOTIFY_INVAL_INODE_OUT.offset, offset)
  writeU64(bytes, BODY + at.NOTIFY_INVAL_INODE_OUT.length, length)
  return bytes
}

/** A name in a directory: present or absent, look it up again. */
export function entryInvalidation(parent: number, name: Buffer): Buffer {
  const bytes = message(NOTIFY.INVAL_ENTRY, at.NOTIFY_INVAL_ENTRY_OUT.size + name.length + 1)
  writeU64(bytes, BODY + at.NOTIFY_INVAL_ENTRY_OUT.parent, parent)
  bytes.writeUInt32LE(name.length, BODY + at.NOTIFY_INVAL_ENTRY_OUT.nameLength)
  name.copy(bytes, BODY + at.NOTIFY_INVAL_ENTRY_OUT.size)
  return bytes
}

/** A name is gone for good; watchers (inotify) hear of it. */
export function deletion(parent: number, child: number, name: Buffer): Buffer {
  const bytes = message(NOTIFY.DELETE, at.NOTIFY_DELETE_OUT.size + name.length + 1)
  writeU64(bytes, BODY + at.NOTIFY_DELETE_OUT.parent, parent)
  writeU64(bytes, BODY + at.NOTIFY_DELETE_OUT.child, child)
  bytes.writeUInt32LE(name.length, BODY + at.NOTIFY_DELETE_OUT.nameLength)
  name.copy(bytes, BODY + at.NOTIFY_DELETE_OUT.size)
  return bytes
}
