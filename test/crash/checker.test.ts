/** What looks for losses after a kill finds each kind of them: a checker that cannot fail proves nothing. */
import t from 'tap'
import { areOneOrder, durableSteps, type StepTimes } from '../support/crash-account.js'
import { PlanStates, type Shown, Tree } from '../support/crash-model.js'
import { planOf, STEP_PLANS } from '../support/crash-plans.js'

const STEPS = 60

function treeAfter(workload: string, steps: number): Map<string, string> {
  const tree = new Tree()
  for (const step of planOf(workload, { seed: 3, steps })) tree.play(step)
  return tree.shown()
}

function fits(workload: string, found: Shown, atLeast: number, atMost: number): number[] {
  return new PlanStates(planOf(workload, { seed: 3, steps: STEPS })).stepsOf(found, { atLeast, atMost }).fits
}

for (const workload of STEP_PLANS) {
  t.test(`${workload}: each state of it is known, and none that lacks something in between`, async (t) => {
    for (const at of [0, 7, 31, STEPS]) t.ok(fits(workload, treeAfter(workload, at), 0, STEPS).includes(at))
    const whole = treeAfter(workload, STEPS)
    t.notOk(fits(workload, whole, 0, 8).length > 0, 'what nobody had begun is too much')
    t.notOk(fits(workload, treeAfter(workload, 4), 40, STEPS).length > 0, 'what was durable is missed')
    const [name, shown] = [...whole].find(([, one]) => one.startsWith('file')) as [string, string]
    const without = new Map(whole)
    without.delete(name)
    t.same(fits(workload, without, STEPS, STEPS), [], 'a file is gone')
    t.same(fits(workload, new Map([...whole, [name, `${shown}0`]]), STEPS, STEPS), [], 'a file has other bytes')
    t.same(fits(workload, new Map([...whole, ['more', shown]]), STEPS, STEPS), [], 'a file came back')
  })
}

t.test('a write that was under way is there up to the end of a page, or not at all', async (t) => {
  const plan = [
    { kind: 'create', name: 'a' },
    { kind: 'write', name: 'a', key: 1, offset: 100, length: 10_000 },
  ] as const
  const with_ = (length: number) => {
    const tree = new Tree()
    tree.play(plan[0])
    tree.play({ ...plan[1], length })
    return new PlanStates(plan).stepsOf(tree.shown(), { atLeast: 1, atMost: 2 }).fits
  }
  t.same(with_(4_096 - 100), [1])
  t.same(with_(10_000), [2])
  t.same(with_(5_000), [])
})

t.test('what had ended before a sync began is durable; two works are of one order or are not', async (t) => {
  const times = (begun: number[], ended: number[], syncs: number[]): StepTimes => ({
    ...{ begun: begun.map(BigInt), ended: ended.map(BigInt), syncs: syncs.map(BigInt) },
  })
  const a = times([10, 20, 30], [12, 22, 32], [30])
  const b = times([11, 21, 40], [13, 31, 41], [])
  t.equal(durableSteps(a, [a, b]), 2)
  t.equal(durableSteps(b, [a, b]), 1, 'its second step had not ended when the sync began')
  t.ok(areOneOrder(a, 3, b, 1))
  t.ok(areOneOrder(a, 1, b, 2))
  t.notOk(
    areOneOrder(a, 1, b, 3),
    'a step of the one that ended at 22 is missing, one of the other that began at 40 is there',
  )
})
