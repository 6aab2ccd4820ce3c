/** The tables of `sim:durability`, in Markdown. */
import { lossWhenGone, ninesOf } from './estimate.js'
import type { Interval, Summary } from './summary.js'

type Print = (text: string) => void

export function printReport(summaries: readonly Summary[], print: Print): void {
  const [first] = summaries
  if (first === undefined) return
  const { hosts, segments, years, warmUpYears, churn, lossYear } = first.settings
  print(
    `${hosts} hosts, ${segments} segments followed for ${years} years after ${warmUpYears} of warm-up, seeds ${first.seeds.join(', ')}; ${churn} churn of ${lossYear * 100} % a year.\n`,
  )
  print(
    'Loss (chain; mean time of a repair from the simulation) and what the simulation itself saw; too slow: more repairs than the budget bears.\n',
  )
  print(table(summaries, LOSS))
  print('\nWhat repair costs, how long it takes, and whether a segment can be read at a given moment (simulation):\n')
  print(table(summaries, COST))
  print('\nLost of all segments when so many hosts are gone for good at one moment (chain):\n')
  print(table(summaries, STRIKES))
}

type Column = [title: string, cell: (summary: Summary) => string]

const NAMES: Column[] = [
  ['n/k', ({ settings: { scheme } }) => `${scheme.totalShards}/${scheme.dataShards}`],
  ['repaired at', ({ settings }) => String(settings.threshold)],
]
const CHANGED: Column = ['with', ({ changed }) => changed]

/** From there on repairs fall behind for good, which the chain knows nothing of. */
const SATURATED = 0.9

/** A cell of what the chain says. */
function fromChain(cell: (summary: Summary) => string): (summary: Summary) => string {
  return (summary) => (summary.budgetUsed > SATURATED ? 'too slow' : cell(summary))
}

const LOSS: Column[] = [
  ...NAMES,
  ['lost a segment-year: lone', fromChain(({ estimate }) => small(estimate.lone))],
  ['a provider ends', fromChain(({ estimate }) => small(estimate.providers))],
  ['bad release', fromChain(({ estimate }) => small(estimate.releases))],
  ['sum', fromChain(({ estimate }) => small(estimate.segment))],
  ['within', fromChain(({ lossBetween: [low, high] }) => `${small(low)}..${small(high)}`)],
  ['nines, segment', fromChain(({ estimate }) => ninesOf(estimate.segment).toFixed(1))],
  ['nines, 1 TB whole', fromChain(({ estimate }) => ninesOf(estimate.drive).toFixed(1))],
  ['seen', ({ lossesSeen, segmentYears }) => `${lossesSeen} in ${segmentYears}`],
  ['so below (95 %)', ({ lossYearMax }) => small(lossYearMax)],
]

const COST: Column[] = [
  ...NAMES,
  ['stored / data', ({ settings: { scheme } }) => (scheme.totalShards / scheme.dataShards).toFixed(2)],
  ['repairs a segment-year', ({ repairsYear }) => within(repairsYear, 2)],
  ['shards a repair', ({ madePerRepair }) => madePerRepair.toFixed(1)],
  ['moved / lost', ({ movedPerLost }) => within(movedPerLost, 2)],
  ['moved / stored, a year', ({ movedPerStoredYear }) => within(movedPerStoredYear, 2)],
  ['MB a host-day', ({ hostMBDay }) => within(hostMBDay, 0)],
  ['of the budget', ({ budgetUsed }) => `${(budgetUsed * 100).toFixed(0)} %`],
  ['hours to n: median', ({ repairHoursMedian }) => repairHoursMedian.toFixed(0)],
  ['mean', ({ repairHours }) => within(repairHours, 1)],
  ['99 %', ({ repairHours99 }) => repairHours99.toFixed(0)],
  ['unreadable by day', ({ unreadableByDay }) => small(unreadableByDay)],
  ['by night', ({ unreadableByNight }) => small(unreadableByNight)],
  ['seen', ({ unreadableSeen, looks }) => `${unreadableSeen} of ${looks}`],
]

/** Of all hosts, gone at once. */
const STRUCK = [0.02, 0.05, 0.1, 0.2, 0.3]

const STRIKES: Column[] = [
  ...NAMES,
  ...STRUCK.map(
    (share): Column => [
      `${share * 100} % of hosts`,
      fromChain(({ settings, repairHours }) => small(lossWhenGone(settings, share, repairHours.mean))),
    ],
  ),
]

export function small(value: number): string {
  return value === 0 ? '0' : value.toExponential(1)
}

function within({ mean, plusMinus }: Interval, digits: number): string {
  const spread = Number.isNaN(plusMinus) ? '' : ` ±${plusMinus.toFixed(digits)}`
  return `${mean.toFixed(digits)}${spread}`
}

function table(summaries: readonly Summary[], columns: readonly Column[]): string {
  const shown = summaries.some((one) => one.changed !== '') ? [CHANGED, ...columns] : columns
  return tableOf([shown.map(([title]) => title), ...summaries.map((one) => shown.map(([, cell]) => cell(one)))])
}

/** Rows of cells, the first one the head. */
export function tableOf(rows: readonly (readonly string[])[]): string {
  const [head = [], ...rest] = rows
  return [head, head.map(() => '---'), ...rest].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}
