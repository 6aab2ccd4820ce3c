/** One rung and threshold: runs of all seeds put together, with the estimate beside them. */
import { fewerThan } from './binomial.js'
import { type Estimate, estimate } from './estimate.js'
import type { Settings } from './settings.js'
import { Simulation, sampleShardGB } from './simulation.js'
import { meanOf, quantileOf, Tally, WAIT_HOURS_MAX } from './tally.js'

/** A mean with half the width of its 95 % interval. */
export interface Interval {
  mean: number
  plusMinus: number
}

export interface Summary {
  /** What was changed for this row, as `name=value`. */
  changed: string
  settings: Settings
  seeds: number[]
  /** Losses that were seen, in so many segment-years; the 95 % upper bound of the rate (Poisson). */
  lossesSeen: number
  segmentYears: number
  lossYearMax: number
  estimate: Estimate
  /** The estimate with the shortest and the longest mean repair that the seeds allow. */
  lossBetween: [number, number]
  repairHours: Interval
  repairHoursMedian: number
  repairHours99: number
  repairsYear: Interval
  madePerRepair: number
  movedPerLost: Interval
  movedPerStoredYear: Interval
  hostMBDay: Interval
  /** Share of the network's repair budget that was used: near 1 repairs fall behind, and the chain does not hold. */
  budgetUsed: number
  postponed: number
  meanGood: number
  good: number[]
  /** P(fewer than k shards can be had at this moment), by day and by night. */
  unreadableByDay: number
  unreadableByNight: number
  unreadableSeen: number
  looks: number
}

const DAYS_PER_YEAR = 365
const STUDENT_95 = [0, 12.71, 4.3, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26]
const RARE_EVENTS_95 = 3

export function runAll(settings: Settings, seeds: number[], progress: (seed: number, year: number) => void): Summary {
  const tallies = seeds.map((seed) => new Simulation(settings, seed).run((year) => progress(seed, year)))
  return summaryOf(settings, seeds, tallies)
}

export function summaryOf(settings: Settings, seeds: number[], tallies: Tally[]): Summary {
  const { totalShards: n } = settings.scheme
  const each = (figure: (tally: Tally) => number) => intervalOf(tallies.map(figure))
  const all = summed(tallies, n)
  const segmentYears = settings.segments * settings.years * seeds.length
  const repairHours = each((one) => meanOf(one.waitedHours))
  const within = (hours: number) => estimate(settings, Math.max(0, hours)).segment
  const moved = (one: Tally) => one.fetched + one.pushed
  const storedShards = settings.segments * n * settings.years
  return {
    ...{ changed: '', settings, seeds, segmentYears, repairHours },
    ...{ lossesSeen: all.losses, lossYearMax: upperRate(all.losses, segmentYears) },
    estimate: estimate(settings, repairHours.mean),
    lossBetween: [within(repairHours.mean - repairHours.plusMinus), within(repairHours.mean + repairHours.plusMinus)],
    repairHoursMedian: quantileOf(all.waitedHours, 0.5),
    repairHours99: quantileOf(all.waitedHours, 0.99),
    repairsYear: each((one) => one.repairs / settings.segments / settings.years),
    madePerRepair: all.pushed / all.repairs,
    movedPerLost: each((one) => moved(one) / one.shardsLost),
    movedPerStoredYear: each((one) => moved(one) / storedShards),
    hostMBDay: each(
      (one) => (moved(one) * sampleShardGB(settings) * 1_000) / settings.hosts / (settings.years * DAYS_PER_YEAR),
    ),
    budgetUsed: each((one) => moved(one) / storedShards).mean / (settings.repairShareDay * DAYS_PER_YEAR),
    postponed: all.postponed,
    ...{ meanGood: meanOf(all.good), good: [...all.good] },
    unreadableByDay: unreadable(settings, all.good, all.onlineByDay),
    unreadableByNight: unreadable(settings, all.good, all.onlineByNight),
    ...{ unreadableSeen: all.unreadable, looks: all.looks },
  }
}

/** Each shard that is there can be had with the share of hosts that is online at the moment, averaged over moments. */
function unreadable(settings: Settings, good: Float64Array, online: readonly number[]): number {
  const segments = good.reduce((sum, one) => sum + one, 0)
  let sum = 0
  for (const share of online) {
    for (const [shards, count] of good.entries()) {
      if (count > 0) sum += (count / segments) * fewerThan(shards, settings.scheme.dataShards, share)
    }
  }
  return sum / online.length
}

function summed(tallies: readonly Tally[], totalShards: number): Tally {
  const all = new Tally(totalShards)
  for (const one of tallies) {
    for (const key of ['losses', 'repairs', 'postponed', 'fetched', 'pushed', 'looks', 'unreadable'] as const) {
      all[key] += one[key]
    }
    for (let i = 0; i <= totalShards; i++) all.good[i] = (all.good[i] as number) + (one.good[i] as number)
    for (let i = 0; i <= WAIT_HOURS_MAX; i++) {
      all.waitedHours[i] = (all.waitedHours[i] as number) + (one.waitedHours[i] as number)
    }
    all.onlineByDay.push(...one.onlineByDay)
    all.onlineByNight.push(...one.onlineByNight)
  }
  return all
}

export function intervalOf(values: readonly number[]): Interval {
  const count = values.length
  const mean = values.reduce((sum, one) => sum + one, 0) / count
  if (count < 2) return { mean, plusMinus: Number.NaN }
  const variance = values.reduce((sum, one) => sum + (one - mean) ** 2, 0) / (count - 1)
  return { mean, plusMinus: (STUDENT_95[count - 1] ?? 2) * Math.sqrt(variance / count) }
}

/** No losses seen: 3 / segment-years. Some: mean + 1.96 sigma + a little for small counts. */
function upperRate(losses: number, segmentYears: number): number {
  return (losses === 0 ? RARE_EVENTS_95 : losses + 1.96 * Math.sqrt(losses) + 1.5) / segmentYears
}
