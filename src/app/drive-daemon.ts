/** Mode mount, composed: a drive (drive.ts), its door in the kernel, its control socket. It ends in the reverse order. */

import path from 'node:path'
import { failpoint } from '../base/failpoint.js'
import { openLog } from '../base/log.js'
import { ControlServer } from '../mount/control/server.js'
import { type MountedDoor, mountDoor } from '../mount/fuse/door.js'
import type { MountLabel } from '../mount/fuse/mount-label.js'
import { type Drive, type DriveOptions, openDrive } from './drive.js'
import { controlMethods } from './drive-control.js'
import { DriveStatus } from './drive-status.js'
import { announceDrive, controlSocketOf, prepareSocketFolder, withdrawDrive } from './running-drives.js'
import { REAL_SURROUNDINGS } from './surroundings.js'

export interface MountOptions extends DriveOptions {
  mountPoint: string
  door: 'native' | 'fuse-native'
  allowOther?: boolean
}

export interface RunningMount {
  name: string
  /** Unmounted from outside, or asked to end through the control socket. */
  ended: Promise<unknown>
  readOnlyReason(): string | null
  /** Resolves when the ledger's thread answers. */
  life(): Promise<MountLife>
  /** Answers the bytes that are only on this machine. */
  stop(): Promise<number>
}

/** What tells whether a mount is alive and well. */
export interface MountLife {
  mountPoint: string
  readOnly: string | null
  localBytes: number
  connected: boolean
}

const SPACE_EVERY_MS = 30_000

/** The drive that everybody has first needs no name of its own. */
const USUAL_NAME = 'main'
/** Every icon theme has it: a folder that lies elsewhere. */
const ICON = 'folder-remote'

function labelOf(name: string): MountLabel {
  return { name: name === USUAL_NAME ? 'Shardrive' : `Shardrive ${name}`, icon: ICON }
}

type Log = ReturnType<typeof openLog>

export async function mountDrive(options: MountOptions): Promise<RunningMount> {
  const log = openLog('mount')
  const drive = await openDrive(options, { ...REAL_SURROUNDINGS, log })
  let door: MountedDoor | null = null
  try {
    const { allowOther } = options
    const named = {
      fsname: `shardrive:${drive.identity.facts.drive}`,
      label: labelOf(drive.identity.facts.name),
      ...(allowOther === undefined ? {} : { allowOther }),
    }
    door = await openDoor(options, { fs: drive.vfs, log }, named)
    failpoint('mount.start.door')
    drive.showOn(door)
    return await serve(options, drive, door, log)
  } catch (error) {
    await door?.unmount().catch((failed: unknown) => log.error({ err: failed }, 'the mount stays'))
    await drive.close()
    throw error
  }
}

async function openDoor(
  { door, mountPoint, say }: MountOptions,
  parts: { fs: Drive['vfs']; log: Log },
  named: { fsname: string; label: MountLabel; allowOther?: boolean },
): Promise<MountedDoor> {
  if (door === 'native') return mountDoor(mountPoint, parts, named)
  // Its package, and libfuse, are loaded for those who ask for it.
  const { LESS, mountPortableDoor } = await import('../mount/portable/door.js')
  const mounted = await mountPortableDoor(mountPoint, parts, named)
  parts.log.warn(LESS)
  say(LESS)
  return mounted
}

async function serve(options: MountOptions, drive: Drive, door: MountedDoor, log: Log): Promise<RunningMount> {
  const { identity, network, storage, sync, files, pins } = drive
  const { mountPoint } = door
  const stateDir = path.resolve(options.stateDir)
  const statusParts = { identity, network, storage, sync, mountPoint, clock: REAL_SURROUNDINGS.clock }
  const status = new DriveStatus(statusParts)
  let requestStop: () => void = () => {}
  const asked = new Promise<void>((resolve) => (requestStop = resolve))
  const drained = openPromise<number>()
  let unmounting: Promise<boolean> = Promise.resolve(false)
  const socket = controlSocketOf(stateDir)
  prepareSocketFolder(socket)
  const control = await ControlServer.listen(
    socket,
    controlMethods({
      ...{ ...statusParts, stateDir, status, pins },
      unmountIfIdle: () => {
        unmounting = door.unmountIfIdle()
        return unmounting
      },
      endDrive: () => {
        requestStop()
        return drained.promise
      },
    }),
    log,
  )
  announce({ state: stateDir, mountPoint, control: socket, pid: process.pid }, log)
  const space = setInterval(() => void files.refreshSpace(), SPACE_EVERY_MS)
  log.info({ mount: mountPoint, drive: identity.facts.drive }, 'the drive is mounted')
  let end: string = 'asked'
  void door.ended.then((how) => {
    end = how
  })
  const stop = async () => {
    const how = end
    // Whatever fails on the way: nothing may stay open behind it.
    try {
      await door.unmount()
      const left = await drive.drain()
      failpoint('mount.stop.drained')
      drained.resolve(left)
      log.info({ left, how }, 'the drive is unmounted')
      return left
    } catch (error) {
      drained.reject(error)
      throw error
    } finally {
      clearInterval(space)
      withdrawDrive(stateDir)
      // The kernel lets the drive go before it answers: who asked for that is not cut off in between.
      await unmounting.catch(() => undefined)
      await control.stop()
      await drive.close()
    }
  }
  return {
    name: identity.facts.name,
    ended: Promise.race([asked, door.ended]),
    readOnlyReason: () => storage.ledger.readOnlyReason(),
    life: () => lifeOf(drive, mountPoint),
    stop,
  }
}

/** Settled by whoever knows; nobody has to wait for it. */
function openPromise<T>() {
  let resolve: (value: T) => void = () => {}
  let reject: (error: unknown) => void = () => {}
  const promise = new Promise<T>((yes, no) => {
    resolve = yes
    reject = no
  })
  promise.catch(() => undefined)
  return { promise, resolve, reject }
}

/** Commands find a drive that cannot be listed by --state. */
function announce(drive: Parameters<typeof announceDrive>[0], log: Log): void {
  try {
    announceDrive(drive)
  } catch (error) {
    log.warn({ err: error }, 'the drive is not listed among those that are mounted here')
  }
}

async function lifeOf({ storage, network }: Drive, mountPoint: string): Promise<MountLife> {
  await storage.ledger.room()
  const { openBytes, pendingBytes } = storage.ledger.progress()
  const readOnly = storage.ledger.readOnlyReason()
  return { mountPoint, readOnly, localBytes: openBytes + pendingBytes, connected: network.socket.state().connected }
}
