/**
 * The native half of the Linux door (native/door.c): descriptors, mounting, a reader thread a mount, replies and
 * notifications. It knows nothing of what requests mean.
 */
import { AppError } from '../base/errors.js'
import { loadAddon } from './load.js'

/** Values of the `event` argument of a session's callback. */
export const DOOR_EVENT = {
  /** a = number of requests now listed in `batch`; they are valid until the callback returns. */
  batch: 0,
  /** a = id given to notify(), b = errno or 0. */
  notified: 1,
  /** a = the errno that ended the connection (ENODEV: unmounted, ECONNABORTED: aborted). Comes once, last. */
  end: 2,
} as const

export interface DoorSession {
  /** smallCount slots of smallSize bytes, then (in `large`) largeCount of largeSize: the request buffers. */
  readonly small: ArrayBuffer
  readonly large: ArrayBuffer
  /** Replies are put together here, header first. */
  readonly out: ArrayBuffer
  /** Pairs of u32: slot (large ones count on from smallCount) and length in bytes. */
  readonly batch: ArrayBuffer
  /** 0 or an errno; ENOENT: the kernel no longer waits for this answer. */
  send(length: number): number
  /** The first `length` bytes of `out` followed by at most 256 buffers. */
  sendWith(length: number, buffers: readonly Uint8Array[]): number
  /** Queues a whole message for the notifier thread; 0 or an errno (EAGAIN: 1,024 are waiting). At most 4,096 bytes. */
  notify(id: number, message: Uint8Array): number
  /** Ends the threads and closes the descriptor, which ends the kernel's connection. No callback follows. Idempotent. */
  close(): void
}

export interface DoorAddon {
  readonly interfaceVersion: number
  readonly smallSize: number
  readonly smallCount: number
  readonly largeSize: number
  readonly largeCount: number
  /** A descriptor >= 0 or a negative errno. For root. `flags` as in mount(2), `options` without fd=. */
  mountDirect(path: string, source: string, type: string, flags: number, options: string): Promise<number>
  /** 0 or an errno. `flags` as in umount2(2): with none, EBUSY while something is open. */
  detach(path: string, flags: number): Promise<number>
  /** Lazily and on this thread: for the last moments of a process, after the session was closed. */
  detachNow(path: string): number
  socketPair(): [ours: number, theirs: number]
  /** The descriptor passed over `socket`, or a negative errno. Does not wait. */
  receiveDescriptor(socket: number): number
  closeDescriptor(fd: number): number
  /** Takes the descriptor over, also when it throws. */
  attach(fd: number, callback: (event: number, a: number, b: number) => void): DoorSession
}

const INTERFACE_VERSION = 2
let loaded: DoorAddon | undefined

/** Throws `addon-missing` where there is no native door (other systems, not built). */
export function doorAddon(): DoorAddon {
  if (loaded === undefined) {
    const addon = loadAddon('door') as DoorAddon
    if (addon.interfaceVersion !== INTERFACE_VERSION) {
      throw new AppError('addon-mismatch', 'the native door is of another version than this program', {
        hint: 'build again: npm run build',
      })
    }
    loaded = addon
  }
  return loaded
}
