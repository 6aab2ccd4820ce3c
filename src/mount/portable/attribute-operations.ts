/** Attributes, plain and extended, and space. */
import { AppError } from '../../base/errors.js'
import { ERRNO } from '../fuse/errno.js'
import type { AttributeChanges } from '../fuse/filesystem.js'
import { XATTR_BIT } from '../fuse/opcodes.js'
import type { Ask } from './ask.js'
import type { Words } from './calls.js'
import { DONE, givenBack, type Operations, type Room, useInode, wide } from './operations.js'
import { statfsWords, statWords, timestampOf } from './stat-words.js'
import { timesOf } from './thread-memory.js'

const PERMISSIONS = 0o7777
/** (uid_t) -1: leave it. */
const UNCHANGED = 0xffffffff
/** What is not UTF-8 has become this on its way here. */
const LOST = '\ufffd'
const END = Buffer.alloc(1)

export function attributeOperations(
  room: Room,
): Operations<
  | 'getattr'
  | 'statfs'
  | 'chmod'
  | 'chown'
  | 'utimens'
  | 'truncate'
  | 'ftruncate'
  | 'getxattr'
  | 'listxattr'
  | 'setxattr'
  | 'removexattr'
> {
  const { fs, handles } = room
  // The kernel has cleared setuid and setgid by a chmod of its own.
  const change = (ask: Ask, path: string, changes: Omit<AttributeChanges, 'killSuidGid'>): Promise<Words> =>
    useInode(room, path, ask, async (ino) => {
      await fs.setAttributes(ino, { ...changes, killSuidGid: false }, ask)
      return DONE
    })
  return {
    getattr: {
      answer: (ask, path) =>
        useInode(room, path, ask, async (ino, isHidden) => {
          const attributes = await fs.getAttributes(ino, undefined, ask)
          // libfuse takes away the name that it believes the file to have.
          return [0, statWords(attributes, attributes.nlink + (isHidden ? 1 : 0))]
        }),
    },
    statfs: { answer: async (ask) => [0, statfsWords(await fs.statistics(ask))] },
    chmod: { answer: (ask, path, mode) => change(ask, path, { mode: mode & PERMISSIONS }) },
    chown: {
      answer: (ask, path, uid, gid) =>
        change(ask, path, { ...(uid === UNCHANGED ? {} : { uid }), ...(gid === UNCHANGED ? {} : { gid }) }),
    },
    utimens: {
      answer: (ask, path, low, high) => {
        const times = timesOf(ask.thread, low, high)
        if (times === null) throw new AppError('not-supported', 'fuse-native does not tell which times were set')
        // It could not show them.
        if (times.atimeMs < 0 || times.mtimeMs < 0) throw new AppError('invalid-argument', 'a time before 1970')
        return change(ask, path, { atime: timestampOf(times.atimeMs), mtime: timestampOf(times.mtimeMs) })
      },
    },
    truncate: { answer: (ask, path, low, high) => change(ask, path, { size: wide(low, high) }) },
    ftruncate: {
      answer: async (ask, _path, fd, low, high) => {
        const { ino, fh } = handles.get(fd)
        await fs.setAttributes(ino, { size: wide(low, high), fh, killSuidGid: false }, ask)
        return DONE
      },
    },
    ...xattrOperations(room),
  }
}

/** Sizes are compared here: fuse-native would let libfuse send more than there is. */
function xattrOperations(room: Room): Operations<'getxattr' | 'listxattr' | 'setxattr' | 'removexattr'> {
  const { fs } = room
  return {
    getxattr: {
      answer: (ask, path, name, memory) =>
        useInode(room, path, ask, async (ino) => {
          const value = await fs.getXattr(ino, nameOf(name), ask)
          if (value === null) return [-ERRNO.ENODATA, givenBack(memory)]
          return fill(ask, memory, value)
        }),
      failure: (result, _path, _name, memory) => [result, givenBack(memory)],
    },
    listxattr: {
      answer: (ask, path, memory) =>
        useInode(room, path, ask, async (ino) => {
          const names = await fs.listXattr(ino, ask)
          return fill(ask, memory, Buffer.concat(names.flatMap((name) => [name, END])))
        }),
      failure: (result, _path, memory) => [result, givenBack(memory)],
    },
    setxattr: {
      answer: (ask, path, name, memory, _position, flags) => {
        const value = Buffer.from(memory)
        const how = { create: (flags & XATTR_BIT.CREATE) !== 0, replace: (flags & XATTR_BIT.REPLACE) !== 0 }
        return useInode(room, path, ask, async (ino) => {
          await fs.setXattr(ino, nameOf(name), value, how, ask)
          return [0, givenBack(memory)]
        })
      },
      failure: (result, _path, _name, memory) => [result, givenBack(memory)],
    },
    removexattr: {
      answer: (ask, path, name) =>
        useInode(room, path, ask, async (ino) => {
          await fs.removeXattr(ino, nameOf(name), ask)
          return DONE
        }),
    },
  }
}

function fill(ask: Ask, memory: Buffer, value: Buffer): Words {
  if (memory.length === 0) return [value.length, givenBack(memory)]
  if (value.length > memory.length) throw new AppError('range', 'the value is longer than the room for it')
  if (!ask.isOver) value.copy(memory)
  return [value.length, givenBack(memory)]
}

function nameOf(name: string): Buffer {
  if (name.includes(LOST)) throw new AppError('invalid-argument', 'names of attributes are UTF-8 at this door')
  // POSIX access lists, which no door has.
  if (name.startsWith('system.')) throw new AppError('not-supported', 'access lists are not supported')
  return Buffer.from(name)
}
