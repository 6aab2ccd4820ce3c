/**
 * Answers peers: ping, put, get, head, delete, head witnesses and audits (docs/protocol.md section 5). `gate` looks at a request
 * before its body is taken in, `serve` carries it out. Everything that arrives is hostile; what is answered to an
 * expected failure is an AppError with a code of wire/error-codes.ts.
 */
import { AppError } from '../../base/errors.js'
import type { Log } from '../../base/log.js'
import { HASH_BYTES } from '../../crypto/hash.js'
import type { SigningKey } from '../../crypto/signing-key.js'
import { type BridgeId, type HostId, hostId, type PeerId, type Serial } from '../../model/ids.js'
import { LEAF_BYTES } from '../../model/segment.js'
import { signReceipt } from '../../permits/receipt.js'
import { SKEW_MS, type TokenFields } from '../../permits/token.js'
import { verifyWitness } from '../../permits/witness.js'
import * as wire from '../../wire/methods.js'
import type { Kept } from '../ledger/kept.js'
import type { StoredShard } from '../ledger/types.js'
import { SERIAL_KEEP_MS, type ShardStore } from '../shards/shard-store.js'
import type { PutOrder } from '../shards/store-parts.js'
import { AuditDesk } from './audit-desk.js'
import { InventoryDesk } from './inventory-desk.js'
import { serialExpiryOf, TokenDesk } from './token-desk.js'
import { Turns } from './turns.js'

export interface EndpointParts {
  store: ShardStore
  kept: Kept
  key: SigningKey
  /** Pinned. */
  bridge: BridgeId
  /** Bridge time. */
  nowMs: () => number
  /** Takes the body of a request back when it is not looked at any more. */
  recycle?: (body: Buffer) => void
  /** Nothing keeps it from serving when absent. */
  doorkeeper?: Doorkeeper
  log: Log
}

export interface EndpointRequest {
  method: number
  head: Buffer
  body: Buffer
  replyBytesMax: number
  signal: AbortSignal
}

export interface EndpointReply {
  head: Buffer
  body?: Buffer
}

/** What keeps a host from serving, now: its disk, its owner's terms. Throws why. */
export interface Doorkeeper {
  /** Of any request but a ping. */
  checkServing(): void
  checkPut(): void
  checkGet(isRepair: boolean): void
}

const OPEN_DOOR: Doorkeeper = { checkServing: () => {}, checkPut: () => {}, checkGet: () => {} }

/** Shards in memory at once: 32 x 2 MB each way. More at once would not make the disk faster. */
const TURNS = { runningMax: 32, waitingMax: 1_024 }

export class Endpoint {
  readonly host: HostId
  readonly desk: TokenDesk
  private readonly parts: EndpointParts
  private readonly audits: AuditDesk
  private readonly puts = new Turns(TURNS)
  private readonly gets = new Turns(TURNS)
  private readonly inventory: InventoryDesk
  private readonly doorkeeper: Doorkeeper

  constructor(parts: EndpointParts) {
    this.parts = parts
    this.host = hostId(parts.key.publicKey)
    this.doorkeeper = parts.doorkeeper ?? OPEN_DOOR
    const { bridge, nowMs, store, key, log } = parts
    this.inventory = new InventoryDesk({ bridge, inventory: store.inventory })
    this.audits = new AuditDesk({ store, key, host: this.host, bridge, nowMs, log })
    this.desk = new TokenDesk({ bridge, host: this.host, nowMs }, { lifeMsMax: SERIAL_KEEP_MS - 4 * SKEW_MS })
  }

  /** Refuses what cannot succeed before its body crosses the network. Quick, synchronous. */
  gate(from: PeerId, request: { method: number; head: Buffer; bodyLength: number }): void {
    if (request.method !== wire.METHOD.ping) this.doorkeeper.checkServing()
    if (request.method === wire.METHOD.get) this.doorkeeper.checkGet(from === this.parts.bridge)
    if (request.method !== wire.METHOD.put) {
      if (request.bodyLength > 0) throw new AppError('malformed', 'this method takes no body')
      return
    }
    const token = this.desk.check(wire.decodeTokenHead(request.head), from, 'put')
    if (request.bodyLength !== token.bytes) throw wrongLength(token, request.bodyLength)
    const used = { serial: token.serial, serialExpiresMs: serialExpiryOf(token) }
    if (this.parts.store.serialUsed(used)) throw new AppError('token-used', 'the token was used before')
    this.doorkeeper.checkPut()
    this.parts.store.checkRoom(token.bytes)
  }

  /** `from` is the verified identity of the connection. */
  async serve(from: PeerId, request: EndpointRequest): Promise<EndpointReply> {
    const { method } = request
    if (method !== wire.METHOD.put && request.body.length > 0)
      throw new AppError('malformed', 'this method takes no body')
    switch (method) {
      case wire.METHOD.ping:
        return this.ping(request)
      case wire.METHOD.put:
        return this.puts.run(request.signal, () => this.put(from, request))
      case wire.METHOD.get:
        return this.gets.run(request.signal, () => this.get(from, request))
      case wire.METHOD.head:
        return this.head(from, request)
      case wire.METHOD.delete:
        await this.deleteShard(from, wire.decodeTokenHead(request.head))
        return { head: wire.encodeEmpty() }
      case wire.METHOD.putWitness:
        return this.putWitness(from, request)
      case wire.METHOD.getWitness:
        return this.getWitness(from, request)
      case wire.METHOD.audit:
        return this.audits.answer(from, request.head, request.signal)
      case wire.METHOD.inventory:
        return this.inventory.answer(from, request)
      case wire.METHOD.restore:
        return this.restore(from, request)
      default:
        throw new AppError('unknown-method', `method ${method} is not known here`)
    }
  }

