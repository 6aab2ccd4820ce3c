import t from 'tap'
import { AppError } from '../../../../src/base/errors.js'
import { silentLog } from '../../../../src/base/log.js'
import { deviceId } from '../../../../src/model/ids.js'
import { Cutter } from '../../../../src/mount/sync/cutter.js'
import type { DriveChain } from '../../../../src/mount/sync/drive-chain.js'
import { WriterLease } from '../../../../src/mount/sync/writer-lease.js'
import { DrivenClock } from '../../../support/driven-clock.js'
import { keyOf } from '../../../support/named.js'

const progress = {
  ...{ openBytes: 0, openOperations: 0, openOperationBytes: 0, pendingEpochs: 0, pendingBytes: 0 },
  ...{ oldestUnpublishedMs: null, files: 1, publishedEpoch: 0 },
  newestPending: null as number | null,
}

function cutting() {
  const clock = new DrivenClock()
  const now = { ...progress }
  const seen = { cuts: 0, pending: 0, fails: null as AppError | null }
  const ledger = {
    progress: () => now,
    cut: async () => {
      if (seen.fails) throw seen.fails
      seen.cuts++
      Object.assign(now, { openBytes: 0, openOperations: 0, openOperationBytes: 0 })
      now.newestPending = seen.cuts
      return { epoch: seen.cuts, logSequence: 1, operationBytes: 1, stagedBytes: 0, stagedRows: [], timeMs: 0 }
    },
  }
  const onPending = () => {
    seen.pending++
  }
  const cutter = new Cutter({ ledger, clock, log: silentLog, onCut: () => {}, onPending, wantsView: () => false })
  const stop = new AbortController()
  const run = cutter.run(stop.signal)
  const end = () => {
    stop.abort()
    return run
  }
  return { clock, now, seen, cutter, stop: end }
}

t.test(
  'an epoch is cut 5 s after the first change, at 64 MiB, at 4 MiB of operations; never for nothing',
  async (t) => {
    const { clock, now, seen, stop } = cutting()
    await clock.advance(60_000)
    t.equal(seen.cuts, 0)
    now.openOperations = 1
    await clock.advance(4_900)
    t.equal(seen.cuts, 0)
    await clock.advance(400)
    t.equal(seen.cuts, 1)
    Object.assign(now, { openOperations: 1, openBytes: 64 * 1_048_576 })
    await clock.advance(200)
    t.equal(seen.cuts, 2)
    Object.assign(now, { openOperations: 1, openOperationBytes: 4 * 1_048_576 })
    await clock.advance(200)
    t.equal(seen.cuts, 3)
    await stop()
  },
)

t.test('while many epochs wait only what would not fit a record is cut', async (t) => {
  const { clock, now, seen, stop } = cutting()
  Object.assign(now, { openOperations: 1, openBytes: 2 ** 30, pendingEpochs: 256 })
  await clock.advance(60_000)
  t.equal(seen.cuts, 0)
  now.openBytes = 8 * 2 ** 30
  await clock.advance(200)
  t.equal(seen.cuts, 1)
  await stop()
})

t.test('a cut that fails ends nothing, and is tried again after a rest', async (t) => {
  const { clock, now, seen, cutter, stop } = cutting()
  seen.fails = new AppError('no-space', 'full')
  now.openOperations = 1
  await clock.advance(20_000)
  await t.rejects(cutter.cutNow(), { code: 'no-space' })
  seen.fails = null
  await clock.advance(2_000)
  t.equal(seen.cuts, 1)
  await stop()
})

t.test('cuts that the ledger made by itself are told of, once', async (t) => {
  const { clock, now, seen, stop } = cutting()
  now.newestPending = 7
  await clock.advance(1_000)
  t.equal(seen.pending, 1)
  now.newestPending = 8
  await clock.advance(1_000)
  t.equal(seen.pending, 2)
  await stop()
})

const device = deviceId(keyOf('self').id)
const other = deviceId(keyOf('other').id)

function leasing() {
  const clock = new DrivenClock()
  const seen = { beats: [] as object[], fenced: 0, claims: 0, follows: 0, headMoved: 0 }
  const state = {
    writer: null as object | null,
    isWriter: false,
    beatFails: null as AppError | null,
    newerFeatures: 0n,
  }
  const chain = {
    get isWriter() {
      return state.isWriter
    },
    get state() {
      return { writerTerm: 3, features: { readOnlyCompatible: state.newerFeatures } }
    },
    claimWriter: async () => {
      seen.claims++
      if (seen.headMoved-- > 0) throw new AppError('head-moved', 'moved')
      state.isWriter = true
    },
    follow: async () => void seen.follows++,
  } as unknown as DriveChain
  const bridge = {
    head: async () => ({ writer: state.writer as never }),
    heartbeat: async (beat: object) => {
      seen.beats.push(beat)
      if (state.beatFails) throw state.beatFails
    },
    nowMs: () => clock.nowMs(),
  }
  const onFenced = () => {
    seen.fenced++
  }
  return { clock, seen, state, lease: new WriterLease({ bridge, chain, device, clock, log: silentLog, onFenced }) }
}

t.test('a live writer makes a mount a reader; a dead one, --takeover or our own claim does not', async (t) => {
  const never = new AbortController().signal
  const { clock, state, lease, seen } = leasing()
  state.writer = { device: other, term: 1, heartbeatAtMs: clock.nowMs() - 59_000 }
  t.match(await lease.acquire({ takeover: false }, never), { writes: false })
  t.equal(seen.claims, 0)
  state.writer = { device: other, term: 1, heartbeatAtMs: clock.nowMs() - 61_000 }
  t.match(await lease.acquire({ takeover: false }, never), { writes: true })
  state.isWriter = false
  state.writer = { device: other, term: 1, heartbeatAtMs: clock.nowMs() }
  t.match(await lease.acquire({ takeover: true }, never), { writes: true })
  state.isWriter = false
  seen.headMoved = 100
  const claim = lease.acquire({ takeover: true }, never)
  claim.catch(() => undefined)
  await clock.advance(10_000)
  await t.rejects(claim, { code: 'head-moved' }, 'a race is not run for ever')
})

t.test('what a newer program made read-only for this one is not written', async (t) => {
  const { state, lease, seen } = leasing()
  state.newerFeatures = 1n << 40n
  const outcome = await lease.acquire({ takeover: true }, new AbortController().signal)
  t.match(outcome, { writes: false, reason: /newer program/ })
  t.equal(seen.claims, 0)
})

t.test('a heartbeat every 20 s, a last one at the end; a fence is told at once, other failures are not', async (t) => {
  const { clock, state, lease, seen } = leasing()
  state.isWriter = true
  const stop = new AbortController()
  const run = lease.run(stop.signal)
  state.beatFails = new AppError('bridge-unreachable', 'no')
  await clock.advance(41_000)
  t.equal(seen.beats.length, 3)
  stop.abort()
  await run
  t.match(seen.beats.at(-1), { term: 3, released: true })
  const fenced = leasing()
  fenced.state.isWriter = true
  fenced.state.beatFails = new AppError('writer-fenced', 'over')
  await fenced.lease.run(new AbortController().signal)
  t.equal(fenced.seen.fenced, 1)
})
