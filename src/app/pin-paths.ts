/** Paths that a person names -> the drive they lie on and their inode numbers. */
import { statSync } from 'node:fs'
import { AppError } from '../base/errors.js'
import { findRunningDrive, type RunningDrive } from './running-drives.js'

export interface NamedFiles {
  readonly drive: RunningDrive
  readonly inos: number[]
}

/** All on one drive. `not-on-drive`, `not-found`, `usage` for paths of two drives. */
export async function namedFiles(paths: readonly string[], state: string | undefined): Promise<NamedFiles> {
  const drives: RunningDrive[] = []
  for (const file of paths) drives.push(await findRunningDrive(state, file))
  const [drive] = drives
  if (drive === undefined) throw new AppError('usage', 'name a file or folder of a drive')
  if (drives.some((one) => one.control !== drive.control)) {
    throw new AppError('usage', 'these lie on several drives', { hint: 'name the files of one drive at a time' })
  }
  return { drive, inos: paths.map(inodeOf) }
}

export function inodeOf(file: string): number {
  try {
    return statSync(file).ino
  } catch (cause) {
    throw new AppError('not-found', `${file} cannot be looked at`, { cause })
  }
}
