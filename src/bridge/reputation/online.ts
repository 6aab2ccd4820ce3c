/** How much of its own hours a host was there: the mean over windows of half a day, 30 days back. Pure. */
import type { WindowTally } from '../persist/standing-rows.js'

const HOUR_MS = 3_600_000
/** Half a day: one bad evening is one window of sixty, however often the host was asked in it. */
export const WINDOW_MS = 12 * HOUR_MS
export const TRACKED_WINDOWS = 60

export function windowOf(timeMs: number): number {
  return Math.floor(timeMs / WINDOW_MS)
}

export interface Online {
  share: number
  /** It has been asked over the whole period: only then does the share say something about a month. */
  isFull: boolean
  /** Asked all along and never there. */
  isGone: boolean
}

/**
 * So many windows of the sixty with questions in them make a full period: a bridge that was down asked nothing, and what it
 * did not ask is held against nobody.
 */
const FULL_WINDOWS = 50

/** `windows` in order of time. The current one is not over and does not count, but for being there. */
export function onlineOf(windows: readonly WindowTally[], nowMs: number): Online {
  const current = windowOf(nowMs)
  const tracked = windows.filter((one) => one.window >= current - TRACKED_WINDOWS && one.asked > 0)
  const closed = tracked.filter((one) => one.window < current)
  const share = closed.length === 0 ? 1 : closed.reduce((sum, one) => sum + one.online / one.asked, 0) / closed.length
  const isFull = closed.length >= FULL_WINDOWS
  return { share, isFull, isGone: isFull && tracked.every((one) => one.online === 0) }
}
