/** Wall time of a time zone, by the tables that Node brings along. Pure. */

const MINUTE_MS = 60_000
const DAY_MS = 86_400_000

export interface LocalDate {
  year: number
  /** 1 to 12 */
  month: number
  day: number
}

/** Making one costs a hundred times what using it does. */
const formats = new Map<string, Intl.DateTimeFormat>()

function formatOf(zone: string): Intl.DateTimeFormat {
  const known = formats.get(zone)
  if (known !== undefined) return known
  const made = new Intl.DateTimeFormat('en-US', {
    timeZone: zone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  })
  formats.set(zone, made)
  return made
}

export function isZone(name: string): boolean {
  try {
    formatOf(name)
    return true
  } catch {
    return false
  }
}

/** What this machine is set to. */
export function systemZone(): string {
  return new Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC'
}

/** Local wall time minus UTC at that moment. */
function offsetMs(zone: string, atMs: number): number {
  const parts: Record<string, number> = {}
  for (const { type, value } of formatOf(zone).formatToParts(atMs)) parts[type] = Number(value)
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = parts
  return Date.UTC(year, month - 1, day, hour, minute, second) - Math.floor(atMs / 1_000) * 1_000
}

export function localDate(zone: string, atMs: number): LocalDate {
  const local = new Date(atMs + offsetMs(zone, atMs))
  return { year: local.getUTCFullYear(), month: local.getUTCMonth() + 1, day: local.getUTCDate() }
}

/** Days before the first or beyond the last of a month are those of its neighbours. */
export function addDays(date: LocalDate, days: number): LocalDate {
  const moved = new Date(Date.UTC(date.year, date.month - 1, date.day) + days * DAY_MS)
  return { year: moved.getUTCFullYear(), month: moved.getUTCMonth() + 1, day: moved.getUTCDate() }
}

/** When it is so many minutes past midnight there. A time that the clocks skip is the moment at which they skip it, an hour off. */
export function instantOf(zone: string, date: LocalDate, minute: number): number {
  const asUtcMs = Date.UTC(date.year, date.month - 1, date.day) + minute * MINUTE_MS
  const first = asUtcMs - offsetMs(zone, asUtcMs)
  return asUtcMs - offsetMs(zone, first)
}
