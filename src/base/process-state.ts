/** What /proc tells of a process. Where there is no /proc, nothing is known, and nobody is said to be dying. */
import fs from 'node:fs'

/** Bit of SIGKILL in a mask of pending signals. */
const KILLED = 1n << 8n

/**
 * Killed and not gone, or gone and not reaped. A thread that waits inside the kernel keeps the files of a killed process open (its
 * locks, its sockets that nobody answers) until its wait is over.
 */
export function isDying(pid: number): boolean {
  let status: string
  try {
    status = fs.readFileSync(`/proc/${pid}/status`, 'latin1')
  } catch {
    return false
  }
  if (/^State:\s+[ZX]/m.test(status)) return true
  return [...status.matchAll(/^(?:SigPnd|ShdPnd):\s+([0-9a-f]+)$/gm)].some(
    ([, mask]) => (BigInt(`0x${mask}`) & KILLED) !== 0n,
  )
}
