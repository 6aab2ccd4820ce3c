/** Hosts that were not to be reached are asked again before a read is given up; time is driven. */
import t from 'tap'
import { AppError } from '../../../../src/base/errors.js'
import { hostId } from '../../../../src/model/ids.js'
import type { Placement } from '../../../../src/model/segment.js'
import { HostScores } from '../../../../src/mount/reader/host-scores.js'
import { Placements } from '../../../../src/mount/reader/placements.js'
import { SegmentReader } from '../../../../src/mount/reader/segment-reader.js'
import type { LeafRange, ShardAnswer, ShardPlace, ShardReader } from '../../../../src/mount/reader/shard-reader.js'
import { sealSegment } from '../../../../src/segment/seal.js'
import { DrivenClock } from '../../../support/driven-clock.js'
import { noiseBytes } from '../../../support/noise.js'
import { rampBytes } from '../../../support/ramp.js'
import { secretOf } from '../../../support/secrets.js'
import { NEVER } from './support.js'

const SCHEME = { dataShards: 4, totalShards: 8 }
const PLAIN = rampBytes(1, 40_000)
const termKey = secretOf(noiseBytes(3, 32))
const sealed = await sealSegment({ key: termKey, number: 1 }, [PLAIN], SCHEME)
const { info } = sealed
const STEP_MS = 100
const TELLS_AT_MS = [4_000, 5_000]

/** What asking a host comes to, at that time. */
type Behaviour = (nowMs: number) => 'well' | 'gone' | 'silent' | 'lies'

class Bench {
  readonly clock = new DrivenClock()
  /** When each host was asked. */
  readonly asked = new Map<number, number[]>()
  behaviour: Behaviour[] = Array(8).fill(() => 'well')
  bridgeIsSilent = false
  private readonly reader: SegmentReader

  constructor() {
    const shards = sealed.shardIds.map((shard, index) => ({ index, shard, host: hostId(noiseBytes(index, 32)) }))
    const placement: Placement = { segment: info.segment, generation: 1, shards }
    const ledger = { placement: async () => null, putPlacement: async () => {} }
    let isFirst = true
    const locate = async () => {
      if (this.bridgeIsSilent && !isFirst) await new Promise(() => {})
      isFirst = false
      return [placement]
    }
    const ask = (place: ShardPlace, range: LeafRange) => this.ask(place, range)
    this.reader = new SegmentReader({
      placements: new Placements({ ledger, locate }),
      shards: { ask, recycle: () => {}, prepare: () => {} } as unknown as ShardReader,
      scores: new HostScores(),
      termKey: () => termKey,
      clock: this.clock,
    })
  }

  private ask(place: ShardPlace, { firstLeaf, leafCount }: LeafRange): ShardAnswer {
    const nowMs = this.clock.monotonicMs()
    this.asked.set(place.index, [...(this.asked.get(place.index) ?? []), nowMs])
    const from = place.index * info.shardLength + firstLeaf * 1_024
    const right = sealed.shards.subarray(from, from + leafCount * 1_024)
    const answer = async () => {
      const what = this.behaviour[place.index]?.(nowMs)
      if (what === 'lies') throw new AppError('host-lies', 'wrong bytes')
      if (what === 'gone') throw new AppError('peer-unreachable', 'no connection')
      // As a connection whose other end was killed.
      if (what === 'silent' && (await this.clock.sleep(5_000))) throw new AppError('peer-lost', 'silent')
      return right
    }
    return { bytes: answer(), lateAfterMs: 60_000, abandon: () => {} }
  }

  /** The first unit, or why not, and how long that took. */
  async read(signal = NEVER): Promise<{ found: Buffer | unknown; tookMs: number }> {
    let found: Buffer | unknown
    const take = (_: number, what: unknown) => {
      found = what
    }
    const sink = { unit: take, failed: take }
    let isOver = false
    const reading = this.reader.read(info, [0], sink, signal).finally(() => {
      isOver = true
    })
    const startedMs = this.clock.monotonicMs()
    while (!isOver) await this.clock.advance(STEP_MS)
    await reading
    return { found, tookMs: this.clock.monotonicMs() - startedMs }
  }
}

const isRight = (found: unknown) => Buffer.isBuffer(found) && found.equals(PLAIN.subarray(0, found.length))

t.test('a read waits for hosts that are back in a few seconds', async (t) => {
  for (const backMs of [100, 1_500, 3_900]) {
    const bench = new Bench()
    bench.behaviour.fill((nowMs) => (nowMs < backMs ? 'gone' : 'well'), 0, 5)
    const { found, tookMs } = await bench.read()
    t.ok(isRight(found), `back after ${backMs} ms`)
    t.ok(tookMs < 5_000, `${tookMs} ms`)
  }
})

t.test(
  'hosts that stay away: the read ends after some five seconds, and they are left in peace meanwhile',
  async (t) => {
    const bench = new Bench()
    bench.behaviour.fill(() => 'gone', 0, 5)
    const { found, tookMs } = await bench.read()
    t.match(found, { code: 'shards-unreachable', retry: 'later' })
    const [least, most] = TELLS_AT_MS as [number, number]
    t.ok(tookMs >= least && tookMs <= most, `${tookMs} ms`)
    t.equal(bench.asked.get(0)?.length, 4, 'with longer and longer pauses')
  },
)

t.test('a fifth host that falls silent is asked again, shortly', async (t) => {
  const bench = new Bench()
  bench.behaviour.fill(() => 'gone', 0, 4)
  bench.behaviour[4] = (nowMs) => (nowMs < 1_000 ? 'silent' : 'well')
  const back = await bench.read()
  t.ok(isRight(back.found), `served after ${back.tookMs} ms`)
  bench.behaviour[4] = () => 'silent'
  const { found, tookMs } = await bench.read()
  t.match(found, { code: 'shards-unreachable', retry: 'later' })
  t.ok(tookMs > 5_000 && tookMs < 8_000, `${tookMs} ms`)
})

t.test('who gives wrong bytes is not asked again', async (t) => {
  const bench = new Bench()
  bench.behaviour.fill(() => 'lies', 0, 5)
  const { found, tookMs } = await bench.read()
  t.match(found, { code: 'shards-unreachable' })
  t.ok(tookMs < 600, 'nothing is waited for')
  t.equal(bench.asked.get(0)?.length, 1)
})

t.test('a bridge that says nothing holds nobody up', async (t) => {
  const bench = new Bench()
  bench.bridgeIsSilent = true
  bench.behaviour.fill((nowMs) => (nowMs < 1_000 ? 'gone' : 'well'), 0, 5)
  const { found, tookMs } = await bench.read()
  t.ok(isRight(found))
  t.ok(tookMs < 5_000, `${tookMs} ms`)
})

t.test('a reader that leaves ends the waiting', async (t) => {
  const bench = new Bench()
  bench.behaviour.fill(() => 'gone')
  const stop = new AbortController()
  const reason = new AppError('interrupted', 'enough')
  void bench.clock.sleep(1_000).then(() => stop.abort(reason))
  const { found, tookMs } = await bench.read(stop.signal)
  t.equal(found, reason)
  t.ok(tookMs <= 1_000 + STEP_MS, `${tookMs} ms`)
})
