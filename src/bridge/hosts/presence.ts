/**
 * Whether what lies on a host counts, as repair sees it. Pure.
 *
 * good: its shards are healthy. A host that is off by its own hours, or for a few hours (awayMs), is good: most of them come
 *   back, and moving what comes back is wasted traffic.
 * risk: its reputation says that nothing new goes there (suspended, review). Its shards can be read and help to
 *   rebuild, and do not count as healthy: the ladder may end in `removed`.
 * leaving: the same of a host that leaves; all of its shards are moved before it goes.
 * away: missed awayMs of the time that it is to serve. It may come back, and then its shards count again.
 * gone: removed, or it has left.
 */
import type { ServingHours } from '../../wire/host-api.js'
import type { HostRow } from '../persist/host-rows.js'
import { isServing, servingShare, trustOf } from './standing.js'

export const PRESENCES = ['good', 'risk', 'away', 'gone', 'leaving'] as const
export type Presence = (typeof PRESENCES)[number]

/** Hosts that vanished within this time vanished together. */
const TOGETHER_MS = 10 * 60_000
const DAY_MS = 86_400_000
const MINUTE_MS = 60_000

type Seen = HostRow & { online: boolean }

export interface PresenceOptions {
  awayMs: number
  /** The bridge is up since: before, nobody could have come. */
  startedAtMs: number
  /** As its segments were last counted. */
  before?: Presence | undefined
}

export function presenceOf(host: Seen, nowMs: number, options: PresenceOptions): Presence {
  if (trustOf(host) === 'none') return 'gone'
  if (!host.online) {
    // A bridge that starts again has waited already.
    if (options.before === 'away') return 'away'
    const sinceMs = Math.max(host.seenAt, options.startedAtMs)
    if (nowMs - sinceMs >= options.awayMs && missedMs(host, sinceMs, nowMs) >= patienceMs(host, options.awayMs)) {
      return 'away'
    }
  }
  if (host.leavingAt !== null) return 'leaving'
  return trustOf(host) === 'kept' ? 'risk' : 'good'
}

/** A host of two hours a day has missed enough when it missed those. */
function patienceMs(host: HostRow, awayMs: number): number {
  return Math.min(awayMs, servingShare(host.facts?.hours) * DAY_MS)
}

/** Time from `fromMs` to `toMs` in which the host was to serve. */
function missedMs(host: HostRow, fromMs: number, toMs: number): number {
  const hours = host.facts?.hours
  if (hours === undefined) return toMs - fromMs
  const days = Math.floor((toMs - fromMs) / DAY_MS)
  return days * servingShare(hours) * DAY_MS + servedBetween(hours, fromMs + days * DAY_MS, toMs)
}

/** Less than a day, minute by minute. */
function servedBetween(hours: ServingHours, fromMs: number, toMs: number): number {
  let servedMs = 0
  for (let at = fromMs; at < toMs; at += MINUTE_MS) {
    if (isServing(hours, at)) servedMs += Math.min(MINUTE_MS, toMs - at)
  }
  return servedMs
}

/**
 * The circuit: when more than a third of all hosts vanished within minutes, the likeliest cause is the bridge's own line,
 * its region or a bad update, and they come back together; rebuilding a third of all data onto the rest would be the second
 * disaster. So nothing is rebuilt until so much time more has passed, but what is within two losses of its end. Until
 * when; null: closed.
 */
export function circuitUntil(
  hosts: readonly { host: Seen; presence: Presence }[],
  nowMs: number,
  awayMs: number,
): number | null {
  const counted = hosts.filter((one) => one.presence !== 'gone')
  const gone = counted.filter((one) => one.presence === 'away').map(({ host }) => host.seenAt)
  const recent = gone.filter((at) => nowMs < at + 2 * awayMs).sort((a, b) => a - b)
  let until: number | null = null
  for (let first = 0, last = 0; last < recent.length; last++) {
    const end = recent[last] as number
    while (end - (recent[first] as number) > TOGETHER_MS) first++
    if ((last - first + 1) * 3 > counted.length) until = end + 2 * awayMs
  }
  return until
}
