/** What the control socket answers of pins: pin, unpin, evict. Files are named by inode number. */
import { AppError } from '../base/errors.js'
import type { ControlCall, ControlMethods } from '../mount/control/server.js'
import type { Pins } from '../mount/pins/pins.js'

const PROGRESS_EVERY_MS = 250
/** Of one call; the command asks again for more. */
const INODES_MAX = 1_000

export function pinMethods(pins: Pins): ControlMethods {
  return {
    /** {inos, wait}: recorded one after the other; with `wait` answered when all their bytes are here. */
    pin: async (call) => {
      const inos = inodesOf(call)
      for (const ino of inos) {
        call.signal.throwIfAborted()
        await pins.pin(ino)
      }
      if (call.params.wait !== true) return { pinned: inos.length, bytes: null }
      const progress = (value: object) => call.progress(value)
      const { bytes } = await pins.whenHere(inos, { signal: call.signal, progress, everyMs: PROGRESS_EVERY_MS })
      return { pinned: inos.length, bytes }
    },
    unpin: async (call) => {
      const inos = inodesOf(call)
      for (const ino of inos) await pins.unpin(ino)
      // So that what comes next, an evict say, finds it so.
      await pins.whenTold(call.signal)
      return { unpinned: inos.length }
    },
    evict: async (call) => {
      const sum = { files: 0, bytes: 0, pinnedFiles: 0, localFiles: 0 }
      for (const ino of inodesOf(call)) {
        const done = await pins.evict(ino, call.signal)
        for (const key of Object.keys(sum) as (keyof typeof sum)[]) sum[key] += done[key]
      }
      return sum
    },
  }
}

export function inodesOf({ params }: ControlCall): number[] {
  const { inos } = params
  const isInode = (one: unknown): one is number => typeof one === 'number' && Number.isSafeInteger(one) && one >= 1
  if (Array.isArray(inos) && inos.length > 0 && inos.length <= INODES_MAX && inos.every(isInode)) return inos
  throw new AppError('usage', `name 1 to ${INODES_MAX} files by inode number`)
}
