/**
 * The door: mounts a FileSystem on a directory of Linux and answers the kernel until it is unmounted, by us or from
 * outside. Several mounts in one process are fine. A process must not use its own mount synchronously, nor start a
 * child while it has files of it open where the file system has a flush(): the start waits for the exec, the exec for
 * the FLUSH of what it closes, and the FLUSH for this thread.
 *
 * Fails with: fuse-missing, mountpoint-missing, mountpoint-not-a-directory, mountpoint-not-empty, mountpoint-busy,
 * mount-denied, mount-failed, kernel-too-old, unmount-failed. A mount of ours whose daemon died is cleared first.
 * At process.exit() a living mount is closed and detached; after kill -9 it stays, dead or hanging, until the next mount there.
 */
import fsp from 'node:fs/promises'
import { doorAddon } from '../../addon/door.js'
import { assert } from '../../base/assert.js'
import { AppError } from '../../base/errors.js'
import { type Log, silentLog } from '../../base/log.js'
import { Connection, type EndReason } from './connection.js'
import { ERRNO, errnoName } from './errno.js'
import { closeAtExit, forgetAtExit } from './exit.js'
import type { FileSystem } from './filesystem.js'
import { findFusermount, mountWithFusermount } from './fusermount.js'
import { sourceOf } from './mount-daemon.js'
import { type MountLabel, noteLabel } from './mount-label.js'
import { expectDevice, isRoot, MOUNT_TYPE, prepareMountPoint, unmountAt } from './mount-point.js'
import { topMountAt } from './mount-table.js'
import { deletion, entryInvalidation, inodeInvalidation } from './notifications.js'
import { within } from './within.js'

export interface DoorOptions {
  /** What `mount` and `df` show as the source, before the process id: letters, digits and ._:@/- only. */
  readonly fsname?: string
  readonly readOnly?: boolean
  /** What the desktop shows of it. */
  readonly label?: MountLabel
  /** May other users see the mount? Default: yes for root, no for others (who need user_allow_other). */
  readonly allowOther?: boolean
  readonly allowNonEmpty?: boolean
  /** How long the kernel may trust names, their absence, and attributes. Default a day: the truth is ours. */
  readonly entrySec?: number
  readonly negativeSec?: number
  readonly attributesSec?: number
  readonly readyTimeoutMs?: number
}

export interface MountedDoor {
  /** Resolved. */
  readonly mountPoint: string
  /** Call unmount() then too: after an abort or umount -f a dead mount is still in the tree. */
  readonly ended: Promise<EndReason>
  /** Attributes and cached bytes from offset on (length 0: all); offset < 0: attributes only. */
  invalidateInode(ino: number, offset?: number, length?: number): Promise<void>
  invalidateEntry(parent: number, name: Buffer): Promise<void>
  /** A name that went away behind the kernel's back. */
  announceDeletion(parent: number, child: number, name: Buffer): Promise<void>
  /** At once when nothing is open; else out of the tree at once, and open files work for graceMs more. Idempotent. */
  unmount(options?: { readonly graceMs?: number }): Promise<void>
  /** Unmounts unless programs have files of it open; false when they have, and it goes on. */
  unmountIfIdle(): Promise<boolean>
}

export interface NativeDoor extends MountedDoor {
  /** FUSE minor version agreed with the kernel (7.x). */
  readonly protocolMinor: number
}

const TRUSTED_SEC = 86_400
const READY_TIMEOUT_MS = 10_000
const GRACE_MS = 5000
const MAX_READ = 1 << 20
const READAHEAD_KB = 1024
const FSNAME = /^[A-Za-z0-9._:@/-]{1,200}$/
/** Bits of mount(2). */
const MS_RDONLY = 1
const MS_NOSUID = 2
const MS_NODEV = 4

/** Whether a drive could be mounted at `place` now; the codes are those of mountDoor. A dead mount there is cleared. */
export async function checkDoor(place: string): Promise<void> {
  expectDevice()
  if (!isRoot()) findFusermount()
  await prepareMountPoint(place, { allowNonEmpty: false })
}

export async function mountDoor(
  place: string,
  parts: { fs: FileSystem; log?: Log },
  options: DoorOptions = {},
): Promise<NativeDoor> {
  expectDevice()
  const log = parts.log ?? silentLog
  const mountPoint = await prepareMountPoint(place, { allowNonEmpty: options.allowNonEmpty === true })
  const fd = await openConnection(mountPoint, options)
  const cache = {
    entrySec: options.entrySec ?? TRUSTED_SEC,
    negativeSec: options.negativeSec ?? TRUSTED_SEC,
    attributesSec: options.attributesSec ?? TRUSTED_SEC,
  }
  const connection = new Connection(fd, { fs: parts.fs, log }, { cache })
  closeAtExit(connection, mountPoint)
  void connection.ended.then(() => forgetAtExit(connection))
  try {
    const agreed = await within(connection.ready, options.readyTimeoutMs ?? READY_TIMEOUT_MS)
    const device = (await topMountAt(mountPoint))?.device
    if (device !== undefined) await raiseReadahead(device)
    return new Mount(connection, mountPoint, device, agreed.minor)
  } catch (error) {
    connection.close()
    await unmountAt(mountPoint, true)
    throw error
  }
}

