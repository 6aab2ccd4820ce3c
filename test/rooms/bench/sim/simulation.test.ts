import t from 'tap'
import { atLeast } from '../../../../bench/sim/binomial.js'
import { EventQueue } from '../../../../bench/sim/event-queue.js'
import { Random } from '../../../../bench/sim/random.js'
import { RepairQueue } from '../../../../bench/sim/repair-queue.js'
import { DEFAULTS, HOURS_PER_YEAR, type Settings } from '../../../../bench/sim/settings.js'
import { Simulation } from '../../../../bench/sim/simulation.js'

const QUIET = {
  ...{ outagesYear: 0, nightlyShare: 0, slowShare: 0, operatorExitsYear: 0, subnetOutagesYear: 0, subnetEndsYear: 0 },
  ...{ systemOutagesYear: 0, systemEndsYear: 0, badReleasesYear: 0, damageYear: 0, cheatYear: 0 },
}

function settings(more: Partial<Settings>): Settings {
  const scheme = { totalShards: 12, dataShards: 3 }
  return { ...DEFAULTS, hosts: 1_000, segments: 1_000, years: 1, warmUpYears: 0, scheme, threshold: 8, ...more }
}

t.test('events come out in the order of their times', async (t) => {
  const random = new Random(3)
  const queue = new EventQueue()
  for (let i = 0; i < 5_000; i++) queue.add(random.next(), 1, i, 0)
  let before = 0
  let taken = 0
  while (queue.take()) {
    if (queue.time < before) t.fail(`${queue.time} after ${before}`)
    before = queue.time
    taken++
  }
  t.equal(taken, 5_000)
})

t.test('the most endangered segment is repaired first, of equals the oldest', async (t) => {
  const queue = new RepairQueue(10, 12)
  queue.put(1, 8, 100)
  queue.put(2, 5, 200)
  queue.put(3, 5, 300)
  queue.put(1, 4, 400)
  t.equal(queue.mostUrgent(), 1)
  t.equal(queue.remove(1), 100, 'it has waited since it came')
  t.equal(queue.mostUrgent(), 2)
  queue.remove(2)
  t.equal(queue.mostUrgent(), 3)
  queue.remove(3)
  t.equal(queue.mostUrgent(), -1)
})

t.test('the same seed gives the same run, another seed another', async (t) => {
  const run = (seed: number) => {
    const { losses, repairs, fetched, pushed, shardsLost, good } = new Simulation(settings({}), seed).run()
    return { losses, repairs, fetched, pushed, shardsLost, good: [...good] }
  }
  t.same(run(7), run(7))
  t.notSame(run(7), run(8))
})

t.test('without repair a segment survives a year as the binomial says', async (t) => {
  const segments = 4_000
  const lossYear = 0.7
  const more = { ...QUIET, repair: false, lossYear, segments, hosts: 4_000, lostDays: 10_000 }
  const { losses } = new Simulation(settings(more), 4).run()
  const expected = (1 - atLeast(12, 3, 1 - lossYear)) * segments
  // Segments share hosts: twice the spread of independent ones, at 95 %.
  t.ok(Math.abs(losses - expected) < 4 * Math.sqrt(expected), `${losses} lost, ${expected} expected`)
})

t.test('an operator with half of all hosts kills no segment, unless placement ignores operators', async (t) => {
  const outcome = (domains: boolean) => {
    const more = { ...QUIET, lossYear: 1e-9, segments: 400, hosts: 400, domains }
    const simulation = new Simulation(settings({ ...more, scheme: { totalShards: 8, dataShards: 4 }, threshold: 6 }), 9)
    const { operators } = simulation.hosts.domains
    // Every other host belongs to one operator.
    const owned = Int32Array.from({ length: 400 }, (_, at) => at).filter((host) => host % 2 === 0)
    for (let host = 0; host < 400; host++) operators.of[host] = host % 2 === 0 ? 1_000_000 : host
    for (let segment = 0; segment < 400; segment++) simulation.population.create(segment, 8, 0)
    for (const host of owned) simulation.hostEvents.end(host, 1)
    const least = simulation.population.good.reduce((low, one) => Math.min(low, one), 8)
    return { losses: simulation.tally.losses, least }
  }
  t.same(outcome(true), { losses: 0, least: 7 })
  const { losses } = outcome(false)
  // P(5 or more of 8 with the operator) = 0.363: 145 of 400; made anew ones may be hit again.
  t.ok(losses > 100, `${losses} of 400 lost`)
})

t.test(
  'a shard that is bad and not noticed counts for the bridge and not for the truth; audits and scrubs bring the two together',
  async (t) => {
    const more = { ...QUIET, lossYear: 1e-9, damageYear: 5, damageMin: 0.2, damageMax: 0.5 }
    const simulation = new Simulation(settings(more), 3)
    const tally = simulation.run()
    const { counted, good } = simulation.population
    const unnoticed = counted.reduce((sum, one, at) => sum + one - (good[at] as number), 0)
    t.ok(tally.shardsLost > 10_000, 'five damages a host, a third of its shards each')
    t.ok(unnoticed > 0 && unnoticed < tally.shardsLost * ((3 * 24) / HOURS_PER_YEAR), `${unnoticed} unnoticed`)
    t.equal(tally.losses, 0)
  },
)

t.test('what can be reached is a share of the hosts that are there', async (t) => {
  const { hosts, hostEvents } = new Simulation(settings({ ...QUIET, lossYear: 1e-9 }), 2)
  for (let host = 0; host < 500; host++) hostEvents.end(host, 1)
  t.equal(hosts.onlineShare(2), 1)
  hostEvents.goOff(700, 2, 5)
  t.equal(hosts.onlineShare(3), 0.998)
})

t.test('hosts that are only on at night are missed only at night', async (t) => {
  const { hosts } = new Simulation(settings({ nightlyShare: 1 }), 2)
  t.equal(hosts.missedAt(0, 23, 4), 27)
  t.equal(hosts.missedAt(0, 29, 4), 24 + 22 + 2, 'two hours of this night, two of the next')
  t.equal(hosts.isOnline(0, 12), false)
  t.equal(hosts.isOnline(0, 23), true)
})
