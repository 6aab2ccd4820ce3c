/**
 * The codes of AppErrors that cross a data channel, each with its number on the wire (u16). The table is the only
 * place that knows both; numbers are never reused. A code that is not in it crosses as `internal`, without its text:
 * what a host says to a stranger is only what stands here. A number that is not in it arrives as `peer-error`.
 */
import { AppError, type Retry } from '../base/errors.js'

const NUMBERS = {
  internal: 1,
  malformed: 2,
  'unsupported-version': 3,
  'unknown-method': 4,
  'timed-out': 5,
  busy: 6,
  stopped: 7,
  'too-large': 8,
  'clock-skew': 9,
  'fingerprint-mismatch': 10,

  'token-malformed': 20,
  'token-expired': 21,
  'token-not-yet': 22,
  'token-other-host': 23,
  'token-other-holder': 24,
  'token-action': 25,
  'token-wrong-shard': 26,
  'token-used': 27,
  'token-budget-spent': 28,
  'token-old-incarnation': 29,
  'token-signature': 30,
  'token-other-bridge': 31,

  'shard-not-found': 40,
  'shard-mismatch': 41,
  'shard-damaged': 42,
  'shard-too-young': 43,
  'old-generation': 44,
  'host-full': 45,
  'host-read-only': 46,
  'witness-malformed': 47,
  'witness-older': 48,
  'witness-signature': 49,
  'witness-mismatch': 50,
  'no-space': 51,
  'disk-failing': 52,
  'not-the-bridge': 53,

  'out-of-hours': 60,
  'traffic-cap': 61,
  'disk-slow': 62,
  'disk-away': 63,

  'audit-malformed': 70,
  'audit-mismatch': 71,
  'audit-signature': 72,
} as const

export type WireCode = keyof typeof NUMBERS

const CODES = new Map<number, WireCode>(Object.entries(NUMBERS).map(([code, number]) => [number, code as WireCode]))

export const WIRE_CODES = Object.keys(NUMBERS) as WireCode[]

export function isWireCode(code: string): code is WireCode {
  return Object.hasOwn(NUMBERS, code)
}

export function wireNumberOf(code: WireCode): number {
  return NUMBERS[code]
}

/** Longest text of an error on the wire, UTF-8 bytes. */
export const ERROR_TEXT_BYTES_MAX = 512

const RETRIES: readonly Retry[] = ['never', 'later', 'elsewhere']

/** What an error frame carries: number of the code, and the head (retry u8, then the text). */
export interface WireError {
  number: number
  head: Buffer
}

/** Anything that is no AppError, or one whose code stays at home, becomes `internal` without a text. */
export function encodeError(error: unknown): WireError {
  if (!(error instanceof AppError) || !isWireCode(error.code)) {
    return { number: NUMBERS.internal, head: Buffer.from([RETRIES.indexOf('later')]) }
  }
  const text = Buffer.from(error.message, 'utf8').subarray(0, ERROR_TEXT_BYTES_MAX)
  return { number: NUMBERS[error.code], head: Buffer.concat([Buffer.from([RETRIES.indexOf(error.retry)]), text]) }
}

/**
 * Never throws: an error that cannot be read is still an error. The text is the peer's word: control characters go.
 * `details.remote` tells it from an error of this side that has the same code.
 */
export function decodeError(number: number, head: Uint8Array): AppError {
  const code = CODES.get(number)
  const retry = RETRIES[head[0] ?? 0] ?? 'never'
  const raw = Buffer.from(head.buffer, head.byteOffset, head.byteLength).subarray(1, 1 + ERROR_TEXT_BYTES_MAX)
  const text = raw.toString('utf8').replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\ufffd]/g, '?')
  if (code === undefined)
    return new AppError('peer-error', `peer error ${number}: ${text}`, { retry, details: { remote: true, number } })
  return new AppError(code, text === '' ? `the peer answered ${code}` : text, { retry, details: { remote: true } })
}
