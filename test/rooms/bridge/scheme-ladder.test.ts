import t from 'tap'
import { chooseHosts } from '../../../src/bridge/placement/choose.js'
import { schemeFor } from '../../../src/bridge/placement/ladder.js'
import { HostSpeeds } from '../../../src/bridge/placement/speeds.js'
import { hostId } from '../../../src/model/ids.js'
import { testSeed } from '../../support/dice.js'
import { seededRandom } from '../../support/ramp.js'

t.test('the scheme is the highest rung that leaves a fifth of the domains spare', async (t) => {
  const table: [domains: number, k: number, n: number][] = [
    [0, 1, 7],
    [9, 1, 7],
    [14, 1, 7],
    [15, 3, 12],
    [22, 3, 12],
    [23, 6, 18],
    [30, 9, 24],
    [37, 9, 24],
    [38, 13, 30],
    [50, 19, 40],
    [74, 19, 40],
    [75, 32, 60],
    [10_000, 32, 60],
  ]
  for (const [domains, k, n] of table)
    t.same(schemeFor(domains), { dataShards: k, totalShards: n }, `${domains} domains`)
})

t.test('every rung survives losses of a quarter with four nines', async (t) => {
  const rungs = new Set(Array.from({ length: 100 }, (_, domains) => JSON.stringify(schemeFor(domains))))
  t.equal(rungs.size, 7)
  for (const rung of rungs) {
    const { dataShards: k, totalShards: n } = JSON.parse(rung) as { dataShards: number; totalShards: number }
    let lost = 0
    for (let left = 0, choose = 1; left < k; left++) {
      lost += choose * 0.75 ** left * 0.25 ** (n - left)
      choose = (choose * (n - left)) / (left + 1)
    }
    t.ok(lost <= 1e-4, `${k} of ${n}: ${lost}`)
  }
})

const host = (row: number, isNew: boolean) => ({
  ...{ row, operator: null, subnet: `10.0.${row}.0/24`, freeBytes: 1e12, online: true, seenAt: 0 },
  isNew,
})

t.test('new hosts get a twentieth and at most one shard of a segment, while there are enough others', async (t) => {
  const seed = testSeed()
  t.comment(`seed ${seed}`)
  const lot = seededRandom(seed)
  const hosts = Array.from({ length: 40 }, (_, row) => host(row, row >= 20))
  const options = { policy: 'standard' as const, shardBytes: 1, lot, isNew: (one: { isNew: boolean }) => one.isNew }
  let fresh = 0
  for (let round = 0; round < 4_000; round++) {
    const chosen = chooseHosts(hosts, 8, options).hosts
    const count = chosen.filter((one) => one.isNew).length
    t.ok(count <= 1 && chosen.length === 8) || t.bailout()
    fresh += count
  }
  const share = fresh / (4_000 * 8)
  t.ok(share > 0.035 && share < 0.06, `a share of ${share}`)
  const young = chooseHosts(hosts.slice(15), 12, options).hosts
  t.equal(young.length, 12, 'a young network has to make do')
  t.equal(young.filter((one) => !one.isNew).length, 5)
  t.equal(chooseHosts(hosts.slice(20), 12, options).hosts.length, 12)
})

t.test('a fast host is drawn up to twice as often, a slow one half as often, an unknown one as any', async (t) => {
  const speeds = new HostSpeeds()
  const [fast, slow, unknown] = [1, 2, 3].map((byte) => hostId(Buffer.alloc(32, byte)))
  for (let i = 0; i < 50; i++) {
    speeds.note(fast!, 1_000_000, 10)
    speeds.note(slow!, 1_000_000, 10_000)
  }
  t.equal(speeds.factor(fast!), 2)
  t.equal(speeds.factor(slow!), 0.5)
  t.equal(speeds.factor(unknown!), 1)
})
