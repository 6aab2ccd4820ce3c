/**
 * Folders and small files, made so that a crash or a full disk leaves the old state. What the system answers (ENOENT, ENOSPC
 * ...) passes; explained() turns it into `no-space` or `state-unwritable`.
 */
import {
  closeSync,
  constants,
  existsSync,
  fchmodSync,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs'
import path from 'node:path'
import { AppError } from './errors.js'
import { failpoint } from './failpoint.js'
import { saysFull, systemCode } from './system-code.js'

const UNSYNCED = new Set(['EACCES', 'EPERM', 'EINVAL', 'ENOTSUP', 'EISDIR'])

/**
 * Like `mkdir -p`, on disk when it returns; `mode` (0700) is for what is new. Not `mkdirSync({recursive: true})`: that one never
 * returns in places where nothing can be made, such as /proc.
 */
export function makeFolder(folder: string, mode = 0o700): void {
  if (existsSync(folder)) return
  const parent = path.dirname(folder)
  if (parent !== folder) makeFolder(parent, mode)
  try {
    mkdirSync(folder, { mode })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
  failpoint('base.folder.made')
  // Else a loss of power may take the folder, with all that is synced in it.
  syncParent(parent)
}

/** A folder that may be entered and not read (of somebody else), or that its file system does not sync, is left to the system. */
function syncParent(parent: string): void {
  try {
    syncFolder(parent)
  } catch (error) {
    if (!UNSYNCED.has((error as NodeJS.ErrnoException).code ?? '')) throw error
  }
}

/** Whole or not at all, on disk when it returns. `mode` (0600) as it stands, whatever the umask. */
export function writeWhole(file: string, content: string | Buffer, mode = 0o600): void {
  const draft = `${file}.draft`
  const bytes = typeof content === 'string' ? Buffer.from(content) : content
  try {
    const fd = openSync(draft, 'w', mode)
    try {
      if (mode !== 0o600) fchmodSync(fd, mode)
      for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at)
      fsyncSync(fd)
    } finally {
      closeSync(fd)
    }
    failpoint('base.file.drafted')
    renameSync(draft, file)
    failpoint('base.file.renamed')
  } catch (error) {
    rmSync(draft, { force: true })
    throw error
  }
  syncFolder(path.dirname(file))
}

/**
 * A small file, whole. `malformed` for one of more than `bytesMax`, and for what is no plain file: a pipe that somebody put in
 * its place would be waited for without end. What the system answers (ENOENT ...) passes.
 */
export function readSmall(file: string, bytesMax: number): Buffer {
  const fd = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK)
  try {
    const state = fstatSync(fd)
    if (!state.isFile()) throw new AppError('malformed', `${file} is no plain file`)
    if (state.size > bytesMax) throw new AppError('malformed', `${file} has ${state.size} bytes, at most ${bytesMax}`)
    return readFileSync(fd)
  } finally {
    closeSync(fd)
  }
}

export function syncFolder(folder: string): void {
  const fd = openSync(folder, 'r')
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

/** `no-space` or `state-unwritable` for what the system says no to; anything else unchanged. */
export function explained<T>(folder: string, work: () => T): T {
  try {
    return work()
  } catch (error) {
    const code = systemCode(error)
    if (error instanceof AppError || typeof code !== 'string' || !/^E[A-Z]+$/.test(code)) throw error
    if (saysFull(error)) {
      throw new AppError('no-space', `the disk of ${folder} is full`, { hint: 'free some disk space', cause: error })
    }
    throw new AppError('state-unwritable', `${folder} cannot be written`, {
      cause: error,
      hint: 'name another folder, or correct its owner and permissions',
    })
  }
}
