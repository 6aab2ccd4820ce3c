/**
 * `--check`: the chain beside the simulation. Losses are compared at rates that no network has, so that they are seen and counted: hosts
 * that live for weeks, little redundancy, late repairs, a third of all hosts gone at once. At the default rates, where nothing is
 * lost, the way there is compared: how many segments are how far down. Where the two agree, the chain is believed below.
 */
import { repairThreshold } from '../../src/bridge/repairs/repair-threshold.js'
import { Chain } from './chain.js'
import { chainRates, lossWhenGone } from './estimate.js'
import { small, tableOf } from './report.js'
import { DEFAULTS, HOURS_PER_DAY, HOURS_PER_YEAR, RUNGS, type Settings } from './settings.js'
import { Simulation } from './simulation.js'
import { meanOf, type Tally } from './tally.js'

/** Nothing shared, nothing silent, no schedules, bandwidth in plenty: what the chain describes. */
const PLAIN = {
  ...{ nightlyShare: 0, slowShare: 0, operatorExitsYear: 0, subnetOutagesYear: 0, subnetEndsYear: 0 },
  ...{ systemOutagesYear: 0, systemEndsYear: 0, badReleasesYear: 0, damageYear: 0, cheatYear: 0 },
  ...{ repairGBPerHostDay: 1e6, repairShareDay: 100, years: 2, segments: 4_000, hosts: 2_000 },
}
/** Repairs in the cross-check come after a fixed delay: 16 stages spread by a quarter of it. */
const STAGES = 16

export interface HarshCase {
  name: string
  n: number
  k: number
  threshold: number
  meanLifeHours: number
  more: Partial<Settings>
}

export const HARSH: readonly HarshCase[] = [
  { name: 'no outages', n: 8, k: 4, threshold: 5, meanLifeHours: 1_000, more: { outagesYear: 0 } },
  {
    ...{ name: 'no outages, noticed late', n: 12, k: 6, threshold: 8, meanLifeHours: 1_500 },
    more: { outagesYear: 0, awayHours: 36 },
  },
  { name: 'with outages', n: 8, k: 4, threshold: 5, meanLifeHours: 1_000, more: {} },
  { name: 'with outages', n: 12, k: 3, threshold: 4, meanLifeHours: 500, more: { awayHours: 12 } },
]

export interface Compared {
  seen: number
  low: number
  high: number
  chain: number
  repairsSeen: number
  repairsChain: number
}

export function crossCheck(seeds: readonly number[], say: (line: string) => void): string {
  return [
    'Losses where they are frequent:\n',
    harshTable(seeds, say),
    '\nA share of all hosts loses everything at once (bad release), losses for each segment and release:\n',
    strikeTable(seeds, say),
    '\nDefault churn and outages, nothing shared: share of segments with so few good shards (r: repaired at).\n',
    depthTable(seeds, say),
  ].join('\n')
}

function harshTable(seeds: readonly number[], say: (line: string) => void): string {
  const rows = HARSH.map((one) => {
    say(`${one.name}, ${one.n}/${one.k} repaired at ${one.threshold}`)
    const { seen, low, high, chain, repairsSeen, repairsChain } = compareHarsh(one, seeds)
    const scheme = `${one.n}/${one.k}, ${one.threshold}`
    const losses = [String(seen), `${small(low)}..${small(high)}`, small(chain)]
    return [one.name, scheme, ...losses, repairsSeen.toFixed(2), repairsChain.toFixed(2)]
  })
  const head = ['case', 'n/k, r', 'losses seen', 'a segment-year (95 %)', 'chain', 'repairs a segment-year', 'chain']
  return tableOf([head, ...rows])
}

export function compareHarsh(one: HarshCase, seeds: readonly number[]): Compared {
  const settings: Settings = {
    ...{ ...DEFAULTS, ...PLAIN, ...one.more },
    scheme: { totalShards: one.n, dataShards: one.k },
    threshold: one.threshold,
    lossYear: 1 - Math.exp(-HOURS_PER_YEAR / one.meanLifeHours),
  }
  // Places of the dead are taken again soon; with outages no sooner than nearly all who are only away are back.
  settings.lostDays = settings.outagesYear === 0 ? (settings.awayHours + 1) / HOURS_PER_DAY : 10
  const tallies = seeds.map((seed) => new Simulation(settings, seed).run())
  const segmentYears = settings.segments * settings.years * seeds.length
  const steady = new Chain(chainRates(settings, meanWait(tallies), STAGES)).steady()
  return {
    ...interval(sum(tallies, 'losses'), segmentYears),
    chain: steady.lossesHour * HOURS_PER_YEAR,
    repairsSeen: sum(tallies, 'repairs') / segmentYears,
    repairsChain: steady.repairsHour * HOURS_PER_YEAR,
  }
}

