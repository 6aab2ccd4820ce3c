/** Requests about names, inodes and attributes: each is one call of the file system and one encoding of its answer. */
import type { Call } from './call.js'
import { ERRNO } from './errno.js'
import type { Attributes, FileSystem } from './filesystem.js'
import { flagsOutcome } from './inode-flags.js'
import { IOCTL_OUT } from './offsets.js'
import { OP, RENAME_BIT } from './opcodes.js'
import type { Replies } from './replies.js'
import type { Request, RequestOf } from './request.js'

const SYSTEM = 'system.'

export type Serve<K extends Request['op']> = (fs: FileSystem, to: Replies, call: Call, request: RequestOf<K>) => void
export type Services<K extends Request['op']> = { readonly [P in K]: Serve<P> }

/** A new name for the kernel, which then counts the inode as looked up, if the answer reaches it. */
export function replyEntry(fs: FileSystem, to: Replies, call: Call, attributes: Attributes): void {
  if (!to.body(call, to.out.entryBody(attributes))) fs.forget(attributes.ino, 1)
}

const rename: Serve<typeof OP.RENAME | typeof OP.RENAME2> = (fs, to, call, r) => {
  const noReplace = (r.flags & RENAME_BIT.NOREPLACE) !== 0
  const exchange = (r.flags & RENAME_BIT.EXCHANGE) !== 0
  if ((r.flags & ~(RENAME_BIT.NOREPLACE | RENAME_BIT.EXCHANGE)) !== 0 || (noReplace && exchange)) {
    to.error(call, ERRNO.EINVAL)
    return
  }
  const flags = { noReplace, exchange }
  to.settle(call, fs.rename(r.ino, r.name, r.newParent, r.newName, flags, call), () => to.empty(call))
}

export const NAME_SERVICES = {
  [OP.LOOKUP]: (fs, to, call, r) => {
    to.settle(call, fs.lookup(r.ino, r.name, call), (found) => {
      if (found === null) to.body(call, to.out.negativeBody())
      else replyEntry(fs, to, call, found)
    })
  },
  [OP.FORGET]: (fs, _to, _call, r) => fs.forget(r.ino, r.count),
  [OP.BATCH_FORGET]: (fs, _to, _call, r) => {
    for (const [ino, count] of r.forgets) fs.forget(ino, count)
  },
  [OP.GETATTR]: (fs, to, call, r) => {
    to.settle(call, fs.getAttributes(r.ino, r.fh, call), (a) => to.body(call, to.out.attributesBody(a)))
  },
  [OP.STATX]: (fs, to, call, r) => {
    if (fs.birthTimes !== true) to.error(call, ERRNO.ENOSYS)
    else to.settle(call, fs.getAttributes(r.ino, r.fh, call), (a) => to.body(call, to.out.statxBody(a)))
  },
  [OP.SETATTR]: (fs, to, call, r) => {
    to.settle(call, fs.setAttributes(r.ino, r.changes, call), (a) => to.body(call, to.out.attributesBody(a)))
  },
  [OP.READLINK]: (fs, to, call, r) => {
    to.settle(call, fs.readLink(r.ino, call), (target) => to.bytes(call, target))
  },
  [OP.SYMLINK]: (fs, to, call, r) => {
    to.settle(call, fs.makeSymlink(r.ino, r.name, r.target, call), (a) => replyEntry(fs, to, call, a))
  },
  [OP.MKNOD]: (fs, to, call, r) => {
    to.settle(call, fs.makeNode(r.ino, r.name, r.mode, r.rdev, call), (a) => replyEntry(fs, to, call, a))
  },
  [OP.MKDIR]: (fs, to, call, r) => {
    to.settle(call, fs.makeDirectory(r.ino, r.name, r.mode, call), (a) => replyEntry(fs, to, call, a))
  },
  [OP.UNLINK]: (fs, to, call, r) => {
    to.settle(call, fs.unlink(r.ino, r.name, call), () => to.empty(call))
  },
  [OP.RMDIR]: (fs, to, call, r) => {
    to.settle(call, fs.removeDirectory(r.ino, r.name, call), () => to.empty(call))
  },
  [OP.RENAME]: rename,
  [OP.RENAME2]: rename,
  [OP.LINK]: (fs, to, call, r) => {
    to.settle(call, fs.link(r.target, r.ino, r.name, call), (a) => replyEntry(fs, to, call, a))
  },
  [OP.GETXATTR]: (fs, to, call, r) => {
    if (isAccessList(r.name)) to.error(call, ERRNO.EOPNOTSUPP)
    else
      to.settle(call, fs.getXattr(r.ino, r.name, call), (value) => {
        if (value === null) to.error(call, ERRNO.ENODATA)
        else replySized(to, call, value, r.room)
      })
  },
  [OP.LISTXATTR]: (fs, to, call, r) => {
    to.settle(call, fs.listXattr(r.ino, call), (names) => replySized(to, call, joinNames(names), r.room))
  },
  [OP.SETXATTR]: (fs, to, call, r) => {
    const flags = { create: r.create, replace: r.replace }
    if (isAccessList(r.name)) to.error(call, ERRNO.EOPNOTSUPP)
    else to.settle(call, fs.setXattr(r.ino, r.name, r.value, flags, call), () => to.empty(call))
  },
  [OP.REMOVEXATTR]: (fs, to, call, r) => {
    to.settle(call, fs.removeXattr(r.ino, r.name, call), () => to.empty(call))
  },
  [OP.STATFS]: (fs, to, call) => {
    to.settle(call, fs.statistics(call), (s) => to.body(call, to.out.statisticsBody(s)))
  },
  [OP.SYNCFS]: (fs, to, call) => {
    to.settle(call, fs.syncAll(call), () => to.empty(call))
  },
  // Permissions are the kernel's to check: it then stops asking.
  [OP.ACCESS]: (_fs, to, call) => to.error(call, ERRNO.ENOSYS),
  [OP.IOCTL]: (_fs, to, call, r) => {
    const errno = flagsOutcome(r)
    if (errno === 0) to.body(call, to.out.zerosBody(IOCTL_OUT.size + r.outSize))
    else to.error(call, errno)
  },
  [OP.DESTROY]: (_fs, to, call) => {
    to.empty(call)
  },
  [OP.INTERRUPT]: (_fs, to, _call, r) => to.interrupt(r.uniqueLow, r.uniqueHigh),
  0: (_fs, to, call) => to.error(call, ERRNO.ENOSYS),
} satisfies Partial<Services<Request['op']>>

/**
 * POSIX access lists, which the mount does not have (see init.ts). To say so, rather than "this file has none", lets
 * programs such as `ls -l` stop asking for every file.
 */
function isAccessList(name: Buffer): boolean {
  return name.toString('latin1', 0, SYSTEM.length) === SYSTEM
}

/** The caller first asks with no room how much there is. */
function replySized(to: Replies, call: Call, value: Buffer, room: number): void {
  if (room === 0) to.body(call, to.out.u32Body(value.length))
  else if (value.length > room) to.error(call, ERRNO.ERANGE)
  else to.bytes(call, value)
}

function joinNames(names: readonly Buffer[]): Buffer {
  const end = Buffer.alloc(1)
  return Buffer.concat(names.flatMap((name) => [name, end]))
}
