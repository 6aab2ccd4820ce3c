/**
 * The way back: answers at once when the file system did, later when it promised. Keeps the calls that wait, so that an
 * INTERRUPT or the end of the mount reaches them. How many can wait is bounded by the kernel: one per thread that is
 * in a system call, plus max_background.
 */
import { codeOf } from '../../base/errors.js'
import type { Log } from '../../base/log.js'
import { type Call, callKey } from './call.js'
import { ERRNO, errnoOf } from './errno.js'
import type { MaybePromise } from './filesystem.js'
import { inodeInvalidation } from './notifications.js'
import { OUT_HEADER } from './offsets.js'
import type { ReplyBytes } from './reply-bytes.js'

/** The native door's half that replies go to; numbers are errnos, 0 is success. */
export interface ReplyPort {
  send(length: number): number
  sendWith(length: number, buffers: readonly Uint8Array[]): number
}

/** What one writev of the native door takes besides the header. */
const BUFFERS_MAX = 256
/** As an offset of an inode invalidation. */
const ATTRIBUTES_ONLY = -1

export class Replies {
  readonly out: ReplyBytes
  private readonly port: ReplyPort
  private readonly log: Log
  private readonly waiting = new Map<number, Call>()

  constructor(parts: { out: ReplyBytes; port: ReplyPort; log: Log }) {
    this.out = parts.out
    this.port = parts.port
    this.log = parts.log
  }

  /** Runs `reply` with the result, now or when it is there; a failure of either is answered with its errno. */
  settle<T>(call: Call, result: MaybePromise<T>, reply: (value: T) => void): void {
    if (!(result instanceof Promise)) {
      reply(result)
      return
    }
    this.waiting.set(call.key, call)
    result.then(
      (value) => {
        if (!this.waiting.delete(call.key)) return
        try {
          reply(value)
        } catch (error) {
          this.fail(call, error)
        }
      },
      (error: unknown) => {
        if (this.waiting.delete(call.key)) this.fail(call, error)
      },
    )
  }

  /** Sends `bodySize` bytes that stand in `out`. False: the kernel did not take it. */
  body(call: Call, bodySize: number): boolean {
    const length = OUT_HEADER.size + bodySize
    this.out.header(length, 0, call.uniqueLow, call.uniqueHigh)
    return this.sent(call, this.port.send(length))
  }

  empty(call: Call): boolean {
    return this.body(call, 0)
  }

  /** Sends bytes from where they are. */
  bytes(call: Call, data: Buffer | readonly Buffer[]): boolean {
    let buffers = Buffer.isBuffer(data) ? [data] : data
    if (buffers.length > BUFFERS_MAX) buffers = [Buffer.concat(buffers)]
    let length = OUT_HEADER.size
    for (const buffer of buffers) length += buffer.length
    this.out.header(length, 0, call.uniqueLow, call.uniqueHigh)
    return this.sent(call, this.port.sendWith(OUT_HEADER.size, buffers))
  }

  error(call: Call, errno: number): void {
    this.out.header(OUT_HEADER.size, errno, call.uniqueLow, call.uniqueHigh)
    this.sent(call, this.port.send(OUT_HEADER.size))
  }

  fail(call: Call, error: unknown): void {
    const errno = errnoOf(error)
    if (errno === undefined) {
      this.log.error(
        { code: codeOf(error), opcode: call.opcode, at: framesOf(error) },
        'unexpected failure of a request',
      )
    }
    this.error(call, errno ?? ERRNO.EIO)
  }

  /** To be called before the answer to a request that may have cleared setuid or setgid; see privileged-inodes.ts. */
  dropClearedMode(ino: number): void {
    if (!this.out.privileged.take(ino)) return
    const message = inodeInvalidation(ino, ATTRIBUTES_ONLY, 0)
    message.copy(this.out.bytes)
    // Waits for no lock, unlike other notifications; ENOENT says that the kernel holds nothing.
    this.port.send(message.length)
  }

  /** An INTERRUPT for this request. It finds nothing when the answer has just been sent, which is fine. */
  interrupt(uniqueLow: number, uniqueHigh: number): void {
    this.waiting.get(callKey(uniqueLow, uniqueHigh))?.interrupt('the caller was interrupted by a signal')
  }

  /** Answers everything that waits with ENOTCONN and tells it so; what it still brings is dropped. */
  abandon(): void {
    const calls = [...this.waiting.values()]
    this.waiting.clear()
    for (const call of calls) {
      this.error(call, ERRNO.ENOTCONN)
      call.interrupt('the mount has ended')
    }
  }

  private sent(call: Call, errno: number): boolean {
    if (errno === 0) return true
    const gone = errno === ERRNO.ENOENT || errno === ERRNO.ENODEV || errno === ERRNO.ENOTCONN
    if (gone) return false
    // The kernel found the reply wrong. Its caller must not wait for ever.
    this.log.error({ errno, opcode: call.opcode }, 'the kernel refused a reply')
    this.out.header(OUT_HEADER.size, ERRNO.EIO, call.uniqueLow, call.uniqueHigh)
    this.port.send(OUT_HEADER.size)
    return false
  }
}

/** Where it happened, without the message: that may hold a name. */
export function framesOf(error: unknown): string {
  if (!(error instanceof Error) || error.stack === undefined) return typeof error
  const frames = error.stack.split('\n').filter((line) => line.startsWith('    at '))
  return `${error.name}\n${frames.slice(0, 12).join('\n')}`
}
