/**
 * What is signed of an HTTP exchange with the bridge (docs/protocol.md section 1), as text. The signatures themselves
 * are made and checked where the keys are: bridge-client signs requests, permits/request-signature.ts the replies.
 */
import { hexOf } from '../base/hex.js'

export const NONCE_HEX = /^[0-9a-f]{32}$/

export interface RequestText {
  /** Upper case. */
  method: string
  /** Path with query, as on the request line. */
  path: string
  timeMs: number
  nonce: string
  bridge: string
  bodyHash: Uint8Array
}

export function requestText(request: RequestText): Buffer {
  const { method, path, timeMs, nonce, bridge, bodyHash } = request
  const lines = ['shardrive/v1/request', method, path, String(timeMs), nonce, bridge, hexOf(bodyHash)]
  return Buffer.from(lines.join('\n'), 'utf8')
}

export interface ReplyText {
  nonce: string
  status: number
  timeMs: number
  bodyHash: Uint8Array
}

export function replyText(reply: ReplyText): Buffer {
  const { nonce, status, timeMs, bodyHash } = reply
  return Buffer.from(['shardrive/v1/reply', nonce, String(status), String(timeMs), hexOf(bodyHash)].join('\n'), 'utf8')
}
