/**
 * Mounting as an ordinary user, through the setuid program of the fuse package: it opens /dev/fuse, mounts, and passes
 * the descriptor back over a socket whose number it finds in _FUSE_COMMFD. Never through a shell.
 */
import { spawn, spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { doorAddon } from '../../addon/door.js'
import { AppError } from '../../base/errors.js'

const INSTALL_HINT = 'apt-get install fuse3'
const SYSTEM_FOLDERS = ['/usr/bin', '/bin', '/usr/local/bin', '/run/wrappers/bin']
const TIMEOUT_MS = 30_000
/** In the exit handler nothing may hang. */
const EXIT_TIMEOUT_MS = 3000
const STDERR_MAX = 4096
/** The first descriptor after stdin, stdout and stderr. */
const COMM_FD = 3

/** fusermount3 where there is one, else the one of fuse 2. Throws `fuse-missing`. */
export function findFusermount(names: readonly string[] = ['fusermount3', 'fusermount']): string {
  const folders = [
    ...(process.env.PATH ?? '').split(path.delimiter).filter((p) => path.isAbsolute(p)),
    ...SYSTEM_FOLDERS,
  ]
  for (const name of names) {
    for (const folder of folders) {
      const file = path.join(folder, name)
      if (isExecutable(file)) return file
    }
  }
  throw new AppError('fuse-missing', `there is no ${names.join(' and no ')}`, { hint: INSTALL_HINT })
}

function isExecutable(file: string): boolean {
  try {
    fs.accessSync(file, fs.constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** Returns the descriptor of the new connection. `options` are those of mount -o. */
export async function mountWithFusermount(
  mountPoint: string,
  options: string,
  allowNonEmpty: boolean,
): Promise<number> {
  const program = findFusermount()
  // Only the program of fuse 2 asks for this, and only it knows the word.
  const all = allowNonEmpty && path.basename(program) === 'fusermount' ? `${options},nonempty` : options
  const addon = doorAddon()
  const [ours, theirs] = addon.socketPair()
  try {
    const outcome = await run(program, ['-o', all, '--', mountPoint], theirs)
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
  const outcome = await run(findFusermount(), ['-u', ...(lazy ? ['-z'] : []), '--', mountPoint])
  return outcome.status === 0
}

/** Waits for it, on this thread, for a short while at most: for the exit handler. */
export function unmountNowWithFusermount(mountPoint: string): void {
  spawnSync(findFusermount(), ['-u', '-z', '--', mountPoint], { stdio: 'ignore', timeout: EXIT_TIMEOUT_MS })
}

interface Outcome {
  readonly status: number | null
  readonly stderr: string
}

function run(program: string, args: readonly string[], commSocket?: number): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const env: NodeJS.ProcessEnv = { PATH: process.env.PATH, LC_ALL: 'C' }
    if (commSocket !== undefined) env._FUSE_COMMFD = String(COMM_FD)
    const stdio: ('ignore' | 'pipe' | number)[] = ['ignore', 'ignore', 'pipe']
    if (commSocket !== undefined) stdio.push(commSocket)
    const child = spawn(program, args, { stdio, env, timeout: TIMEOUT_MS })
    let stderr = ''
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      stderr = (stderr + text).slice(0, STDERR_MAX)
    })
    child.on('error', reject)
    child.on('close', (status) => resolve({ status, stderr: stderr.trim() }))
  })
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
