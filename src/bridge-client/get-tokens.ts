/**
 * GET tokens by host, kept ahead of need: used until half of their time is over, then renewed in the background while the
 * old one still serves; kept over restarts. So a read needs no bridge, and goes on for up to an hour without one.
 *
 * Hosts asked for in one moment are asked of the bridge in one call. Failures of the bridge reach only those who have no
 * valid token. Tokens are not verified here: the host does, and a false one is worth nothing.
 */
import { ByteReader } from '../base/byte-reader.js'
import { AppError, codeOf } from '../base/errors.js'
import type { Log } from '../base/log.js'
import { type HostId, hostId } from '../model/ids.js'

export interface GetTokensParts {
  fetch(hosts: readonly HostId[], signal: AbortSignal): Promise<ReadonlyMap<HostId, Buffer>>
  /** Bridge time. */
  nowMs(): number
  store: { load(): Promise<Buffer | null>; save(bytes: Buffer): Promise<unknown> }
  log: Log
}

interface Held {
  token: Buffer
  halfMs: number
  endMs: number
}

const TOKEN_BYTES = 297
/** Where a token (docs/format.md section 6) names its host and its time. */
const HOST_OFFSET = 42
const NOT_BEFORE_OFFSET = 134
const HELD_MAX = 4_096
/** A token that ends sooner could end on its way to the host. */
const LEAST_LEFT_MS = 5_000
/** A bridge that could not renew is left alone for so long. */
const RENEW_PAUSE_MS = 30_000

export class GetTokens {
  private readonly parts: GetTokensParts
  private readonly held = new Map<HostId, Held>()
  private readonly inFlight = new Map<HostId, Promise<void>>()
  private batch: { hosts: Set<HostId>; done: Promise<void> } | null = null
  private loading: Promise<void> | null = null
  private renewAfterMs = 0

  constructor(parts: GetTokensParts) {
    this.parts = parts
  }

  /** A valid token. `unknown-host`: the bridge has no such host (elsewhere); or why the bridge gave none. */
  async token(host: HostId, signal: AbortSignal): Promise<Buffer> {
    signal.throwIfAborted()
    this.loading ??= this.load()
    await this.loading
    const nowMs = this.parts.nowMs()
    const held = this.held.get(host)
    if (held && nowMs < held.endMs - LEAST_LEFT_MS) {
      if (nowMs >= held.halfMs) this.renew(nowMs)
      return held.token
    }
    await unlessAborted(this.want(host), signal)
    const fresh = this.held.get(host)
    if (fresh && this.parts.nowMs() < fresh.endMs) return fresh.token
    throw new AppError('unknown-host', 'the bridge gave no token for this host', { retry: 'elsewhere' })
  }

  /** The host refused it (budget spent, incarnation over): the next use asks for another. */
  forget(host: HostId): void {
    this.held.delete(host)
  }

  /** Everything past its half, in one call, behind everybody's back. */
  private renew(nowMs: number): void {
    if (nowMs < this.renewAfterMs) return
    this.renewAfterMs = nowMs + RENEW_PAUSE_MS
    for (const [host, held] of this.held) {
      if (nowMs < held.halfMs) continue
      this.want(host).catch((error: unknown) => {
        this.parts.log.debug({ code: codeOf(error) }, 'tokens were not renewed')
      })
    }
  }

  /** Settles when the call that asks for this host has. */
  private want(host: HostId): Promise<void> {
    const running = this.inFlight.get(host)
    if (running) return running
    if (this.batch === null) {
      const hosts = new Set<HostId>()
      const done = Promise.resolve().then(() => {
        this.batch = null
        return this.fetch(hosts)
      })
      this.batch = { hosts, done }
    }
    const { hosts, done } = this.batch
    hosts.add(host)
    this.inFlight.set(host, done)
    return done
  }

  private async fetch(hosts: ReadonlySet<HostId>): Promise<void> {
    const nowMs = this.parts.nowMs()
    try {
      // Many may wait for this call: none of their signals ends it, only its own time limit.
      const found = await this.parts.fetch([...hosts], new AbortController().signal)
      for (const host of hosts) {
        const token = found.get(host)
        if (token === undefined) this.held.delete(host)
        else this.hold(host, token)
      }
      for (const [host, { endMs }] of this.held) if (endMs <= nowMs) this.held.delete(host)
      for (const host of this.held.keys()) if (this.held.size > HELD_MAX) this.held.delete(host)
    } finally {
      for (const host of hosts) this.inFlight.delete(host)
    }
    this.save().catch((error: unknown) => this.parts.log.warn({ code: codeOf(error) }, 'tokens were not saved'))
  }

  private hold(host: HostId, token: Buffer): void {
    const known = readToken(token)
    if (known.host !== host) throw new AppError('malformed', 'the bridge gave a token for another host')
    const halfMs = (known.notBeforeMs + known.endMs) / 2
    // Deleted first: the map is in the order of renewal, so that the oldest go when there are too many.
    this.held.delete(host)
    this.held.set(host, { token, halfMs, endMs: known.endMs })
  }

  private async save(): Promise<void> {
    await this.parts.store.save(Buffer.concat([...this.held.values()].map(({ token }) => token)))
  }

  /** What does not read as tokens is as good as nothing: they are only a saving. */
  private async load(): Promise<void> {
    try {
      const bytes = (await this.parts.store.load()) ?? Buffer.alloc(0)
      const nowMs = this.parts.nowMs()
      for (let at = 0; at + TOKEN_BYTES <= bytes.length && this.held.size < HELD_MAX; at += TOKEN_BYTES) {
        const token = Buffer.from(bytes.subarray(at, at + TOKEN_BYTES))
        const { host, endMs } = readToken(token)
        if (endMs > nowMs) this.hold(host, token)
      }
    } catch (error) {
      this.parts.log.warn({ code: codeOf(error) }, 'kept tokens were not read')
    }
  }
}

function readToken(token: Buffer): { host: HostId; notBeforeMs: number; endMs: number } {
  if (token.length !== TOKEN_BYTES) throw new AppError('malformed', `a token of ${token.length} bytes`)
  const host = hostId(token.subarray(HOST_OFFSET, HOST_OFFSET + 32))
  const times = new ByteReader(token.subarray(NOT_BEFORE_OFFSET, NOT_BEFORE_OFFSET + 16), 'token')
  return { host, notBeforeMs: times.u64(), endMs: times.u64() }
}

/** The promise, or the signal's reason when that comes first. */
function unlessAborted(work: Promise<void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason)
    if (signal.aborted) stop()
    signal.addEventListener('abort', stop, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop))
  })
}
