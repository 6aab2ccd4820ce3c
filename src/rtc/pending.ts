/** One own request from call to settling: settles once, by reply, error, deadline or signal, wherever it stands. */
import { AppError } from '../base/errors.js'
import { BODY_BYTES_MAX, HEAD_BYTES_MAX } from '../wire/frame-limits.js'
import { replyBytesMaxOf } from '../wire/methods.js'
import type { TransportReply, TransportRequest } from './transport.js'

export interface Pending {
  readonly request: TransportRequest
  readonly replyBytesMax: number
  readonly deadlineAtMs: number
  readonly settled: boolean
  resolve(reply: TransportReply): void
  reject(error: unknown): void
  /** Called when it settles or moves; the newest only. Frees what the request holds where it stands. */
  onSettled: ((reply: TransportReply | undefined) => void) | undefined
  /** Frees it from where it stands: it is to be placed elsewhere. */
  vacate(): void
  /** Connections that ended before it left. */
  connectionsLost: number
}

/** Throws `too-large` for what no peer would take, and the signal's reason when it has fired. */
export function checkRequest(request: TransportRequest): void {
  request.signal?.throwIfAborted()
  if (request.head.length > HEAD_BYTES_MAX) throw tooLarge('head', request.head.length, HEAD_BYTES_MAX)
  const bodyLength = request.body?.length ?? 0
  if (bodyLength > BODY_BYTES_MAX) throw tooLarge('body', bodyLength, BODY_BYTES_MAX)
  const reply = request.replyBytesMax ?? 0
  if (reply > BODY_BYTES_MAX) throw tooLarge('largest reply', reply, BODY_BYTES_MAX)
}

export function tooLarge(what: string, size: number, sizeMax: number): AppError {
  return new AppError('too-large', `${what} of ${size} bytes, at most ${sizeMax}`)
}

export function openPending(
  request: TransportRequest,
  nowMs: number,
  forget: (pending: Pending) => void,
): { pending: Pending; promise: Promise<TransportReply> } {
  let resolve: (reply: TransportReply) => void = () => {}
  let reject: (error: unknown) => void = () => {}
  const promise = new Promise<TransportReply>((yes, no) => {
    resolve = yes
    reject = no
  })
  let settled = false
  const onAbort = () => pending.reject(request.signal?.reason)
  const settle = (reply: TransportReply | undefined): boolean => {
    if (settled) return false
    settled = true
    request.signal?.removeEventListener('abort', onAbort)
    forget(pending)
    free(reply)
    return true
  }
  const free = (reply: TransportReply | undefined) => {
    const { onSettled } = pending
    pending.onSettled = undefined
    onSettled?.(reply)
  }
  const pending: Pending = {
    request,
    // The wire counts the window in KiB.
    replyBytesMax: Math.ceil((request.replyBytesMax ?? replyBytesMaxOf(request.method)) / 1024) * 1024,
    deadlineAtMs: nowMs + request.deadlineMs,
    get settled() {
      return settled
    },
    resolve: (reply) => {
      if (settle(reply)) resolve(reply)
    },
    reject: (error) => {
      if (settle(undefined)) reject(error)
    },
    onSettled: undefined,
    vacate: () => free(undefined),
    connectionsLost: 0,
  }
  request.signal?.addEventListener('abort', onAbort, { once: true })
  return { pending, promise }
}
