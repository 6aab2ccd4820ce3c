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
import { linkSignal } from '../base/linked-signal.js'
import type { RandomBytes } from '../base/random.js'
import { retry } from '../base/retry.js'
import { sha256 } from '../crypto/hash.js'
import { type SigningKey, verifySignature } from '../crypto/signing-key.js'
import { type BridgeId, idBytes } from '../model/ids.js'
import { API_LIMITS, ErrorReply, HEADER } from '../wire/api.js'
import { isBridgeCode } from '../wire/bridge-codes.js'
import { decodeJson } from '../wire/check.js'
import { replyText, requestText } from '../wire/signed-http.js'
import { readBounded } from './bounded-body.js'
import type { BridgeClock } from './bridge-clock.js'

export interface ExchangeParts {
  url: URL
  bridge: BridgeId
  clock: Clock
  bridgeClock: BridgeClock
  random: RandomBytes
}

export interface OutgoingCall {
  method: 'GET' | 'POST'
  /** With query. */
  path: string
  body?: Uint8Array
  contentType?: string
  headers?: Record<string, string>
  replyBytesMax: number
  timeoutMs: number
  /** May be sent again when nobody answered: doing it twice is doing it once. */
  idempotent: boolean
  signal?: AbortSignal
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
  const { response, body } = await send(parts.url, call, headers)
  verifyReply(parts, nonce, response, body)
  const roundTripMs = parts.clock.monotonicMs() - sentAtMs
  parts.bridgeClock.learn(Number(response.headers.get(HEADER.bridgeTime)), roundTripMs)
  if (response.status === 200) return body
  throw decodeRefusal(body)
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

/** Sends and reads a whole reply, unverified. */
export async function send(
  url: URL,
  call: Pick<OutgoingCall, 'method' | 'path' | 'body' | 'replyBytesMax' | 'timeoutMs' | 'signal'>,
  headers: Record<string, string>,
): Promise<{ response: Response; body: Buffer }> {
  let isLate = false
  const late = () => {
    isLate = true
    return unreachable(`no answer within ${call.timeoutMs} ms`)
  }
  const limit = linkSignal(call.signal, { ms: call.timeoutMs, reason: late })
  try {
    const init: RequestInit = { method: call.method, headers, redirect: 'manual', signal: limit.signal }
    if (call.body) init.body = call.body as unknown as NonNullable<RequestInit['body']>
    const response = await fetch(new URL(call.path, url), init)
    return { response, body: await readBounded(response, call.replyBytesMax) }
  } catch (error) {
    if (call.signal?.aborted) throw call.signal.reason
    if (error instanceof AppError) throw error
    throw isLate ? late() : unreachable(networkWords(error), error)
  } finally {
    limit.release()
  }
}

/** What of a network failure is worth telling: ECONNREFUSED and the like. */
function networkWords(error: unknown): string {
  const cause = (error as { cause?: { code?: unknown } }).cause
  return typeof cause?.code === 'string' ? cause.code : 'the connection failed'
}

export function unreachable(why: string, cause?: unknown): AppError {
  return new AppError('bridge-unreachable', `the bridge cannot be reached: ${why}`, {
    retry: 'later',
    hint: 'check the network and the address of the bridge; what you wrote stays safe on this machine',
    cause,
  })
}

function verifyReply(parts: ExchangeParts, nonce: string, response: Response, body: Buffer): void {
  const signature = response.headers.get(HEADER.reply)
  const time = response.headers.get(HEADER.bridgeTime)
  const { status } = response
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
  return new AppError(code, plain(error.message), {
    retry,
    ...(hint === undefined ? {} : { hint: plain(hint) }),
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
