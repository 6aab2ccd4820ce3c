/** Open files and listings. Operations on open files go by their handle, whatever has become of the path. */
import { AppError } from '../../base/errors.js'
import { decodeOpenFlags } from '../fuse/decode.js'
import type { OpenReply } from '../fuse/filesystem.js'
import type { Ask } from './ask.js'
import type { Words } from './calls.js'
import {
  DONE,
  givenBack,
  madeMode,
  makerIn,
  type OperationArguments,
  type Operations,
  type Room,
  useInode,
  wide,
} from './operations.js'
import { entryWords } from './stat-words.js'

/** A page of a listing, which libfuse takes whole. */
const PAGE_ENTRIES = 1000
/** Nobody can break off here; with --fsync=stored it waits for hosts. */
const FSYNC_LIMIT_MS = 600_000
const PERMISSIONS = 0o7777
/** What CREATE does not tell: the kernel makes names that it has just found missing, so that they are new. */
const NEW_FILE = decodeOpenFlags(0o302, 0)

export function fileOperations(
  room: Room,
): Operations<'readdir' | 'open' | 'create' | 'read' | 'write' | 'flush' | 'fsync' | 'fsyncdir' | 'release'> {
  const { fs, paths, hidden, handles } = room
  return {
    ...directoryOperations(room),
    open: {
      answer: (ask, path, flags) =>
        useInode(room, path, ask, async (ino) => {
          const opened = await fs.open(ino, decodeOpenFlags(flags, 0), ask)
          return handOut(room, ask, ino, opened)
        }),
    },
    create: {
      answer: async (ask, path, mode) => {
        const { parent, name } = await paths.place(path, ask)
        hidden.refuseName(name)
        const maker = await makerIn(room, parent, ask)
        const made = await fs.create(parent, name, madeMode(room, mode & PERMISSIONS), NEW_FILE, maker)
        const { ino } = made.attributes
        try {
          return await handOut(room, ask, ino, made)
        } finally {
          fs.forget(ino, 1)
        }
      },
    },
    read: { answer: (ask, ...args) => read(room, ask, ...args), failure: ioFailure },
    write: {
      answer: async (ask, _path, fd, data, length, low, high) => {
        const { ino, fh } = handles.get(fd)
        const how = { append: false, killSuidGid: false }
        const count = await fs.write(ino, fh, wide(low, high), data.subarray(0, length), how, ask)
        return [count, count, givenBack(data)]
      },
      failure: ioFailure,
    },
    flush: {
      answer: async (ask, _path, fd) => {
        const { ino, fh } = handles.get(fd)
        await fs.flush?.(ino, fh, ask)
        return DONE
      },
    },
    fsync: {
      limitMs: FSYNC_LIMIT_MS,
      answer: async (ask, _path, dataOnly, fd) => {
        const { ino, fh } = handles.get(fd)
        await fs.fsync(ino, fh, dataOnly !== 0, ask)
        return DONE
      },
    },
    release: {
      answer: async (ask, _path, fd) => {
        const { ino, fh } = handles.take(fd)
        await fs.release(ino, fh, ask)
        return DONE
      },
    },
  }
}

function directoryOperations(room: Room): Operations<'readdir' | 'fsyncdir'> {
  const { fs } = room
  return {
    readdir: { answer: (ask, path) => useInode(room, path, ask, (ino) => list(room, ino, ask)) },
    fsyncdir: {
      limitMs: FSYNC_LIMIT_MS,
      answer: (ask, path, dataOnly) =>
        useInode(room, path, ask, async (ino) => {
          const { fh } = await fs.openDirectory(ino, ask)
          try {
            await fs.fsyncDirectory(ino, fh, dataOnly !== 0, ask)
          } finally {
            await fs.releaseDirectory(ino, fh, ask)
          }
          return DONE
        }),
    },
  }
}

/** The kernel gets a number for the handle, unless nobody waits for it any more. */
async function handOut({ fs, handles }: Room, ask: Ask, ino: number, opened: OpenReply): Promise<Words> {
  // Nothing of the drive is opened so today; fuse-native could not pass it on.
  if (!ask.isOver && opened.directIo !== true) return [0, handles.add(ino, opened.fh)]
  await fs.release(ino, opened.fh, ask)
  throw new AppError('not-supported', 'this door cannot bypass the page cache')
}

async function read(
  { fs, handles }: Room,
  ask: Ask,
  ...[, fd, memory, length, low, high]: OperationArguments['read']
): Promise<Words> {
  const { ino, fh } = handles.get(fd)
  const data = await fs.read(ino, fh, wide(low, high), length, ask)
  const parts = Buffer.isBuffer(data) ? [data] : data
  const size = parts.reduce((sum, part) => sum + part.length, 0)
  if (size > length) throw new AppError('io-error', 'more bytes were read than asked for')
  let at = 0
  // It is not ours any more when the answer was given without us.
  for (const part of ask.isOver ? [] : parts) at += part.copy(memory, at)
  return [size, size, givenBack(memory)]
}

function ioFailure(result: number, ...[, , memory]: OperationArguments['read' | 'write']): Words {
  return [result, 0, givenBack(memory)]
}

async function list({ fs }: Room, ino: number, ask: Ask): Promise<Words> {
  const names: string[] = []
  const stats: Uint32Array[] = []
  const { fh } = await fs.openDirectory(ino, ask)
  try {
    for (let cookie = 0, isMore = true; isMore && !ask.isOver; ) {
      isMore = false
      for (const entry of await fs.readDirectory(ino, fh, cookie, PAGE_ENTRIES, false, ask)) {
        names.push(entry.name.toString('latin1'))
        stats.push(entryWords(entry.ino, entry.mode))
        cookie = entry.cookie
        isMore = true
      }
    }
  } finally {
    await fs.releaseDirectory(ino, fh, ask)
  }
  return [0, names, stats]
}
