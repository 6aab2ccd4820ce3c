/** Units on their way: who waits for them, and with which others they were asked for. */
import { setMaxListeners } from 'node:events'
import type { AppError } from '../../base/errors.js'
import type { SegmentId } from '../../model/ids.js'
import type { SegmentInfo } from '../../model/segment.js'

/** A unit on its way. */
export interface Flight {
  key: string
  load: Load
  waiters: number
  /** Not (only) for readahead. */
  isForReader: boolean
  isOver: boolean
  landed: Promise<Buffer>
  resolve(bytes: Buffer): void
  reject(error: unknown): void
}

/** Units asked for together. */
export interface Load {
  info: SegmentInfo
  flights: Map<number, Flight>
  /** Flights that somebody waits for. */
  wanted: number
  isAhead: boolean
  /** Why one of them was not to be had a moment ago. */
  failure: AppError | undefined
  stop: AbortController
}

/** Each flight has one waiter. */
export function makeLoad(
  info: SegmentInfo,
  units: readonly number[],
  { isAhead, failure }: { isAhead: boolean; failure?: AppError | undefined },
): Load {
  const load: Load = { info, flights: new Map(), wanted: units.length, isAhead, failure, stop: new AbortController() }
  // Each range of rows listens; there may be many.
  setMaxListeners(0, load.stop.signal)
  for (const unit of units) load.flights.set(unit, makeFlight(unitKey(info.segment, unit), load))
  return load
}

function makeFlight(key: string, load: Load): Flight {
  let resolve: (bytes: Buffer) => void = () => {}
  let reject: (error: unknown) => void = () => {}
  const landed = new Promise<Buffer>((yes, no) => {
    resolve = yes
    reject = no
  })
  // Whoever waited may have left.
  landed.catch(() => undefined)
  return { key, load, waiters: 1, isForReader: false, isOver: false, landed, resolve, reject }
}

export function isFlight(one: Buffer | Flight): one is Flight {
  return 'landed' in one
}

export function unitKey(segment: SegmentId, unit: number): string {
  return `${segment}:${unit}`
}
