import t from 'tap'
import { Budget, type Lease } from '../../../src/rtc/budget.js'
import { Dice, testSeed } from '../../support/dice.js'

const OPTIONS = { bytesMax: 100_000, bytesPerPeerMax: 40_000, countPerPeerMax: 8, waitingPerPeerMax: 1_000 }

function budgetWithLog() {
  const budget = new Budget(OPTIONS)
  const granted: string[] = []
  const acquire = (peer: string, name: string, bytes: number, cost = bytes): Lease => {
    const lease = budget.acquire(peer, bytes, cost, () => granted.push(name))
    if (lease.granted) granted.push(name)
    return lease
  }
  return { budget, granted, acquire }
}

t.test('a peer that wants too much waits for itself, not others for it', async (t) => {
  const { granted, acquire } = budgetWithLog()
  const first = acquire('a', 'a1', 30_000)
  acquire('a', 'a2', 30_000)
  acquire('a', 'a3', 10_000)
  acquire('b', 'b1', 30_000)
  t.same(granted, ['a1', 'b1'], 'a3 would fit and does not overtake a2')
  first.release()
  first.release()
  t.same(granted, ['a1', 'b1', 'a2', 'a3'])
})

t.test('who waits for the total is not overtaken, and peers take turns', async (t) => {
  const { granted, acquire } = budgetWithLog()
  const held = ['a', 'b', 'c'].map((peer) => acquire(peer, peer, 30_000))
  acquire('d', 'd1', 20_000)
  acquire('d', 'd2', 20_000)
  acquire('e', 'e1', 10_000)
  t.same(granted, ['a', 'b', 'c'], 'e1 would fit')
  held[0]?.release()
  t.same(granted.slice(3), ['d1', 'e1'])
  held[1]?.release()
  t.same(granted.slice(5), ['d2'])
})

t.test('small requests pass, up to the count', async (t) => {
  const { budget, granted, acquire } = budgetWithLog()
  for (let i = 0; i < 8; i++) acquire('a', `large${i}`, 10_000)
  t.equal(granted.length, 4)
  for (let i = 0; i < 5; i++) acquire('a', `small${i}`, 0)
  t.equal(granted.filter((name) => name.startsWith('small')).length, 4, 'the fifth waits for a turn')
  t.equal(budget.bytesInUse, 40_000)
})

t.test('large requests leave turns to small ones', async (t) => {
  const { granted, acquire } = budgetWithLog()
  for (let i = 0; i < 8; i++) acquire('a', `large${i}`, 0, 5_000)
  t.equal(granted.length, 6)
})

t.test('too many that wait are busy', async (t) => {
  const budget = new Budget({ ...OPTIONS, waitingPerPeerMax: 2 })
  for (let i = 0; i < 3; i++) budget.acquire('a', 40_000, 40_000, () => {})
  t.throws(() => budget.acquire('a', 40_000, 40_000, () => {}), { code: 'busy', retry: 'later' })
})

t.test('at random: bounds hold, everything is granted in the end, nothing is left', async (t) => {
  const seed = testSeed()
  t.comment(`SEED=${seed}`)
  const dice = new Dice(seed)
  const budget = new Budget(OPTIONS)
  const peers = ['a', 'b', 'c', 'd', 'e']
  const use = new Map(peers.map((peer) => [peer, { bytes: 0, count: 0 }]))
  const live: { lease: Lease; peer: string; bytes: number; counted: boolean }[] = []
  let worst = 0
  const count = (one: (typeof live)[number]) => {
    const account = use.get(one.peer) as { bytes: number; count: number }
    one.counted = true
    account.bytes += one.bytes
    account.count += 1
    if (account.bytes > OPTIONS.bytesPerPeerMax || account.count > OPTIONS.countPerPeerMax) worst += 1
  }
  const release = (one: (typeof live)[number]) => {
    const account = use.get(one.peer) as { bytes: number; count: number }
    if (one.counted) account.bytes -= one.bytes
    if (one.counted) account.count -= 1
    one.lease.release()
  }
  for (let i = 0; i < 20_000; i++) {
    if (dice.roll(0, 1) === 0 && live.length < 300) {
      const cost = dice.pick([0, 100, 5_000, 40_000, dice.roll(0, 40_000)])
      const bytes = cost <= 4_096 ? 0 : cost
      const one = { peer: dice.pick(peers), bytes, counted: false } as (typeof live)[number]
      one.lease = budget.acquire(one.peer, bytes, cost, () => count(one))
      if (one.lease.granted) count(one)
      live.push(one)
    } else if (live.length > 0) {
      release(live.splice(dice.roll(0, live.length - 1), 1)[0] as (typeof live)[number])
    }
    if (budget.bytesInUse > OPTIONS.bytesMax) worst += 1
  }
  while (live.length > 0) {
    const next = live.findIndex((one) => one.lease.granted)
    t.ok(next >= 0 || live.length === 0, 'somebody is always served') || live.splice(0)
    if (next >= 0) release(live.splice(next, 1)[0] as (typeof live)[number])
  }
  t.same([worst, budget.bytesInUse, budget.waiting], [0, 0, 0])
})
