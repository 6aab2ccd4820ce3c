/**
 * Nonces that were seen, for as long as their request could be sent again. Two generations of one window each: a nonce
 * is remembered for one to two windows, and forgetting is one assignment. Bounded: when a generation is full, requests
 * are refused (`busy`) rather than nonces forgotten.
 *
 * A restart forgets them. What could then be replayed within the window changes nothing twice: appends are bound to
 * the head, placements and receipts repeat themselves, and a reply is useless to anyone but the signer.
 */
import { AppError } from '../../base/errors.js'

/** 2 x 500,000 entries of about 200 bytes; 800 requests a second for a whole window. */
const NONCES_MAX = 500_000

export class NonceTable {
  private young = new Set<string>()
  private old = new Set<string>()
  private turnedAt = Number.NEGATIVE_INFINITY
  private readonly windowMs: number
  private readonly max: number

  /** `windowMs`: how long a signed time stays acceptable, early and late together. */
  constructor(windowMs: number, max = NONCES_MAX) {
    this.windowMs = windowMs
    this.max = max
  }

  /** `replayed` for the second use of a key's nonce, `busy` when no more can be remembered. `nowMs` is monotonic. */
  use(key: string, nonce: string, nowMs: number): void {
    if (nowMs - this.turnedAt >= this.windowMs) {
      this.old = nowMs - this.turnedAt >= 2 * this.windowMs ? new Set() : this.young
      this.young = new Set()
      this.turnedAt = nowMs
    }
    // 128 bits of the key are enough to tell keys apart, and half the memory.
    const entry = key.slice(0, 32) + nonce
    if (this.young.has(entry) || this.old.has(entry)) {
      throw new AppError('replayed', 'this request was sent before', { hint: 'sign every request with a new nonce' })
    }
    if (this.young.size >= this.max) throw new AppError('busy', 'too many requests to remember', { retry: 'later' })
    this.young.add(entry)
  }

  get size(): number {
    return this.young.size + this.old.size
  }
}
