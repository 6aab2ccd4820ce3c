import t from 'tap'
import { drawLeaves } from '../../../src/bridge/audits/draw.js'
import { Schedule } from '../../../src/bridge/audits/schedule.js'
import { choose, leavesOf, SAMPLE, weightOf } from '../../../src/bridge/audits/selection.js'
import { BURST_EVERY_MS, BURSTS_A_DAY, COVER_MS } from '../../../src/bridge/audits/times.js'
import { Lab, type LabHost } from '../../support/audit-lab.js'
import { Dice } from '../../support/dice.js'
import { seededRandom } from '../../support/ramp.js'

const NOW = 1_800_000_000_000
const DAY_MS = 86_400_000

/** Chi-square of counts against what was expected of each. */
function chiSquare(counts: readonly number[], expected: readonly number[]): number {
  return counts.reduce((sum, count, at) => sum + (count - (expected[at] as number)) ** 2 / (expected[at] as number), 0)
}

/** Above it by chance once in a hundred thousand (Wilson and Hilferty). */
function chiSquareMax(freedom: number): number {
  return freedom * (1 - 2 / (9 * freedom) + 4.26 * Math.sqrt(2 / (9 * freedom))) ** 3
}

t.test('of equal shards each is as likely as any other', async (t) => {
  const sample = Array.from({ length: 64 }, (_, at) => ({ at, shardLength: 5_000, provedAt: NOW - DAY_MS }))
  for (const seed of [1, 2, 3]) {
    const lot = seededRandom(seed)
    const counts = Array<number>(64).fill(0)
    for (let nth = 0; nth < 4_000; nth++) for (const { at } of choose(sample, 16, NOW, lot)) (counts[at] as number)++
    const chi = chiSquare(counts, Array<number>(64).fill(1_000))
    t.ok(chi < chiSquareMax(63), `${chi.toFixed(1)} < ${chiSquareMax(63).toFixed(1)}`)
  }
})

t.test('one out of many goes by bytes and by age', async (t) => {
  const sample = [
    { shardLength: 1_000, provedAt: NOW - DAY_MS },
    { shardLength: 3_000, provedAt: NOW - DAY_MS },
    { shardLength: 1_000, provedAt: NOW - 6 * DAY_MS },
    { shardLength: 1_000, provedAt: NOW },
  ]
  const weights = sample.map((one) => weightOf(one, NOW))
  const sum = weights.reduce((a, b) => a + b)
  for (const seed of [11, 12, 13]) {
    const lot = seededRandom(seed)
    const counts = sample.map(() => 0)
    for (let nth = 0; nth < 20_000; nth++) {
      const [chosen] = choose(sample, 1, NOW, lot)
      ;(counts[sample.indexOf(chosen!)] as number)++
    }
    const chi = chiSquare(
      counts,
      weights.map((one) => (20_000 * one) / sum),
    )
    t.ok(chi < chiSquareMax(3), `${chi.toFixed(1)}: ${counts.join(' ')}`)
  }
})

t.test('leaves are uniform over the shard; few shards give many leaves, none twice', async (t) => {
  const lot = seededRandom(5)
  const counts = Array<number>(74).fill(0)
  for (let nth = 0; nth < 7_400; nth++) {
    const [item] = leavesOf([{ shardLength: 75_001, leaf: null }], 1, lot)
    ;(counts[item!.leaf] as number)++
  }
  t.ok(chiSquare(counts, Array<number>(74).fill(100)) < chiSquareMax(73))
  const two = leavesOf(
    [
      { shardLength: 75_001, leaf: 7 },
      { shardLength: 3_000, leaf: null },
    ],
    16,
    lot,
  )
  t.equal(two.length, 16)
  t.equal(two[0]?.leaf, 7, 'the leaf that was asked for before')
  t.equal(new Set(two.map((one) => `${one.shard.shardLength} ${one.leaf}`)).size, 16)
  t.equal(leavesOf([{ shardLength: 3_000, leaf: null }], 16, lot).length, 3)
})

t.test('hosts are asked 36 times a day at moments that nobody knows; a pause is not made up for', async (t) => {
  const schedule = new Schedule(seededRandom(8))
  const counts = Array<number>(200).fill(0)
  const perTick: number[] = []
  for (let now = NOW; now < NOW + DAY_MS; now += 10_000) {
    let due = 0
    for (let host = 0; host < 200; host++) {
      if (!schedule.take(host, now, BURST_EVERY_MS)) continue
      ;(counts[host] as number)++
      due++
    }
    perTick.push(due)
  }
  t.ok(
    counts.every((one) => Math.abs(one - BURSTS_A_DAY) <= 1),
    `${Math.min(...counts)} to ${Math.max(...counts)}`,
  )
  t.ok(Math.max(...perTick) <= 10, 'hosts are spread')
  const later = NOW + 9 * DAY_MS
  let atOnce = 0
  for (let host = 0; host < 200; host++) if (schedule.take(host, later, BURST_EVERY_MS)) atOnce++
  t.equal(atOnce, 0, 'nobody is asked for what was missed')
  let soon = 0
  for (let now = later; now <= later + BURST_EVERY_MS; now += 10_000)
    for (let host = 0; host < 200; host++) if (schedule.take(host, now, BURST_EVERY_MS)) soon++
  t.ok(soon >= 200 && soon < 300, `${soon}`)
})

