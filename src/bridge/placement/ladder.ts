/**
 * The redundancy ladder: with more independent failure domains more shards are needed and fewer bytes are stored. Each
 * rung is the largest k of n with P(k of n survive) of at least 99.99 % when each shard survives with 0.75. n stays
 * below 0.8 of the domains, so that a lost shard finds a fresh one. Pure.
 */
import type { Scheme } from '../../model/segment.js'

export const RUNGS: readonly Scheme[] = [
  { dataShards: 1, totalShards: 7 },
  { dataShards: 3, totalShards: 12 },
  { dataShards: 6, totalShards: 18 },
  { dataShards: 9, totalShards: 24 },
  { dataShards: 13, totalShards: 30 },
  { dataShards: 19, totalShards: 40 },
  { dataShards: 32, totalShards: 60 },
]
/** The rest are spares. */
const SHARE_OF_DOMAINS = 0.8

/** The highest rung that the domains carry; below nine domains the lowest, and placing says how many hosts are missing. */
export function schemeFor(domains: number): Scheme {
  const carried = RUNGS.filter((rung) => rung.totalShards <= domains * SHARE_OF_DOMAINS)
  return carried[carried.length - 1] ?? (RUNGS[0] as Scheme)
}
