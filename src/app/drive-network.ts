/** A drive's line to the world: bridge calls, its socket, peers, tokens; and the small faces of them that the drive's rooms ask for. */
import type { Clock } from '../base/clock.js'
import { AppError, codeOf } from '../base/errors.js'
import { hexOf } from '../base/hex.js'
import type { Log } from '../base/log.js'
import { BridgeClient } from '../bridge-client/bridge-client.js'
import { BridgeSocket } from '../bridge-client/bridge-socket.js'
import type { WriterHead } from '../bridge-client/replies.js'
import type { SigningKey } from '../crypto/signing-key.js'
import type { Head } from '../model/chain.js'
import type { DriveId, HostId, SegmentId } from '../model/ids.js'
import type { Placement, Scheme, SegmentInfo } from '../model/segment.js'
import type { DriveFacts } from '../mount/account/drive-files.js'
import type { ChainBridge } from '../mount/sync/drive-chain.js'
import type { RetellingBridge } from '../mount/sync/retelling.js'
import type { PlacementSource } from '../mount/writer/pusher.js'
import { joinRecords, splitRecords } from '../permits/chain-record.js'
import type { PeerNetwork } from '../rtc/peer-network.js'
import type { SealedSegment } from '../segment/seal.js'
import type { HealthReply, RestateRequest } from '../wire/api.js'
import { iceServersOf } from './ice-servers.js'
import type { Surroundings } from './surroundings.js'

const HEALTH_MS = 5_000
/** The scheme grows with the network: asked for again while a drive writes. */
const SCHEME_MS = 600_000
/** What a bridge says that knows less than it did: the drive, this device or the end of its chain. */
const FORGETFUL = new Set(['unknown-drive', 'head-moved', 'writer-fenced'])

/** Who tells a bridge again what it lost (mount/sync/retelling.ts). */
export interface Memory {
  readonly mends: number
  /** False: the bridge has lost nothing. */
  mend(signal: AbortSignal): Promise<boolean>
  /** The sequence number of the head that this device knows. */
  head(): number
}

export class DriveNetwork {
  readonly client: BridgeClient
  readonly socket: BridgeSocket
  readonly peers: PeerNetwork
  private readonly drive: DriveId
  private readonly clock: Clock
  private knownScheme: { scheme: Scheme; readAtMs: number } | null = null
  private memory: Memory | null = null

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

  /** From now on calls that a forgetful bridge refuses are repeated when it was told again. */
  remember(memory: Memory): void {
    this.memory = memory
  }

  private async mended<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    const before = this.memory?.mends
    try {
      return await work()
    } catch (error) {
      if (!FORGETFUL.has(codeOf(error)) || !(await this.isMended(before, signal))) throw error
      return work()
    }
  }

  private async isMended(mendsBefore: number | undefined, signal: AbortSignal): Promise<boolean> {
    if (this.memory === null) return false
    return (await this.memory.mend(signal)) || this.memory.mends !== mendsBefore
  }

  /** A head that ends before ours is asked for again once the bridge was told. */
  async head(signal: AbortSignal): Promise<WriterHead> {
    const ask = () => this.client.head(this.drive, { signal })
    const before = this.memory?.mends
    const head = await this.mended(signal, ask)
    if (head.sequence >= (this.memory?.head() ?? 0)) return head
    return (await this.isMended(before, signal)) ? ask() : head
  }

  heartbeat(beat: { term: number; released?: boolean }, signal: AbortSignal): Promise<void> {
    return this.mended(signal, () => this.client.heartbeat(this.drive, beat, { signal }))
  }

  chain(): ChainBridge {
    const { client, drive } = this
    return {
      head: (signal) => this.head(signal),
      records: async (sequence, signal) =>
        splitRecords(await this.mended(signal, () => client.chainPage(drive, sequence, { signal }))),
      append: async (encoded, signal) => {
        await this.mended(signal, () => client.append(drive, encoded, { signal }))
      },
    }
  }

  /** What a bridge that lost its books is told; `label`: the sealed name of the drive. */
  retelling(label: () => Buffer): RetellingBridge {
    const { client, drive } = this
    return {
      info: (signal) => client.info({ signal }),
      head: (signal) => client.head(drive, { signal }),
      restoreChain: async (records, isWhole, signal) => {
        await client.restoreChain(drive, joinRecords(records), isWhole ? label() : null, { signal })
      },
      restate: ({ incarnation, segments, end }, signal) => {
        const rows = segments.map(({ info, placement }) => restateRow(info, placement))
        const last = end === null ? {} : { end: { head: headRow(end.head), unfound: end.unfound } }
        return client.restate(drive, { incarnation, segments: rows, ...last }, { signal })
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
        const [grant] = await this.mended(signal, () => client.place(drive, [entry], { signal }))
        if (grant === undefined) throw new AppError('malformed', 'the bridge placed nothing')
        return grant
      },
      commit: (segment, receipts, signal) =>
        this.mended(signal, () => client.commit(drive, segment, receipts, { signal })),
    }
  }

  locate(segments: readonly SegmentId[], options: { totalShards?: number; signal: AbortSignal }): Promise<Placement[]> {
    return this.mended(options.signal, () => this.client.locate(this.drive, segments, options))
  }

  tokens(hosts: readonly HostId[], signal: AbortSignal): Promise<Map<HostId, Buffer>> {
    return this.mended(signal, () => this.client.tokens(this.drive, hosts, { signal }))
  }

  /** How many shards of this drive's segments are stored. */
  health(): Promise<HealthReply> {
    return this.client.health(this.drive, { timeoutMs: HEALTH_MS })
  }

  async stop(): Promise<void> {
    try {
      await this.peers.stop()
      await this.socket.stop()
    } finally {
      // Whatever has failed: nothing is signed any more, and the key may be wiped.
      this.client.stop()
    }
  }
}

function headRow({ sequence, hash }: Head) {
  return { sequence, hash: hexOf(hash) }
}

function restateRow(info: SegmentInfo, placement: Placement | null): RestateRequest['segments'][number] {
  const { segment, root, dataShards: k, totalShards: n, paddedLength, shardLength } = info
  const { generation = 0, shards = [] } = placement ?? {}
  return { segment, root: hexOf(root), k, n, paddedLength, shardLength, generation, shards }
}
