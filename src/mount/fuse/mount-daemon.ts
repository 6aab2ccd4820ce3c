/**
 * The process behind a mount of ours, which the mount's source names. Killed while a thread of it waited inside the kernel (for a
 * lock that a program holds, which waits for that very daemon) it is neither alive nor gone: it keeps its connection open, and
 * whoever asks the mount anything waits for ever. Only ending the connection ends all of them.
 */
import fs from 'node:fs'
import fsp from 'node:fs/promises'
import { isDying } from '../../base/process-state.js'
import type { MountEntry } from './mount-table.js'

/** killed: see above. unknown: gone, or of another namespace or user: what the mount answers must tell. */
export type DaemonState = 'alive' | 'killed' | 'unknown'

const DEVICE = '/dev/fuse'
/** Sources of mounts end so. */
const PID = /@([1-9]\d*)$/
/** A killed process has nothing left to do but to close its files. */
const GONE_WITHIN_MS = 5_000
const LOOK_EVERY_MS = 10

/** What a mount of this process shows as its source. */
export function sourceOf(fsname: string): string {
  return `${fsname}@${process.pid}`
}

export function pidOf(mount: MountEntry): number | null {
  const found = PID.exec(mount.source)
  return found === null ? null : Number(found[1])
}

export function daemonState(mount: MountEntry): DaemonState {
  const pid = pidOf(mount)
  // Another process may have the number by now; the daemon is the one that has the device open.
  if (pid === null || !holdsDevice(pid)) return 'unknown'
  return isDying(pid) ? 'killed' : 'alive'
}

/** Looks at each thread: the first of a killed process has no files any more. */
function holdsDevice(pid: number): boolean {
  return namesIn(`/proc/${pid}/task`).some((thread) => {
    const folder = `/proc/${pid}/task/${thread}/fd`
    return namesIn(folder).some((name) => targetOf(`${folder}/${name}`) === DEVICE)
  })
}

/** False: it cannot be done from here (the control files are not mounted, or belong to another user). */
export async function abortConnection(mount: MountEntry): Promise<boolean> {
  const [major, minor] = mount.device.split(':').map(Number) as [number, number]
  // The kernel's own number of a device: 12 bits, 20 bits.
  const connection = major * 2 ** 20 + minor
  try {
    await fsp.writeFile(`/sys/fs/fuse/connections/${connection}/abort`, '1')
    return true
  } catch {
    return false
  }
}

/** Until only its first thread is left, which has closed everything: then its locks are free. */
export async function untilClosed(pid: number): Promise<void> {
  const endMs = performance.now() + GONE_WITHIN_MS
  while (isDying(pid) && namesIn(`/proc/${pid}/task`).length > 1 && performance.now() < endMs) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS))
  }
}

function namesIn(folder: string): string[] {
  try {
    return fs.readdirSync(folder)
  } catch {
    return []
  }
}

function targetOf(link: string): string | null {
  try {
    return fs.readlinkSync(link)
  } catch {
    return null
  }
}
