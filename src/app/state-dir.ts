/** Which state directory is meant: the named one, the usual one of a drive's name, or that of the one drive that is mounted. */
import os from 'node:os'
import path from 'node:path'
import { AppError, isCode } from '../base/errors.js'
import { standardPaths } from './paths.js'
import { listRunningDrives } from './running-drives.js'

/** A directory of its own for each drive. `drive-name`. */
export function stateDirOf(state: string | undefined, drive: string): string {
  if (state !== undefined) return path.resolve(state)
  const { stateDir } = standardPaths({ env: process.env, home: os.homedir(), platform: process.platform })
  return path.join(stateDir, checkDriveName(drive))
}

/** For commands that ask about a drive: when the usual directory holds none, the one that is mounted is meant. */
export async function knownStateDir(state: string | undefined, drive = 'main'): Promise<string> {
  const usual = stateDirOf(state, drive)
  const { hasDrive } = await import('../mount/account/drive-files.js')
  if (state !== undefined || hasDrive(usual)) return usual
  const running = await listRunningDrives()
  const [only] = running
  return running.length === 1 && only !== undefined ? only.state : usual
}

/** A name is also a folder's, where the state directory is not named. `drive-name`. */
export function checkDriveName(name: string): string {
  if (/^[^/\u0000-\u001f\u007f]{1,120}$/.test(name) && name !== '.' && name !== '..') return name
  throw new AppError('drive-name', 'a drive name has 1 to 120 characters, without slashes and control characters', {
    hint: 'choose a plain name, like photos',
  })
}

/** At a start, a full disk is told with its place, whichever part met it; every other error unchanged. */
export function fullDiskOf(stateDir: string, error: unknown): unknown {
  if (!isCode(error, 'no-space')) return error
  return new AppError('no-space', `the disk of ${stateDir} is full`, {
    cause: error,
    retry: 'later',
    hint: 'free some disk space there and mount again: nothing is lost, and it goes on where it was cut short',
  })
}
