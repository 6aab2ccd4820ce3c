/**
 * Living mounts at process.exit(), which waits for nothing: each connection is closed, so that nobody hangs on a daemon
 * that is gone, and then the dead mount is taken out of the tree.
 */
import { doorAddon } from '../../addon/door.js'
import { unmountNowWithFusermount } from './fusermount.js'
import { canDetach } from './mount-point.js'

/** Whoever asks a mount that is closed gets an error and does not wait. */
export interface Living {
  close(): void
}

const living = new Map<Living, string>()

export function closeAtExit(connection: Living, mountPoint: string): void {
  if (living.size === 0) process.on('exit', closeAll)
  living.set(connection, mountPoint)
}

export function forgetAtExit(connection: Living): void {
  living.delete(connection)
  if (living.size === 0) process.off('exit', closeAll)
}

function closeAll(): void {
  for (const [connection, mountPoint] of living) {
    connection.close()
    try {
      if (canDetach()) doorAddon().detachNow(mountPoint)
      else unmountNowWithFusermount(mountPoint)
    } catch {
      // The next mount there clears it.
    }
  }
}
