import t from 'tap'
import { groupsOf } from '../../../src/bridge/reputation/groups.js'
import { ADMITTED_COST, knownAfter, LAMBDA, scoreAfter } from '../../../src/bridge/reputation/score.js'
import { Dice } from '../../support/dice.js'

/** As the literature has it: two counters, one verdict at a time. */
function beta(verdicts: readonly boolean[]): number {
  let [alpha, failed] = [1 / (1 - LAMBDA), 0]
  for (const isSuccess of verdicts) {
    alpha = LAMBDA * alpha + (isSuccess ? 1 : 0)
    failed = LAMBDA * failed + (isSuccess ? 0 : 1)
  }
  return alpha / (alpha + failed)
}

const close = (a: number, b: number) => Math.abs(a - b) < 1e-9

t.test(
  'a batch is one power of lambda, failures before successes, and equals the counters of the literature',
  async (t) => {
    const dice = new Dice(7)
    const verdicts: boolean[] = []
    let score = 1
    for (let batch = 0; batch < 200; batch++) {
      const [failures, successes] = [dice.roll(0, 3), dice.roll(0, 16)]
      verdicts.push(...Array<boolean>(failures).fill(false), ...Array<boolean>(successes).fill(true))
      score = scoreAfter(score, failures, successes)
    }
    t.ok(close(score, beta(verdicts)), `${score} is ${beta(verdicts)}`)
  },
)

t.test('the order of answers within a batch never hurts: what was proved counts in full', async (t) => {
  t.ok(scoreAfter(1, 3, 13) > beta([...Array<boolean>(13).fill(true), false, false, false]))
  t.ok(close(scoreAfter(1, 3, 13), beta([false, false, false, ...Array<boolean>(13).fill(true)])))
})

t.test('41 failures in a row take a perfect host below 0.96, 11 below 0.99, 106 below 0.90', async (t) => {
  for (const [line, count] of [
    [0.99, 11],
    [0.96, 41],
    [0.9, 106],
  ] as const) {
    t.ok(scoreAfter(1, count - 1, 0) >= line, `${count - 1}`)
    t.ok(scoreAfter(1, count, 0) < line, `${count}`)
  }
})

t.test('four admitted losses cost what one that is found out costs', async (t) => {
  t.ok(close(scoreAfter(1, 4 * ADMITTED_COST, 0), scoreAfter(1, 1, 0)))
  t.ok(1 - scoreAfter(1, ADMITTED_COST, 0) < 0.26 * (1 - scoreAfter(1, 1, 0)))
})

t.test('a host that fails a share f settles at 1 - f', async (t) => {
  const dice = new Dice(3)
  let score = 1
  let sum = 0
  for (let nth = 0; nth < 60_000; nth++) {
    score = dice.roll(1, 100) <= 2 ? scoreAfter(score, 1, 0) : scoreAfter(score, 0, 1)
    if (nth >= 10_000) sum += score
  }
  t.ok(Math.abs(sum / 50_000 - 0.98) < 0.002, String(sum / 50_000))
})

t.test('a day and a half without any verdict is what it takes to be suspended for it', async (t) => {
  let known = 1
  let count = 0
  for (; known >= 0.6; count++) known = knownAfter(known, false)
  t.equal(count, 51)
  t.ok(knownAfter(0.5, true) > 0.5)
})

t.test('hosts that fail together show in their operator and their network', async (t) => {
  const good = { state: 'good', score: 1, success: 100, fail: 0 } as const
  const bad = { state: 'suspended', score: 0.9, success: 50, fail: 9 } as const
  const members = [
    { operator: 'a', subnet: 'x', ...good },
    { operator: 'b', subnet: 'x', ...bad },
    { operator: 'b', subnet: 'y', ...bad },
    { operator: null, subnet: 'z', ...good },
  ]
  t.match(groupsOf(members, 'operator'), [
    { name: 'b', hosts: 2, troubled: 2, scoreMean: 0.9, fail: 18 },
    { name: 'a', hosts: 1, troubled: 0, scoreMin: 1 },
  ])
  t.same(
    groupsOf(members, 'subnet').map(({ name, hosts }) => [name, hosts]),
    [
      ['y', 1],
      ['x', 2],
      ['z', 1],
    ],
  )
})
