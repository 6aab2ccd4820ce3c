import t from 'tap'
import { fewerThan, ladderDataShards } from '../../../bench/sim/binomial.js'
import { lossesYear } from '../../../bench/sim/estimate.js'
import { DEFAULTS, RUNGS } from '../../../bench/sim/settings.js'
import { commitThreshold } from '../../../src/bridge/placement/threshold.js'
import {
  expectedDaysToLoss,
  LOSSES_PER_HOST_DAY,
  lossesPerHostDay,
  repairThreshold,
} from '../../../src/bridge/repairs/repair-threshold.js'

const LADDER = RUNGS.filter(({ totalShards }) => totalShards > 8)

t.test('repair begins when half of the spare shards are gone', async (t) => {
  const table: [n: number, k: number, threshold: number][] = [
    [8, 4, 6],
    [12, 3, 8],
    [18, 6, 12],
    [24, 9, 17],
    [30, 13, 22],
    [40, 19, 30],
    [60, 32, 46],
    [2, 1, 1],
    [7, 4, 5],
    [3, 3, 2],
  ]
  for (const [totalShards, dataShards, threshold] of table) {
    t.equal(repairThreshold({ totalShards, dataShards }), threshold, `${totalShards}/${dataShards}`)
  }
})

t.test(
  'whatever the scheme, there is time to repair, and a segment that just committed does not wait for it',
  async (t) => {
    const wrong: string[] = []
    for (let n = 2; n <= 255; n++) {
      for (let k = 1; k < n; k++) {
        const scheme = { totalShards: n, dataShards: k }
        const threshold = repairThreshold(scheme)
        const commit = commitThreshold(scheme, n) ?? 0
        if (threshold < k || threshold >= commit || threshold >= n) wrong.push(`${n}/${k}: ${threshold}, ${commit}`)
      }
    }
    t.same(wrong, [])
  },
)

t.test('the ladder: the largest k that 75 % of the hosts keep with 99.99 %', async (t) => {
  for (const { totalShards, dataShards } of LADDER)
    t.equal(ladderDataShards(totalShards), dataShards, `of ${totalShards}`)
  t.equal(ladderDataShards(8), 1, '4 of 8 is below the ladder: for one machine')
})

t.test('on the ladder it is the least threshold that bears the loss of a tenth of all hosts at once', async (t) => {
  for (const { totalShards: n, dataShards: k } of LADDER) {
    const lost = (threshold: number) => fewerThan(threshold + 1, k, 0.9)
    const threshold = repairThreshold({ totalShards: n, dataShards: k })
    t.ok(lost(threshold) <= 1e-5, `${n}/${k} at ${threshold}: ${lost(threshold)}`)
    t.ok(lost(threshold - 1) > 1e-5, `${n}/${k} at ${threshold - 1}: ${lost(threshold - 1)}`)
  }
})

t.test('the expected time to loss is that of the pure death chain', async (t) => {
  t.equal(expectedDaysToLoss(2, 3, 0.001), 0)
  t.match(expectedDaysToLoss(3, 3, 0.001), 1_000 / 3)
  t.ok(Math.abs(expectedDaysToLoss(5, 3, 0.001) - (1_000 / 3 + 1_000 / 4 + 1_000 / 5)) < 1e-9)
})

t.test(
  'a segment with fewer shards comes first, and of two with as many to spare the one that needs more hosts',
  async (t) => {
    for (const { totalShards, dataShards } of RUNGS) {
      for (let healthy = dataShards; healthy <= totalShards; healthy++) {
        t.ok(expectedDaysToLoss(healthy, dataShards) > expectedDaysToLoss(healthy - 1, dataShards))
      }
    }
    t.ok(expectedDaysToLoss(33, 32) < expectedDaysToLoss(4, 3))
  },
)

t.test('the assumption is what the simulator assumes of all kinds of loss together', async (t) => {
  t.ok(Math.abs((LOSSES_PER_HOST_DAY * 365) / lossesYear(DEFAULTS) - 1) < 0.02)
})

t.test('the rate of losses starts at the assumption and ends at what the network saw', async (t) => {
  t.match(lossesPerHostDay(0, 0), LOSSES_PER_HOST_DAY)
  const seen = 0.001
  t.ok(Math.abs(lossesPerHostDay(seen * 1e8, 1e8) / seen - 1) < 0.001)
  const young = lossesPerHostDay(0, 100)
  t.ok(young < LOSSES_PER_HOST_DAY && young > 0.98 * LOSSES_PER_HOST_DAY, 'ten hosts for ten days prove little')
})
