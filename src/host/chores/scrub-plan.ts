/**
 * How much of a round of the scrub is due: by the share of its 30 days that is over, of all bytes that lie here. What was
 * missed while the host was off is made up for, in slices.
 */

/** Each shard is read again once in this time: what rots on a disk is found while others can still make it anew. */
export const SCRUB_MS = 30 * 24 * 3_600_000

export interface ScrubProgress {
  roundBeganMs: number
  doneBytes: number
  /** Of this round: the last shard was reached. */
  isThrough: boolean
}

/** The bytes that should be read now; 0: all in time. A round that is through waits for its end. */
export function dueBytes(progress: ScrubProgress, totalBytes: number, nowMs: number, sliceBytesMax: number): number {
  if (progress.isThrough) return 0
  const share = Math.min(1, Math.max(0, nowMs - progress.roundBeganMs) / SCRUB_MS)
  // At the end everything is due, also what came during the round.
  const due = share >= 1 ? sliceBytesMax : totalBytes * share - progress.doneBytes
  return Math.min(sliceBytesMax, Math.max(0, Math.floor(due)))
}

/** The round that follows, when its time has come. */
export function nextRound(progress: ScrubProgress, nowMs: number): ScrubProgress {
  const isOver = progress.isThrough && nowMs - progress.roundBeganMs >= SCRUB_MS
  // A clock that was set back: the round began in the future.
  const isLost = nowMs < progress.roundBeganMs
  if (progress.roundBeganMs !== 0 && !isOver && !isLost) return progress
  return { roundBeganMs: nowMs, doneBytes: isLost ? progress.doneBytes : 0, isThrough: false }
}
