/** What a device asks about its segments: where they lie, how healthy they are, and tokens to read them. */
import type { Clock } from '../../base/clock.js'
import { AppError } from '../../base/errors.js'
import { hexOf } from '../../base/hex.js'
import { type DriveId, hostId, type PeerId, segmentId } from '../../model/ids.js'
import {
  API_LIMITS,
  type Done,
  type EvidenceRequest,
  type HealthReply,
  type LocateReply,
  type LocateRequest,
  type Policy,
  type TokensReply,
  type TokensRequest,
} from '../../wire/api.js'
import type { Access } from '../accounts/access.js'
import type { AuditRequests } from '../audits/requests.js'
import type { TokenIssuer } from '../contracts/tokens.js'
import type { HostRegistry } from '../hosts/registry.js'
import type { SegmentRow } from '../persist/segment-rows.js'
import type { Store } from '../persist/store.js'

/** Evidence that is kept of one drive: the newest. */
const EVIDENCE_MAX = 10_000

export interface ViewsParts {
  store: Store
  access: Access
  hosts: HostRegistry
  tokens: TokenIssuer
  clock: Clock
  policy: Policy
  requests: Pick<AuditRequests, 'accuse'>
}

export class Views {
  private readonly parts: ViewsParts

  constructor(parts: ViewsParts) {
    this.parts = parts
  }

  /** Unknown segments are left out. `too-many-shards` when the answer would be too long: ask for fewer. */
  async locate(key: PeerId, drive: DriveId, request: LocateRequest): Promise<LocateReply> {
    const { drive: row } = await this.parts.access.deviceOf(key, drive)
    const segments: LocateReply['segments'] = []
    let shards = 0
    for (const id of new Set(request.segments)) {
      const found = await this.parts.store.segments.load(row.row, segmentId(id))
      if (found === null) continue
      shards += found.totalShards
      if (shards > API_LIMITS.locateShardsMax) {
        throw new AppError('too-many-shards', `at most ${API_LIMITS.locateShardsMax} shards a call`)
      }
      segments.push(located(found))
    }
    return { segments }
  }

  /** Unknown hosts are left out; whether a host holds anything of this drive is its own to know. */
  async tokens(key: PeerId, drive: DriveId, request: TokensRequest): Promise<TokensReply> {
    const { device } = await this.parts.access.deviceOf(key, drive)
    const known = [...new Set(request.hosts)].map(hostId).filter((host) => this.parts.hosts.get(host) !== undefined)
    return {
      tokens: known.map((host) => ({ host, token: hexOf(this.parts.tokens.get(device, drive, host)) })),
    }
  }

  /** One row of counters and the short segments: cheap however large the drive is. */
  async health(key: PeerId, drive: DriveId): Promise<HealthReply> {
    const { drive: row } = await this.parts.access.deviceOf(key, drive)
    return {
      segments: row.confirmed,
      full: row.complete,
      short: await this.parts.store.segments.shortOf(row.row, API_LIMITS.healthShortMax),
      unconfirmed: row.unconfirmed,
      bytes: row.hostBytes,
      policy: this.parts.policy,
      durable: this.parts.policy !== 'single-machine',
    }
  }

  /** Kept as it was told, and a reason to ask the host: who is right is for the audit to say. */
  async evidence(key: PeerId, drive: DriveId, request: EvidenceRequest): Promise<Done> {
    const { drive: row, device } = await this.parts.access.deviceOf(key, drive)
    const host = hostId(request.host)
    const known = this.parts.hosts.get(host)
    if (known === undefined) throw new AppError('unknown-host', 'the bridge knows no such host')
    const { index, kind, detail } = request
    const evidence = { device, host, segment: segmentId(request.segment), index, kind, detail }
    await this.parts.store.hosts.saveEvidence(row.row, evidence, this.parts.clock.nowMs(), EVIDENCE_MAX)
    await this.parts.requests.accuse(device, {
      driveRow: row.row,
      hostRow: known.row,
      segment: evidence.segment,
      index,
    })
    return {}
  }
}

function located(segment: SegmentRow): LocateReply['segments'][number] {
  return {
    segment: segment.segment,
    root: hexOf(segment.root),
    k: segment.dataShards,
    n: segment.totalShards,
    paddedLength: segment.paddedLength,
    shardLength: segment.shardLength,
    generation: segment.generation,
    shards: segment.shards.map(({ index, shard, host, stored }) => ({ index, shard, host, stored })),
  }
}
