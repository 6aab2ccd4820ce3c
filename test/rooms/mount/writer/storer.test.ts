import { randomBytes } from 'node:crypto'
import { setImmediate as turn } from 'node:timers/promises'
import t from 'tap'
import { AppError } from '../../../../src/base/errors.js'
import type { SegmentId } from '../../../../src/model/ids.js'
import type { PlacementGrant } from '../../../../src/model/segment.js'
import type { Cut } from '../../../../src/mount/metadata/types.js'
import { packSegments } from '../../../../src/mount/writer/packer.js'
import { plainUnits } from '../../../../src/mount/writer/plain-units.js'
import { StagedStorer } from '../../../../src/mount/writer/storer.js'
import { openRange, type SealedSegment, sealSegment } from '../../../../src/segment/seal.js'
import { DrivenClock } from '../../../support/driven-clock.js'
import { until } from '../../../support/named.js'
import { rampBytes } from '../../../support/ramp.js'
import { SCHEME, TERM } from './support.js'

const never = new AbortController().signal
const SCHEME_SMALL = { dataShards: 1, totalShards: 3 }
/** Three shards of 1,500,000 plain bytes, padded. */
const SEALED_SMALL_BYTES = 3 * 1_507_328

function cutOf(epoch: number, lengths: readonly number[], from = 1): Cut {
  const stagedRows = lengths.map((length, at) => ({ stagedId: from + at, length }))
  return { epoch, logSequence: 1, operationBytes: 1, stagedBytes: 0, stagedRows, timeMs: 0 }
}

/** A storer whose pushes succeed, fail or wait as the test says. */
function bench(options: { scheme?: typeof SCHEME; sealedBytesMax?: number } = {}) {
  const clock = new DrivenClock()
  const pending: SegmentId[] = []
  const pushed: SegmentId[] = []
  const stored: SealedSegment[] = []
  const released = new Set<Buffer>()
  const progress: number[] = []
  const state = {
    fails: false,
    settles: true,
    held: 0,
    heldMax: 0,
    left: 0,
    sealedCount: 0,
    hurried: 0,
    settle: () => {},
  }
  const pusher = {
    hurry: () => void state.hurried++,
    push(segment: SealedSegment) {
      pushed.push(segment.info.segment)
      progress.push(storer.doneBytes)
      state.heldMax = Math.max(state.heldMax, ++state.held)
      let settle: () => void = () => {}
      const settled = new Promise<number>((resolve) => {
        settle = () => {
          state.held--
          resolve(8)
        }
        state.settle = settle
      })
      const grant: PlacementGrant = { segment: segment.info.segment, generation: 1, commit: 7, hosts: [] }
      const failure = new AppError('not-enough-hosts', 'no', { retry: 'later' })
      const fails = state.fails
      const done = turn().then(() => {
        if (state.settles || fails) settle()
        if (fails) throw failure
        return grant
      })
      done.catch(() => undefined)
      const leave = () => {
        state.left++
        settle()
      }
      return { stored: done, settled, leave }
    },
  }
  const seal: typeof sealSegment = (term, parts, scheme) => {
    state.sealedCount++
    return sealSegment(term, parts, scheme)
  }
  const ledger = {
    readStaged: async (ids: readonly number[]) => ids.map((id) => rampBytes(id, lengths.get(id) ?? 0)),
    recordPendingSegments: async (ids: readonly SegmentId[]) => void pending.push(...ids),
  }
  const lengths = new Map<number, number>()
  const parts = {
    ...{ ledger, seal, pusher, clock },
    terms: { current: () => TERM },
    scheme: async () => options.scheme ?? SCHEME,
    onSealed: () => {},
    onStored: (segment: SealedSegment) => void stored.push(segment),
    release: (bytes: Buffer) => void released.add(bytes),
  }
  const storer = new StagedStorer(parts, options)
  const cut = (epoch: number, sizes: readonly number[], from = 1) => {
    for (const [at, size] of sizes.entries()) lengths.set(from + at, size)
    return cutOf(epoch, sizes, from)
  }
  return { storer, clock, pending, pushed, stored, progress, released, state, cut }
}

t.test('small rows share a segment, in order; each row opens where the mapping says', async (t) => {
  const { storer, stored, pending, cut } = bench()
  const sizes = [10, 70_000, 1, 65_536]
  const { mapping, segments } = await storer.store(cut(1, sizes), never)
  t.equal(segments.length, 1)
  t.same(
    mapping.map((one) => one.segmentOffset),
    [0, 10, 70_010, 70_011],
  )
  t.same(pending, [segments[0]?.segment], 'its id was on disk before the push')
  const { shards, info } = stored[0] as SealedSegment
  // 135,547 bytes: one row of units, then nothing: data shard 0 begins with the first unit.
  const unit = await openRange(TERM.termKey, info.segment, 0, Buffer.from(shards.subarray(0, 10)))
  t.ok(Buffer.from(unit).equals(rampBytes(1, 10)))
})

t.test('after a failure no further segment is begun, and a retry seals nothing twice', async (t) => {
  const { storer, pushed, state, cut } = bench({ scheme: SCHEME_SMALL })
  const epoch = cut(
    1,
    Array.from({ length: 40 }, () => 1_000_000),
  )
  state.fails = true
  for (let attempt = 0; attempt < 5; attempt++) {
    await t.rejects(storer.store(epoch, never), { code: 'not-enough-hosts' })
  }
  t.ok(state.sealedCount <= 2, `${state.sealedCount} sealed segments are kept while nothing can be stored`)
  const first = new Set(pushed)
  state.fails = false
  const { segments } = await storer.store(epoch, never)
  t.equal(segments.length, 40)
  t.equal(state.sealedCount, 40)
  for (const id of first)
    t.ok(
      segments.some((one) => one.segment === id),
      'what was sealed is what is stored',
    )
})

