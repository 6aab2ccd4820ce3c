/**
 * `npm run sim:durability`: how durable each rung of the redundancy ladder is, and what it costs (docs/durability.md).
 *
 *   --seeds 5 (how many, from --seed on)  --seed 1  --years 4  --hosts 10000  --segments 5000
 *   --rungs 40/19,60/32 (n/k; all)  --rules quarter,shipped,commit (or numbers)  --set lossYear=0.5,awayHours=12
 *   --sweep awayHours=1,4,12 (a row for each value)
 *   --check (chain beside simulation, at rates where losses are seen)  --json  --quick
 */
import { parseArgs } from 'node:util'
import { crossCheck } from './cross-check.js'
import { printReport } from './report.js'
import { DEFAULTS, RULES, RUNGS, type Settings } from './settings.js'
import { runAll, type Summary } from './summary.js'

const USAGE = 64
const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '5' },
    seed: { type: 'string', default: '1' },
    years: { type: 'string' },
    hosts: { type: 'string' },
    segments: { type: 'string' },
    rungs: { type: 'string' },
    rules: { type: 'string', default: 'quarter,shipped,commit' },
    set: { type: 'string' },
    sweep: { type: 'string' },
    check: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    quick: { type: 'boolean', default: false },
  },
})

class UsageError extends Error {}

try {
  main()
} catch (error) {
  if (!(error instanceof UsageError)) throw error
  console.error(error.message)
  process.exitCode = USAGE
}

function main(): void {
  const seeds = Array.from(
    { length: values.quick ? 2 : whole('seeds', values.seeds) },
    (_, i) => whole('seed', values.seed) + i,
  )
  const base = { ...DEFAULTS, ...(values.quick ? { years: 2, segments: 1_500 } : {}), ...given() }
  if (values.check) {
    print(crossCheck(seeds, say))
    return
  }
  const summaries: Summary[] = []
  for (const scheme of rungs()) {
    for (const threshold of thresholds(scheme)) {
      for (const changed of sweep()) {
        const settings: Settings = { ...base, ...settingsOf(changed), scheme, threshold }
        const name = `${scheme.totalShards}/${scheme.dataShards} repaired at ${threshold} ${changed}`
        const told = (seed: number, year: number) => say(`${name}: seed ${seed}, year ${year}`)
        summaries.push({ ...runAll(settings, seeds, told), changed })
      }
    }
  }
  if (values.json) print(JSON.stringify(summaries))
  else printReport(summaries, print)
}

function rungs() {
  if (values.rungs === undefined) return RUNGS
  return values.rungs.split(',').map((text) => {
    const [totalShards, dataShards] = text.split('/').map((one) => whole('rungs', one)) as [number, number | undefined]
    if (dataShards === undefined || dataShards > totalShards) throw new UsageError(`--rungs takes n/k, not '${text}'`)
    return { totalShards, dataShards }
  })
}

function thresholds(scheme: { totalShards: number; dataShards: number }): number[] {
  const wanted = (values.quick ? 'shipped' : values.rules).split(',').map((text) => {
    const rule = RULES[text]
    return rule === undefined ? whole('rules', text) : rule(scheme)
  })
  const fitting = wanted.filter((one) => one >= scheme.dataShards && one < scheme.totalShards)
  return [...new Set(fitting)].sort((a, b) => a - b)
}

function sweep(): string[] {
  const [name, list] = values.sweep?.split('=') ?? []
  return list === undefined ? [''] : list.split(',').map((value) => `${name}=${value}`)
}

function given(): Partial<Settings> {
  const given: Partial<Settings> = {}
  for (const key of ['years', 'hosts', 'segments'] as const) {
    if (values[key] !== undefined) given[key] = whole(key, values[key])
  }
  return Object.assign(given, ...(values.set?.split(',').map(settingsOf) ?? []))
}

/** `name=value`: every assumption can be changed. */
function settingsOf(pair: string): Partial<Settings> {
  if (pair === '') return {}
  const [name = '', text = ''] = pair.split('=')
  const known = (DEFAULTS as Record<string, unknown>)[name]
  if (known === undefined) throw new UsageError(`no setting '${name}': ${Object.keys(DEFAULTS).join(', ')}`)
  const value = typeof known === 'number' ? Number(text) : typeof known === 'boolean' ? text === 'true' : text
  if (text === '' || Number.isNaN(value)) throw new UsageError(`${name} takes a number, not '${text}'`)
  return { [name]: value }
}

function whole(name: string, text: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1) throw new UsageError(`--${name} takes a whole number, not '${text}'`)
  return value
}

function print(text: string): void {
  console.log(text)
}

/** Progress goes to stderr, so that stdout is the report alone. */
function say(line: string): void {
  console.error(`  ${line}`)
}
