/** A host's endpoint on a folder, with the keys of a bridge and a device beside it: permits are real. */
import fs from 'node:fs'
import path from 'node:path'
import { silentLog } from '../../src/base/log.js'
import { systemRandom } from '../../src/base/random.js'
import { shardTree } from '../../src/crypto/merkle.js'
import { SecretBytes } from '../../src/crypto/secret.js'
import { SigningKey } from '../../src/crypto/signing-key.js'
import { Endpoint, type EndpointReply } from '../../src/host/endpoint/endpoint.js'
import { Kept } from '../../src/host/ledger/kept.js'
import { ShardStore } from '../../src/host/shards/shard-store.js'
import type { StoreOptions } from '../../src/host/shards/store-parts.js'
import {
  bridgeId,
  hostId,
  type PeerId,
  type Pseudonym,
  peerId,
  pseudonymId,
  type ShardId,
  segmentId,
  serialId,
  shardId,
} from '../../src/model/ids.js'
import { SHARD_BYTES_MAX } from '../../src/model/segment.js'
import { type Challenge, signChallenge } from '../../src/permits/audit.js'
import { signToken, type TokenFields } from '../../src/permits/token.js'
import * as wire from '../../src/wire/methods.js'
import { fixed, NOW_MS } from './host-folder.js'

export class HostBench {
  readonly bridge = SigningKey.random(systemRandom)
  readonly device = SigningKey.random(systemRandom)
  readonly hostKey: SigningKey
  readonly peer: PeerId
  readonly endpoint: Endpoint
  readonly store: ShardStore
  private readonly kept: Kept
  nowMs = NOW_MS

  private constructor(hostKey: SigningKey, kept: Kept, store: ShardStore, clock: { nowMs: number }) {
    this.hostKey = hostKey
    this.peer = peerId(this.device.id)
    this.kept = kept
    this.store = store
    const nowMs = () => (clock.nowMs = this.nowMs)
    this.endpoint = new Endpoint({ store, kept, key: hostKey, bridge: bridgeId(this.bridge.id), nowMs, log: silentLog })
  }

  static async open(dir: string, options: Partial<StoreOptions> = {}): Promise<HostBench> {
    const seed = SecretBytes.take(Buffer.alloc(32, 9))
    const hostKey = SigningKey.fromSeed(seed)
    const volumesDir = path.join(dir, 'volumes')
    fs.mkdirSync(volumesDir, { recursive: true })
    const kept = Kept.open(path.join(dir, 'kept.db'))
    const clock = { nowMs: NOW_MS }
    const parts = { volumesDir, indexFile: path.join(dir, 'index.db'), host: hostId(hostKey.id), seed, kept }
    const store = await ShardStore.open(
      { ...parts, log: silentLog, nowMs: () => clock.nowMs, ownMs: () => clock.nowMs },
      { capacityBytes: 2 ** 31, diskFloorBytes: 0, youngMs: 0, ...options },
    )
    return new HostBench(hostKey, kept, store, clock)
  }

  async stop(): Promise<void> {
    await this.store.stop()
    this.kept.close()
  }

  /** A valid token of the given action for this host and device, but for what `changes` says. */
  token(changes: Partial<TokenFields> & { action: TokenFields['action'] }, signer = this.bridge): Buffer {
    const isGet = changes.action === 'get'
    const fields: TokenFields = {
      bridge: bridgeId(this.bridge.id),
      incarnation: 1,
      host: hostId(this.hostKey.id),
      holder: this.peer,
      pseudonym: pseudonymId(fixed('drive', 0, 16)),
      generation: 1,
      bytes: isGet ? 2 ** 30 : 0,
      notBeforeMs: NOW_MS,
      notAfterMs: NOW_MS + 3_600_000,
      serial: serialId(systemRandom(16)),
      target: isGet
        ? null
        : { segment: segmentId(fixed('segment', 0, 32)), index: 0, shard: shardId(fixed('x', 0, 32)) },
      ...changes,
    }
    return signToken(fields, signer)
  }

  /** Asks this host for leaves of the drive that its tokens name, but for what `changes` says. */
  challenge(
    items: readonly { shard: ShardId; leaf: number; pseudonym?: Pseudonym }[],
    changes: Partial<Challenge> = {},
    signer = this.bridge,
  ): Buffer {
    const challenge: Challenge = {
      ...{ bridge: bridgeId(this.bridge.id), incarnation: 1, host: hostId(this.hostKey.id) },
      ...{ serial: serialId(systemRandom(16)), issuedAtMs: this.nowMs, deadlineMs: 15_000 },
      items: items.map((one) => ({ pseudonym: pseudonymId(fixed('drive', 0, 16)), ...one })),
      ...changes,
    }
    return signChallenge(challenge, signer)
  }

  /** The token that allows this payload as shard of segment `number`. */
  async putToken(number: number, payload: Buffer, changes: Partial<TokenFields> = {}): Promise<Buffer> {
    const shard = shardId((await shardTree(payload)).id)
    const target = { segment: segmentId(fixed('segment', number, 32)), index: number % 8, shard }
    return this.token({ action: 'put', bytes: payload.length, target, ...changes })
  }

  /** Gate and serve, as the transport does. */
  async call(method: number, head: Buffer, body: Buffer = Buffer.alloc(0), from = this.peer): Promise<EndpointReply> {
    this.endpoint.gate(from, { method, head, bodyLength: body.length })
    const signal = new AbortController().signal
    return this.endpoint.serve(from, { method, head, body, replyBytesMax: SHARD_BYTES_MAX, signal })
  }

  async put(number: number, payload: Buffer, changes: Partial<TokenFields> = {}): Promise<Buffer> {
    const token = await this.putToken(number, payload, changes)
    return wire.decodePutReply((await this.call(wire.METHOD.put, wire.encodeTokenHead(token), payload)).head)
  }
}
