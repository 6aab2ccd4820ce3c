/**
 * Mounting as an ordinary user, through the setuid program of the fuse package: it opens /dev/fuse, mounts, and passes
 * the descriptor back over a socket whose number it finds in _FUSE_COMMFD. Never through a shell.
 */
import { spawnSync } from 'node:child_process'
import path from 'node:path'
import { doorAddon } from '../../addon/door.js'
import { AppError } from '../../base/errors.js'
import { labelOptions, type MountLabel } from './mount-label.js'
import { COMM_FD, findProgram, runProgram } from './program.js'

const INSTALL_HINT = 'apt-get install fuse3'
/** In the exit handler nothing may hang. */
const EXIT_TIMEOUT_MS = 3000

/** fusermount3 where there is one, else the one of fuse 2. Throws `fuse-missing`. */
export function findFusermount(names: readonly string[] = ['fusermount3', 'fusermount']): string {
  const program = findProgram(names)
  if (program !== null) return program
  throw new AppError('fuse-missing', `there is no ${names.join(' and no ')}`, { hint: INSTALL_HINT })
}

/** Before 3.17, and in fuse 2, options of the desktop are refused like any word that they do not know. */
const LABEL_REFUSED = /unknown option '?x-/

/** Returns the descriptor of the new connection. `options` are those of mount -o; the label is left out where it is not known. */
export async function mountWithFusermount(
  mountPoint: string,
  options: string,
  allowNonEmpty: boolean,
  label?: MountLabel,
): Promise<number> {
  const program = findFusermount()
  // Only the program of fuse 2 asks for this, and only it knows the word.
  const all = allowNonEmpty && path.basename(program) === 'fusermount' ? `${options},nonempty` : options
  const addon = doorAddon()
  const [ours, theirs] = addon.socketPair()
  try {
    const env = { _FUSE_COMMFD: String(COMM_FD) }
    const ask = (words: string) => runProgram(program, ['-o', words, '--', mountPoint], { commSocket: theirs, env })
    let outcome = await ask(label === undefined ? all : `${all},${labelOptions(label)}`)
    if (outcome.status !== 0 && label !== undefined && LABEL_REFUSED.test(outcome.stderr)) outcome = await ask(all)
    if (outcome.status !== 0) throw mountRefused(outcome.stderr)
    const fd = addon.receiveDescriptor(ours)
    if (fd < 0) throw new AppError('mount-failed', `fusermount passed no descriptor (errno ${-fd})`)
    return fd
  } finally {
    addon.closeDescriptor(ours)
    addon.closeDescriptor(theirs)
  }
}

/** True when it is unmounted. */
export async function unmountWithFusermount(mountPoint: string, lazy: boolean): Promise<boolean> {
  const outcome = await runProgram(findFusermount(), ['-u', ...(lazy ? ['-z'] : []), '--', mountPoint])
  return outcome.status === 0
}

/** Waits for it, on this thread, for a short while at most: for the exit handler. */
export function unmountNowWithFusermount(mountPoint: string): void {
  spawnSync(findFusermount(), ['-u', '-z', '--', mountPoint], { stdio: 'ignore', timeout: EXIT_TIMEOUT_MS })
}

function mountRefused(stderr: string): AppError {
  const message = stderr.replace(/^\S*fusermount3?: /, '') || 'fusermount failed'
  if (/user_allow_other/.test(stderr)) {
    return new AppError('mount-denied', message, { hint: 'write the line user_allow_other into /etc/fuse.conf' })
  }
  if (/\/dev\/fuse: Permission denied/.test(stderr)) {
    return new AppError('mount-denied', message, {
      hint: 'let users open it, as udev usually does: chmod 666 /dev/fuse',
    })
  }
  if (/\/dev\/fuse|device not found/.test(stderr)) {
    return new AppError('fuse-missing', message, { hint: 'load the kernel module: modprobe fuse' })
  }
  if (/no write access|[Pp]ermission denied|not permitted|not owner/.test(stderr)) {
    return new AppError('mount-denied', message, { hint: 'mount on a directory that you own and can write to' })
  }
  return new AppError('mount-failed', message)
}
