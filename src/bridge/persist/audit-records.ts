/** What audits read and write in the books (audit-rows.ts). */
import type { DriveId, ShardId } from '../../model/ids.js'

/** Of a shard's id: in what order the shards of a host stand to be drawn. */
export const PLACE_BYTES = 6

/** Why a shard is asked for out of turn. Order is the number in the database. */
export const CAUSES = ['evidence', 'inventory', 'timeout', 'frozen', 'unknown'] as const
export type Cause = (typeof CAUSES)[number]

/** A shard on a host, by placement: the generation tells it from what lies there later. */
export interface ShardPlace {
  segmentRow: number
  index: number
  generation: number
}

/** A shard that could be asked for. */
export interface Candidate {
  segmentRow: number
  index: number
  shardLength: number
  provedAt: number | null
  request: { cause: Cause; leaf: number | null; tries: number; accuser: Buffer | null } | null
}

/** One that is asked for. */
export interface SampledShard extends Candidate, ShardPlace {
  drive: DriveId
  shard: ShardId
}

export interface NewRequest extends ShardPlace {
  leaf: number | null
  cause: Cause
  tries: number
  dueAt: number
  accuser: Buffer | null
}

export interface HeldVerdict extends ShardPlace {
  admitted: boolean
  /** Earlier rounds in which it was found while penalties were frozen. */
  tries: number
  why: string
}

export interface Held extends HeldVerdict {
  id: number
  hostRow: number
  round: number
  success: number
  transcript: number | null
  at: number
}

/** What one burst came to: one transaction. */
export interface BurstRecord {
  hostRow: number
  round: number
  window: number
  at: number
  isOnline: boolean
  /** One for each leaf. */
  proved: (ShardPlace & { shard: ShardId })[]
  held: HeldVerdict[]
  transcript: Buffer | null
  /** Requests that are through. */
  ended: Omit<ShardPlace, 'generation'>[]
  again: NewRequest[]
  /** Of requests of cause timeout at most so many are kept. */
  containedMax: number
  accusers: { device: Buffer; isRight: boolean }[]
}
