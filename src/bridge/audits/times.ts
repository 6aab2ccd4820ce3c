/** When and how much is audited; every number with its reason (docs/reputation.md). */
const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS

/** 36 bursts of 16 leaves are 576 a day: a host that misses 1 % of its leaves fails one within a day, 99.7 % of the time. */
export const BURSTS_A_DAY = 36
export const BURST_EVERY_MS = DAY_MS / BURSTS_A_DAY
/** A host that serves few hours is asked more often in them, but not every minute. */
export const BURST_EVERY_MS_MIN = 10 * MINUTE_MS

/** Verdicts of one round are looked at together (breaker.ts): every host is asked about once in it. */
export const ROUND_MS = BURST_EVERY_MS

/**
 * From challenge to answer, the connection being there. A sleeping disk takes 10 s to turn, sixteen reads of it 0.3 s, 22 KB at
 * 256 kbit/s 0.7 s. Shorter would fail honest machines at night; who has to fetch sixteen leaves from sixteen hosts needs
 * their permission first, which no token gives him.
 */
export const AUDIT_DEADLINE_MS = 15_000
/** The transport dials for 10 s at most; then one round trip. */
export const REACH_MS = 12_000

/** What was not answered is asked again after so long: an outage of an evening is one, not three. */
export const CONTAINED_MS = 6 * HOUR_MS
/** So many times not answered, or failed in frozen rounds, and it counts: 12 hours at least. */
export const TRIES_MAX = 3
/** Of one host: unanswered shards beyond four bursts tell nothing new about it. */
export const CONTAINED_MAX = 64
/** Of one host, from inventories and evidence: a week's bursts. The rest is found by drawing. */
export const REQUESTS_MAX = 4_096

/** Every shard is to be proved within this time, where 576 leaves a day allow it: up to about 6,000 shards a host. */
export const COVER_MS = 14 * DAY_MS

export const TICK_MS = 10_000
export const HOSTS_AT_ONCE = 32

export function roundOf(timeMs: number): number {
  return Math.floor(timeMs / ROUND_MS)
}
