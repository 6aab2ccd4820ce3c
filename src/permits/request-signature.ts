/** The bridge's half of signed requests and replies (docs/protocol.md section 1); the other half is bridge-client. */
import { AppError } from '../base/errors.js'
import { hexOf } from '../base/hex.js'
import { sha256 } from '../crypto/hash.js'
import { type SigningKey, verifySignature } from '../crypto/signing-key.js'
import { type BridgeId, idBytes, type PeerId, peerId } from '../model/ids.js'
import { API_LIMITS, HEADER } from '../wire/api.js'
import { NONCE_HEX, replyText, requestText } from '../wire/signed-http.js'

/** Header names in lower case, as Node gives them. */
export type Headers = Record<string, string | string[] | undefined>

export interface SignedRequest {
  method: string
  path: string
  headers: Headers
  body: Uint8Array
}

export interface VerifiedRequest {
  key: PeerId
  nonce: string
  timeMs: number
}

/**
 * Who signed a request. `request-unsigned` (headers missing or misshapen), `clock-skew` (details.offsetMs: bridge time
 * minus the signer's), `request-signature`. That a nonce comes once is the bridge's to remember (`replayed`).
 */
export function verifyRequest(request: SignedRequest, expected: { bridge: BridgeId; nowMs: number }): VerifiedRequest {
  const key = headerOf(request.headers, HEADER.key, /^[0-9a-f]{64}$/)
  const time = headerOf(request.headers, HEADER.time, /^(0|[1-9][0-9]{0,15})$/)
  const nonce = headerOf(request.headers, HEADER.nonce, NONCE_HEX)
  const signature = headerOf(request.headers, HEADER.signature, /^[0-9a-f]{128}$/)
  const timeMs = Number(time)
  if (!Number.isSafeInteger(timeMs)) throw unsigned(HEADER.time)
  const offsetMs = Math.round(expected.nowMs - timeMs)
  if (Math.abs(offsetMs) > API_LIMITS.clockSkewMs) {
    throw new AppError('clock-skew', `the clocks differ by ${Math.round(offsetMs / 1000)} s`, {
      hint: 'set the clock of this machine',
      details: { offsetMs },
    })
  }
  const { method, path, body } = request
  const text = requestText({ method, path, timeMs, nonce, bridge: expected.bridge, bodyHash: sha256(body) })
  if (!verifySignature(idBytes(key), text, Buffer.from(signature, 'hex'))) {
    throw new AppError('request-signature', 'the signature of the request does not fit')
  }
  return { key: peerId(key), nonce, timeMs }
}

/** The nonce to sign the reply with, when the request named a proper one. Also for requests that fail otherwise. */
export function nonceOf(headers: Headers): string | null {
  const value = headers[HEADER.nonce]
  return typeof value === 'string' && NONCE_HEX.test(value) ? value : null
}

/** Headers that sign a reply. */
export function signReply(
  reply: { nonce: string; status: number; timeMs: number; body: Uint8Array },
  bridgeKey: SigningKey,
): Record<string, string> {
  const timeMs = Math.round(reply.timeMs)
  const text = replyText({ nonce: reply.nonce, status: reply.status, timeMs, bodyHash: sha256(reply.body) })
  return { [HEADER.reply]: hexOf(bridgeKey.sign(text)), [HEADER.bridgeTime]: String(timeMs) }
}

function headerOf(headers: Headers, name: string, shape: RegExp): string {
  const value = headers[name]
  if (typeof value !== 'string' || !shape.test(value)) throw unsigned(name)
  return value
}

function unsigned(name: string): AppError {
  return new AppError('request-unsigned', `header ${name} is missing or misshapen`)
}
