/**
 * Asks a host what lies on it, and for a deleted shard back, over the bridge's own connection. What a host says of
 * itself is its word and no more: bounded, in order, within what was asked (wire/inventory-methods.ts). `malformed`, or
 * what the transport and the host answer.
 */
import type { HostId } from '../../model/ids.js'
import { PREFIX_END, type PrefixRange } from '../../permits/inventory-item.js'
import type { Transport } from '../../rtc/transport.js'
import * as wire from '../../wire/inventory-methods.js'
import { decodePutReply, encodeTokenHead, METHOD } from '../../wire/methods.js'

/** A host with millions of shards reads its whole index for a digest. */
const DIGESTS_MS = 120_000
const LIST_MS = 30_000
const RESTORE_MS = 30_000

export const WHOLE: PrefixRange = { from: 0, to: PREFIX_END }

export class Inventory {
  private readonly transport: Transport

  constructor(parts: { transport: Transport }) {
    this.transport = parts.transport
  }

  /** Of what is served and sound, part by part (permits/inventory-item.ts, partOf). */
  async digests(host: HostId, range: PrefixRange, parts: number, signal: AbortSignal): Promise<wire.InventoryDigest[]> {
    const asked = { kind: 'digests' as const, fromPrefix: range.from, toPrefix: range.to, parts }
    const replyBytesMax = wire.digestsReplyBytesMax(parts)
    const reply = await this.ask(host, asked, { deadlineMs: DIGESTS_MS, replyBytesMax, signal })
    return wire.decodeDigestsBody(reply.body, parts)
  }

  /** One page, live, trashed and damaged alike: the entries behind `after`, or from the beginning of the range. */
  async list(
    host: HostId,
    range: PrefixRange,
    after: wire.InventoryPlace | null,
    limit: number,
    signal: AbortSignal,
  ): Promise<wire.InventoryList> {
    const asked = { kind: 'list' as const, fromPrefix: range.from, toPrefix: range.to, limit, after }
    const replyBytesMax = wire.listReplyBytesMax(limit)
    const reply = await this.ask(host, asked, { deadlineMs: LIST_MS, replyBytesMax, signal })
    return wire.decodeListReply(reply.head, reply.body, asked)
  }

  /** All pages of a range. */
  async *entries(host: HostId, range: PrefixRange, signal: AbortSignal): AsyncGenerator<wire.InventoryEntry[]> {
    let after: wire.InventoryPlace | null = null
    for (;;) {
      const page: wire.InventoryList = await this.list(host, range, after, wire.INVENTORY_LIST_MAX, signal)
      if (page.entries.length > 0) yield page.entries
      const last = page.entries[page.entries.length - 1]
      if (!page.more || last === undefined) return
      after = last
    }
  }

  /** A shard that the host had thrown away is served again: its receipt, not yet verified. The token is a put token. */
  async restore(host: HostId, token: Buffer, signal: AbortSignal): Promise<Buffer> {
    const request = { method: METHOD.restore, head: encodeTokenHead(token), deadlineMs: RESTORE_MS, signal }
    return decodePutReply((await this.transport.request(host, request)).head)
  }

  private ask(
    host: HostId,
    asked: wire.DigestsRequest | wire.ListRequest,
    options: { deadlineMs: number; replyBytesMax: number; signal: AbortSignal },
  ) {
    return this.transport.request(host, {
      method: METHOD.inventory,
      head: wire.encodeInventoryRequest(asked),
      ...options,
    })
  }
}
