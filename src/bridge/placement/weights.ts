/** How often a host is drawn, against others: free space x reputation x speed x share of the day that it serves. */
import type { KnownHost } from '../hosts/registry.js'
import { isServing, servingShare, trustOf } from '../hosts/standing.js'
import type { HostSpeeds } from './speeds.js'

/** A host on watch still takes shards, half as many. */
const WATCH = 0.5

export function weightOf(host: KnownHost, speeds: HostSpeeds): number {
  const reputation = host.state === 'watch' ? WATCH : 1
  return host.freeBytes * reputation * speeds.factor(host.host) * servingShare(host.facts?.hours)
}

/** May be given a shard, now or, if it is offline, when it returns. */
export function isEligible(host: KnownHost, nowMs: number): boolean {
  if (trustOf(host) !== 'full' || host.leavingAt !== null || host.facts?.refuses !== undefined) return false
  return !host.online || isServing(host.facts?.hours, nowMs)
}

export function isNew(host: KnownHost): boolean {
  return host.vettedAt === null
}
