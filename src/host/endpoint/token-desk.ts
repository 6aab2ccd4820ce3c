/**
 * Looks at tokens before anything is done for a peer: the pinned bridge signed it, for this host, for the peer at the
 * other end of this connection, for this action, at this time. Verified tokens are remembered by their bytes, so that a
 * GET does not pay for a signature check each; what depends on peer, action and time is checked every time.
 *
 * GET budgets are counted in memory: a restart of the host forgives what was read before it.
 */
import { LRUCache } from 'lru-cache'
import { AppError } from '../../base/errors.js'
import type { BridgeId, HostId, PeerId } from '../../model/ids.js'
import { SKEW_MS, type TokenAction, type TokenFields, verifyToken } from '../../permits/token.js'

export interface TokenDeskParts {
  bridge: BridgeId
  host: HostId
  /** Bridge time. */
  nowMs: () => number
}

interface Known {
  fields: TokenFields
  spentBytes: number
}

/** About 1 KiB each. A drive holds one GET token a host; more than this many drives reading at once pay for checks. */
const KNOWN_MAX = 16_384

export class TokenDesk {
  private readonly parts: TokenDeskParts
  /** Longest life of a put or delete token: their serials are remembered for a bounded time. */
  private readonly lifeMsMax: number
  private readonly known = new LRUCache<string, Known>({ max: KNOWN_MAX })
  private newestIncarnation = 0

  constructor(parts: TokenDeskParts, options: { lifeMsMax: number }) {
    this.parts = parts
    this.lifeMsMax = options.lifeMsMax
  }

  /** Throws the codes of permits/token.ts, or `token-old-incarnation` for a delete of a bridge that was restored since. */
  check(token: Buffer, holder: PeerId, action: TokenAction): TokenFields {
    return this.look(token, holder, action).fields
  }

  /** A GET token that still covers so many bytes; they are spent. `token-budget-spent`. */
  spend(token: Buffer, holder: PeerId, bytes: number): TokenFields {
    const known = this.look(token, holder, 'get')
    if (known.spentBytes + bytes > known.fields.bytes) {
      throw new AppError('token-budget-spent', 'the token is used up: ask the bridge for another', { retry: 'later' })
    }
    known.spentBytes += bytes
    return known.fields
  }

  /** The bridge's incarnation as it says itself. */
  learnIncarnation(incarnation: number): void {
    this.newestIncarnation = Math.max(this.newestIncarnation, incarnation)
  }

  private look(token: Buffer, holder: PeerId, action: TokenAction): Known {
    const key = token.toString('latin1')
    const known = this.known.get(key)
    if (known) {
      this.checkUse(known.fields, holder, action)
      return known
    }
    const { bridge, host, nowMs } = this.parts
    const fields = verifyToken(token, { bridge, host, holder, action, nowMs: nowMs() })
    if (action !== 'get' && fields.notAfterMs - fields.notBeforeMs > this.lifeMsMax) {
      throw new AppError('token-malformed', 'the token lives too long to be used once')
    }
    this.learnIncarnation(fields.incarnation)
    this.checkUse(fields, holder, action)
    const made = { fields, spentBytes: 0 }
    this.known.set(key, made)
    return made
  }

  private checkUse(fields: TokenFields, holder: PeerId, action: TokenAction): void {
    const nowMs = this.parts.nowMs()
    if (fields.holder !== holder) throw new AppError('token-other-holder', 'the token belongs to someone else')
    if (fields.action !== action) {
      throw new AppError('token-action', `the token allows ${fields.action}, not ${action}`)
    }
    if (nowMs + SKEW_MS < fields.notBeforeMs) {
      throw new AppError('token-not-yet', 'the token is not valid yet', { retry: 'later' })
    }
    if (nowMs - SKEW_MS > fields.notAfterMs) throw new AppError('token-expired', 'the token has expired')
    if (action === 'delete' && fields.incarnation < this.newestIncarnation) {
      throw new AppError('token-old-incarnation', 'the bridge was restored after it gave this token')
    }
  }
}

/** When a serial may be forgotten: no clock within tolerance accepts the token after it. */
export function serialExpiryOf(fields: TokenFields): number {
  return fields.notAfterMs + 2 * SKEW_MS
}
