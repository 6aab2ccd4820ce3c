/** Names and attributes: each operation is a walk to an inode and one call of the file system. */
import { AppError } from '../../base/errors.js'
import type { Ask } from './ask.js'
import { DONE, madeMode, makerIn, type Operations, type Room, useInode } from './operations.js'
import type { Place } from './paths.js'

/** What READLINK has room for, in the characters that bytes become. */
const TARGET_ROOM = 4096
const PERMISSIONS = 0o7777
const S_IFMT = 0o170000
const PLAIN = { noReplace: false, exchange: false }

export function nameOperations(
  room: Room,
): Operations<'readlink' | 'symlink' | 'mknod' | 'mkdir' | 'link' | 'unlink' | 'rmdir' | 'rename'> {
  const { fs, paths, hidden } = room
  const newPlace = async (path: string, ask: Ask): Promise<Place> => {
    const place = await paths.place(path, ask)
    hidden.refuseName(place.name)
    return place
  }
  return {
    readlink: {
      answer: (ask, path) =>
        useInode(room, path, ask, async (ino) => {
          const target = (await fs.readLink(ino, ask)).toString('latin1')
          refuseLongTarget(target)
          return [0, target]
        }),
    },
    symlink: {
      answer: async (ask, target, path) => {
        refuseLongTarget(target)
        const { parent, name } = await newPlace(path, ask)
        const maker = await makerIn(room, parent, ask)
        fs.forget((await fs.makeSymlink(parent, name, Buffer.from(target, 'latin1'), maker)).ino, 1)
        return DONE
      },
    },
    mknod: {
      answer: async (ask, path, mode, rdev) => {
        const { parent, name } = await newPlace(path, ask)
        const maker = await makerIn(room, parent, ask)
        const type = mode & S_IFMT
        const made = await fs.makeNode(parent, name, type | madeMode(room, mode & PERMISSIONS), rdev, maker)
        fs.forget(made.ino, 1)
        return DONE
      },
    },
    mkdir: {
      answer: async (ask, path, mode) => {
        const { parent, name } = await newPlace(path, ask)
        const maker = await makerIn(room, parent, ask)
        fs.forget((await fs.makeDirectory(parent, name, madeMode(room, mode & PERMISSIONS), maker)).ino, 1)
        return DONE
      },
    },
    link: {
      answer: async (ask, path, newPath) => {
        const { parent, name } = await newPlace(newPath, ask)
        return useInode(room, path, ask, async (ino) => {
          fs.forget((await fs.link(ino, parent, name, ask)).ino, 1)
          return DONE
        })
      },
    },
    unlink: {
      answer: async (ask, path) => {
        const place = await paths.place(path, ask)
        if (hidden.drop(place)) return DONE
        await fs.unlink(place.parent, place.name, ask)
        paths.forgetName(place.parent, place.name)
        return DONE
      },
    },
    rmdir: { answer: (ask, path) => removeDirectory(room, path, ask) },
    rename: { answer: (ask, path, newPath) => rename(room, path, newPath, ask) },
  }
}

async function removeDirectory(room: Room, path: string, ask: Ask): Promise<typeof DONE> {
  const { fs, paths, hidden } = room
  const { parent, name } = await paths.place(path, ask)
  await useInode(room, path, ask, (ino) => {
    // libfuse would not find its open files any more.
    if (hidden.isAnyIn(ino)) throw new AppError('busy', 'a file that was in the directory is open')
  })
  await fs.removeDirectory(parent, name, ask)
  paths.forgetName(parent, name)
  return DONE
}

async function rename(room: Room, path: string, newPath: string, ask: Ask): Promise<typeof DONE> {
  const { fs, paths, hidden } = room
  const owed = hidden.claim(ask)
  let isReplaced = false
  try {
    const from = await paths.place(path, ask)
    const to = await paths.place(newPath, ask)
    isReplaced = owed !== null && owed.from.key === to.key
    if (owed !== null && !isReplaced) await hidden.settle(owed, false)
    if (hidden.isHiddenName(to.name)) {
      await hidden.hide(ask, from, to)
      return DONE
    }
    await fs.rename(from.parent, from.name, to.parent, to.name, PLAIN, ask)
    for (const one of [from, to]) paths.forgetName(one.parent, one.name)
    return DONE
  } finally {
    if (owed !== null) await hidden.settle(owed, isReplaced)
  }
}

function refuseLongTarget(target: string): void {
  if (Buffer.byteLength(target) <= TARGET_ROOM) return
  throw new AppError('name-too-long', 'this door has no room for a link that leads so far')
}
