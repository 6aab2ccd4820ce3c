/**
 * What has passed this calendar month, both ways, and what is left of the owner's cap. Counted are the transport's frames.
 *
 * The count is written to `traffic.json` when 256 MiB or ten seconds have passed since (whatever has moved), and at the end: a
 * crash forgets no more than that. A file that cannot be read is set aside, loudly, and the month begins at zero.
 */
import fs from 'node:fs'
import { codeOf } from '../../base/errors.js'
import { readSmall, writeWhole } from '../../base/folders.js'
import type { Log } from '../../base/log.js'
import { decodeJson } from '../../wire/check.js'
import { type Static, Type } from '../../wire/schema.js'
import { addDays, instantOf, type LocalDate, localDate } from './zoned-time.js'

const Count = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })
const TrafficFile = Type.Object(
  {
    version: Type.Literal(1),
    /** 'YYYY-MM' in the host's zone. */
    month: Type.String({ pattern: '^[0-9]{4}-[0-9]{2}$' }),
    sentBytes: Count,
    receivedBytes: Count,
  },
  { additionalProperties: false },
)
type TrafficFile = Static<typeof TrafficFile>

export interface Traffic {
  sentBytes: number
  receivedBytes: number
}

export interface MonthMeterParts {
  file: string
  /** Of the transport since it was made: only rises. */
  traffic: () => Traffic
  /** Wall time. */
  nowMs: () => number
  monotonicMs: () => number
  log: Log
}

const FILE_BYTES_MAX = 4_096
/** Unwritten at most. */
export const UNSAVED_BYTES_MAX = 256 * 1_048_576
export const UNSAVED_MS_MAX = 10_000

export class MonthMeter {
  private readonly parts: MonthMeterParts
  private zone: string
  private month: string
  /** When the month ends: until then nobody asks what month it is. */
  private endsAtMs = 0
  private counted: Traffic
  /** What the transport had said when it was last looked at. */
  private seen: Traffic
  private unsavedBytes = 0
  private savedAtMs: number

  constructor(parts: MonthMeterParts, zone: string) {
    this.parts = parts
    this.zone = zone
    this.seen = parts.traffic()
    this.savedAtMs = parts.monotonicMs()
    const saved = this.load()
    this.month = saved?.month ?? ''
    this.counted = { sentBytes: saved?.sentBytes ?? 0, receivedBytes: saved?.receivedBytes ?? 0 }
    this.turnMonth()
  }

  /** The month is the calendar's of that zone from now on. */
  setZone(zone: string): void {
    this.zone = zone
    this.endsAtMs = 0
  }

  /** Of this month. Cheap: asked for every request. */
  read(): Traffic {
    this.turnMonth()
    const now = this.parts.traffic()
    const sent = now.sentBytes - this.seen.sentBytes
    const received = now.receivedBytes - this.seen.receivedBytes
    this.seen = { ...now }
    this.counted.sentBytes += sent
    this.counted.receivedBytes += received
    this.unsavedBytes += sent + received
    const isDue = this.parts.monotonicMs() - this.savedAtMs >= UNSAVED_MS_MAX
    if (this.unsavedBytes >= UNSAVED_BYTES_MAX || (isDue && this.unsavedBytes > 0)) this.save()
    return { ...this.counted }
  }

  /** At the end, and when somebody wants to be sure. What the disk refuses is logged: the next time may do. */
  save(): void {
    this.savedAtMs = this.parts.monotonicMs()
    try {
      writeWhole(this.parts.file, `${JSON.stringify({ version: 1, month: this.month, ...this.counted })}\n`)
      this.unsavedBytes = 0
    } catch (error) {
      this.parts.log.warn({ code: (error as NodeJS.ErrnoException).code }, "the month's traffic could not be saved")
    }
  }

  private turnMonth(): void {
    const nowMs = this.parts.nowMs()
    if (nowMs < this.endsAtMs) return
    const date = localDate(this.zone, nowMs)
    const month = monthOf(date)
    if (month !== this.month) this.counted = { sentBytes: 0, receivedBytes: 0 }
    this.month = month
    // Not beyond an hour: a clock that was set wrong and mended must not keep a month too long.
    const endMs = instantOf(this.zone, { ...addDays({ ...date, day: 28 }, 4), day: 1 }, 0)
    this.endsAtMs = Math.min(endMs, nowMs + 3_600_000)
  }

  private load(): TrafficFile | null {
    const { file, log } = this.parts
    try {
      return readTrafficFile(file)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
      log.error({ code: codeOf(error), file }, "the month's traffic cannot be read: counted from zero")
      setAside(file)
      return null
    }
  }
}

/** `malformed`; what the system says passes. */
export function readTrafficFile(file: string): TrafficFile {
  return decodeJson(TrafficFile, readSmall(file, FILE_BYTES_MAX), file)
}

function setAside(file: string): void {
  try {
    fs.renameSync(file, `${file}.damaged`)
  } catch {
    // Where nothing can be written the count is not kept either.
  }
}

function monthOf({ year, month }: LocalDate): string {
  return `${String(year).padStart(4, '0')}-${String(month).padStart(2, '0')}`
}
