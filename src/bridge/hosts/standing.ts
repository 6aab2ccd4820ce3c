/**
 * What follows from a host's state, hours and report: may it take new shards, does what lies on it count. One place, so
 * that placement, repair and audits never disagree. Pure.
 */
import type { ServingHours } from '../../wire/host-api.js'
import type { HostRow } from '../persist/host-rows.js'

const DAY_MINUTES = 1_440
const MINUTE_MS = 60_000

/** Suspended hosts keep what they have and get nothing new; what lies on removed ones is gone. */
export type Trust = 'full' | 'kept' | 'none'

export function trustOf(host: Pick<HostRow, 'state' | 'leftAt'>): Trust {
  if (host.state === 'removed' || host.leftAt !== null) return 'none'
  return host.state === 'good' || host.state === 'watch' ? 'full' : 'kept'
}

/** True without hours. `from` equal to `to` is the whole day. */
export function isServing(hours: ServingHours | undefined, nowMs: number): boolean {
  if (hours === undefined || hours.fromMinute === hours.toMinute) return true
  const minute = Math.floor(nowMs / MINUTE_MS) % DAY_MINUTES
  const { fromMinute, toMinute } = hours
  return fromMinute < toMinute ? minute >= fromMinute && minute < toMinute : minute >= fromMinute || minute < toMinute
}

/** Of a day, 0 to 1. */
export function servingShare(hours: ServingHours | undefined): number {
  if (hours === undefined || hours.fromMinute === hours.toMinute) return 1
  return ((hours.toMinute - hours.fromMinute + DAY_MINUTES) % DAY_MINUTES) / DAY_MINUTES
}

/** New shards may be placed there, now. */
export function isTaking(host: HostRow & { online: boolean }, nowMs: number): boolean {
  if (!host.online || trustOf(host) !== 'full' || host.leavingAt !== null) return false
  return host.facts?.refuses === undefined && isServing(host.facts?.hours, nowMs)
}
