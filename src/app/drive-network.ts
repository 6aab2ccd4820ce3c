/** A drive's line to the world: bridge calls, its socket, peers, tokens; and the small faces of them that the drive's rooms ask for. */
import type { Clock } from '../base/clock.js'
import { AppError } from '../base/errors.js'
import type { Log } from '../base/log.js'
import { BridgeClient } from '../bridge-client/bridge-client.js'
import { BridgeSocket } from '../bridge-client/bridge-socket.js'
import type { SigningKey } from '../crypto/signing-key.js'
import type { DriveId, HostId, SegmentId } from '../model/ids.js'
import type { Placement, Scheme } from '../model/segment.js'
import type { DriveFacts } from '../mount/account/drive-files.js'
import type { ChainBridge } from '../mount/sync/drive-chain.js'
import type { PlacementSource } from '../mount/writer/pusher.js'
import { splitRecords } from '../permits/chain-record.js'
import type { PeerNetwork } from '../rtc/peer-network.js'
import type { SealedSegment } from '../segment/seal.js'
import type { HealthReply } from '../wire/api.js'
import { iceServersOf } from './ice-servers.js'
import type { Surroundings } from './surroundings.js'

const HEALTH_MS = 5_000
/** The scheme grows with the network: asked for again while a drive writes. */
const SCHEME_MS = 600_000

export class DriveNetwork {
  readonly client: BridgeClient
  readonly socket: BridgeSocket
  readonly peers: PeerNetwork
  private readonly drive: DriveId
  private readonly clock: Clock
  private knownScheme: { scheme: Scheme; readAtMs: number } | null = null

  constructor(facts: DriveFacts, key: SigningKey, parts: Surroundings & { log: Log; relayOnly: boolean }) {
    const { clock, random, log } = parts
    this.drive = facts.drive
    this.clock = clock
    this.client = new BridgeClient({ url: facts.bridgeUrl, bridge: facts.bridge, key, clock, random })
    this.socket = new BridgeSocket({ client: this.client, clock, log })
    this.peers = parts.openPeers({
      key,
      signaling: this.socket,
      nowMs: () => this.client.time.nowMs(),
      clock,
      log,
      bridgeUrl: this.client.url,
      iceServers: iceServersOf(this.client, log),
      ...(parts.relayOnly ? { relayOnly: true } : {}),
    })
    this.socket.start()
  }

  /** What the bridge wants new segments to be sealed with. */
  async scheme(): Promise<Scheme> {
    const known = this.knownScheme
    const now = this.clock.monotonicMs()
    if (known !== null && now - known.readAtMs < SCHEME_MS) return known.scheme
    try {
      const { scheme } = await this.client.info()
      this.knownScheme = { scheme: { dataShards: scheme.k, totalShards: scheme.n }, readAtMs: now }
    } catch (error) {
      // What it said last still holds; segments of any scheme can be placed.
      if (known === null || !(error instanceof AppError)) throw error
      this.knownScheme = { ...known, readAtMs: now }
    }
    return this.knownScheme.scheme
  }

  chain(): ChainBridge {
    const { client, drive } = this
    return {
      head: (signal) => client.head(drive, { signal }),
      records: async (sequence, signal) => splitRecords(await client.chainPage(drive, sequence, { signal })),
      append: async (encoded, signal) => {
        await client.append(drive, encoded, { signal })
      },
    }
  }

  placements(): PlacementSource {
    const { client, drive } = this
    return {
      place: async (segment: SealedSegment, signal) => {
        const { info, shardIds } = segment
        const { dataShards, totalShards, paddedLength, shardLength } = info
        const entry = {
          segment: info.segment,
          root: info.root,
          dataShards,
          totalShards,
          paddedLength,
          shardLength,
          shards: shardIds,
        }
        const [grant] = await client.place(drive, [entry], { signal })
        if (grant === undefined) throw new AppError('malformed', 'the bridge placed nothing')
        return grant
      },
      commit: (segment, receipts, signal) => client.commit(drive, segment, receipts, { signal }),
    }
  }

  locate(segments: readonly SegmentId[], options: { totalShards?: number; signal: AbortSignal }): Promise<Placement[]> {
    return this.client.locate(this.drive, segments, options)
  }

  tokens(hosts: readonly HostId[], signal: AbortSignal): Promise<Map<HostId, Buffer>> {
    return this.client.tokens(this.drive, hosts, { signal })
  }

  /** How many shards of this drive's segments are stored. */
  health(): Promise<HealthReply> {
    return this.client.health(this.drive, { timeoutMs: HEALTH_MS })
  }

  async stop(): Promise<void> {
    await this.peers.stop()
    await this.socket.stop()
  }
}
