/**
 * Which leaves a host is asked for. Nobody can tell before: all chance comes from the random bytes handed in.
 *
 * No walk over all shards of a host: a **sample** is drawn by index (draw of audit-rows.ts), a few runs of shards that follow
 * each other by id from random places, and the shards that were proved longest ago. A single "next id after a random one"
 * would favour shards behind wide gaps, without end: a shard behind a gap of 1 % of the usual would be asked 1 % as often. A
 * run of 16 has the sum of 16 gaps, which varies by a quarter; and what a run misses grows old and comes by the other way.
 *
 * From the sample the shards are **chosen** without replacement, with weights bytes x age (A-Res: Efraimidis and Spirakis,
 * "Weighted random sampling with a reservoir", 2006): the keys ln(u) / weight, the largest win. Then a random leaf of each.
 */
import { LEAF_BYTES } from '../../model/segment.js'
import { COVER_MS } from './times.js'

export interface Weighed {
  shardLength: number
  /** null: never. */
  provedAt: number | null
}

/** Runs, shards of a run, oldest shards: 64 to choose 16 from. Reading a row costs 4 microseconds. */
export const SAMPLE = { runs: 3, runShards: 16, oldest: 16 } as const
/** Hosts with no more are looked at whole. */
export const SAMPLE_MAX = SAMPLE.runs * SAMPLE.runShards + SAMPLE.oldest

/** Just proved: still worth a question, or a host could forget what it was asked for this morning. */
const AGE_MS_MIN = 3_600_000
/** Near the end of its time a shard goes before younger ones. */
const DUE_MS = 0.75 * COVER_MS
const DUE_FACTOR = 8

export function weightOf({ shardLength, provedAt }: Weighed, nowMs: number): number {
  const ageMs = Math.max(AGE_MS_MIN, provedAt === null ? COVER_MS : nowMs - provedAt)
  return shardLength * ageMs * (ageMs > DUE_MS ? DUE_FACTOR : 1)
}

/** At most `count` of them, by weighted lot. `lot`: uniform in [0, 1). */
export function choose<T extends Weighed>(sample: readonly T[], count: number, nowMs: number, lot: () => number): T[] {
  if (sample.length <= count) return [...sample]
  return sample
    .map((one) => ({ one, key: Math.log(lot() || Number.MIN_VALUE) / weightOf(one, nowMs) }))
    .sort((a, b) => b.key - a.key)
    .slice(0, count)
    .map(({ one }) => one)
}

/**
 * One leaf of each shard, or the one that was asked for before; then, while leaves are left, more of them: a host with
 * few shards is asked for as many leaves as any other, none of them twice.
 */
export function leavesOf<T extends { shardLength: number; leaf: number | null }>(
  shards: readonly T[],
  count: number,
  lot: () => number,
): { shard: T; leaf: number }[] {
  const items: { shard: T; leaf: number }[] = []
  const taken = shards.map(() => new Set<number>())
  for (let turn = 0; items.length < count; turn++) {
    const before = items.length
    for (const [at, shard] of shards.entries()) {
      if (items.length === count) break
      const leaf = turn === 0 && shard.leaf !== null ? shard.leaf : anotherLeaf(shard.shardLength, taken[at], lot)
      if (leaf === null) continue
      taken[at]?.add(leaf)
      items.push({ shard, leaf })
    }
    if (items.length === before) break
  }
  return items
}

function anotherLeaf(shardLength: number, taken: Set<number> | undefined, lot: () => number): number | null {
  const leafCount = Math.ceil(shardLength / LEAF_BYTES)
  if (taken === undefined || taken.size >= leafCount) return null
  let leaf = Math.floor(lot() * leafCount)
  // At most 15 are taken.
  while (taken.has(leaf)) leaf = (leaf + 1) % leafCount
  return leaf
}
