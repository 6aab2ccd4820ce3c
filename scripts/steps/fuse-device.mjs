// Tests mount as an ordinary user, too. udev opens /dev/fuse to everybody; a container without udev leaves it to root.
import fs from 'node:fs'
import { say } from './console.mjs'

const device = '/dev/fuse'

/** As root: gives the device the mode that udev gives it, and says so. Anybody else: leaves it alone. Whether it changed anything. */
export function openFuseDevice(file = device) {
  const state = fs.statSync(file, { throwIfNoEntry: false })
  if (process.getuid?.() !== 0 || state === undefined || (state.mode & 0o666) === 0o666) return false
  fs.chmodSync(file, 0o666)
  say(
    `tests: opened ${file} to all users (it was ${(state.mode & 0o777).toString(8)}), as udev does: some tests mount as one`,
  )
  return true
}
