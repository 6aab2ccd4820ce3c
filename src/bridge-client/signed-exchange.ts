/**
 * One signed request, one verified reply (docs/protocol.md section 1). Whatever does not carry the pinned bridge's
 * signature over this request's nonce is not read: it is `bridge-signature`, or `bridge-unreachable` when it is plainly
 * a proxy saying that the bridge is down.
 *
 * Codes of its own: `bridge-unreachable` (retry later), `bridge-signature`, `clock-skew`, `malformed`, `bridge-refused` (a code
 * that is none of a bridge's). Refusals of the bridge pass with the bridge's code. An aborted signal rejects with its reason, untouched.
 */
import type { Clock } from '../base/clock.js'
import { AppError, isCode } from '../base/errors.js'
import { hexOf } from '../base/hex.js'
import type { RandomBytes } from '../base/random.js'
import { retry } from '../base/retry.js'
import { sha256 } from '../crypto/hash.js'
import { type SigningKey, verifySignature } from '../crypto/signing-key.js'
import { type BridgeId, idBytes } from '../model/ids.js'
import { API_LIMITS, ErrorReply, HEADER } from '../wire/api.js'
import { isBridgeCode } from '../wire/bridge-codes.js'
import { decodeJson } from '../wire/check.js'
import { replyText, requestText } from '../wire/signed-http.js'
import type { BridgeClock } from './bridge-clock.js'
import { type HttpCall, type HttpReply, send, unreachable } from './http-exchange.js'

export interface ExchangeParts {
  url: URL
  bridge: BridgeId
  clock: Clock
  bridgeClock: BridgeClock
  random: RandomBytes
}

export interface OutgoingCall extends HttpCall {
  contentType?: string
  headers?: Record<string, string>
  /** May be sent again when nobody answered: doing it twice is doing it once. */
  idempotent: boolean
}

const ATTEMPTS = 3
const RETRY_FIRST_MS = 250
const RETRY_MAX_MS = 2_000
const ALIVE_MS = 60_000
const NO_BODY = new Uint8Array(0)

/** The body of a successful reply. `key` null: the unsigned call. */
export async function exchange(parts: ExchangeParts, key: SigningKey | null, call: OutgoingCall): Promise<Buffer> {
  // The clock's timers keep no process alive; somebody waits for this call, also between two attempts.
  const alive = setInterval(() => {}, ALIVE_MS)
  try {
    return await retry(() => exchangeInTime(parts, key, call), {
      clock: parts.clock,
      attempts: call.idempotent ? ATTEMPTS : 1,
      firstDelayMs: RETRY_FIRST_MS,
      delayMsMax: RETRY_MAX_MS,
      when: (error) => isCode(error, 'bridge-unreachable'),
      ...(call.signal ? { signal: call.signal } : {}),
    })
  } catch (error) {
    if (call.signal?.aborted) throw call.signal.reason
    throw error
  } finally {
    clearInterval(alive)
  }
}

/** Settles a `clock-skew`: either our clock is wrong, or it was set since the last reply and the refusal told the time. */
async function exchangeInTime(parts: ExchangeParts, key: SigningKey | null, call: OutgoingCall): Promise<Buffer> {
  const { bridgeClock } = parts
  try {
    const body = await exchangeOnce(parts, key, call)
    if (key === null) bridgeClock.expectNear()
    return body
  } catch (error) {
    if (!isCode(error, 'clock-skew')) throw error
    bridgeClock.expectNear()
    return await exchangeOnce(parts, key, call)
  }
}

async function exchangeOnce(parts: ExchangeParts, key: SigningKey | null, call: OutgoingCall): Promise<Buffer> {
  const nonce = hexOf(parts.random(16))
  const headers = { ...call.headers, ...signedHeaders(parts, key, nonce, call) }
  if (call.contentType !== undefined) headers['content-type'] = call.contentType
  const sentAtMs = parts.clock.monotonicMs()
  const reply = await send(parts.url, call, headers)
  verifyReply(parts, nonce, reply)
  const roundTripMs = parts.clock.monotonicMs() - sentAtMs
  parts.bridgeClock.learn(Number(reply.header(HEADER.bridgeTime)), roundTripMs)
  if (reply.status === 200) return reply.body
  throw decodeRefusal(reply.body)
}

