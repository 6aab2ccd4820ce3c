/** Ends of daemons that are no children of ours. */
import path from 'node:path'
import { AppError } from '../base/errors.js'
import { isDying } from '../base/process-state.js'
import { clearStaleMount } from '../mount/fuse/mount-point.js'
import { listDeadDrives, listRunningDrives } from './running-drives.js'

/** The daemon stores what it can before it ends. */
const ENDS_WITHIN_MS = 60_000
const LOOK_MS = 50

/** `busy`: it goes on. */
export async function untilGone(pid: number): Promise<void> {
  for (let waitedMs = 0; waitedMs < ENDS_WITHIN_MS; waitedMs += LOOK_MS) {
    if (isGone(pid)) return
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
  }
  throw new AppError('busy', `the daemon (pid ${pid}) is still ending`, {
    retry: 'later',
    hint: 'programs may still have files of the drive open',
  })
}

/** The drive of this state directory, whoever started it, and the mount that a dead one has left. */
export async function endDriveOf(stateDir: string): Promise<void> {
  const isOurs = ({ state }: { state: string }) => state === path.resolve(stateDir)
  const running = (await listRunningDrives()).find(isOurs)
  // No number, no process: to signal 0 is to signal ourselves.
  if (running !== undefined && running.pid > 0 && !isGone(running.pid)) {
    process.kill(running.pid, 'SIGTERM')
    await untilGone(running.pid)
  }
  const dead = (await listDeadDrives()).find(isOurs)
  if (dead?.mountPoint) await clearStaleMount(dead.mountPoint)
}

function isGone(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return isDying(pid)
  } catch {
    return true
  }
}
