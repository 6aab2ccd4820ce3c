/**
 * What is assumed of the network, in one place. Times are hours, rates are per year unless the name says otherwise; every figure is an
 * assumption and not a measurement of ours: docs/durability.md names each with its reason and what happens when it is wrong.
 */
import { RUNGS as LADDER } from '../../src/bridge/placement/ladder.js'
import { AWAY_AFTER_MS, LOST_AFTER_MS, repairThreshold } from '../../src/bridge/repairs/repair-threshold.js'
import type { Scheme } from '../../src/model/segment.js'

const HOUR_MS = 3_600_000
export const HOURS_PER_DAY = 24
export const HOURS_PER_YEAR = 8_760

/** What `up` runs on one machine, and the ladder. */
export const RUNGS: readonly Scheme[] = [{ totalShards: 8, dataShards: 4 }, ...LADDER]

export interface Settings {
  hosts: number
  /** Segments that are followed; they stand for all that is stored. */
  segments: number
  years: number
  /** Before anything is counted. */
  warmUpYears: number
  scheme: Scheme
  /** Repair is begun at so many counted shards or fewer. */
  threshold: number
  /** False: shards lie anywhere, as if nobody looked at operators and networks. */
  domains: boolean
  /** False: nothing is repaired. */
  repair: boolean

  /** Of the hosts that are there now, this share is gone for good a year later. */
  lossYear: number
  /** memoryless; or mixed: half of those who join stay `shortLifeYears` on average, the others so long that the mean is the same. */
  churn: 'memoryless' | 'mixed'
  shortLifeYears: number
  outagesYear: number
  outageMedianHours: number
  /** Of the logarithm: 2 makes one outage in nine longer than 4 h, one in a thousand longer than a week. */
  outageSigma: number
  /** Share of hosts that are only on from 22 to 7, all in one time zone. */
  nightlyShare: number
  /** Share of hosts with a tenth of the repair bandwidth. */
  slowShare: number

  /** Networks of providers; sizes fall with the rank to the power of -`systemSkew`. */
  systems: number
  systemSkew: number
  hostsPerSubnet: number
  /** Operators with several hosts, among operators, and how many those have at most. */
  manyHostsShare: number
  manyHostsMax: number
  operatorExitsYear: number
  subnetOutagesYear: number
  subnetEndsYear: number
  systemOutagesYear: number
  systemEndsYear: number
  sharedOutageMedianHours: number
  /** Bad releases of the host program in the whole network, and the share of hosts that lose everything before it is stopped. */
  badReleasesYear: number
  badReleaseShare: number
  badReleaseHours: number

  /** Hosts whose disk loses a part, log-uniform between the bounds. */
  damageYear: number
  damageMin: number
  damageMax: number
  /** Hosts that drop a part (5 to 100 %) on purpose and admit nothing. */
  cheatYear: number
  auditLeavesDay: number
  auditBurst: number
  scrubDays: number
  /** From the first caught leaf of an honest host to its signed list of losses. */
  listHours: number
  /** Caught bursts until a host that admits nothing has lost all trust. */
  caughtMax: number

  /** Offline for longer: its shards are not counted. */
  awayHours: number
  /** Offline for longer: its placements are dropped. */
  lostDays: number
  storedGBPerHost: number
  /** In each direction. */
  repairGBPerHostDay: number
  /** What all repairs together may move a day, as a share of all stored bytes. */
  repairShareDay: number
}

export const DEFAULTS: Omit<Settings, 'scheme' | 'threshold'> = {
  ...{ hosts: 10_000, segments: 5_000, years: 4, warmUpYears: 1, domains: true, repair: true },
  ...{ lossYear: 0.3, churn: 'memoryless', shortLifeYears: 0.4 },
  ...{ outagesYear: 36, outageMedianHours: 1 / 3, outageSigma: 2, nightlyShare: 0.1, slowShare: 0.05 },
  ...{ systems: 300, systemSkew: 0.8, hostsPerSubnet: 1.25, manyHostsShare: 0.2, manyHostsMax: 100 },
  ...{ operatorExitsYear: 0.03, subnetOutagesYear: 1, subnetEndsYear: 0.002 },
  ...{ systemOutagesYear: 0.5, systemEndsYear: 0.0005, sharedOutageMedianHours: 3 },
  ...{ badReleasesYear: 0.1, badReleaseShare: 0.05, badReleaseHours: 12 },
  ...{ damageYear: 0.03, damageMin: 0.001, damageMax: 0.5, cheatYear: 0.01 },
  ...{ auditLeavesDay: 576, auditBurst: 16, scrubDays: 30, listHours: 24, caughtMax: 8 },
  ...{ awayHours: AWAY_AFTER_MS / HOUR_MS, lostDays: LOST_AFTER_MS / (HOURS_PER_DAY * HOUR_MS) },
  ...{ storedGBPerHost: 500, repairGBPerHostDay: 10, repairShareDay: 0.005 },
}

/** Candidates for the threshold, by name; `shipped` is what the bridge does. */
export const RULES: Record<string, (scheme: Scheme) => number> = {
  quarter: ({ dataShards: k, totalShards: n }) => k + Math.ceil((n - k) / 4),
  shipped: repairThreshold,
  commit: ({ dataShards: k, totalShards: n }) => k + Math.ceil((2 * (n - k)) / 3),
}

/** Mean life in years of those who are there now: exp(-1/mean) = 1 - lossYear. */
export function meanLifeYears(settings: Pick<Settings, 'lossYear'>): number {
  return -1 / Math.log(1 - settings.lossYear)
}
