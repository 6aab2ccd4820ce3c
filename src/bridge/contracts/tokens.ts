/**
 * Issues tokens: what the bridge lets one holder do on one host. Put and delete name one shard; get names a drive by the
 * pseudonym that this host knows it by.
 */
import { LRUCache } from 'lru-cache'
import type { Clock } from '../../base/clock.js'
import type { RandomBytes } from '../../base/random.js'
import type { SigningKey } from '../../crypto/signing-key.js'
import {
  type BridgeId,
  bridgeId,
  type DriveId,
  type HostId,
  type PeerId,
  type Pseudonym,
  type SegmentId,
  type ShardId,
  serialId,
} from '../../model/ids.js'
import { pseudonymOf } from '../../permits/pseudonym.js'
import { signToken } from '../../permits/token.js'

/** A put token outlives the longest push; placing again renews it. */
const PUT_MS = 3_600_000
const GET_MS = 3_600_000
const DELETE_MS = 3_600_000
/** What one holder may read from one host with one token: an hour at 280 Mbit/s. Then a new token is asked for. */
const GET_BYTES = 128 * 2 ** 30

/** Tokens that are used again. */
const AGAIN_MAX = 20_000

export interface ShardTarget {
  segment: SegmentId
  index: number
  shard: ShardId
}

export class TokenIssuer {
  readonly bridge: BridgeId
  private readonly key: SigningKey
  private readonly incarnation: () => number
  private readonly clock: Clock
  private readonly random: RandomBytes
  private readonly again = new LRUCache<string, { token: Buffer; untilMs: number }>({ max: AGAIN_MAX })

  constructor(parts: { key: SigningKey; incarnation: () => number; clock: Clock; random: RandomBytes }) {
    this.key = parts.key
    this.bridge = bridgeId(parts.key.id)
    this.incarnation = parts.incarnation
    this.clock = parts.clock
    this.random = parts.random
  }

  put(
    holder: PeerId,
    drive: DriveId,
    host: HostId,
    target: ShardTarget,
    shard: { length: number; generation: number },
    lifeMs = PUT_MS,
  ) {
    const pseudonym = pseudonymOf(drive, host)
    return this.sign('put', { host, holder, pseudonym, target, ...shard, bytes: shard.length, lifeMs }).token
  }

  get(holder: PeerId, drive: DriveId, host: HostId): Buffer {
    const pseudonym = pseudonymOf(drive, host)
    return this.sign('get', { host, holder, pseudonym, target: null, generation: 0, bytes: GET_BYTES, lifeMs: GET_MS })
      .token
  }

  /** The same for half of its hour: who reads many shards of a drive presents one token, and hosts verify one. */
  getAgain(holder: PeerId, drive: DriveId, host: HostId): Buffer {
    const name = `${holder} ${drive} ${host}`
    const now = this.clock.monotonicMs()
    const known = this.again.get(name)
    if (known !== undefined && now < known.untilMs) return known.token
    const token = this.get(holder, drive, host)
    this.again.set(name, { token, untilMs: now + GET_MS / 2 })
    return token
  }

  /** Carried by the bridge itself, over the host's socket. */
  delete(host: HostId, pseudonym: Pseudonym, target: ShardTarget, generation: number) {
    const holder = this.bridge
    return this.sign('delete', { host, holder, pseudonym, target, generation, bytes: 0, lifeMs: DELETE_MS })
  }

  private sign(
    action: 'put' | 'get' | 'delete',
    fields: {
      host: HostId
      holder: PeerId
      pseudonym: Pseudonym
      generation: number
      bytes: number
      target: ShardTarget | null
      lifeMs: number
    },
  ) {
    const { host, holder, pseudonym, generation, bytes, target, lifeMs } = fields
    const now = Math.round(this.clock.nowMs())
    const serial = serialId(this.random(16))
    const validity = { notBeforeMs: now, notAfterMs: now + lifeMs }
    const facts = { bridge: this.bridge, incarnation: this.incarnation(), host, holder, pseudonym, generation, bytes }
    return { serial, token: signToken({ action, ...facts, ...validity, serial, target }, this.key) }
  }
}
