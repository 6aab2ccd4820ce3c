/**
 * The edge where errors leave the bridge: every code that may cross it, with its HTTP status. A code that is not in the wire's
 * list is a fault of this program: it crosses as `internal`, without its text, and is logged.
 */
import { AppError } from '../../base/errors.js'
import type { ErrorReply } from '../../wire/api.js'
import { type BridgeCode, isBridgeCode } from '../../wire/bridge-codes.js'

const STATUS: Readonly<Record<BridgeCode, number>> = {
  malformed: 400,
  'unsupported-version': 400,
  'too-many-shards': 400,
  'bad-scheme': 400,
  'wrong-signer': 400,
  'receipt-malformed': 400,
  'receipt-mismatch': 400,
  'receipt-signature': 400,
  'chain-signature': 400,
  'mark-malformed': 400,
  'mark-signature': 400,
  'chain-broken': 400,
  'unsupported-feature': 400,

  'request-unsigned': 401,
  'request-signature': 401,
  'clock-skew': 401,
  replayed: 401,
  'unknown-key': 401,

  'not-yours': 403,
  'device-revoked': 403,

  'unknown-call': 404,
  'unknown-account': 404,
  'unknown-drive': 404,
  'unknown-host': 404,
  'unknown-segment': 404,
  'unknown-transcript': 404,

  'head-moved': 409,
  'other-incarnation': 409,
  'writer-fenced': 409,
  'key-term-stale': 409,
  'drive-exists': 409,
  'account-conflict': 409,
  'segment-conflict': 409,
  'not-committed': 409,

  'too-large': 413,
  'record-too-large': 413,
  'rate-limited': 429,
  'too-many-unconfirmed': 429,
  'too-many-drives': 429,
  'too-many-hosts': 429,

  internal: 500,
  'no-space': 507,
  'database-damaged': 500,
  'database-unwritable': 500,
  'disk-failing': 500,
  busy: 503,
  'database-busy': 503,
  'not-enough-hosts': 503,
  'hosts-full': 507,
  stopped: 503,
}

export function statusOf(code: BridgeCode): number {
  return STATUS[code]
}

const TEXT_MAX = 2_048

/** What the peer is told. `known` is false for a fault that has to be logged. */
export function replyForError(error: unknown): { status: number; body: ErrorReply; known: boolean } {
  if (error instanceof AppError && isBridgeCode(error.code)) {
    const { code, message, retry, hint, details } = error
    const body = {
      error: {
        code,
        message: message.slice(0, TEXT_MAX),
        retry,
        ...(hint === undefined ? {} : { hint: hint.slice(0, TEXT_MAX) }),
        ...(details === undefined ? {} : { details }),
      },
    }
    return { status: statusOf(code), body, known: code !== 'internal' }
  }
  const body: ErrorReply = { error: { code: 'internal', message: 'the bridge failed', retry: 'later' } }
  return { status: STATUS.internal, body, known: false }
}
