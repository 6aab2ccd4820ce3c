import t from 'tap'
import { AppError } from '../../../../src/base/errors.js'
import { type HostId, hostId, type SegmentId, segmentId, shardId } from '../../../../src/model/ids.js'
import { HostScores } from '../../../../src/mount/reader/host-scores.js'
import { type Evidence, type ShardPlace, ShardReader } from '../../../../src/mount/reader/shard-reader.js'
import { DrivenClock } from '../../../support/driven-clock.js'
import { noiseBytes } from '../../../support/noise.js'

const hostOf = (seed: number): HostId => hostId(noiseBytes(seed, 32))
const segmentOf = (seed: number): SegmentId => segmentId(noiseBytes(seed, 32))
const RANGE = { firstLeaf: 0, leafCount: 64 }

function placeOf(host: number, segment = 1): ShardPlace {
  return {
    segment: segmentOf(segment),
    index: 0,
    shard: shardId(noiseBytes(3, 32)),
    shardLength: 65_536,
    host: hostOf(host),
  }
}

class Bench {
  readonly clock = new DrivenClock()
  readonly evidence: Evidence[] = []
  readonly dropped: HostId[] = []
  readonly scores = new HostScores()
  tokens = 0
  asked = 0
  warmed: HostId[] = []
  answer: () => Promise<{ head: Buffer; body: Buffer }> = async () => ({ head: Buffer.alloc(3), body: Buffer.alloc(0) })
  readonly reader = new ShardReader({
    peers: {
      request: () => {
        this.asked++
        return this.answer()
      },
      warm: (hosts) => {
        this.warmed = [...hosts]
      },
    },
    token: async () => {
      this.tokens++
      return Buffer.alloc(297)
    },
    dropToken: (host) => this.dropped.push(host),
    report: (one) => this.evidence.push(one),
    scores: this.scores,
    clock: this.clock,
  })

  fails(code: string): void {
    this.answer = async () => {
      throw new AppError(code, 'no')
    }
  }
}

t.test('the same evidence is told once in ten minutes', async (t) => {
  const bench = new Bench()
  await bench.clock.advance(1)
  const ask = (place: ShardPlace) =>
    t.rejects(bench.reader.ask(place, RANGE).bytes, { code: 'host-lies', retry: 'elsewhere' })
  for (let at = 0; at < 3; at++) await ask(placeOf(1))
  t.equal(bench.evidence.length, 1)
  await ask(placeOf(2))
  await ask(placeOf(1, 2))
  t.equal(bench.evidence.length, 3, 'another host, another segment')
  await bench.clock.advance(600_001)
  await ask(placeOf(1))
  t.equal(bench.evidence.length, 4)
})

t.test('a token that is refused is replaced once; a host that refuses that one too is reported', async (t) => {
  const bench = new Bench()
  bench.fails('token-signature')
  await t.rejects(bench.reader.ask(placeOf(1), RANGE).bytes, { code: 'token-signature' })
  t.same([bench.asked, bench.tokens, bench.dropped], [2, 2, [hostOf(1)]])
  t.match(bench.evidence, [{ kind: 'refused', host: hostOf(1), detail: 'token-signature' }])
  bench.fails('token-budget-spent')
  await t.rejects(bench.reader.ask(placeOf(2), RANGE).bytes, { code: 'token-budget-spent' })
  t.equal(bench.evidence.length, 1, 'budgets and clocks may differ')
})

t.test('who is away, busy or without the shard is not accused', async (t) => {
  const bench = new Bench()
  for (const code of ['peer-unreachable', 'peer-lost', 'busy', 'shard-not-found', 'stopped', 'timed-out']) {
    bench.fails(code)
    await t.rejects(bench.reader.ask(placeOf(1), RANGE).bytes, { code })
  }
  t.same(bench.evidence, [], 'nor is the one that is as silent as everybody')
})

t.test('a host that says itself that its copy is damaged is told of: the bridge should know', async (t) => {
  const bench = new Bench()
  bench.fails('shard-damaged')
  await t.rejects(bench.reader.ask(placeOf(1), RANGE).bytes, { code: 'shard-damaged' })
  t.match(bench.evidence, [{ kind: 'refused', host: hostOf(1), detail: 'shard-damaged' }])
})

t.test('an answer that is not wanted is cancelled; one that lost its race is waited for', async (t) => {
  const bench = new Bench()
  bench.answer = () => new Promise(() => {})
  const signals: AbortSignal[] = []
  const reader = new ShardReader({
    peers: {
      request: (_, { signal }) => {
        if (signal) signals.push(signal)
        return new Promise((_resolve, reject) => signal?.addEventListener('abort', () => reject(signal.reason)))
      },
    },
    token: async () => Buffer.alloc(297),
    report: () => {},
    scores: bench.scores,
    clock: bench.clock,
  })
  const answers = Array.from({ length: 20 }, () => reader.ask(placeOf(1), RANGE))
  for (const { bytes } of answers) bytes.catch(() => undefined)
  await new Promise((resolve) => setImmediate(resolve))
  const reason = new Error('enough')
  answers[0]?.abandon(reason, false)
  await t.rejects(answers[0]?.bytes as Promise<Buffer>, reason)
  for (const one of answers.slice(1)) one.abandon(reason, true)
  t.equal(signals.filter(({ aborted }) => aborted).length, 4, 'all but sixteen')
  t.ok(bench.scores.isAvoided(hostOf(1), 0))
})

t.test('hosts are prepared once: all tokens, some connections', async (t) => {
  const bench = new Bench()
  const hosts = [1, 2, 3, 4].map(hostOf)
  bench.reader.prepare(hosts, 2)
  bench.reader.prepare(hosts, 2)
  t.equal(bench.tokens, 4)
  t.same(bench.warmed, hosts.slice(0, 2))
})
