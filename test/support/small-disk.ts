/** A disk of few megabytes, for tests of what happens when it is full. */
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import { noMounts } from './mounts.js'

/** false, or why there can be none here. */
export function noSmallDisks(): string | false {
  return process.geteuid?.() === 0 ? noMounts() : 'a small disk is made by root only'
}

/** Puts one at the folder, which must be there; it goes with the test. */
export function mountSmallDisk(t: { teardown(undo: () => void): void }, folder: string, sizeBytes: number): void {
  const made = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeBytes}`, 'tmpfs', folder])
  if (made.status !== 0) throw new Error(`no tmpfs: ${made.stderr}`)
  t.teardown(() => void spawnSync('umount', ['-l', folder]))
}

export function freeBytes(folder: string): number {
  const { bavail, bsize } = fs.statfsSync(folder)
  return bavail * bsize
}