t.test('how far a cut is can be seen while it is stored, also when it goes on after a failure', async (t) => {
  const { storer, progress, state, cut } = bench({ scheme: SCHEME_SMALL })
  const epoch = cut(1, [1_500_000, 1_500_000, 1_500_000, 1_500_000])
  await storer.store(epoch, never)
  t.equal(progress[0], 0)
  t.ok(
    progress[3] === 3_000_000 || progress[3] === 4_500_000,
    `when the fourth begins at most one travels: ${progress}`,
  )
  t.equal(storer.doneBytes, 0, 'the next cut begins at nothing')
  state.fails = true
  await t.rejects(storer.store(cut(2, [1_500_000], 9), never))
  t.equal(storer.doneBytes, 0)
})

t.test('what is done is not done again, unless it is lost', async (t) => {
  const { storer, state, cut } = bench()
  const epoch = cut(1, [5_000, 6_000])
  const once = await storer.store(epoch, never)
  t.same(await storer.store(epoch, never), once)
  t.equal(state.sealedCount, 1)
  const anew = await storer.store(epoch, never, { anew: true })
  t.not(anew.segments[0]?.segment, once.segments[0]?.segment)
})

t.test('segments in memory are bounded; those that wait for a late host give way after a while', async (t) => {
  const { storer, clock, state, cut } = bench({ scheme: SCHEME_SMALL, sealedBytesMax: 4 * SEALED_SMALL_BYTES })
  state.settles = false
  const done = storer.store(
    cut(
      1,
      Array.from({ length: 10 }, () => 1_500_000),
    ),
    never,
  )
  let isDone = false
  void done.then(() => {
    isDone = true
  })
  for (let waited = 0; waited < 200 && !isDone; waited++) {
    await new Promise((resolve) => setTimeout(resolve, 5))
    await clock.advance(500)
  }
  await done
  t.equal(state.heldMax, 4)
  t.ok(state.left >= 6, 'late pushes were left to the bridge')
})

t.test('a segment larger than all that may be in memory goes alone', async (t) => {
  const { storer, state, cut } = bench({ scheme: SCHEME_SMALL, sealedBytesMax: 1 })
  const rows = Array.from({ length: 3 }, () => 1_500_000)
  t.equal((await storer.store(cut(1, rows), never)).segments.length, 3)
  t.equal(state.heldMax, 1)
})

t.test('memory is given back: rows when they are sealed, shards when their last push has settled', async (t) => {
  const { storer, stored, released, state, cut } = bench({ scheme: SCHEME_SMALL })
  const epoch = cut(1, [1_000_000])
  state.fails = true
  await t.rejects(storer.store(epoch, never), { code: 'not-enough-hosts' })
  t.equal(released.size, 1, 'the row; what was sealed is kept for the next attempt')
  state.fails = false
  state.settles = false
  await storer.store(epoch, never)
  const { shards } = stored[0] as SealedSegment
  t.notOk(released.has(shards), 'a late host is still being served')
  state.settle()
  await turn()
  t.ok(released.has(shards))
})

t.test('what is kept of a failed epoch is given back when another is stored', async (t) => {
  const { storer, released, state, cut } = bench()
  state.fails = true
  await t.rejects(storer.store(cut(1, [10]), never), { code: 'not-enough-hosts' })
  const before = released.size
  state.fails = false
  await storer.store(cut(2, [10], 2), never)
  await turn()
  t.equal(released.size - before, 3, 'the old shards, the new row and the new shards')
})

t.test('a staged row of another length than its record is damage', async (t) => {
  const { storer, cut } = bench()
  cut(1, [10])
  await t.rejects(storer.store(cutOf(1, [11]), never), { code: 'database-damaged' })
})

t.test(
  'a segment of a snapshot that waits for its next attempt is pushed at once when the bridge is back',
  async (t) => {
    const { storer, state, pushed, clock } = bench()
    state.fails = true
    const stored = storer.storePlain([Buffer.alloc(1_000, 1)], never)
    await until(() => clock.sleeping > 0)
    state.fails = false
    storer.hurry()
    await stored
    t.equal(pushed.length, 2)
    t.equal(clock.monotonicMs(), 0, 'no time passed')
    t.equal(state.hurried, 1)
  },
)

t.test('an aborted store ends with the reason', async (t) => {
  const { storer, cut } = bench()
  await t.rejects(storer.store(cut(1, [10]), AbortSignal.abort(new Error('stop'))), { message: 'stop' })
})

t.test('packed rows never span segments, and none is left out', async (t) => {
  const rows = Array.from({ length: 300 }, (_, at) => ({ stagedId: at, length: 1 + ((at * 7_919) % 1_048_576) }))
  const plans = packSegments(rows, SCHEME)
  t.same(
    plans.flatMap((plan) => plan.rows.map((row) => row.stagedId)),
    rows.map((row) => row.stagedId),
  )
  for (const plan of plans) t.ok(plan.plainLength <= 4 * 1_966_080)
})

t.test('plain units are what a reader would open, padding included', async (t) => {
  for (const sizes of [[1], [65_536], [10, 300_000, 5], [1_048_576, 1_048_576, 77], [7_864_320 - 5, 5]]) {
    const rows = sizes.map((size) => randomBytes(size))
    const { info } = await sealSegment({ key: TERM.termKey, number: 1 }, rows, SCHEME)
    const units = [...plainUnits(info, rows)]
    const plain = Buffer.concat([...rows, Buffer.alloc(info.paddedLength - info.plainLength)])
    t.ok(Buffer.concat(units.map((one) => one.bytes)).equals(plain), sizes.join('+'))
    t.same(
      units.map((one) => one.unit),
      [...units.keys()],
    )
  }
})
