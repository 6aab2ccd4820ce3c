/**
 * What a host was caught not to have, of all that was to be there: the other measure beside the score. The score counts leaves, and a
 * lost shard is asked for once: a host with fifty shards and none of them on its disk would fail fifty times, and with forty stay in
 * good standing. This counts distinct shards over two weeks, so that few shards say as much as many. Pure.
 */
import type { WindowTally } from '../persist/standing-rows.js'
import { WINDOW_MS, windowOf } from './online.js'
import { ADMITTED_COST } from './score.js'

/** In which every shard is asked for (audits/times.ts). */
const CAUGHT_MS = 14 * 24 * 3_600_000
const CAUGHT_WINDOWS = CAUGHT_MS / WINDOW_MS

export interface Caught {
  /** Shards caught lost, and a quarter of those that the host named itself. */
  weight: number
  /** Of all that is or was to be there in this time. */
  share: number
}

/** `held`: shards that lie there now, as far as is known. */
export function caughtOf(windows: readonly WindowTally[], held: number, nowMs: number): Caught {
  const current = windowOf(nowMs)
  const last = windows.filter((one) => one.window > current - CAUGHT_WINDOWS)
  const fail = last.reduce((sum, one) => sum + one.fail, 0)
  const admitted = last.reduce((sum, one) => sum + one.admitted, 0)
  const weight = fail + ADMITTED_COST * admitted
  return { weight, share: weight === 0 ? 0 : weight / (held + fail + admitted) }
}
