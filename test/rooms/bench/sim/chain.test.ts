import t from 'tap'
import { atLeast, binomial, fewerThan } from '../../../../bench/sim/binomial.js'
import { Chain } from '../../../../bench/sim/chain.js'
import { compareHarsh, HARSH } from '../../../../bench/sim/cross-check.js'
import { longerThan, meanLeft } from '../../../../bench/sim/outage-times.js'
import { Random } from '../../../../bench/sim/random.js'

const near = (a: number, b: number, relative: number) => Math.abs(a - b) <= relative * Math.abs(b)

t.test('binomial weights and tails are exact where they are large and where they are tiny', async (t) => {
  t.ok(near(binomial(4, 2, 0.5), 6 / 16, 1e-12))
  t.ok(near(atLeast(12, 3, 0.75), 0.9999623894691467, 1e-12))
  t.ok(near(fewerThan(34, 19, 0.9) + atLeast(34, 19, 0.9), 1, 1e-12))
  t.ok(near(binomial(40, 40, 1e-3), 1e-120, 1e-9))
})

t.test('without outages, two shards of which one is needed: the textbook mean time to loss', async (t) => {
  const [loss, repair] = [1 / 1_000, 1 / 20]
  const rates = { k: 1, n: 2, threshold: 1, lossesHour: loss, awayHour: 0, returnHour: 1, repairHours: 20, stages: 1 }
  const { lossesHour } = new Chain(rates).steady()
  // Mean time to data loss of a mirror: (3 loss + repair) / (2 loss^2). Here a lost segment starts anew at once, as there.
  t.ok(near(1 / lossesHour, (3 * loss + repair) / (2 * loss ** 2), 1e-9))
})

t.test('repairs that never come: the time to loss is that of a pure death chain', async (t) => {
  const rates = { k: 3, n: 6, threshold: 5, lossesHour: 1e-3, awayHour: 0, returnHour: 1, repairHours: 1e15, stages: 1 }
  const { lossesHour } = new Chain(rates).steady()
  t.ok(near(1 / lossesHour, 1_000 * (1 / 6 + 1 / 5 + 1 / 4 + 1 / 3), 1e-6))
})

t.test('a blow in a full segment takes the binomial share', async (t) => {
  const rates = {
    k: 3,
    n: 12,
    threshold: 8,
    lossesHour: 1e-9,
    awayHour: 0,
    returnHour: 1,
    repairHours: 1e-6,
    stages: 2,
  }
  const chain = new Chain(rates)
  const full = chain.states()
  full[chain.at(0, 0, 0)] = 1
  const { state, lost } = chain.struck(full, 0.3)
  t.ok(near(lost, fewerThan(12, 3, 0.7), 1e-9))
  t.ok(near(lost + state.reduce((sum, one) => sum + one, 0), 1, 1e-9), 'nothing is lost from the books')
})

t.test('outages: how many are long and how long they go on, against draws', async (t) => {
  const random = new Random(5)
  let longer = 0
  let left = 0
  const draws = 400_000
  for (let i = 0; i < draws; i++) {
    const hours = random.logNormal(1 / 3, 1.5)
    if (hours <= 4) continue
    longer++
    left += hours - 4
  }
  t.ok(near(longer / draws, longerThan(4, 1 / 3, 1.5), 0.05))
  t.ok(near(left / longer, meanLeft(4, 1 / 3, 1.5), 0.05))
})

t.test('chain and simulation count the same losses where there are many', async (t) => {
  const [plain, , , outages] = HARSH
  for (const one of [plain, outages]) {
    const { seen, low, high, chain, repairsSeen, repairsChain } = compareHarsh(one!, [11])
    t.comment(`${one?.name}: ${seen} losses, ${low}..${high}, chain ${chain}`)
    t.ok(seen > 20)
    // The chain knows no hosts that are gone and not yet missed: a fifth for that, and the interval of the count.
    t.ok(chain > low * 0.8 && chain < high * 1.2)
    t.ok(near(repairsSeen, repairsChain, 0.06))
  }
})