/** Headers that sign a request, also those of the socket's upgrade. */
export function signedHeaders(
  parts: Pick<ExchangeParts, 'bridge' | 'bridgeClock'>,
  key: SigningKey | null,
  nonce: string,
  call: { method: string; path: string; body?: Uint8Array },
): Record<string, string> {
  if (key === null) return { [HEADER.nonce]: nonce }
  const timeMs = parts.bridgeClock.signingMs()
  const bodyHash = sha256(call.body ?? NO_BODY)
  const { method, path } = call
  const text = requestText({ method, path, timeMs, nonce, bridge: parts.bridge, bodyHash })
  return {
    [HEADER.key]: key.id,
    [HEADER.time]: String(timeMs),
    [HEADER.nonce]: nonce,
    [HEADER.signature]: hexOf(key.sign(text)),
  }
}

function verifyReply(parts: ExchangeParts, nonce: string, { status, header, body }: HttpReply): void {
  const signature = header(HEADER.reply)
  const time = header(HEADER.bridgeTime)
  if (signature === null && status >= 500) throw unreachable(`something in between answered ${status}`)
  verifySignedReply(parts.bridge, { nonce, status, signature, time, body })
}

/** `bridge-signature` unless the pinned bridge signed exactly this reply to exactly this request. */
export function verifySignedReply(
  bridge: BridgeId,
  reply: { nonce: string; status: number; signature: string | null; time: string | null; body: Uint8Array },
): void {
  const { nonce, status, signature, time, body } = reply
  if (signature !== null && /^[0-9a-f]{128}$/.test(signature) && time !== null && /^(0|[1-9]\d{0,14})$/.test(time)) {
    const text = replyText({ nonce, status, timeMs: Number(time), bodyHash: sha256(body) })
    if (verifySignature(idBytes(bridge), text, Buffer.from(signature, 'hex'))) return
  }
  throw new AppError(
    'bridge-signature',
    `an answer (status ${status}) was not signed by the bridge that this machine knows`,
    {
      hint: 'someone answers in its place, or the bridge has a new key: check its address',
    },
  )
}

/** Said by a bridge they are about another machine than the one that reads them. */
const DISK_CODES: ReadonlySet<string> = new Set(['no-space', 'database-damaged', 'database-unwritable', 'disk-failing'])
const ITS_DISK = 'its operator has to look at its disk; what is written here waits here meanwhile'

/** A refusal, as the bridge words it. Its text is the bridge's: control characters go. */
export function decodeRefusal(body: Uint8Array): AppError {
  if (body.length > API_LIMITS.jsonBytesMax) return new AppError('malformed', 'a refusal that is too long')
  const { error } = decodeJson(ErrorReply, body, 'refusal of the bridge')
  const { code, retry, hint, details } = error
  if (!isBridgeCode(code)) {
    return new AppError('bridge-refused', `the bridge answered ${code}: ${plain(error.message)}`, {
      retry,
      hint: 'update shardrive: this bridge knows failures that this program does not',
    })
  }
  const isItsDisk = DISK_CODES.has(code)
  const advice = isItsDisk ? ITS_DISK : hint
  return new AppError(code, isItsDisk ? `on the bridge's machine: ${plain(error.message)}` : plain(error.message), {
    retry,
    ...(advice === undefined ? {} : { hint: plain(advice) }),
    ...(details === undefined ? {} : { details: plainDetails(details) }),
  })
}

function plainDetails(details: NonNullable<ErrorReply['error']['details']>): NonNullable<AppError['details']> {
  const entries = Object.entries(details).map(([name, one]) => [name, typeof one === 'string' ? plain(one) : one])
  return Object.fromEntries(entries) as NonNullable<AppError['details']>
}

function plain(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, '?')
}
