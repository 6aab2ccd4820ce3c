/** What all calls of the client share: the bridge's address and keys, limits of time and size, signatures, schemas. */
import type { Clock } from '../base/clock.js'
import { AppError } from '../base/errors.js'
import { type LinkedSignal, linkSignal } from '../base/linked-signal.js'
import { type RandomBytes, systemRandom } from '../base/random.js'
import type { SigningKey } from '../crypto/signing-key.js'
import type { BridgeId } from '../model/ids.js'
import * as api from '../wire/api.js'
import { decodeJson } from '../wire/check.js'
import type { Static, TSchema } from '../wire/schema.js'
import { BridgeClock } from './bridge-clock.js'
import { type BridgeUrlOptions, parseBridgeUrl } from './bridge-url.js'
import { type ExchangeParts, exchange, type OutgoingCall } from './signed-exchange.js'

export interface BridgeClientParts {
  url: string
  /** Pinned. */
  bridge: BridgeId
  key: SigningKey
  clock: Clock
  random?: RandomBytes
}

export interface BridgeClientOptions extends BridgeUrlOptions {
  /** Of a call with small bodies. */
  timeoutMs?: number
  /** Of a call with records: 9 MB on a slow line. */
  bytesTimeoutMs?: number
}

export interface CallOptions {
  signal?: AbortSignal
  timeoutMs?: number
}

export const CALL_TIMEOUT_MS = 20_000
export const BYTES_TIMEOUT_MS = 120_000
const JSON_REPLY_MAX = api.API_LIMITS.jsonReplyBytesMax

export class BridgeCalls {
  /** Bridge time for tokens and descriptions. */
  readonly time: BridgeClock
  readonly url: URL
  readonly bridge: BridgeId
  readonly key: SigningKey
  private readonly exchangeParts: ExchangeParts
  private readonly running = new Set<LinkedSignal>()
  private stopped: AppError | null = null
  protected readonly timeoutMs: number
  protected readonly bytesTimeoutMs: number

  constructor(parts: BridgeClientParts, options: BridgeClientOptions = {}) {
    this.url = parseBridgeUrl(parts.url, options)
    this.bridge = parts.bridge
    this.key = parts.key
    this.time = new BridgeClock(parts.clock)
    this.exchangeParts = {
      url: this.url,
      bridge: parts.bridge,
      clock: parts.clock,
      bridgeClock: this.time,
      random: parts.random ?? systemRandom,
    }
    this.timeoutMs = options.timeoutMs ?? CALL_TIMEOUT_MS
    this.bytesTimeoutMs = options.bytesTimeoutMs ?? BYTES_TIMEOUT_MS
  }

  async get<T extends TSchema>(path: string, schema: T, options: CallOptions): Promise<Static<T>> {
    const timeoutMs = options.timeoutMs ?? this.timeoutMs
    const call = { method: 'GET' as const, path, replyBytesMax: JSON_REPLY_MAX, timeoutMs, idempotent: true }
    return decodeJson(schema, await this.run({ ...call, ...signalOf(options) }), `GET ${path}`)
  }

  async post<T extends TSchema>(
    path: string,
    request: object,
    schema: T,
    options: CallOptions,
    idempotent = true,
  ): Promise<Static<T>> {
    const body = Buffer.from(JSON.stringify(request), 'utf8')
    if (body.length > api.API_LIMITS.jsonBytesMax) throw new AppError('too-large', `POST ${path}: ${body.length} bytes`)
    const timeoutMs = options.timeoutMs ?? this.timeoutMs
    const call = { method: 'POST' as const, path, body, contentType: api.JSON_TYPE, replyBytesMax: JSON_REPLY_MAX }
    return decodeJson(schema, await this.run({ ...call, timeoutMs, idempotent, ...signalOf(options) }), `POST ${path}`)
  }

  protected async postBytes<T extends TSchema>(
    path: string,
    body: Uint8Array,
    schema: T,
    options: CallOptions,
    headers: Record<string, string> = {},
  ): Promise<Static<T>> {
    if (body.length > api.API_LIMITS.bytesMax) throw new AppError('too-large', `POST ${path}: ${body.length} bytes`)
    const timeoutMs = options.timeoutMs ?? this.bytesTimeoutMs
    const call = {
      method: 'POST' as const,
      path,
      body,
      contentType: api.BYTES_TYPE,
      headers,
      replyBytesMax: JSON_REPLY_MAX,
    }
    const reply = await this.run({ ...call, timeoutMs, idempotent: true, ...signalOf(options) })
    return decodeJson(schema, reply, `POST ${path}`)
  }

  protected async run(call: OutgoingCall): Promise<Buffer> {
    if (this.stopped !== null) throw this.stopped
    const link = linkSignal(call.signal)
    this.running.add(link)
    try {
      return await exchange(this.exchangeParts, this.key, { ...call, signal: link.signal })
    } finally {
      this.running.delete(link)
      link.release()
    }
  }

  /** Every call that is under way or comes later ends as `stopped`: nothing is signed any more, so the key may be wiped. */
  stop(): void {
    this.stopped = new AppError('stopped', 'the bridge is asked nothing any more')
    for (const one of this.running) one.abort(this.stopped)
  }
}

export function signalOf(options: CallOptions): { signal?: AbortSignal } {
  return options.signal ? { signal: options.signal } : {}
}
