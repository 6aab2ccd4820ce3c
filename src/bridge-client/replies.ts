/** The bridge's replies in the program's own terms, checked that they answer what was asked (`malformed` otherwise). */
import { AppError } from '../base/errors.js'
import { hexOf } from '../base/hex.js'
import type { Head } from '../model/chain.js'
import * as ids from '../model/ids.js'
import type { PlacementGrant } from '../model/segment.js'
import type * as api from '../wire/api.js'

export interface DriveEntry {
  drive: ids.DriveId
  /** Sealed drive name. */
  label: Buffer
  head: Head
  bytes: number
}

export interface DeviceEntry {
  device: ids.DeviceId
  addedAtMs: number
  revoked: boolean
  lastSeenAtMs: number | null
}

export interface WriterHead extends Head {
  writer: { device: ids.DeviceId; term: number; heartbeatAtMs: number } | null
}

/** A segment to place: what the bridge may know of it. */
export interface PlaceEntry {
  segment: ids.SegmentId
  root: Uint8Array
  dataShards: number
  totalShards: number
  paddedLength: number
  shardLength: number
  shards: readonly ids.ShardId[]
}

/** Believed only when root and shard ids fit the ledger's. */
export interface LocatedSegment {
  segment: ids.SegmentId
  root: Buffer
  dataShards: number
  totalShards: number
  paddedLength: number
  shardLength: number
  generation: number
  shards: { index: number; shard: ids.ShardId; host: ids.HostId | null; stored: boolean }[]
}

export function headOf(reply: api.HeadReply): Head {
  return { sequence: reply.sequence, hash: Buffer.from(reply.hash, 'hex') }
}

export function checkInfo(info: api.BridgeInfo, bridge: ids.BridgeId): api.BridgeInfo {
  if (info.bridge !== bridge) throw malformed('the bridge names another key than it signs with')
  if (info.scheme.k > info.scheme.n) throw malformed('a scheme with k above n')
  return info
}

export function driveEntries(reply: api.DriveList): DriveEntry[] {
  return reply.drives.map(({ drive, label, head, bytes }) => ({
    drive: ids.driveId(drive),
    label: Buffer.from(label, 'hex'),
    head: headOf(head),
    bytes,
  }))
}

export function deviceEntries(reply: api.DeviceList): DeviceEntry[] {
  return reply.devices.map(({ device, addedAt, revoked, lastSeenAt }) => ({
    device: ids.deviceId(device),
    addedAtMs: addedAt,
    revoked,
    lastSeenAtMs: lastSeenAt,
  }))
}

export function writerHead(reply: api.WriterHead): WriterHead {
  const { writer } = reply
  return {
    ...headOf(reply),
    writer: writer && { device: ids.deviceId(writer.device), term: writer.term, heartbeatAtMs: writer.heartbeatAt },
  }
}

export function placeRow(entry: PlaceEntry): api.PlaceRequest['segments'][number] {
  return {
    segment: entry.segment,
    root: hexOf(entry.root),
    k: entry.dataShards,
    n: entry.totalShards,
    paddedLength: entry.paddedLength,
    shardLength: entry.shardLength,
    shards: [...entry.shards],
  }
}

/** One grant for each asked segment, in that order. */
export function grants(asked: readonly PlaceEntry[], reply: api.PlaceReply): PlacementGrant[] {
  const bySegment = new Map(reply.segments.map((one) => [one.segment as ids.SegmentId, one]))
  if (bySegment.size !== asked.length || reply.segments.length !== asked.length)
    throw malformed('place: other segments')
  return asked.map(({ segment, totalShards }) => {
    const grant = bySegment.get(segment)
    if (!grant) throw malformed('place: other segments')
    expectIndexes('place', grant.hosts, totalShards)
    if (grant.commit > totalShards) throw malformed('place: more receipts than shards')
    const hosts = grant.hosts.map(({ index, host, token }) => ({
      index,
      host: ids.hostId(host),
      token: token === null ? null : Buffer.from(token, 'hex'),
    }))
    return { segment, generation: grant.generation, commit: grant.commit, hosts }
  })
}

export function located(asked: readonly ids.SegmentId[], reply: api.LocateReply): LocatedSegment[] {
  const open = new Set<string>(asked)
  return reply.segments.map(({ segment, root, k, n, shards, ...sizes }) => {
    if (!open.delete(segment)) throw malformed('locate: a segment that was not asked')
    if (k > n) throw malformed('locate: k above n')
    expectIndexes('locate', shards, n)
    return {
      ...sizes,
      segment: ids.segmentId(segment),
      root: Buffer.from(root, 'hex'),
      dataShards: k,
      totalShards: n,
      shards: shards.map(({ index, shard, host, stored }) => ({
        index,
        shard: ids.shardId(shard),
        host: host === null ? null : ids.hostId(host),
        stored,
      })),
    }
  })
}

export function tokens(asked: readonly ids.HostId[], reply: api.TokensReply): [ids.HostId, Buffer][] {
  const open = new Set<string>(asked)
  return reply.tokens.map(({ host, token }) => {
    if (!open.delete(host)) throw malformed('tokens: a host that was not asked')
    return [ids.hostId(host), Buffer.from(token, 'hex')]
  })
}

/** Splits into runs of at most `countMax` items and `weightMax` of their weights (a heavy item stands alone). */
export function* batches<T>(
  items: readonly T[],
  countMax: number,
  weightMax: number,
  weigh: (item: T) => number,
): Generator<T[]> {
  let batch: T[] = []
  let weight = 0
  for (const item of items) {
    const more = weigh(item)
    if (batch.length > 0 && (batch.length === countMax || weight + more > weightMax)) {
      yield batch
      batch = []
      weight = 0
    }
    batch.push(item)
    weight += more
  }
  if (batch.length > 0) yield batch
}

function expectIndexes(what: string, rows: readonly { index: number }[], totalShards: number): void {
  const seen = new Set(rows.map(({ index }) => index))
  if (seen.size !== rows.length || rows.some(({ index }) => index >= totalShards)) {
    throw malformed(`${what}: shard indexes`)
  }
}

function malformed(why: string): AppError {
  return new AppError('malformed', `reply of the bridge: ${why}`)
}
