/** What `status` says of a mounted drive: what is only here, what is stored, how healthy it is, what is wrong. */
import type { Clock } from '../base/clock.js'
import { AppError } from '../base/errors.js'
import { linkSignal } from '../base/linked-signal.js'
import type { HealthReply, SpaceReply } from '../wire/api.js'
import type { DriveIdentity } from './drive-identity.js'
import type { DriveNetwork } from './drive-network.js'
import type { DriveStorage } from './drive-storage.js'
import type { DriveSync } from './drive-sync.js'

export interface StatusParts {
  identity: DriveIdentity
  network: DriveNetwork
  storage: DriveStorage
  sync: DriveSync
  mountPoint: string
  clock: Clock
}

const HEALTH_MS = 3_000

export class DriveStatus {
  private readonly parts: StatusParts
  private health: HealthReply | null = null
  private space: SpaceReply | null = null

  constructor(parts: StatusParts) {
    this.parts = parts
  }

  /** The bridge's last word, asked again when it answers in time. */
  async readHealth(signal?: AbortSignal): Promise<HealthReply | null> {
    return (await this.askHealth(signal)) ?? this.health
  }

  /** What the bridge says now; null when it does not answer in time. */
  async askHealth(signal?: AbortSignal): Promise<HealthReply | null> {
    const { network, identity } = this.parts
    const late = new AppError('timed-out', 'the bridge did not say how the drive is', { retry: 'later' })
    const limit = linkSignal(signal, { ms: HEALTH_MS, reason: () => late })
    try {
      this.health = await network.client.health(identity.facts.drive, { signal: limit.signal })
      return this.health
    } catch (error) {
      if (!(error instanceof AppError)) throw error
      return null
    } finally {
      limit.release()
    }
  }

  async readSpace(): Promise<SpaceReply | null> {
    try {
      this.space = await this.parts.network.client.space({ timeoutMs: HEALTH_MS })
    } catch (error) {
      if (!(error instanceof AppError)) throw error
    }
    return this.space
  }

  async describe(): Promise<object> {
    const { identity, network, storage, sync, mountPoint, clock } = this.parts
    const progress = storage.ledger.progress()
    const [health, space] = await Promise.all([this.readHealth(), this.readSpace()])
    const socket = network.socket.state()
    const oldest = progress.oldestUnpublishedMs
    return {
      drive: { name: identity.facts.name, id: identity.facts.drive, device: identity.facts.device },
      mount: mountPoint,
      readOnly: storage.ledger.readOnlyReason(),
      writer: sync.chain.isWriter,
      chain: chainOf(sync),
      local: {
        bytes: progress.openBytes + progress.pendingBytes,
        operations: progress.openOperations,
        epochs: progress.pendingEpochs,
        oldestAgeMs: oldest === null ? null : Math.max(0, clock.nowMs() - oldest),
      },
      stored: health === null ? null : storedOf(health),
      bridge: { url: identity.facts.bridgeUrl, connected: socket.connected, online: sync.upkeep.online },
      hosts: {
        connected: network.peers.connected().length,
        // How the packets of these connections travel: straight, or through the TURN server.
        ...network.peers.paths(),
        online: space?.hostsOnline ?? null,
        total: space?.hostsTotal ?? null,
        // Connections that were not opened because what the bridge relayed was not what the other side had signed.
        refused: network.peers.counters.descriptionsRefused,
      },
      trouble: sync.upkeep.trouble(),
      // The bridge lost its books and is told again what this drive knows; null: it knows.
      retelling: sync.retelling.progress(),
      files: progress.files,
      cache: await storage.cache.stats(),
    }
  }
}

/** Where the chain stands; `witness`: the newest word of a host that agrees with it. */
function chainOf(sync: DriveSync): object {
  const { head, epoch, writerTerm } = sync.chain.state
  return { sequence: head.sequence, epoch, writerTerm, witness: sync.upkeep.witnessed() }
}

/** Segments by how many of their shards are stored, worst first. */
export function storedOf(health: HealthReply): object {
  const groups = new Map<string, { stored: number; of: number; segments: number }>()
  for (const { stored, n } of health.short) {
    const key = `${stored}/${n}`
    const group = groups.get(key) ?? { stored, of: n, segments: 0 }
    group.segments++
    groups.set(key, group)
  }
  const short = [...groups.values()].sort((a, b) => a.stored - b.stored)
  return {
    segments: health.segments,
    full: health.full,
    short,
    unconfirmed: health.unconfirmed,
    hostBytes: health.bytes,
    policy: health.policy,
    durable: health.durable,
  }
}
