/** Gives the shards of absent hosts to others, as the uploader asks: what was never stored. Repair plans for itself (repairs/plan.ts). */
import { pseudonymOf } from '../../permits/pseudonym.js'
import type { Policy } from '../../wire/api.js'
import type { HostRegistry, KnownHost } from '../hosts/registry.js'
import { isTaking } from '../hosts/standing.js'
import type { SegmentRow, ShardForget, ShardMove, ShardRow } from '../persist/segment-rows.js'
import { chooseHosts } from './choose.js'
import type { HostSpeeds } from './speeds.js'
import { isNew, weightOf } from './weights.js'

export interface MoveParts {
  policy: Policy
  lot: () => number
  nowMs: number
  speeds: HostSpeeds
}

/**
 * New online hosts for shards that are not stored and whose host is away, as far as there are fitting ones. The old
 * host is told to forget its copy if it may have one.
 */
export function movesOf(segment: SegmentRow, hosts: HostRegistry, parts: MoveParts): ShardMove[] {
  const { policy, lot, nowMs, speeds } = parts
  const absent = segment.shards.filter((shard) => {
    const host = hosts.atRow(shard.hostRow)
    return !shard.stored && (host?.online !== true || shard.lost)
  })
  if (absent.length === 0) return []
  const leaving = new Set(absent.map((shard) => shard.index))
  const staying = segment.shards.filter((shard) => !leaving.has(shard.index))
  const taken = staying.map((shard) => hosts.atRow(shard.hostRow)).filter((host) => host !== undefined)
  const before = new Set(absent.map((shard) => shard.hostRow))
  const taking = hosts.all().filter((host) => isTaking(host, nowMs) && !before.has(host.row))
  const weigh = (host: KnownHost) => weightOf(host, speeds)
  const options = { policy, lot, shardBytes: segment.shardLength, taken, weigh, isNew }
  const choice = chooseHosts(taking, absent.length, options)
  return choice.hosts.map((host, at) => {
    const shard = absent[at] as ShardRow
    const forget = shard.offered ? forgetOf(segment, shard) : null
    return { index: shard.index, hostRow: host.row, offered: true, forget }
  })
}

/** What the host of this shard is told to forget. */
export function forgetOf(segment: SegmentRow, shard: ShardRow): ShardForget {
  const { hostRow, index, generation } = shard
  const pseudonym = pseudonymOf(segment.drive, shard.host)
  return { hostRow, pseudonym, segment: segment.segment, index, shard: shard.shard, generation }
}
