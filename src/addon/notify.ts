/** One datagram to a unix socket (native/notify.c): Node has no such sockets, and service managers listen on nothing else. */
import { AppError } from '../base/errors.js'
import { loadAddon } from './load.js'

export interface NotifyAddon {
  readonly version: number
  /**
   * Sends `text` (1 to 4,095 bytes) to the socket of that name: a path, or `@name` for one of Linux's abstract kind. Never waits.
   * Answers 0, or the errno: nobody listens, or the receiver's queue is full. A TypeError for what is no such name or text.
   */
  send(socket: string, text: string): number
}

const VERSION = 1
let loaded: NotifyAddon | undefined

/** Throws `addon-missing`, `addon-broken`, `addon-mismatch`. Cheap after the first call. */
export function notifyAddon(): NotifyAddon {
  if (loaded === undefined) {
    const addon = loadAddon('notify') as NotifyAddon
    if (addon.version !== VERSION) {
      throw new AppError('addon-mismatch', 'the native notifier is of another version than this program', {
        hint: 'run: npm run setup',
      })
    }
    loaded = addon
  }
  return loaded
}
