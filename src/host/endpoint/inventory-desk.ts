/** Answers the bridge, and nobody else, what lies here (docs/protocol.md section 5, inventory). */
import { AppError } from '../../base/errors.js'
import type { BridgeId, PeerId } from '../../model/ids.js'
import * as wire from '../../wire/inventory-methods.js'
import type { InventoryRows } from '../ledger/inventory-rows.js'
import type { EndpointReply, EndpointRequest } from './endpoint.js'
import { Turns } from './turns.js'

/** Each reads the index through: one at a time, so that peers are served beside it. */
const TURNS = { runningMax: 1, waitingMax: 8 }

export class InventoryDesk {
  private readonly parts: { bridge: BridgeId; inventory: InventoryRows }
  private readonly turns = new Turns(TURNS)

  constructor(parts: { bridge: BridgeId; inventory: InventoryRows }) {
    this.parts = parts
  }

  /** `not-the-bridge`: the other end of this connection is not the bridge that this host is pinned to. */
  expectBridge(from: PeerId): void {
    if (from !== this.parts.bridge) throw new AppError('not-the-bridge', 'only the bridge of this host may ask that')
  }

  async answer(from: PeerId, request: EndpointRequest): Promise<EndpointReply> {
    this.expectBridge(from)
    const asked = wire.decodeInventoryRequest(request.head)
    const size = asked.kind === 'digests' ? wire.digestsReplyBytesMax(asked.parts) : wire.listReplyBytesMax(asked.limit)
    if (size > request.replyBytesMax) throw new AppError('too-large', 'the requester takes less than it asks for')
    return this.turns.run(request.signal, () => this.look(asked, request.signal))
  }

  private async look(asked: wire.DigestsRequest | wire.ListRequest, signal: AbortSignal): Promise<EndpointReply> {
    const range = { from: asked.fromPrefix, to: asked.toPrefix }
    const { inventory } = this.parts
    if (asked.kind === 'digests') {
      const digests = await inventory.digests(range, asked.parts, signal)
      return { head: Buffer.alloc(0), body: wire.encodeDigestsBody(digests) }
    }
    const found = inventory.list(range, asked.after, asked.limit + 1)
    const more = found.length > asked.limit
    const entries = found.slice(0, asked.limit).map((one) => {
      const state: wire.InventoryState = one.damaged ? 'damaged' : one.trashedAtMs === null ? 'live' : 'trash'
      return { ...one, state }
    })
    return { head: wire.encodeListHead({ more }), body: wire.encodeListBody(entries) }
  }
}
