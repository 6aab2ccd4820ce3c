/**
 * The gate that every request passes: rate of the address, signature, time, nonce, rate of the key. In this order, so
 * that nobody can use up what belongs to another key, and a nonce is only spent by its owner.
 */
import type { Clock } from '../../base/clock.js'
import type { BridgeId } from '../../model/ids.js'
import { type SignedRequest, type VerifiedRequest, verifyRequest } from '../../permits/request-signature.js'
import { API_LIMITS } from '../../wire/api.js'
import { type RateOptions, Rates } from '../rates.js'
import { NonceTable } from './nonces.js'

/** All processes of a `shardrive up` share one address; a key is one device or host. */
export const DEFAULT_RATES = {
  address: { perSecond: 4_000, burst: 8_000 },
  key: { perSecond: 1_000, burst: 2_000 },
}

export interface GateOptions {
  bridge: BridgeId
  clock: Clock
  rates?: { address: RateOptions; key: RateOptions }
}

export class Gate {
  private readonly bridge: BridgeId
  private readonly clock: Clock
  private readonly addresses: Rates
  private readonly keys: Rates
  private readonly nonces = new NonceTable(2 * API_LIMITS.clockSkewMs)

  constructor(options: GateOptions) {
    this.bridge = options.bridge
    this.clock = options.clock
    const rates = options.rates ?? DEFAULT_RATES
    this.addresses = new Rates(rates.address)
    this.keys = new Rates(rates.key)
  }

  /** Before the body is read. */
  admitAddress(address: string): void {
    this.addresses.spend(address, this.clock.monotonicMs())
  }

  /** Who signed; the nonce is used up. */
  admit(request: SignedRequest): VerifiedRequest {
    const verified = verifyRequest(request, { bridge: this.bridge, nowMs: this.clock.nowMs() })
    const nowMs = this.clock.monotonicMs()
    this.nonces.use(verified.key, verified.nonce, nowMs)
    this.keys.spend(verified.key, nowMs)
    return verified
  }
}
