/** What one burst asks a host for: requests that are due, then shards by weighted lot, and leaves of them (selection.ts). */
import type { RandomBytes } from '../../base/random.js'
import { AUDIT_ITEMS_MAX } from '../../wire/methods.js'
import { type Candidate, PLACE_BYTES } from '../persist/audit-records.js'
import type { Store } from '../persist/store.js'
import type { Asked } from './outcome.js'
import { choose, leavesOf, SAMPLE, SAMPLE_MAX } from './selection.js'

export interface DrawParts {
  store: Pick<Store, 'audits'>
  random: RandomBytes
  lot: () => number
}

/** `shards`: how many are stored there. Empty when none can be asked for. */
export async function drawLeaves(parts: DrawParts, hostRow: number, shards: number, nowMs: number): Promise<Asked[]> {
  const { store, lot } = parts
  const requested = await store.audits.requested(hostRow, nowMs, AUDIT_ITEMS_MAX)
  const wanted = AUDIT_ITEMS_MAX - requested.length
  const names = new Set(requested.map(nameOf))
  const fresh = wanted === 0 ? [] : (await sampleOf(parts, hostRow, shards)).filter((one) => !names.has(nameOf(one)))
  const chosen = [...requested, ...choose(fresh, wanted, nowMs, lot)].map((one) => ({
    ...one,
    leaf: one.request?.leaf ?? null,
  }))
  const named = await store.audits.named(hostRow, chosen)
  return leavesOf(named, AUDIT_ITEMS_MAX, lot).map(({ shard, leaf }) => ({ ...shard, leaf }))
}

function nameOf({ segmentRow, index }: Candidate): string {
  return `${segmentRow} ${index}`
}

async function sampleOf({ store, random }: DrawParts, hostRow: number, shards: number): Promise<Candidate[]> {
  if (shards <= SAMPLE_MAX) return store.audits.sample(hostRow, [Buffer.alloc(0)], SAMPLE_MAX, 0)
  const places = Array.from({ length: SAMPLE.runs }, () => random(PLACE_BYTES))
  return store.audits.sample(hostRow, places, SAMPLE.runShards, SAMPLE.oldest)
}
