/**
 * The descriptor of a mount's connection, which libfuse keeps to itself. fuse-native never tells that a mount has ended; but libfuse
 * then closes this descriptor, and a process can look at its own.
 */
import fs from 'node:fs'

const FOLDER = '/proc/self/fd'
const DEVICE = '/dev/fuse'
const LOOK_EVERY_MS = 100

/** The descriptors of this process that lead to the device. */
export function deviceDescriptors(): Set<string> {
  return new Set(fs.readdirSync(FOLDER).filter(isDevice))
}

/** The one that has come since `before`. */
export function newDescriptor(before: ReadonlySet<string>): string | undefined {
  return [...deviceDescriptors()].find((fd) => !before.has(fd))
}

/** Calls back once, when it is closed. The result stops looking. */
export function whenClosed(fd: string, tell: () => void): () => void {
  const timer = setInterval(() => {
    if (isDevice(fd)) return
    clearInterval(timer)
    tell()
  }, LOOK_EVERY_MS)
  return () => clearInterval(timer)
}

export function isDevice(fd: string): boolean {
  try {
    return fs.readlinkSync(`${FOLDER}/${fd}`) === DEVICE
  } catch {
    return false
  }
}
