/**
 * One connection to the kernel: requests come in batches from the native reader thread and are dispatched, notifications
 * go out, and the end is told once. Knows nothing of where it is mounted.
 */
import { DOOR_EVENT, type DoorSession, doorAddon } from '../../addon/door.js'
import { AppError } from '../../base/errors.js'
import type { Log } from '../../base/log.js'
import { Dispatcher } from './dispatch.js'
import { ERRNO, errnoName } from './errno.js'
import type { FileSystem } from './filesystem.js'
import type { InitAnswer } from './init.js'
import { Replies } from './replies.js'
import { type CacheTimes, ReplyBytes } from './reply-bytes.js'
import { RequestBytes } from './request-bytes.js'

/** unmounted: by umount, from wherever. aborted: through /sys/fs/fuse/connections. closed: by us. failed: see the log. */
export type EndReason = 'unmounted' | 'aborted' | 'closed' | 'failed'

/** Ids of notifications wrap here. */
const NOTICE_ID_MAX = 2 ** 31 - 1

export class Connection {
  /** When kernel and door have agreed. */
  readonly ready: Promise<InitAnswer>
  /** When no request can come any more. */
  readonly ended: Promise<EndReason>
  private readonly session: DoorSession
  private readonly dispatcher: Dispatcher
  private readonly replies: Replies
  private readonly log: Log
  private readonly batch: Uint32Array
  private readonly slots: RequestBytes[] = []
  private readonly notices = new Map<number, (errno: number) => void>()
  private nextNotice = 0
  private closed = false
  private tellReady: (outcome: InitAnswer | Error) => void = () => undefined
  private tellEnd: (reason: EndReason) => void = () => undefined

  /** Takes the descriptor over. */
  constructor(fd: number, parts: { fs: FileSystem; log: Log }, options: { cache: CacheTimes }) {
    this.log = parts.log
    this.ready = new Promise((resolve, reject) => {
      this.tellReady = (outcome) => (outcome instanceof Error ? reject(outcome) : resolve(outcome))
    })
    this.ready.catch(() => undefined)
    this.ended = new Promise((resolve) => {
      this.tellEnd = resolve
    })
    this.session = doorAddon().attach(fd, (event, a, b) => this.onEvent(event, a, b))
    this.batch = new Uint32Array(this.session.batch)
    const out = new ReplyBytes(this.session.out, options.cache, { noFlush: parts.fs.flush === undefined })
    this.replies = new Replies({ out, port: this.session, log: parts.log })
    this.dispatcher = new Dispatcher({
      fs: parts.fs,
      replies: this.replies,
      log: parts.log,
      onReady: (outcome) => this.tellReady(outcome),
    })
  }

  /** Sends a notification; resolved when the kernel has acted on it, or has nothing to forget. */
  notify(message: Buffer): Promise<void> {
    if (this.closed) return Promise.resolve()
    const id = this.nextNotice
    this.nextNotice = id === NOTICE_ID_MAX ? 0 : id + 1
    const errno = this.session.notify(id, message)
    if (errno !== 0) {
      return Promise.reject(
        new AppError('busy', `a notification was not taken: ${errnoName(errno)}`, { retry: 'later' }),
      )
    }
    return new Promise((resolve, reject) => {
      this.notices.set(id, (outcome) => {
        const harmless =
          outcome === 0 || outcome === ERRNO.ENOENT || outcome === ERRNO.ENODEV || outcome === ERRNO.ENOTCONN
        if (harmless) resolve()
        else
          reject(new AppError('busy', `the kernel refused a notification: ${errnoName(outcome)}`, { retry: 'later' }))
      })
    })
  }

  /** Ends it from this side: whoever still uses the mount gets ENOTCONN. Waits for the native threads, not for the fs. */
  close(reason: EndReason = 'closed'): void {
    if (this.closed) return
    this.closed = true
    this.replies.abandon()
    this.session.close()
    for (const finish of this.notices.values()) finish(ERRNO.ENOTCONN)
    this.notices.clear()
    this.tellReady(new AppError('mount-failed', 'the mount ended before it was ready'))
    this.tellEnd(reason)
  }

  private onEvent(event: number, a: number, b: number): void {
    if (event === DOOR_EVENT.batch) {
      for (let i = 0; i < a && !this.closed; i++) this.dispatchSlot(this.batch[2 * i] ?? 0, this.batch[2 * i + 1] ?? 0)
    } else if (event === DOOR_EVENT.notified) {
      const finish = this.notices.get(a)
      this.notices.delete(a)
      finish?.(b)
    } else if (event === DOOR_EVENT.end) {
      const reason = a === ERRNO.ENODEV ? 'unmounted' : a === ERRNO.ECONNABORTED ? 'aborted' : 'failed'
      if (reason === 'failed') this.log.error({ errno: errnoName(a) }, 'reading from the kernel failed')
      this.close(reason)
    }
  }

  private dispatchSlot(slot: number, length: number): void {
    let request = this.slots[slot]
    if (request === undefined) {
      request = this.openSlot(slot)
      this.slots[slot] = request
    }
    request.length = length
    this.dispatcher.dispatch(request)
  }

  private openSlot(slot: number): RequestBytes {
    const { smallCount, smallSize, largeSize } = doorAddon()
    if (slot < smallCount) return new RequestBytes(this.session.small, slot * smallSize, smallSize)
    return new RequestBytes(this.session.large, (slot - smallCount) * largeSize, largeSize)
  }
}
