/**
 * What inventories say of one segment against what the books say. The newest generation of a shard wins; a shard that its
 * host does not have any more is lost. Pure.
 */
import { pseudonymOf } from '../../permits/pseudonym.js'
import type { Correction, FoundShard } from '../persist/found-rows.js'
import { isUnnamed, type SegmentRow, type ShardRow } from '../persist/segment-rows.js'

/** `listed`: hosts whose inventory is in, and when they were asked. */
export function correctionOf(
  segment: SegmentRow,
  found: readonly FoundShard[],
  listed: ReadonlyMap<number, number>,
): Correction {
  const change: Correction = { adopt: [], lose: [] }
  // A host names drives by pseudonyms of its own: what it holds for another drive is another segment.
  const own = found.filter((one) => one.pseudonym === pseudonymOf(segment.drive, one.host))
  for (const shard of segment.shards) {
    const copies = own.filter((one) => fits(segment, shard, one))
    const best = bestOf(shard, copies)
    if (best !== null) {
      const { index, hostRow, generation, storedAtMs } = best
      change.adopt.push({ index, hostRow, shard: best.shard, generation, storedAtMs })
      continue
    }
    const listedAtMs = listed.get(shard.hostRow)
    const isThere = copies.some((one) => one.hostRow === shard.hostRow)
    if (!shard.stored || listedAtMs === undefined || isThere) continue
    const { index, hostRow, generation } = shard
    change.lose.push({ index, hostRow, generation, listedAtMs })
  }
  return change
}

function fits(segment: SegmentRow, shard: ShardRow, found: FoundShard): boolean {
  if (found.index !== shard.index || found.length !== segment.shardLength) return false
  return isUnnamed(shard.shard) || found.shard === shard.shard
}

/** The copy that the books should name instead of what they do; null: they are right, or nothing better is there. */
function bestOf(shard: ShardRow, copies: readonly FoundShard[]): FoundShard | null {
  const isHere = (one: FoundShard) => one.hostRow === shard.hostRow
  const ranked = [...copies].sort((a, b) => b.generation - a.generation || Number(isHere(b)) - Number(isHere(a)))
  const [best] = ranked
  if (best === undefined) return null
  const isOlder = best.generation < shard.generation
  if (isOlder || (shard.stored && best.generation === shard.generation)) return isUnnamed(shard.shard) ? best : null
  return best
}
