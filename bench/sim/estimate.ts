/**
 * What a segment and a drive may expect, from the chain: lone losses all the time, and the two kinds of event that strike several
 * shards of one segment at once (a provider ends, a bad release), each met in the steady state. The rates come from the
 * settings; only the mean time of a repair is taken from the event simulation.
 */
import { SHARD_BYTES_MAX } from '../../src/model/segment.js'
import { Chain, type ChainRates } from './chain.js'
import { systemShares } from './domains.js'
import { longerThan, meanLeft } from './outage-times.js'
import { HOURS_PER_DAY, HOURS_PER_YEAR, meanLifeYears, type Settings } from './settings.js'

/** A repair's time is mostly a fixed delay: Erlang with 8 stages has a spread of a third of its mean. */
const STAGES = 8
const DRIVE_BYTES = 1e12

export interface Estimate {
  /** P(lost) a segment and year, by cause. */
  lone: number
  providers: number
  releases: number
  segment: number
  /** P(a drive of 1 TB loses anything) a year. */
  drive: number
  repairsYear: number
  madePerRepair: number
  good: Float64Array
}

/** Of one shard and year, without what strikes many at once. */
export function lossesYear(settings: Omit<Settings, 'scheme' | 'threshold'>): number {
  const { damageMin, damageMax, outageMedianHours, outageSigma, outagesYear, lostDays } = settings
  const damaged = (damageMax - damageMin) / Math.log(damageMax / damageMin)
  const tooLong = outagesYear * longerThan(lostDays * HOURS_PER_DAY, outageMedianHours, outageSigma)
  const ends = 1 / meanLifeYears(settings) + settings.operatorExitsYear + settings.subnetEndsYear
  return ends + tooLong + settings.damageYear * damaged + settings.cheatYear
}

export function chainRates(settings: Settings, repairHours: number, stages = STAGES): ChainRates {
  const { awayHours, outageMedianHours, outageSigma, outagesYear, scheme, threshold } = settings
  return {
    ...{ k: scheme.dataShards, n: scheme.totalShards, threshold, stages },
    lossesHour: lossesYear(settings) / HOURS_PER_YEAR,
    awayHour: (outagesYear * longerThan(awayHours, outageMedianHours, outageSigma)) / HOURS_PER_YEAR,
    returnHour: 1 / meanLeft(awayHours, outageMedianHours, outageSigma),
    repairHours: awayHours + repairHours,
  }
}

export function estimate(settings: Settings, repairHours: number): Estimate {
  const chain = new Chain(chainRates(settings, repairHours))
  const steady = chain.steady()
  const segments = DRIVE_BYTES / (settings.scheme.dataShards * SHARD_BYTES_MAX)
  const lone = steady.lossesHour * HOURS_PER_YEAR
  let providers = 0
  let drive = 1 - Math.exp(-lone * segments)
  for (const share of systemShares(settings)) {
    const lost = shockLoss(chain, steady.share, settings, share, settings.awayHours + repairHours)
    providers += settings.systemEndsYear * lost
    drive += settings.systemEndsYear * anyOf(segments, lost)
  }
  const lost = shockLoss(chain, steady.share, settings, settings.badReleaseShare, settings.listHours + repairHours)
  const releases = settings.badReleasesYear * lost
  drive += settings.badReleasesYear * anyOf(segments, lost)
  return {
    ...{ lone, providers, releases, drive, segment: lone + providers + releases },
    repairsYear: steady.repairsHour * HOURS_PER_YEAR,
    madePerRepair: steady.madeHour / steady.repairsHour,
    good: chain.goodShares(steady.share),
  }
}

/** P(lost | this share of all hosts is gone at once), of a segment in the steady state. */
export function lossWhenGone(settings: Settings, share: number, repairHours: number): number {
  const chain = new Chain(chainRates(settings, repairHours))
  return shockLoss(chain, chain.steady().share, settings, share, settings.awayHours + repairHours)
}

/**
 * Lost at the moment of the event or before the next repair. All that fell to the threshold waits for the budget of the whole network,
 * the most endangered first: a segment waits for those that have fewer shards than it, or as many.
 */
function shockLoss(chain: Chain, steady: Float64Array, settings: Settings, share: number, noticeHours: number): number {
  const { totalShards: n, dataShards: k } = settings.scheme
  const { state, lost } = chain.struck(steady, share)
  const good = chain.goodShares(state)
  const hoursOf = new Float64Array(n + 1)
  let moved = 0
  for (let shards = 0; shards <= n; shards++) {
    if (shards <= settings.threshold) moved += (good[shards] as number) * (k + n - shards)
    hoursOf[n - shards] = noticeHours + (moved / (n * settings.repairShareDay)) * HOURS_PER_DAY
  }
  return lost + chain.run(state, (d) => hoursOf[d] as number).lost
}

/** P(at least one of so many), where 1 - p is rounded to 1. */
function anyOf(count: number, p: number): number {
  return p >= 1 ? 1 : -Math.expm1(count * Math.log1p(-p))
}

/** 11 for 1e-11, with a decimal. */
export function ninesOf(p: number): number {
  return p <= 0 ? Number.POSITIVE_INFINITY : -Math.log10(Math.min(1, p))
}
