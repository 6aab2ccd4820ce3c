import t from 'tap'
import { AppError } from '../../../../src/base/errors.js'
import { encode } from '../../../../src/erasure/code.js'
import { type HostId, hostId, segmentId, shardId } from '../../../../src/model/ids.js'
import type { ShardPlace } from '../../../../src/mount/reader/shard-reader.js'
import { readStripe, type Stripe } from '../../../../src/mount/reader/stripe-reader.js'
import { noiseBytes } from '../../../support/noise.js'
import { rampBytes } from '../../../support/ramp.js'
import { NEVER } from './support.js'

const SCHEME = { dataShards: 4, totalShards: 8 }
const LENGTH = 65_536
const data = [0, 1, 2, 3].map((seed) => rampBytes(seed, LENGTH))
const shards = [...data, ...(await encode(SCHEME, data))]

type Behaviour = 'well' | 'gone' | 'never' | number

/** Hosts that answer at once, after so many ms, with an error or never. */
class Bench {
  readonly asked: number[] = []
  readonly abandoned: [number, boolean][] = []
  readonly lost: string[] = []
  readonly got = new Map<number, Buffer>()
  behaviour: Behaviour[] = Array(8).fill('well')
  costs: number[] = Array(8).fill(10)
  mayRace = true
  lateAfterMs = 30
  private readonly stripe: Stripe

  constructor(unknown: number[] = []) {
    const places = shards.map((_, index): ShardPlace | null => {
      if (unknown.includes(index)) return null
      const [segment, shard] = [segmentId(noiseBytes(1, 32)), shardId(noiseBytes(2, 32))]
      return { segment, index, shard, shardLength: LENGTH, host: hostId(noiseBytes(index, 32)) }
    })
    this.stripe = { scheme: SCHEME, places, firstLeaf: 0, leafCount: 64, length: LENGTH }
  }

  async read(wanted: number[], signal = NEVER): Promise<number[]> {
    const sink = {
      shard: (index: number, bytes: Buffer) => void this.got.set(index, bytes),
      lost: (index: number, error: AppError) => void this.lost.push(`${index} ${error.code}`),
    }
    await readStripe(
      {
        shards: { ask: (place) => this.ask(place.index) },
        costMs: (host: HostId) => this.costs[this.indexOf(host)] as number,
        mayRace: () => this.mayRace,
      },
      this.stripe,
      wanted,
      sink,
      signal,
    )
    return wanted.filter((index) => !this.got.get(index)?.equals(shards[index] as Buffer))
  }

  private indexOf(host: HostId): number {
    return this.stripe.places.findIndex((place) => place?.host === host)
  }

  private ask(index: number) {
    this.asked.push(index)
    const behaviour = this.behaviour[index]
    const bytes = new Promise<Buffer>((resolve, reject) => {
      if (behaviour === 'gone') reject(new AppError('peer-unreachable', 'gone'))
      else if (behaviour === 'well') resolve(shards[index] as Buffer)
      else if (typeof behaviour === 'number') setTimeout(() => resolve(shards[index] as Buffer), behaviour)
    })
    const abandon = (_: Error, wasLate: boolean) => void this.abandoned.push([index, wasLate])
    return { bytes, lateAfterMs: this.lateAfterMs, abandon }
  }
}

t.test('the wanted shards are asked for and nothing else', async (t) => {
  const bench = new Bench()
  t.same(await bench.read([2, 0]), [])
  t.same(bench.asked, [2, 0])
})

t.test('a lost shard is rebuilt from k others, the best of them', async (t) => {
  const bench = new Bench()
  bench.behaviour[1] = 'gone'
  bench.costs = [10, 10, 40, 10, 20, 10, 10, 10]
  t.same(await bench.read([1]), [])
  t.same(bench.asked, [1, 0, 3, 5, 6])
  t.same(bench.lost, ['1 peer-unreachable'])
})

t.test('every set of lost hosts that the code bears, every wanted row', async (t) => {
  for (let lost = 0; lost < 256; lost++) {
    const bench = new Bench()
    const count = [...Array(8).keys()].filter((index) => (lost >> index) & 1)
    for (const index of count) bench.behaviour[index] = 'gone'
    if (count.length <= 4) {
      if ((await bench.read([0, 1, 2, 3])).length > 0) t.fail(`lost ${count}`)
    } else {
      const error = await bench.read([0, 1, 2, 3]).catch((one: unknown) => one)
      const isWhole = count.every((index) => index > 3)
      if (!isWhole && (error as AppError).code !== 'shards-unreachable') t.fail(`lost ${count}`)
    }
  }
  t.pass('all')
})

t.test('a late host is raced; whoever is first counts', async (t) => {
  const bench = new Bench()
  bench.behaviour[0] = 'never'
  t.same(await bench.read([0]), [])
  t.same(bench.asked, [0, 1, 2, 3, 4])
  t.same(bench.abandoned, [[0, true]])
  const other = new Bench()
  other.behaviour = [60, 500, 500, 500, 500, 500, 500, 500]
  t.same(await other.read([0]), [])
  t.equal(other.asked.length, 5)
  t.same(
    other.abandoned.map(([, wasLate]) => wasLate),
    [false, false, false, false],
    'they had no time to be late',
  )
})

t.test('when no race may start it waits for who was asked', async (t) => {
  const bench = new Bench()
  bench.behaviour[0] = 100
  bench.mayRace = false
  t.same(await bench.read([0]), [])
  t.same(bench.asked, [0])
})

t.test('hosts that are avoided or far slower are left out', async (t) => {
  const whole = new Bench()
  whole.costs[2] = 500
  t.same(await whole.read([0, 1, 2, 3]), [])
  t.notOk(whole.asked.includes(2), 'a whole row costs the same from others')
  const single = new Bench()
  single.costs[2] = 500
  await single.read([2])
  t.same(single.asked, [2], 'one unit does not')
  const avoided = new Bench()
  avoided.costs[2] = 1_000_010
  t.same(await avoided.read([2]), [])
  t.notOk(avoided.asked.includes(2))
  const slightly = new Bench()
  slightly.costs[2] = 50
  await slightly.read([0, 1, 2, 3])
  t.same(slightly.asked, [0, 1, 2, 3], 'a little slower is as good')
})

t.test('avoided hosts are asked when there are not enough others', async (t) => {
  const bench = new Bench()
  bench.costs = bench.costs.map((_, index) => (index < 5 ? 1_000_010 : 10))
  t.same(await bench.read([0, 1, 2, 3]), [])
  const lonely = new Bench([4, 5, 6, 7])
  lonely.costs.fill(1_000_010)
  t.same(await lonely.read([0]), [])
  t.same(lonely.asked, [0])
})

t.test('shards without a host are lost', async (t) => {
  const bench = new Bench([0, 5])
  t.same(await bench.read([0, 1]), [])
  await t.rejects(new Bench([0, 1, 2, 3, 4]).read([0]), { code: 'shards-unreachable' })
  t.same(await new Bench([0, 1, 2, 3, 4]).read([]), [])
})

t.test('an abort ends it at once and abandons everybody without blame', async (t) => {
  const bench = new Bench()
  bench.behaviour.fill('never')
  const stop = new AbortController()
  const read = bench.read([0, 1], stop.signal)
  await new Promise((resolve) => setTimeout(resolve, 50))
  const reason = new Error('enough')
  stop.abort(reason)
  await t.rejects(read, reason)
  t.equal(bench.abandoned.length, bench.asked.length)
  t.ok(bench.abandoned.every(([, wasLate]) => !wasLate))
  await t.rejects(bench.read([0], stop.signal), reason)
})
