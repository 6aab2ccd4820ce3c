/** The disk below a host: may it be written, is there room, how long does it take until bytes are safe. */
import { closeSync, fdatasyncSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs'
import path from 'node:path'
import type { Clock } from '../base/clock.js'
import type { Check } from './checks.js'
import { formatBytes } from './numbers.js'

/** One volume file. */
const SPACE_WANTED_BYTES = 1_073_741_824
const WRITE_BYTES = 4_096
const TRIES = 5
/** Each shard that is taken waits for one: a hard disk needs 10 to 30 ms. */
const SLOW_MS = 200

export async function checkDisk(dir: string, clock: Clock): Promise<Check> {
  const name = 'disk'
  const volumes = path.join(dir, 'volumes')
  let safeMs: number
  try {
    safeMs = timeOfSafety(path.join(volumes, `.doctor-${process.pid}`), clock)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    const hint =
      'correct owner, permissions and free space of the folder, and look whether its disk is mounted read-only'
    return { name, state: 'fail', detail: `${volumes} cannot be written (${code})`, hint }
  }
  const { bavail, bsize } = statfsSync(volumes)
  const free = bavail * bsize
  const detail = `${volumes}, ${formatBytes(free)} free, ${Math.round(safeMs)} ms until 4 KiB are safe`
  if (free < SPACE_WANTED_BYTES) {
    return { name, state: 'warn', detail, hint: 'there is room for little more: free some space, or lend less' }
  }
  if (safeMs > SLOW_MS)
    return { name, state: 'warn', detail, hint: 'this disk is slow or busy: every shard waits for it' }
  return { name, state: 'ok', detail }
}

/** The middle one of a few small writes with fdatasync. */
function timeOfSafety(file: string, clock: Clock): number {
  const descriptor = openSync(file, 'w', 0o600)
  try {
    const times = Array.from({ length: TRIES }, () => {
      const startedMs = clock.monotonicMs()
      writeSync(descriptor, Buffer.alloc(WRITE_BYTES), 0, WRITE_BYTES, 0)
      fdatasyncSync(descriptor)
      return clock.monotonicMs() - startedMs
    })
    return times.sort((a, b) => a - b)[TRIES >> 1] as number
  } finally {
    closeSync(descriptor)
    rmSync(file, { force: true })
  }
}