/** In the warm year, so that all of what follows is counted. */
const STRIKE_HOURS = HOURS_PER_YEAR + 100

const STRIKES = [
  { n: 8, k: 4, threshold: 6, share: 0.1 },
  { n: 18, k: 6, threshold: 12, share: 0.3 },
  { n: 40, k: 19, threshold: 30, share: 0.3 },
  { n: 60, k: 32, threshold: 46, share: 0.25 },
]

function strikeTable(seeds: readonly number[], say: (line: string) => void): string {
  const rows = STRIKES.map(({ n, k, threshold, share }) => {
    say(`${share * 100} % of hosts struck, ${n}/${k} repaired at ${threshold}`)
    const scheme = { totalShards: n, dataShards: k }
    const struck = { badReleaseShare: share, badReleaseHours: 1, listHours: 4, years: 1 }
    const budget = { repairShareDay: DEFAULTS.repairShareDay }
    const settings: Settings = { ...DEFAULTS, ...PLAIN, segments: 20_000, ...struck, ...budget, scheme, threshold }
    const tallies = seeds.map((seed) => new Simulation(settings, seed).strikeAt(STRIKE_HOURS).run())
    const { seen, low, high } = interval(sum(tallies, 'losses'), settings.segments * seeds.length)
    const chain = lossWhenGone(settings, share, 1)
    return [`${share * 100} %`, `${n}/${k}, ${threshold}`, String(seen), `${small(low)}..${small(high)}`, small(chain)]
  })
  return tableOf([
    ['struck', 'n/k, r', 'losses seen', 'a segment and release (95 %, segments taken as independent)', 'chain'],
    ...rows,
  ])
}

const DEPTHS = [0, 1, 2, 3]

function depthTable(seeds: readonly number[], say: (line: string) => void): string {
  const rows = RUNGS.map((scheme) => {
    const threshold = repairThreshold(scheme)
    say(`default rates, ${scheme.totalShards}/${scheme.dataShards} repaired at ${threshold}`)
    const settings: Settings = { ...DEFAULTS, ...PLAIN, segments: 10_000, years: 4, scheme, threshold }
    const tallies = seeds.map((seed) => new Simulation(settings, seed).run())
    const chain = new Chain(chainRates(settings, meanWait(tallies), STAGES))
    const steady = chain.steady()
    const good = tallies.reduce(
      (all, tally) => all.map((count, at) => count + (tally.good[at] as number)),
      tallies[0]!.good.map(() => 0),
    )
    const repairs = sum(tallies, 'repairs')
    return [
      ...[`${scheme.totalShards}/${scheme.dataShards}, ${threshold}`],
      (repairs / (settings.segments * settings.years * seeds.length)).toFixed(3),
      (steady.repairsHour * HOURS_PER_YEAR).toFixed(3),
      (sum(tallies, 'pushed') / repairs).toFixed(2),
      (steady.madeHour / steady.repairsHour).toFixed(2),
      ...DEPTHS.flatMap((below) => [
        small(shareUpTo(good, threshold - below)),
        small(shareUpTo(chain.goodShares(steady.share), threshold - below)),
      ]),
    ]
  })
  const depths = DEPTHS.flatMap((below) => [below === 0 ? 'at most r' : `r - ${below}`, 'chain'])
  return tableOf([['n/k, r', 'repairs a segment-year', 'chain', 'shards a repair', 'chain', ...depths], ...rows])
}

function meanWait(tallies: readonly Tally[]): number {
  return tallies.reduce((total, tally) => total + meanOf(tally.waitedHours), 0) / tallies.length
}

function sum(tallies: readonly Tally[], figure: 'losses' | 'repairs' | 'pushed'): number {
  return tallies.reduce((total, tally) => total + tally[figure], 0)
}

/** 95 %, of a count taken as Poisson. */
function interval(seen: number, chances: number): { seen: number; low: number; high: number } {
  const spread = 1.96 * Math.sqrt(seen)
  return { seen, low: Math.max(0, seen - spread) / chances, high: (seen + spread + 1.5) / chances }
}

function shareUpTo(weights: Float64Array, most: number): number {
  const total = weights.reduce((all, one) => all + one, 0)
  return weights.subarray(0, Math.max(0, most + 1)).reduce((all, one) => all + one, 0) / total
}
