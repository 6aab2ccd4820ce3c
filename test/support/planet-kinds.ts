/** Who lives on the planet: what is wrong with some hosts, from which day on, and the honest ones, who come and go. */
import type { Planet } from './planet.js'
import { forgets, shareOf } from './planet-behaviours.js'
import type { HostPlan, PlanetHost } from './planet-host.js'
import { HOUR_MS } from './planet-time.js'

export const HONEST = 'honest'
/** Of one operator, in one /24. */
export const COLLUDERS = 20

/**
 * Each kind goes wrong on a day of its own: so many liars on one day would look like a fault of the bridge (audits/breaker.ts), and
 * what that costs is tested where it belongs (test/rooms/bridge/audit-breaker.test.ts).
 */
const BAD: readonly HostPlan[] = [
  { kind: 'keeps 90 %', wrongFrom: 2, behave: forgets((shard, host) => host.isWrong && shareOf(shard) < 0.1) },
  // 2 % of some hundred shards a day.
  { kind: 'bits rot', wrongFrom: 3, step: rot },
  // What it is asked for lies in another place, a tenth of a second away for each leaf; sixteen at once.
  { kind: 'fetches elsewhere', wrongFrom: 4, answerMs: ({ planet }) => slowest(planet, 120, 0.8) },
  // The same over a line that takes a second for each, one after the other.
  { kind: 'fetches elsewhere, in turn', wrongFrom: 5, answerMs: ({ planet }) => together(planet, 1_000, 0.8) },
  // One answer in ten comes after the deadline of 15 s.
  { kind: 'slow', wrongFrom: 6, answerMs: ({ planet }) => logNormal(planet, 6_000, 0.7) },
  { kind: 'flapping', wrongFrom: 7, step: flap },
  { kind: 'clock is 2 h off', wrongFrom: 8, clockErrorMs: 2 * HOUR_MS },
  { kind: 'loses its disk, says so', wrongFrom: 9, step: loseOnce() },
  { kind: 'loses its disk, says nothing', wrongFrom: 10, behave: forgets((_, host) => host.isWrong) },
]

/** Of hosts that come later. */
export const LATER: readonly HostPlan[] = [
  { kind: 'new, keeps nothing', wrongFrom: 12, behave: forgets(() => true) },
  { kind: 'new, keeps half', wrongFrom: 13, behave: forgets((shard) => shareOf(shard) < 0.5) },
]

const OPERATOR: HostPlan = {
  kind: `operator of ${COLLUDERS} deletes`,
  wrongFrom: 11,
  behave: forgets((_, host) => host.isWrong),
}

export const KINDS: readonly string[] = [...BAD, OPERATOR, ...LATER].map((one) => one.kind)

export function wrongFromOf(kind: string): number {
  return [...BAD, OPERATOR, ...LATER].find((one) => one.kind === kind)?.wrongFrom ?? 0
}

/** Two of each kind, twenty of one operator, the rest honest. */
export function plansOf(total: number): HostPlan[] {
  const colluders = Array.from({ length: COLLUDERS }, (_, at) => ({ ...OPERATOR, address: `127.200.1.${at + 1}` }))
  const bad = [...BAD.flatMap((plan) => [plan, plan]), ...colluders]
  return [...bad, ...Array.from({ length: total - bad.length }, () => ({ kind: HONEST }))]
}

/** Two of each that come on this day. */
export function newcomersOf(day: number): HostPlan[] {
  return LATER.filter((one) => one.wrongFrom === day).flatMap((plan) => [plan, plan])
}

/** Twice a day. */
async function rot(host: PlanetHost): Promise<void> {
  if (host.isWrong && host.planet.lot() < 2 / host.planet.stepsADay) host.rot()
}

/** Six hours off, six hours on. */
async function flap(host: PlanetHost): Promise<void> {
  if (!host.isWrong) return
  const isOn = Math.floor(host.wrongDays * 4) % 2 === 1
  if (isOn) await host.up()
  else await host.down()
}

function loseOnce(): (host: PlanetHost) => Promise<void> {
  const lost = new WeakSet<PlanetHost>()
  return async (host) => {
    if (!host.isWrong || lost.has(host)) return
    lost.add(host)
    await host.loseVolumes()
  }
}

const LEAVES = 16

function slowest(planet: Planet, medianMs: number, sigma: number): number {
  return Math.max(...Array.from({ length: LEAVES }, () => logNormal(planet, medianMs, sigma)))
}

function together(planet: Planet, medianMs: number, sigma: number): number {
  return Array.from({ length: LEAVES }, () => logNormal(planet, medianMs, sigma)).reduce((sum, one) => sum + one, 0)
}

function logNormal(planet: Planet, median: number, sigma: number): number {
  const normal = Math.sqrt(-2 * Math.log(1 - planet.lot())) * Math.cos(2 * Math.PI * planet.lot())
  return median * Math.exp(sigma * normal)
}
