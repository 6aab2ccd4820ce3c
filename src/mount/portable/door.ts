/**
 * The portable door: the same FileSystem as behind the native one (../fuse/door.ts), through the npm package fuse-native and libfuse 2,
 * whose requests go by paths. For machines where the native part cannot be built, and to compare with. `mount --door fuse-native`.
 *
 * It promises what docs/semantics.md promises, less what stands there under "The portable door": what libfuse 2 and
 * fuse-native 2.2.6 cannot say. Worked around are: names and modification times (options.ts, thread-memory.ts), removed files
 * that are open (hidden.ts), handlers that fail or hang (calls.ts), values longer than their room, unmounting
 * through a shell, an end that nobody tells (descriptor.ts). What cannot be is refused where it shows, and LESS says it once at the start.
 *
 * Linux on x86-64 with glibc, libfuse 2.9 and /proc. On the main thread only: in a worker fuse-native ends the process. Memory of libfuse threads
 * beyond the tenth is never given back (some 300 bytes for each that went idle).
 *
 * Fails as mountDoor() does, and with `libfuse-missing`, `addon-broken`.
 */
import { assert } from '../../base/assert.js'
import { AppError } from '../../base/errors.js'
import { type Log, silentLog } from '../../base/log.js'
import type { EndReason } from '../fuse/connection.js'
import type { DoorOptions, MountedDoor } from '../fuse/door.js'
import { closeAtExit, forgetAtExit } from '../fuse/exit.js'
import type { FileSystem } from '../fuse/filesystem.js'
import { findFusermount } from '../fuse/fusermount.js'
import { abortConnection, sourceOf } from '../fuse/mount-daemon.js'
import { expectDevice, isRoot, prepareMountPoint, unmountAt } from '../fuse/mount-point.js'
import { type MountEntry, topMountAt } from '../fuse/mount-table.js'
import { within } from '../fuse/within.js'
import { loadFuseNative } from './library.js'
import { mountOptions } from './options.js'
import { Session } from './session.js'

/** For a person, when such a mount begins. */
export const LESS =
  'the door fuse-native does less: what other users make belongs to the owner of its folder; times are milliseconds from 1970 on; ' +
  'tar, touch -a and touch -m set none; no holes, no fallocate (docs/semantics.md, "The portable door")'

export interface PortableOptions extends Pick<DoorOptions, 'fsname' | 'readOnly' | 'allowOther' | 'readyTimeoutMs'> {
  /** How long an operation may take before it is answered with EIO. */
  readonly limitMs?: number
}

const FSNAME = /^[A-Za-z0-9._:@/-]{1,200}$/
/** What fuse-native keeps of a path, without the NUL; the rest would be cut off. */
const PLACE_BYTES_MAX = 1023
const READY_TIMEOUT_MS = 10_000
const GRACE_MS = 5_000

/** Whether a drive could be mounted at `place` now. A dead mount there is cleared. */
export async function checkPortableDoor(place: string): Promise<void> {
  await loadFuseNative()
  await prepare(place)
}

export async function mountPortableDoor(
  place: string,
  parts: { fs: FileSystem; log?: Log },
  options: PortableOptions = {},
): Promise<MountedDoor> {
  const library = await loadFuseNative()
  const mountPoint = await prepare(place)
  const source = nameOf(options)
  const allowOther = options.allowOther ?? isRoot()
  const mount = mountOptions(source, { allowOther, readOnly: options.readOnly === true })
  const log = parts.log ?? silentLog
  const session = new Session(
    library,
    mountPoint,
    { fs: parts.fs, log },
    { mount, isCallerKnown: !allowOther, limitMs: options.limitMs },
  )
  try {
    await within(session.start(), options.readyTimeoutMs ?? READY_TIMEOUT_MS)
    const entry = await topMountAt(mountPoint)
    if (entry?.source !== source) throw new AppError('mount-failed', `nothing of ours is mounted on ${mountPoint}`)
    return new PortableMount(session, entry)
  } catch (error) {
    session.refuseAll()
    // fuse-native leaves a mount behind when libfuse refuses an option.
    if ((await topMountAt(mountPoint))?.source === source) await unmountAt(mountPoint, true)
    await session.end('failed')
    throw error
  }
}

class PortableMount implements MountedDoor {
  readonly mountPoint: string
  readonly ended: Promise<EndReason>
  private readonly session: Session
  private readonly entry: MountEntry
  private unmounting: Promise<void> | undefined

  constructor(session: Session, entry: MountEntry) {
    this.session = session
    this.entry = entry
    this.mountPoint = entry.mountPoint
    this.ended = session.ended
    const living = { close: () => session.refuseAll() }
    closeAtExit(living, this.mountPoint)
    void this.ended.then(() => forgetAtExit(living))
  }

  /** The kernel remembers no attributes, and pages only while a file is open. */
  invalidateInode(): Promise<void> {
    return Promise.resolve()
  }

  invalidateEntry(parent: number, name: Buffer): Promise<void> {
    this.session.forgetName(parent, name)
    return Promise.resolve()
  }

  announceDeletion(parent: number, _child: number, name: Buffer): Promise<void> {
    return this.invalidateEntry(parent, name)
  }

  unmount(options: { readonly graceMs?: number } = {}): Promise<void> {
    this.unmounting ??= this.unmountOnce(options.graceMs ?? GRACE_MS)
    return this.unmounting
  }

  async unmountIfIdle(): Promise<boolean> {
    if (!(await this.isThere())) return true
    return unmountAt(this.mountPoint, false)
  }

  private async unmountOnce(graceMs: number): Promise<void> {
    if ((await this.isThere()) && !(await unmountAt(this.mountPoint, false))) await unmountAt(this.mountPoint, true)
    // Also when somebody else has unmounted it a moment ago.
    await within(this.ended, graceMs).catch(() => undefined)
    // Files are open still. libfuse cannot be asked to end, but nothing is served any more.
    this.session.refuseAll()
    if (this.session.isConnected) await abortConnection(this.entry)
    await this.session.end('closed')
    await this.ended
  }

  /** Whatever is mounted there by now may not be ours. */
  private async isThere(): Promise<boolean> {
    const top = await topMountAt(this.mountPoint)
    return top !== undefined && top.device === this.entry.device
  }
}

async function prepare(place: string): Promise<string> {
  expectDevice()
  // What libfuse 2 runs for ordinary users.
  if (!isRoot()) findFusermount(['fusermount'])
  const mountPoint = await prepareMountPoint(place, { allowNonEmpty: false })
  if (Buffer.byteLength(mountPoint) > PLACE_BYTES_MAX) {
    throw new AppError('mount-failed', 'the path of the mount point is too long for fuse-native', {
      hint: `choose one of at most ${PLACE_BYTES_MAX} bytes, or mount with --door native`,
    })
  }
  return mountPoint
}

function nameOf(options: PortableOptions): string {
  const fsname = options.fsname ?? 'shardrive'
  assert(FSNAME.test(fsname), 'fsname needs no escaping')
  return sourceOf(fsname)
}
