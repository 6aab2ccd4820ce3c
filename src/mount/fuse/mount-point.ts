/** The place of a mount: is it fit to be mounted on, and what is left there of a daemon that died. */
import fsp from 'node:fs/promises'
import path from 'node:path'
import { doorAddon } from '../../addon/door.js'
import { AppError } from '../../base/errors.js'
import { ERRNO, errnoName } from './errno.js'
import { unmountWithFusermount } from './fusermount.js'
import { topMountAt } from './mount-table.js'

export const MOUNT_TYPE = 'fuse.shardrive'
/** Mounts of dead daemons may lie upon each other when each start mounted over the last. */
const STALE_MAX = 16
/** A mount whose daemon lives but does not answer counts as busy. */
const STAT_TIMEOUT_MS = 5000

export function isRoot(): boolean {
  return process.geteuid?.() === 0
}

/** Unmounts what is mounted at a resolved path; false when it is busy (never when lazy). Throws `unmount-failed`. */
export async function unmountAt(mountPoint: string, lazy: boolean): Promise<boolean> {
  if (!isRoot()) {
    if (await unmountWithFusermount(mountPoint, lazy)) return true
    if (lazy) throw new AppError('unmount-failed', `fusermount does not unmount ${mountPoint}`)
    return false
  }
  const errno = await doorAddon().detach(mountPoint, lazy)
  if (errno === 0) return true
  if (errno === ERRNO.EBUSY) return false
  throw new AppError('unmount-failed', `${mountPoint} does not unmount: ${errnoName(errno)}`)
}

/**
 * Unmounts our own mounts at `place` whose daemon is gone ("Transport endpoint is not connected"). True if there was
 * one. Touches neither living mounts nor those of other programs.
 */
export async function clearStaleMount(place: string): Promise<boolean> {
  const mountPoint = await resolvePlace(place)
  let cleared = false
  for (let i = 0; i < STALE_MAX; i++) {
    const mount = await topMountAt(mountPoint)
    if (mount?.type !== MOUNT_TYPE || !(await isDead(mountPoint))) break
    await unmountAt(mountPoint, true)
    cleared = true
  }
  return cleared
}

/** Asks for its space: the kernel answers a stat from what it remembers, long after the daemon has gone. */
async function isDead(mountPoint: string): Promise<boolean> {
  const code = await errorCodeOf(fsp.statfs(mountPoint))
  return code === 'ENOTCONN' || code === 'ECONNABORTED'
}

/** The code of its failure, undefined when it succeeds; ETIMEDOUT when it takes too long. */
function errorCodeOf(promise: Promise<unknown>): Promise<string | undefined> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve('ETIMEDOUT'), STAT_TIMEOUT_MS)
    const finish = (code: string | undefined): void => {
      clearTimeout(timer)
      resolve(code)
    }
    promise.then(
      () => finish(undefined),
      (error: NodeJS.ErrnoException) => finish(error.code ?? 'EIO'),
    )
  })
}

/** Absolute and without symlinks, also when the last part is a dead mount, which realpath(3) cannot cross. */
async function resolvePlace(place: string): Promise<string> {
  const absolute = path.resolve(place)
  try {
    return await fsp.realpath(absolute)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code !== 'ENOTCONN' && code !== 'ECONNABORTED' && code !== 'EACCES') throw unfit(absolute, error)
  }
  try {
    return path.join(await fsp.realpath(path.dirname(absolute)), path.basename(absolute))
  } catch (error) {
    throw unfit(absolute, error)
  }
}

function unfit(place: string, cause: unknown): AppError {
  const { code } = cause as NodeJS.ErrnoException
  if (code === 'ENOENT') {
    return new AppError('mountpoint-missing', `${place} does not exist`, { hint: `mkdir -p ${place}` })
  }
  if (code === 'ENOTDIR') return new AppError('mountpoint-not-a-directory', `${place} is not a directory`)
  if (code === 'EACCES') return new AppError('mount-denied', `${place} is not accessible to this user`)
  return new AppError('mountpoint-missing', `${place} cannot be used: ${code ?? 'unknown'}`, { cause })
}

/**
 * Clears what is stale, then checks. Returns the resolved path. Throws `mountpoint-missing`,
 * `mountpoint-not-a-directory`, `mountpoint-busy`, `mountpoint-not-empty`, `mount-denied`.
 */
export async function prepareMountPoint(place: string, options: { allowNonEmpty: boolean }): Promise<string> {
  await clearStaleMount(place)
  const mountPoint = await resolvePlace(place)
  const mount = await topMountAt(mountPoint)
  if (mount !== undefined) {
    throw new AppError('mountpoint-busy', `something (${mount.type}) is mounted on ${mountPoint} already`, {
      hint: `unmount it first: umount ${mountPoint} (umount -f, then umount -l, if it hangs)`,
    })
  }
  let names: string[]
  try {
    names = await fsp.readdir(mountPoint)
  } catch (error) {
    throw unfit(mountPoint, error)
  }
  if (names.length > 0 && !options.allowNonEmpty) {
    throw new AppError('mountpoint-not-empty', `${mountPoint} is not empty`, { hint: 'mount on an empty directory' })
  }
  return mountPoint
}