class Mount implements NativeDoor {
  readonly mountPoint: string
  readonly protocolMinor: number
  readonly ended: Promise<EndReason>
  private readonly connection: Connection
  private readonly device: string | undefined
  private unmounting: Promise<void> | undefined

  constructor(connection: Connection, mountPoint: string, device: string | undefined, protocolMinor: number) {
    this.connection = connection
    this.mountPoint = mountPoint
    this.device = device
    this.protocolMinor = protocolMinor
    this.ended = connection.ended
  }

  invalidateInode(ino: number, offset = 0, length = 0): Promise<void> {
    return this.connection.notify(inodeInvalidation(ino, offset, length))
  }

  invalidateEntry(parent: number, name: Buffer): Promise<void> {
    return this.connection.notify(entryInvalidation(parent, name))
  }

  announceDeletion(parent: number, child: number, name: Buffer): Promise<void> {
    return this.connection.notify(deletion(parent, child, name))
  }

  unmount(options: { readonly graceMs?: number } = {}): Promise<void> {
    this.unmounting ??= this.unmountOnce(options.graceMs ?? GRACE_MS)
    return this.unmounting
  }

  async unmountIfIdle(): Promise<boolean> {
    const top = await topMountAt(this.mountPoint)
    if (top === undefined || top.device !== this.device) return true
    return unmountAt(this.mountPoint, false)
  }

  private async unmountOnce(graceMs: number): Promise<void> {
    // Whatever is mounted there by now may not be ours: another mount over it, or nothing.
    const top = await topMountAt(this.mountPoint)
    const ours = top !== undefined && top.device === this.device
    if (ours && !(await unmountAt(this.mountPoint, false))) await unmountAt(this.mountPoint, true)
    if (ours) await within(this.ended, graceMs).catch(() => undefined)
    this.connection.close()
    await this.ended
  }
}

async function openConnection(mountPoint: string, options: DoorOptions): Promise<number> {
  const fsname = options.fsname ?? 'shardrive'
  assert(FSNAME.test(fsname), 'fsname needs no escaping')
  const root = isRoot()
  const allowOther = (options.allowOther ?? root) ? ',allow_other' : ''
  const common = `default_permissions,max_read=${MAX_READ}${allowOther}`
  const source = sourceOf(fsname)
  if (root) {
    const fd = await openAsRoot(mountPoint, source, common, options.readOnly === true)
    if (options.label !== undefined) await noteLabel(mountPoint, source, MOUNT_TYPE, options.label)
    return fd
  }
  const access = options.readOnly === true ? 'ro' : 'rw'
  const all = `${access},nosuid,nodev,fsname=${source},subtype=shardrive,${common}`
  return mountWithFusermount(mountPoint, all, options.allowNonEmpty === true, options.label)
}

async function openAsRoot(mountPoint: string, source: string, common: string, readOnly: boolean): Promise<number> {
  const flags = MS_NOSUID | MS_NODEV | (readOnly ? MS_RDONLY : 0)
  const ids = `user_id=${process.geteuid?.() ?? 0},group_id=${process.getegid?.() ?? 0}`
  const fd = await doorAddon().mountDirect(mountPoint, source, MOUNT_TYPE, flags, `rootmode=40000,${ids},${common}`)
  if (fd >= 0) return fd
  const errno = -fd
  const denied = errno === ERRNO.EPERM || errno === ERRNO.EACCES
  if (errno === ERRNO.ENODEV) {
    throw new AppError('fuse-missing', 'the kernel has no FUSE', { hint: 'load the kernel module: modprobe fuse' })
  }
  throw new AppError(denied ? 'mount-denied' : 'mount-failed', `mount on ${mountPoint} failed: ${errnoName(errno)}`, {
    hint: denied ? 'a container needs --device /dev/fuse and --cap-add SYS_ADMIN' : undefined,
  })
}

/** The kernel reads 128 KiB ahead, whatever INIT says; only root may ask for more. */
async function raiseReadahead(device: string): Promise<void> {
  if (!isRoot()) return
  await fsp.writeFile(`/sys/class/bdi/${device}/read_ahead_kb`, String(READAHEAD_KB)).catch(() => undefined)
}
