import t from 'tap'
import { chooseHosts, domainCount } from '../../../src/bridge/placement/choose.js'
import { isLoopback, subnetOf } from '../../../src/bridge/placement/domains.js'
import { commitThreshold, leastShards } from '../../../src/bridge/placement/threshold.js'
import { testSeed } from '../../support/dice.js'
import { seededRandom } from '../../support/ramp.js'

function host(
  row: number,
  more: { operator?: string; subnet?: string; freeBytes?: number; online?: boolean; seenAt?: number } = {},
) {
  return { row, operator: null, subnet: `10.0.${row}.0/24`, freeBytes: 1e12, online: true, seenAt: 0, ...more }
}

t.test(
  'the commit threshold is k + two thirds of the parity, less when hosts are away, never below k + 2',
  async (t) => {
    const table: [k: number, n: number, reachable: number, commit: number | null][] = [
      [4, 8, 8, 7],
      [4, 8, 7, 7],
      [4, 8, 6, 6],
      [4, 8, 5, null],
      [4, 8, 0, null],
      [1, 2, 2, 2],
      [1, 2, 1, null],
      [1, 1, 1, 1],
      [3, 3, 3, 3],
      [3, 3, 2, null],
      [20, 40, 40, 34],
      [20, 40, 22, 22],
      [20, 40, 21, null],
    ]
    for (const [dataShards, totalShards, reachable, commit] of table) {
      t.equal(
        commitThreshold({ dataShards, totalShards }, reachable),
        commit,
        `${dataShards}/${totalShards}, ${reachable}`,
      )
    }
    t.equal(leastShards({ dataShards: 4, totalShards: 5 }), 5)
  },
)

t.test('IPv4 counts by /24, IPv6 by /48, mapped addresses as what they are', async (t) => {
  const table: [address: string, subnet: string][] = [
    ['203.0.113.77', '203.0.113.0/24'],
    ['::ffff:203.0.113.77', '203.0.113.0/24'],
    ['2001:db8:1:2::5', '2001:db8:1::/48'],
    ['2001:0DB8:0001:ffff:1:2:3:4', '2001:db8:1::/48'],
    ['2001:db8::1', '2001:db8:0::/48'],
    ['::1', '0:0:0::/48'],
    ['64:ff9b::192.0.2.33', '64:ff9b:0::/48'],
    ['fe80::1%eth0', 'fe80:0:0::/48'],
    ['unknown', 'unknown:unknown'],
  ]
  for (const [address, subnet] of table) t.equal(subnetOf(address), subnet, address)
  for (const address of ['127.0.0.1', '127.9.9.9', '::1', 'localhost', '::ffff:127.0.0.1'])
    t.ok(isLoopback(address), address)
  for (const address of ['0.0.0.0', '::', '10.0.0.1', '203.0.113.1']) t.notOk(isLoopback(address), address)
})

t.test('no host, operator or network takes two shards under the standard policy', async (t) => {
  const seed = testSeed()
  t.comment(`seed ${seed}`)
  const lot = seededRandom(seed)
  for (let round = 0; round < 50; round++) {
    const hosts = Array.from({ length: 60 }, (_, row) =>
      host(row, {
        operator: lot() < 0.5 ? `operator ${Math.floor(lot() * 12)}` : undefined,
        subnet: `10.0.${Math.floor(lot() * 30)}.0/24`,
        online: lot() < 0.8,
      }),
    ).map((one) => ({ ...one, operator: one.operator ?? null }))
    const { hosts: chosen, online } = chooseHosts(hosts, 12, { policy: 'standard', shardBytes: 1_024, lot })
    const unique = (values: unknown[]) => new Set(values).size === values.length
    t.ok(unique(chosen.map((one) => one.row)) && unique(chosen.map((one) => one.subnet)))
    t.ok(unique(chosen.map((one) => one.operator).filter((one) => one !== null)))
    t.equal(online, chosen.filter((one) => one.online).length)
    if (chosen.length < 12) t.ok(domainCount(hosts, 'standard') >= chosen.length)
  }
})

t.test('a single machine ignores domains but gives no host two shards', async (t) => {
  const hosts = Array.from({ length: 8 }, (_, row) => host(row, { subnet: '127.0.0.0/24', operator: 'me' }))
  const options = { policy: 'single-machine' as const, shardBytes: 1_024, lot: seededRandom(1) }
  t.equal(chooseHosts(hosts, 8, options).hosts.length, 8)
  t.equal(chooseHosts(hosts, 9, options).hosts.length, 8)
  t.equal(chooseHosts(hosts, 8, { ...options, policy: 'standard' }).hosts.length, 1)
})

t.test('hosts that are online come first; the most lately seen fill up', async (t) => {
  const hosts = [
    host(1, { online: false, seenAt: 5 }),
    host(2, { online: false, seenAt: 9 }),
    host(3),
    host(4),
    host(5, { online: false, seenAt: 1 }),
  ]
  const { hosts: chosen, online } = chooseHosts(hosts, 4, { policy: 'standard', shardBytes: 1, lot: seededRandom(2) })
  t.same(new Set(chosen.slice(0, 2).map((one) => one.row)), new Set([3, 4]))
  t.same(
    chosen.slice(2).map((one) => one.row),
    [2, 1],
  )
  t.equal(online, 2)
})

t.test('the lot follows free space, and full hosts are left alone', async (t) => {
  const lot = seededRandom(3)
  const hosts = [host(1, { freeBytes: 3e12 }), host(2, { freeBytes: 1e12 }), host(3, { freeBytes: 3_000 })]
  const counts = new Map<number, number>()
  for (let round = 0; round < 4_000; round++) {
    const [first] = chooseHosts(hosts, 1, { policy: 'standard', shardBytes: 1_024, lot }).hosts
    counts.set(first!.row, (counts.get(first!.row) ?? 0) + 1)
  }
  t.equal(counts.get(3), undefined)
  const share = (counts.get(1) ?? 0) / 4_000
  t.ok(share > 0.7 && share < 0.8, `three quarters go to the larger host: ${share}`)
})