  /** Also for delete tokens that the bridge sends over its socket: `from` is then the bridge. The serial. */
  async deleteShard(from: PeerId, tokenBytes: Buffer): Promise<Serial> {
    const token = this.desk.check(tokenBytes, from, 'delete')
    await this.parts.store.remove(orderOf(token))
    this.parts.log.debug({ segment: token.target?.segment }, 'a shard was deleted')
    return token.serial
  }

  private async ping(request: EndpointRequest): Promise<EndpointReply> {
    wire.decodeEmpty(request.head)
    const freeBytes = await this.parts.store.freeBytes()
    return { head: wire.encodePingReply({ timeMs: Math.floor(this.parts.nowMs()), freeBytes }) }
  }

  private async put(from: PeerId, request: EndpointRequest): Promise<EndpointReply> {
    const token = this.desk.check(wire.decodeTokenHead(request.head), from, 'put')
    if (request.body.length !== token.bytes) throw wrongLength(token, request.body.length)
    const stored = await this.parts.store.put(orderOf(token), request.body)
    this.parts.recycle?.(request.body)
    return { head: wire.encodePutReply(this.receiptFor(token, stored)) }
  }

  /** As a put whose bytes are here already: in the trash, or served. */
  private async restore(from: PeerId, request: EndpointRequest): Promise<EndpointReply> {
    this.inventory.expectBridge(from)
    const token = this.desk.check(wire.decodeTokenHead(request.head), from, 'put')
    const stored = await this.parts.store.restore(orderOf(token))
    return { head: wire.encodePutReply(this.receiptFor(token, stored)) }
  }

  private receiptFor(token: TokenFields, stored: StoredShard): Buffer {
    const { pseudonym, segment, index, shard, length, generation, storedAtMs, keepUntilMs } = stored
    const { serial, incarnation } = token
    const fields = {
      pseudonym,
      segment,
      index,
      shard,
      length,
      generation,
      storedAtMs,
      keepUntilMs,
      serial,
      incarnation,
    }
    return signReceipt({ host: this.host, ...fields }, this.parts.key)
  }

  private async get(from: PeerId, request: EndpointRequest): Promise<EndpointReply> {
    const { token, shard, firstLeaf, leafCount } = wire.decodeGetRequest(request.head)
    const { pseudonym } = this.desk.check(token, from, 'get')
    const { length } = this.parts.store.find(pseudonym, shard)
    const bytes = Math.min(length, (firstLeaf + leafCount) * LEAF_BYTES) - firstLeaf * LEAF_BYTES
    if (bytes > request.replyBytesMax) throw new AppError('too-large', 'the requester takes less than it asks for')
    if (bytes > 0) this.desk.spend(token, from, bytes)
    const { leaves, proof } = await this.parts.store.read(pseudonym, shard, firstLeaf, leafCount)
    return { head: wire.encodeGetReply({ shardLength: length, proof: split(proof) }), body: leaves }
  }

  private head(from: PeerId, request: EndpointRequest): EndpointReply {
    const { token, shard } = wire.decodeHeadRequest(request.head)
    const { pseudonym } = this.desk.check(token, from, 'get')
    const { length, generation, storedAtMs, damaged } = this.parts.store.find(pseudonym, shard)
    if (damaged) throw new AppError('shard-damaged', 'the stored shard is damaged', { retry: 'elsewhere' })
    return { head: wire.encodeHeadReply({ shardLength: length, generation, storedAtMs }) }
  }

  private putWitness(from: PeerId, request: EndpointRequest): EndpointReply {
    const { token, witness } = wire.decodePutWitnessRequest(request.head)
    const { pseudonym } = this.desk.check(token, from, 'get')
    const { sequence } = verifyWitness(witness, { pseudonym, device: from })
    const saved = this.parts.kept.saveWitness(pseudonym, sequence, Buffer.from(witness))
    if (!saved && !this.parts.kept.loadWitness(pseudonym)?.equals(witness)) {
      throw new AppError('witness-older', 'a head witness of the same or a higher sequence is here')
    }
    return { head: wire.encodeEmpty() }
  }

  private getWitness(from: PeerId, request: EndpointRequest): EndpointReply {
    const { pseudonym } = this.desk.check(wire.decodeTokenHead(request.head), from, 'get')
    return { head: wire.encodeGetWitnessReply(this.parts.kept.loadWitness(pseudonym)) }
  }
}

function orderOf(token: TokenFields): PutOrder {
  const { pseudonym, generation, serial, target } = token
  if (target === null) throw new AppError('token-malformed', 'the token names no shard')
  return { pseudonym, generation, serial, ...target, serialExpiresMs: serialExpiryOf(token) }
}

function wrongLength(token: TokenFields, bytes: number): AppError {
  return new AppError('token-wrong-shard', `the token is for ${token.bytes} bytes, not ${bytes}`)
}

function split(proof: Buffer): Buffer[] {
  return Array.from({ length: proof.length / HASH_BYTES }, (_, i) =>
    proof.subarray(i * HASH_BYTES, (i + 1) * HASH_BYTES),
  )
}
