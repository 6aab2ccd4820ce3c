/** One signed request to a bridge, every part of which can be wrong. */
import { randomBytes } from 'node:crypto'
import { hexOf } from '../../src/base/hex.js'
import { sha256 } from '../../src/crypto/hash.js'
import { type SigningKey, verifySignature } from '../../src/crypto/signing-key.js'
import { idBytes } from '../../src/model/ids.js'
import { BYTES_TYPE, HEADER, JSON_TYPE } from '../../src/wire/api.js'
import { replyText, requestText } from '../../src/wire/signed-http.js'

export interface RawCall {
  url: string
  bridge: string
  key: SigningKey
  nowMs: number
  method?: 'GET' | 'POST'
  path: string
  /** An object is sent as JSON. */
  body?: object | Buffer | string
  /** What is signed instead of what is sent. */
  signed?: { method?: string; path?: string; body?: Buffer; bridge?: string; timeMs?: number }
  /** Over everything else; undefined leaves a header out. */
  headers?: Record<string, string | undefined>
  nonce?: string
}

export interface RawReply {
  status: number
  code: string | null
  json: Record<string, unknown>
  /** Null when the reply carries no signature. */
  signatureFits: boolean | null
}

export async function rawCall(call: RawCall): Promise<RawReply> {
  const { method = 'POST', path, key, signed = {}, nonce = hexOf(randomBytes(16)) } = call
  const isBytes = Buffer.isBuffer(call.body)
  const sent = Buffer.isBuffer(call.body)
    ? call.body
    : Buffer.from(typeof call.body === 'string' ? call.body : call.body === undefined ? '' : JSON.stringify(call.body))
  const timeMs = signed.timeMs ?? call.nowMs
  const text = requestText({
    method: signed.method ?? method,
    path: signed.path ?? path,
    timeMs,
    nonce,
    bridge: signed.bridge ?? call.bridge,
    bodyHash: sha256(signed.body ?? sent),
  })
  const headers: Record<string, string | undefined> = {
    [HEADER.key]: key.id,
    [HEADER.time]: String(timeMs),
    [HEADER.nonce]: nonce,
    [HEADER.signature]: hexOf(key.sign(text)),
    'content-type': isBytes ? BYTES_TYPE : JSON_TYPE,
    ...call.headers,
  }
  const given = Object.fromEntries(Object.entries(headers).filter(([, value]) => value !== undefined)) as Record<
    string,
    string
  >
  const body = method === 'GET' ? undefined : new Uint8Array(sent)
  const response = await fetch(call.url + path, { method, headers: given, body, redirect: 'error' })
  const received = Buffer.from(await response.arrayBuffer())
  return readReply(call.bridge, nonce, response, received)
}

function readReply(bridge: string, nonce: string, response: Response, body: Buffer): RawReply {
  let json: Record<string, unknown> = {}
  if (response.headers.get('content-type') === JSON_TYPE) json = JSON.parse(body.toString('utf8'))
  const { status } = response
  const signature = response.headers.get(HEADER.reply)
  const timeMs = Number(response.headers.get(HEADER.bridgeTime))
  const text = replyText({ nonce, status, timeMs, bodyHash: sha256(body) })
  const signatureFits =
    signature === null ? null : verifySignature(idBytes(bridge), text, Buffer.from(signature, 'hex'))
  const code = (json.error as { code?: string } | undefined)?.code ?? null
  return { status, code, json, signatureFits }
}
