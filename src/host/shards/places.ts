/** Where a shard lies, as a key of locks: one change at a place at a time. */
import type { ShardKey } from '../ledger/types.js'

export function placeOf({ pseudonym, segment, index }: ShardKey): string {
  return `${pseudonym}/${segment}/${index}`
}
