/** Gives the shards of absent hosts to others. */
import { pseudonymOf } from '../../permits/pseudonym.js'
import type { Policy } from '../../wire/api.js'
import type { HostRegistry, KnownHost } from '../hosts/registry.js'
import type { SegmentRow, ShardMove, ShardRow } from '../persist/segment-rows.js'
import { chooseHosts } from './choose.js'

export interface MoveOptions {
  policy: Policy
  lot: () => number
  /** Which shards may move; default: all whose host is offline. */
  when?: (shard: ShardRow, host: KnownHost | undefined) => boolean
}

/**
 * New online hosts for shards that are not stored and whose host is away, as far as there are fitting ones. The old
 * host is told to forget its copy if it may have one.
 */
export function movesOf(segment: SegmentRow, hosts: HostRegistry, options: MoveOptions): ShardMove[] {
  const { policy, lot, when = () => true } = options
  const absent = segment.shards.filter((shard) => {
    const host = hosts.atRow(shard.hostRow)
    return !shard.stored && host?.online !== true && when(shard, host)
  })
  if (absent.length === 0) return []
  const leaving = new Set(absent.map((shard) => shard.index))
  const staying = segment.shards.filter((shard) => !leaving.has(shard.index))
  const taken = staying.map((shard) => hosts.atRow(shard.hostRow)).filter((host) => host !== undefined)
  const before = new Set(absent.map((shard) => shard.hostRow))
  const online = hosts.all().filter((host) => host.online && !before.has(host.row))
  const choice = chooseHosts(online, absent.length, { policy, lot, shardBytes: segment.shardLength, taken })
  return choice.hosts.map((host, at) => {
    const shard = absent[at] as ShardRow
    return { index: shard.index, hostRow: host.row, offered: true, forget: forgetOf(segment, shard) }
  })
}

function forgetOf(segment: SegmentRow, shard: ShardRow) {
  if (!shard.offered) return null
  const { hostRow, index, generation } = shard
  const pseudonym = pseudonymOf(segment.drive, shard.host)
  return { hostRow, pseudonym, segment: segment.segment, index, shard: shard.shard, generation }
}
