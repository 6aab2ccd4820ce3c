/**
 * When volumes of which little is dead are tidied up too, and how much may be copied for it. Compaction at a quarter leaves
 * up to a third beside the live bytes; what is left lies for a day at most on a small host, and on a large one goes as far
 * as its disk is not worn by it.
 */

/** As often as a bridge compares what a host holds. */
export const TIDY_MS = 24 * 3_600_000
/** Of what lies here, in a day: 3.65 times a year everything is written anew at most. */
const COPIED_SHARE_MAX = 0.01
/** One volume of the largest size: half a minute at the pace of compaction. */
const COPIED_BYTES_MIN = 1_073_741_824

/** A clock that was set back: the last time lies in the future. */
export function isTidyDue(lastMs: number, nowMs: number): boolean {
  return Math.abs(nowMs - lastMs) >= TIDY_MS
}

export function tidyBytesMax(totalBytes: number): number {
  return Math.max(COPIED_BYTES_MIN, Math.floor(totalBytes * COPIED_SHARE_MAX))
}