/** A day of bursts as the auditor draws them, with the books of a real bridge; every question counts as proved. */
async function day(
  lab: Lab,
  host: LabHost,
  seed: number,
  see: (segmentRow: number, leaf: number) => void,
): Promise<void> {
  const dice = new Dice(seed)
  const parts = { store: lab.store, lot: seededRandom(seed), random: (size: number) => dice.bytes(size) }
  const { shards } = await lab.store.standings.holding(host.row)
  for (let burst = 0; burst < BURSTS_A_DAY; burst++) {
    await lab.clock.leap(BURST_EVERY_MS)
    const at = lab.clock.nowMs()
    const asked = await drawLeaves(parts, host.row, shards, at)
    for (const { segmentRow, leaf } of asked) see(segmentRow, leaf)
    const record = {
      hostRow: host.row,
      round: 0,
      window: 0,
      at,
      isOnline: true,
      proved: asked,
      held: [],
      transcript: null,
    }
    const rest = { ended: [], again: [], containedMax: 0, accusers: [] }
    await lab.store.audits.saveBurst({ ...record, ...rest }, () => lab.standings.of(host.row))
  }
}

/** The books in memory, drawn from as audit-rows.ts does: a thousand days of a thousand hosts in seconds. */
class Holder {
  private readonly places: { at: number; shardLength: number; provedAt: number }[]
  /** The longest unproved first. */
  private readonly byAge: Set<Holder['places'][number]>

  constructor(shards: number, dice: Dice) {
    // In the order of their ids, which are random: so every number stands anywhere.
    this.places = Array.from({ length: shards }, (_, at) => ({ at, shardLength: 4_096, provedAt: NOW - DAY_MS }))
    this.byAge = new Set(dice.shuffle(this.places))
  }

  burst(nowMs: number, lot: () => number): number[] {
    const sample = new Set([...this.byAge].slice(0, SAMPLE.oldest))
    for (let run = 0; run < SAMPLE.runs; run++) {
      const from = Math.floor(lot() * this.places.length)
      for (let nth = 0; nth < SAMPLE.runShards; nth++) sample.add(this.places[(from + nth) % this.places.length]!)
    }
    const chosen = choose([...sample], 16, nowMs, lot)
    for (const one of chosen) {
      one.provedAt = nowMs
      this.byAge.delete(one)
      this.byAge.add(one)
    }
    return chosen.map((one) => one.at)
  }
}

t.test('a host that misses one shard in a hundred is found within a day, 99 times of 100', async (t) => {
  const seeds = 1_000
  let found = 0
  for (let seed = 1; seed <= seeds; seed++) {
    const dice = new Dice(seed)
    const missing = new Set(dice.shuffle(Array.from({ length: 1_000 }, (_, at) => at)).slice(0, 10))
    const holder = new Holder(1_000, dice)
    const lot = seededRandom(seed)
    const bursts = Array.from({ length: BURSTS_A_DAY }, (_, nth) => holder.burst(NOW + nth * BURST_EVERY_MS, lot))
    if (bursts.flat().some((at) => missing.has(at))) found++
  }
  t.comment(`missing 10 of 1,000 shards: found within a day in ${found} of ${seeds} seeds`)
  t.ok(found >= 0.99 * seeds, String(found))
})

t.test('and so it is in the books of a bridge', async (t) => {
  const lab = await Lab.open(t.testdir(), { hosts: 1, segments: 1_000, shardBytes: 1_024 })
  t.teardown(() => lab.stop())
  const host = lab.hosts[0] as LabHost
  let found = 0
  for (let seed = 1; seed <= 20; seed++) {
    let isFound = false
    await day(lab, host, seed, (segmentRow) => {
      isFound ||= segmentRow % 100 === seed
    })
    if (isFound) found++
  }
  t.ok(found >= 19, String(found))
})

t.test('a host that misses one leaf in a hundred is found within a day, 99 times of 100', async (t) => {
  const seeds = 1_000
  const lot = seededRandom(77)
  // Leaves are drawn apart from shards: a host with one shard in a hundred of each leaf is as one with leaves missing.
  let found = 0
  for (let seed = 0; seed < seeds; seed++) {
    let isFound = false
    for (let burst = 0; burst < BURSTS_A_DAY; burst++) {
      const shards = Array.from({ length: 16 }, () => ({ shardLength: 100 * 1_024, leaf: null }))
      if (leavesOf(shards, 16, lot).some(({ leaf }) => leaf === seed % 100)) isFound = true
    }
    if (isFound) found++
  }
  t.comment(`missing 1 % of the leaves of each shard: found within a day in ${found} of ${seeds} seeds`)
  t.ok(found >= 0.99 * seeds, String(found))
})

t.test('every shard of a host with 2,000 is proved within fourteen days', async (t) => {
  const lab = await Lab.open(t.testdir(), { hosts: 1, segments: 2_000, shardBytes: 1_024 })
  t.teardown(() => lab.stop())
  const seen = new Map<number, number>()
  const started = lab.clock.nowMs()
  let longest = 0
  for (let nth = 0; nth < 28; nth++) {
    await day(lab, lab.hosts[0] as LabHost, nth + 1, (segmentRow) => {
      const now = lab.clock.nowMs()
      longest = Math.max(longest, now - (seen.get(segmentRow) ?? started))
      seen.set(segmentRow, now)
    })
  }
  t.equal(seen.size, 2_000)
  t.comment(`longest time between two proofs of a shard: ${(longest / DAY_MS).toFixed(1)} days`)
  t.ok(longest < COVER_MS, `${longest / DAY_MS} days`)
})
