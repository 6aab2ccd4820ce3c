/**
 * What is to be done for one segment: which shards go where, and from whom they are had. The one notion of giving a shard to
 * another host that completions, repairs and exits share. Changes nothing.
 *
 * A shard is pushed to its own host when that host is there and never had it. It moves to another host when it was lost or
 * its host is not good; a stored one (its copy still counts for something) only when the segment is repaired, or its host
 * leaves.
 */
import type { Policy } from '../../wire/api.js'
import type { HostRegistry, KnownHost } from '../hosts/registry.js'
import { isServing, isTaking } from '../hosts/standing.js'
import type { SegmentRow, ShardRow } from '../persist/segment-rows.js'
import { chooseHosts } from '../placement/choose.js'
import type { HostSpeeds } from '../placement/speeds.js'
import { isNew, weightOf } from '../placement/weights.js'
import type { Health, HostView } from './health.js'
import type { HostTroubles } from './host-troubles.js'
import type { RepairPacer } from './pacer.js'

export interface PlanParts {
  hosts: HostRegistry
  troubles: HostTroubles
  pacer: RepairPacer
  speeds: HostSpeeds
  policy: Policy
  lot: () => number
  nowMs: number
  viewOf(hostRow: number): HostView
}

export interface PlannedTarget {
  shard: ShardRow
  host: KnownHost
  /** Another host than the shard's present one. */
  isMove: boolean
  copyFrom: KnownHost | null
}

export interface Plan {
  targets: PlannedTarget[]
  sources: { shard: ShardRow; host: KnownHost }[]
  /** Shards that found no host. */
  homeless: number
  /** Some of them would go to hosts that are away for the moment, refused of late, or have spent what they give to repair. */
  isPassing: boolean
}

export function planOf(
  segment: SegmentRow,
  health: Health,
  parts: PlanParts,
  options: { withStored: boolean; limited: boolean },
): Plan {
  const { moving, pushing } = sorted(segment, health, parts, options.withStored)
  const staying = segment.shards.filter((one) => !moving.includes(one))
  const { found, isPassing } = hostsFor(segment, moving, staying, parts, options.limited)
  const targets: PlannedTarget[] = pushing.map((shard) => ({
    ...{ shard, host: parts.hosts.atRow(shard.hostRow) as KnownHost, isMove: false, copyFrom: null },
  }))
  for (const [at, host] of found.entries()) {
    const shard = moving[at] as ShardRow
    targets.push({ shard, host, isMove: true, copyFrom: copyableFrom(shard, parts) })
  }
  return {
    targets,
    sources: sourcesOf(segment, parts, options.limited),
    homeless: moving.length - found.length,
    isPassing,
  }
}

/** Shards that go to other hosts (those of hosts that leave last), and those that their own hosts only lack. */
function sorted(segment: SegmentRow, health: Health, parts: PlanParts, withStored: boolean) {
  const moving: ShardRow[] = []
  const pushing: ShardRow[] = []
  for (const shard of segment.shards) {
    const view = parts.viewOf(shard.hostRow)
    if (shard.stored) {
      const isReplaced = view.presence !== 'good' && (health.replaces === 'all' || view.leaving)
      if (withStored && health.needed && isReplaced) moving.push(shard)
      continue
    }
    if (shard.lost || view.presence !== 'good') moving.push(shard)
    else if (isThere(shard, parts) && !parts.troubles.spares(shard.hostRow)) pushing.push(shard)
  }
  return { moving: moving.sort((a, b) => Number(a.stored) - Number(b.stored)), pushing }
}

function hostsFor(
  segment: SegmentRow,
  moving: readonly ShardRow[],
  staying: readonly ShardRow[],
  parts: PlanParts,
  limited: boolean,
): { found: KnownHost[]; isPassing: boolean } {
  if (moving.length === 0) return { found: [], isPassing: false }
  const { hosts, troubles, pacer, policy, lot, nowMs, speeds } = parts
  const taken = staying.map((shard) => hosts.atRow(shard.hostRow)).filter((host) => host !== undefined)
  const before = new Set(segment.shards.map((shard) => shard.hostRow))
  const others = hosts.all().filter((host) => !before.has(host.row))
  const candidates = others.filter((host) => {
    if (!isTaking(host, nowMs) || troubles.avoids(host.row)) return false
    return !limited || pacer.isHostFree(host, segment.shardLength)
  })
  const weigh = (host: KnownHost) => weightOf(host, speeds)
  const options = { policy, lot, shardBytes: segment.shardLength, taken, weigh, isNew }
  const found = chooseHosts(candidates, moving.length, options).hosts
  if (found.length === moving.length) return { found, isPassing: false }
  const good = others.filter(
    (host) => parts.viewOf(host.row).presence === 'good' && isTaking({ ...host, online: true }, nowMs),
  )
  return { found, isPassing: chooseHosts(good, moving.length, options).hosts.length > found.length }
}

/** Random, so that all hosts share the work; those that failed of late last. */
function sourcesOf(segment: SegmentRow, parts: PlanParts, limited: boolean): Plan['sources'] {
  const found: { shard: ShardRow; host: KnownHost; key: number }[] = []
  for (const shard of segment.shards) {
    const host = parts.hosts.atRow(shard.hostRow)
    if (!shard.stored || host === undefined || !isThere(shard, parts)) continue
    if (limited && !parts.pacer.isHostFree(host, segment.shardLength)) continue
    found.push({ shard, host, key: parts.lot() + (parts.troubles.asksLast(shard.hostRow) ? 1 : 0) })
  }
  return found.sort((a, b) => a.key - b.key)
}

function copyableFrom(shard: ShardRow, parts: PlanParts): KnownHost | null {
  if (!shard.stored || !isThere(shard, parts) || parts.troubles.asksLast(shard.hostRow)) return null
  return parts.hosts.atRow(shard.hostRow) ?? null
}

/** Connected, within its own hours, and not struck off. */
function isThere(shard: ShardRow, parts: PlanParts): boolean {
  const host = parts.hosts.atRow(shard.hostRow)
  if (host === undefined || !host.online || parts.viewOf(shard.hostRow).presence === 'gone') return false
  return isServing(host.facts?.hours, parts.nowMs)
}
