/**
 * The hours of a day in which a host serves, as its owner said them: local time of a zone. The bridge knows minutes of a
 * UTC day, which change with daylight saving time: they are computed anew for every report. Pure.
 */
import type { ServingHours } from '../../wire/host-api.js'
import { addDays, instantOf, localDate } from './zoned-time.js'

export interface Hours {
  /** 'HH:MM'. `to` before `from` goes over midnight. */
  from: string
  to: string
}

export interface Window {
  fromMs: number
  toMs: number
}

const MINUTE_MS = 60_000
const DAY_MINUTES = 1_440

export function minuteOf(time: string): number {
  const [hour = '', minute = ''] = time.split(':')
  return Number(hour) * 60 + Number(minute)
}

/** The one that is open at `nowMs`, else the next. */
export function windowAt(hours: Hours, zone: string, nowMs: number): Window {
  const [from, to] = [minuteOf(hours.from), minuteOf(hours.to)]
  const today = localDate(zone, nowMs)
  // Yesterday's may still be open; a day on which the clocks skip over it has none.
  for (let days = -1; days <= 2; days++) {
    const date = addDays(today, days)
    const fromMs = instantOf(zone, date, from)
    const toMs = instantOf(zone, to > from ? date : addDays(date, 1), to)
    if (toMs > nowMs && toMs > fromMs) return { fromMs, toMs }
  }
  return { fromMs: nowMs, toMs: nowMs }
}

export function isOpen(hours: Hours | undefined, zone: string, nowMs: number): boolean {
  return hours === undefined || hours.from === hours.to || windowAt(hours, zone, nowMs).fromMs <= nowMs
}

/** For the bridge, in minutes of a UTC day: those of the window that is open now or comes next. */
export function utcHours(hours: Hours, zone: string, nowMs: number): ServingHours {
  const { fromMs, toMs } = windowAt(hours, zone, nowMs)
  const minute = (atMs: number) => Math.floor(atMs / MINUTE_MS) % DAY_MINUTES
  return { fromMinute: minute(fromMs), toMinute: minute(toMs) }
}
