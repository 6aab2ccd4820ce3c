/** The place of a mount: is it fit to be mounted on, and what is left there of a daemon that died. */
import fs from 'node:fs'
import fsp from 'node:fs/promises'
import path from 'node:path'
import { doorAddon } from '../../addon/door.js'
import { AppError, isCode } from '../../base/errors.js'
import { ERRNO, errnoName } from './errno.js'
import { unmountWithFusermount } from './fusermount.js'
import { abortConnection, daemonState, pidOf, untilClosed } from './mount-daemon.js'
import { forgetLabel } from './mount-label.js'
import { type MountEntry, topMountAt } from './mount-table.js'

export const MOUNT_TYPE = 'fuse.shardrive'
const DEVICE = '/dev/fuse'
/** Mounts of dead daemons may lie upon each other when each start mounted over the last. */
const STALE_MAX = 16
/** A mount that does not answer, and of whose daemon nothing is known, counts as busy. */
const STAT_TIMEOUT_MS = 5000
/** Bits of umount2(2). */
const MNT_FORCE = 1
const MNT_DETACH = 2

/** Throws `fuse-missing`. */
export function expectDevice(): void {
  if (fs.existsSync(DEVICE)) return
  throw new AppError('fuse-missing', `there is no ${DEVICE}`, { hint: 'load the kernel module: modprobe fuse' })
}

export function isRoot(): boolean {
  return process.geteuid?.() === 0
}

/** Through umount(2). Others, and root where the native door is not built (the portable one needs it for no more), use fusermount. */
export function canDetach(): boolean {
  if (!isRoot()) return false
  try {
    doorAddon()
    return true
  } catch {
    return false
  }
}

/** Unmounts what is mounted at a resolved path; false when it is busy (never when lazy). Throws `unmount-failed`. */
export async function unmountAt(mountPoint: string, lazy: boolean): Promise<boolean> {
  if (!canDetach()) {
    if (await unmountWithFusermount(mountPoint, lazy)) return true
    if (lazy) throw new AppError('unmount-failed', `fusermount does not unmount ${mountPoint}`)
    return false
  }
  const errno = await doorAddon().detach(mountPoint, lazy ? MNT_DETACH : 0)
  if (errno === 0) {
    await forgetLabel(mountPoint)
    return true
  }
  if (errno === ERRNO.EBUSY) return false
  throw new AppError('unmount-failed', `${mountPoint} does not unmount: ${errnoName(errno)}`)
}

/** What is at a place, dead mounts of ours cleared. Mounts of ours are not looked at: one that hangs never answers. */
export async function preparePlace(place: string): Promise<'missing' | 'cleared' | 'there'> {
  try {
    return (await clearStaleMount(place)) ? 'cleared' : 'there'
  } catch (error) {
    if (isCode(error, 'mountpoint-missing')) return 'missing'
    throw error
  }
}

/**
 * Unmounts our own mounts at `place` whose daemon is gone ("Transport endpoint is not connected") or was killed and hangs. True
 * if there was one. Touches neither living mounts nor those of other programs. `mountpoint-busy`: it hangs, and ending it
 * needs root.
 */
export async function clearStaleMount(place: string): Promise<boolean> {
  const mountPoint = await resolvePlace(place)
  let cleared = false
  for (let i = 0; i < STALE_MAX; i++) {
    const mount = await topMountAt(mountPoint)
    if (mount?.type !== MOUNT_TYPE || !(await isDead(mount))) break
    // Ending one that hung may have taken it away already.
    if ((await topMountAt(mountPoint))?.device === mount.device) await unmountAt(mountPoint, true)
    cleared = true
  }
  return cleared
}

/** A mount that hangs is made a dead one. */
async function isDead(mount: MountEntry): Promise<boolean> {
  const daemon = daemonState(mount)
  if (daemon === 'killed') await endKilled(mount)
  return daemon === 'unknown' ? isDisconnected(mount.mountPoint) : daemon === 'killed'
}

async function endKilled(mount: MountEntry): Promise<void> {
  const { mountPoint } = mount
  // As root it is ended through the mount itself; that it is in use does not matter.
  if (isRoot()) await doorAddon().detach(mountPoint, MNT_FORCE)
  else if (!(await abortConnection(mount))) {
    throw new AppError('mountpoint-busy', `the daemon of ${mountPoint} was killed, and its mount hangs`, {
      hint: `ending it takes root here: sudo umount -f ${mountPoint}; then mount again`,
    })
  }
  await untilClosed(pidOf(mount) as number)
}

/** Asks for its space: the kernel answers a stat from what it remembers, long after the daemon has gone. */
async function isDisconnected(mountPoint: string): Promise<boolean> {
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

/** Absolute and without symlinks. What is mounted there is not looked at: it may be dead, or hang. */
export async function resolvePlace(place: string): Promise<string> {
  const absolute = path.resolve(place)
  if (await isMountPoint(absolute)) return absolute
  try {
    const inParent = path.join(await fsp.realpath(path.dirname(absolute)), path.basename(absolute))
    return (await isMountPoint(inParent)) ? inParent : await fsp.realpath(inParent)
  } catch (error) {
    throw unfit(absolute, error)
  }
}

async function isMountPoint(place: string): Promise<boolean> {
  return (await topMountAt(place)) !== undefined
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
