/** Walks over what is pinned, down to units: what it wants, what of that is missing, what there is no room for. */
import type { SegmentId } from '../../model/ids.js'
import { below, bytesIn, type WalkLedger, type Wanted, wantedOf } from './data-walk.js'
import type { FetchTask, PinCache } from './pin-fetcher.js'
import { PinState, unitCost } from './pin-state.js'

export interface WalkCache {
  /** They stay until a round ends that does not name them. Those that are not here; null when there is no cache. */
  keep(segment: SegmentId, units: readonly number[]): Promise<readonly number[] | null>
  endRound(): Promise<void>
}

export interface PinWalkParts {
  ledger: WalkLedger
  cache: WalkCache
}

/**
 * All pins, the oldest first, as far as `roomBytes` of the cache go; what the cache is not told now it keeps no longer. Tasks: what is
 * missing, the newest pin first.
 */
export async function walkPins(
  { ledger, cache }: PinWalkParts,
  pins: readonly number[],
  roomBytes: number,
  signal: AbortSignal,
): Promise<{ state: PinState; tasks: FetchTask[] }> {
  const state = new PinState()
  const byPin: FetchTask[][] = []
  let leftBytes = roomBytes
  for (const pin of pins) {
    const tasks: FetchTask[] = []
    byPin.push(tasks)
    for await (const { files, folders } of below(ledger, pin, signal)) {
      if (!state.add(pin, [...files, ...folders])) continue
      for await (const { wanted, localBytes } of wantedOf(ledger, files, signal)) {
        state.want(pin, { wantedBytes: localBytes })
        for (const one of wanted) {
          const cost = unitCost(one.units.size)
          if (cost > leftBytes) state.want(pin, { leftOutBytes: bytesIn(one, one.units.keys()) })
          else {
            leftBytes -= cost
            tasks.push(...(await keep(cache, state, pin, one)))
          }
        }
      }
    }
  }
  await cache.endRound()
  return { state, tasks: byPin.reverse().flat() }
}

async function keep(cache: WalkCache, state: PinState, pin: number, wanted: Wanted): Promise<FetchTask[]> {
  const { info, units } = wanted
  const all = [...units.keys()]
  const missing = (await cache.keep(info.segment, all)) ?? all
  state.want(pin, { wantedBytes: bytesIn(wanted, all), missingBytes: bytesIn(wanted, missing) })
  state.units += all.length
  if (missing.length === 0) return []
  return [{ info, units: missing, arrived: (some) => state.want(pin, { missingBytes: -bytesIn(wanted, some) }) }]
}

/** Units of all files of it; a unit that two of them share counts twice. */
export async function unitsBelow(ledger: WalkLedger, ino: number, signal: AbortSignal): Promise<number> {
  let units = 0
  for await (const { files } of below(ledger, ino, signal)) {
    for await (const { wanted } of wantedOf(ledger, files, signal)) {
      for (const one of wanted) units += one.units.size
    }
  }
  return units
}

/** How many bytes of a file or folder are here, of how many. */
export async function bytesHere(
  { ledger, cache }: { ledger: WalkLedger; cache: Pick<PinCache, 'missing'> },
  ino: number,
  signal: AbortSignal,
): Promise<{ bytes: number; of: number }> {
  let bytes = 0
  let of = 0
  for await (const { files } of below(ledger, ino, signal)) {
    for await (const { wanted, localBytes } of wantedOf(ledger, files, signal)) {
      bytes += localBytes
      of += localBytes
      for (const one of wanted) {
        const units = [...one.units.keys()]
        const missing = (await cache.missing(one.info.segment, units)) ?? units
        of += bytesIn(one, units)
        bytes += bytesIn(one, units) - bytesIn(one, missing)
      }
    }
  }
  return { bytes, of }
}
