/**
 * The system's own name of an error. Node names what libuv knows and calls the rest UNKNOWN: a quota that is used up, a file system that met
 * damage of its own, a stale handle of NFS.
 */
import { constants } from 'node:os'

/** Of Linux; os.constants does not have it. */
const EUCLEAN = 117

const NAMES = new Map<number, string>([
  ...Object.entries(constants.errno).map(([name, number]): [number, string] => [-number, name]),
  [-EUCLEAN, 'EUCLEAN'],
])

/** undefined: it is not of the system. */
export function systemCode(error: unknown): string | undefined {
  const { code, errno } = (error ?? {}) as NodeJS.ErrnoException
  return code === 'UNKNOWN' && errno !== undefined ? (NAMES.get(errno) ?? code) : code
}

/** The disk is full, or what this user may have of it. */
export function saysFull(error: unknown): boolean {
  const code = systemCode(error)
  return code === 'ENOSPC' || code === 'EDQUOT'
}
