/**
 * On what terms a host serves, as its owner set them: hours and traffic of a month. Says what may come in now, and what the bridge
 * is told of it. Rates are kept by the transport, space by the store.
 */
import { AppError } from '../../base/errors.js'
import type { HostReport } from '../../wire/host-api.js'
import type { MonthMeter, Traffic } from './month-meter.js'
import { type Hours, isOpen, utcHours } from './schedule.js'

export interface TermsSettings {
  hours?: Hours | undefined
  /** IANA name, for hours and months. */
  zone: string
  /** Of a calendar month, both ways. */
  monthBytesMax?: number | undefined
  upBytesPerSecondMax?: number | undefined
  downBytesPerSecondMax?: number | undefined
}

export interface TermsParts {
  meter: MonthMeter
  /** Wall time of this machine. */
  nowMs: () => number
}

/** Of the cap: for audits, and for reads by which the bridge repairs what others lost. */
const RESERVE_SHARE = 0.05

export class Terms {
  private readonly parts: TermsParts
  settings: TermsSettings

  constructor(parts: TermsParts, settings: TermsSettings) {
    this.parts = parts
    this.settings = settings
  }

  set(settings: TermsSettings): void {
    this.settings = settings
    this.parts.meter.setZone(settings.zone)
  }

  get isOpen(): boolean {
    return isOpen(this.settings.hours, this.settings.zone, this.parts.nowMs())
  }

  traffic(): Traffic {
    return this.parts.meter.read()
  }

  /** Undefined without a cap. */
  monthBytesLeft(): number | undefined {
    const { sentBytes, receivedBytes } = this.parts.meter.read()
    const { monthBytesMax } = this.settings
    return monthBytesMax === undefined ? undefined : Math.max(0, monthBytesMax - sentBytes - receivedBytes)
  }

  /** `out-of-hours`, `traffic-cap`; null: a new shard may come. */
  refusalOfPut(): AppError | null {
    if (!this.isOpen) return outOfHours()
    return this.isCapped(RESERVE_SHARE) ? trafficCap() : null
  }

  /** `isRepair`: the bridge reads, to bring back what other hosts lost; it may use the reserve. */
  refusalOfGet(isRepair: boolean): AppError | null {
    return this.isCapped(isRepair ? 0 : RESERVE_SHARE) ? trafficCap() : null
  }

  /** For the bridge. */
  report(): Pick<HostReport, 'hours' | 'upBytesPerSecondMax' | 'downBytesPerSecondMax' | 'monthBytesLeft'> {
    const { hours, zone, upBytesPerSecondMax, downBytesPerSecondMax } = this.settings
    const monthBytesLeft = this.monthBytesLeft()
    return {
      ...(hours === undefined ? {} : { hours: utcHours(hours, zone, this.parts.nowMs()) }),
      ...(upBytesPerSecondMax === undefined ? {} : { upBytesPerSecondMax }),
      ...(downBytesPerSecondMax === undefined ? {} : { downBytesPerSecondMax }),
      ...(monthBytesLeft === undefined ? {} : { monthBytesLeft }),
    }
  }

  save(): void {
    this.parts.meter.read()
    this.parts.meter.save()
  }

  private isCapped(reserveShare: number): boolean {
    const left = this.monthBytesLeft()
    return left !== undefined && left <= (this.settings.monthBytesMax ?? 0) * reserveShare
  }
}

function outOfHours(): AppError {
  return new AppError('out-of-hours', 'the host takes no shards at this time of the day', { retry: 'elsewhere' })
}

function trafficCap(): AppError {
  return new AppError('traffic-cap', "the host's traffic of this month is used up", { retry: 'elsewhere' })
}
