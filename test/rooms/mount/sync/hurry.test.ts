/** What waits for a retry does not wait for the end of its pause when the bridge is back or a person asks. */
import t from 'tap'
import { AppError } from '../../../../src/base/errors.js'
import { silentLog } from '../../../../src/base/log.js'
import { deviceId } from '../../../../src/model/ids.js'
import type { DriveChain } from '../../../../src/mount/sync/drive-chain.js'
import { EpochPublisher } from '../../../../src/mount/sync/publisher.js'
import { WriterLease } from '../../../../src/mount/sync/writer-lease.js'
import { DrivenClock } from '../../../support/driven-clock.js'
import { keyOf } from '../../../support/named.js'

const away = () => new AppError('bridge-unreachable', 'away', { retry: 'later' })
const cut = { epoch: 1, logSequence: 1, operationBytes: 1, stagedBytes: 0, stagedRows: [], timeMs: 0 }
const record = { sequence: 1, hash: Buffer.alloc(32), encoded: Buffer.alloc(1) }
const batch = { operations: Buffer.alloc(1), confirm: [], retire: [] }

/** One epoch waits; `fails` says how an attempt to store it ends. */
function publishing() {
  const clock = new DrivenClock()
  const seen = { attempts: [] as number[], published: false, fails: away as (() => AppError) | null }
  const ledger = {
    pendingEpochs: async () => (seen.published ? [] : [{ ...cut, stage: 'cut' as const, record: null }]),
    materialise: async () => batch,
    prepared: async () => batch,
    saveRecord: async () => {},
    published: async () => {
      seen.published = true
    },
    progress: () => ({ publishedEpoch: seen.published ? 1 : 0 }),
  }
  const storer = {
    store: async () => {
      seen.attempts.push(clock.monotonicMs())
      if (seen.fails) throw seen.fails()
      return { mapping: [], segments: [] }
    },
  }
  const chain = {
    ...{ fits: () => true, append: async () => {}, catchUp: async () => false, adopt: async () => {} },
    build: async () => record,
  }
  const publisher = new EpochPublisher({
    ...{ ledger, storer, chain, clock, log: silentLog },
    onPublished: async () => {},
    onStopped: () => {},
  })
  const stop = new AbortController()
  const run = publisher.run(stop.signal)
  const end = () => {
    stop.abort()
    return run
  }
  return { clock, seen, publisher, end }
}

t.test('a publisher that has waited long tries at once when it is hurried, and soon again', async (t) => {
  const { clock, seen, publisher, end } = publishing()
  await clock.advance(300_000)
  const [before, last] = seen.attempts.slice(-2) as [number, number]
  t.equal(last - before, 15_000, 'the pauses have grown')
  await clock.advance(last + 15_000 + 1_000 - clock.monotonicMs())
  const hurriedAtMs = clock.monotonicMs()
  // The bridge is back, and its hosts come a little later.
  seen.fails = () => new AppError('not-enough-hosts', 'not yet', { retry: 'later' })
  publisher.hurry()
  await clock.advance(1_700)
  seen.fails = null
  await clock.advance(300)
  t.same(
    seen.attempts.filter((at) => at >= hurriedAtMs).map((at) => at - hurriedAtMs),
    [0, 250, 750, 1_750],
  )
  t.ok(seen.published)
  await end()
})

t.test('new work alone does not make the pauses short again', async (t) => {
  const { clock, seen, publisher, end } = publishing()
  await clock.advance(300_000)
  const hadMs = seen.attempts.length
  publisher.poke()
  await clock.advance(14_000)
  t.equal(seen.attempts.length, hadMs + 1)
  await end()
})

t.test('a writer that was away tells that it lives as soon as it is hurried', async (t) => {
  const clock = new DrivenClock()
  const beats: number[] = []
  const bridge = {
    head: async () => ({ writer: null }),
    heartbeat: async () => void beats.push(clock.monotonicMs()),
    nowMs: () => clock.nowMs(),
  }
  const chain = { isWriter: true, state: { writerTerm: 1 } } as unknown as DriveChain
  const device = deviceId(keyOf('self').id)
  const lease = new WriterLease({ bridge, chain, device, clock, log: silentLog, onFenced: () => {} })
  const stop = new AbortController()
  const run = lease.run(stop.signal)
  await clock.advance(25_000)
  lease.hurry()
  await clock.advance(1)
  t.same(beats, [0, 20_000, 25_000])
  stop.abort()
  await run
})
