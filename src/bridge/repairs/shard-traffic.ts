/**
 * Shards between hosts and the bridge: fetched whole and believed only when they hash to their id, pushed with a token
 * of the bridge's own. Ciphertext only; nothing is kept.
 */
import { LRUCache } from 'lru-cache'
import { codecAddon } from '../../addon/codec.js'
import type { Clock } from '../../base/clock.js'
import { AppError } from '../../base/errors.js'
import { idBytes } from '../../model/ids.js'
import { LEAF_BYTES } from '../../model/segment.js'
import type { Transport } from '../../rtc/transport.js'
import {
  decodeGetReply,
  decodePutReply,
  encodeGetRequest,
  encodeTokenHead,
  getReplyBytesMax,
  METHOD,
} from '../../wire/methods.js'
import type { TokenIssuer } from '../contracts/tokens.js'
import type { SegmentRow, ShardRow } from '../persist/segment-rows.js'

const GET_MS = 30_000
const PUT_MS = 60_000
/** A get token is used for half of its hour. */
const TOKEN_USE_MS = 1_800_000
const TOKENS_MAX = 20_000

export class ShardTraffic {
  private readonly transport: Transport
  private readonly issuer: TokenIssuer
  private readonly clock: Clock
  private readonly tokens = new LRUCache<string, { token: Buffer; untilMs: number }>({ max: TOKENS_MAX })

  constructor(parts: { transport: Transport; tokens: TokenIssuer; clock: Clock }) {
    this.transport = parts.transport
    this.issuer = parts.tokens
    this.clock = parts.clock
  }

  /** The bytes, verified. `shard-wrong-bytes`, or what the transport and the host answer. */
  async fetch(segment: SegmentRow, shard: ShardRow, signal: AbortSignal): Promise<Buffer> {
    const leafCount = Math.ceil(segment.shardLength / LEAF_BYTES)
    const token = this.tokenFor(segment, shard)
    const reply = await this.transport.request(shard.host, {
      method: METHOD.get,
      head: encodeGetRequest({ token, shard: shard.shard, firstLeaf: 0, leafCount }),
      deadlineMs: GET_MS,
      replyBytesMax: getReplyBytesMax(leafCount),
      signal,
    })
    const { shardLength } = decodeGetReply(reply.head)
    if (shardLength !== segment.shardLength || reply.body.length !== shardLength) {
      throw new AppError('shard-truncated', 'a host answered with another length', { retry: 'elsewhere' })
    }
    if (!(await isShard(reply.body, shard))) {
      throw new AppError('shard-wrong-bytes', 'a host answered with wrong bytes', { retry: 'elsewhere' })
    }
    return reply.body
  }

  /** The receipt, not yet verified. */
  async push(segment: SegmentRow, shard: ShardRow, bytes: Buffer, signal: AbortSignal): Promise<Buffer> {
    const target = { segment: segment.segment, index: shard.index, shard: shard.shard }
    const size = { length: segment.shardLength, generation: shard.generation }
    const token = this.issuer.put(this.issuer.bridge, segment.drive, shard.host, target, size)
    const reply = await this.transport.request(shard.host, {
      method: METHOD.put,
      head: encodeTokenHead(token),
      body: bytes,
      deadlineMs: PUT_MS,
      signal,
    })
    return decodePutReply(reply.head)
  }

  private tokenFor(segment: SegmentRow, shard: ShardRow): Buffer {
    const name = `${segment.drive} ${shard.host}`
    const now = this.clock.monotonicMs()
    const known = this.tokens.get(name)
    if (known !== undefined && now < known.untilMs) return known.token
    const token = this.issuer.get(this.issuer.bridge, segment.drive, shard.host)
    this.tokens.set(name, { token, untilMs: now + TOKEN_USE_MS })
    return token
  }
}

/** Whether the bytes are the shard of that id. */
export async function isShard(bytes: Buffer, shard: { shard: string }): Promise<boolean> {
  return (await codecAddon().shardId(bytes)).id.equals(idBytes(shard.shard))
}
