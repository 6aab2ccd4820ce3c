import { setMaxListeners } from 'node:events'
import t from 'tap'
import { AppError } from '../../../../src/base/errors.js'
import { type SegmentId, segmentId } from '../../../../src/model/ids.js'
import { type SegmentInfo, UNIT_BYTES } from '../../../../src/model/segment.js'
import { type UnitSink, UnitSource, type UnitSourceOptions } from '../../../../src/mount/reader/unit-source.js'
import { noiseBytes } from '../../../support/noise.js'
import { rampBytes } from '../../../support/ramp.js'
import { NEVER } from './support.js'

const unitBytes = (unit: number) => rampBytes(unit, UNIT_BYTES)
const infoOf = (seed: number) => ({ segment: segmentId(noiseBytes(seed, 32)) }) as SegmentInfo
const INFO = infoOf(1)
const turn = () => new Promise((resolve) => setImmediate(resolve))

interface Question {
  units: number[]
  sink: UnitSink
  signal: AbortSignal
  end(): void
}

/** A network that answers when the test says so, and a disk. */
class Bench {
  readonly questions: Question[] = []
  readonly disk = new Map<string, Buffer>()
  diskReads = 0
  readonly source: UnitSource

  constructor(options: UnitSourceOptions = {}) {
    const cache = {
      get: async (segment: SegmentId, units: readonly number[]) => {
        this.diskReads++
        return units.map((unit) => this.disk.get(`${segment}${unit}`) ?? null)
      },
      put: (segment: SegmentId, units: readonly { unit: number; bytes: Buffer }[]) => {
        for (const { unit, bytes } of units) this.disk.set(`${segment}${unit}`, bytes)
      },
    }
    const network = {
      read: (_info: SegmentInfo, units: readonly number[], sink: UnitSink, signal: AbortSignal) =>
        new Promise<void>((end) => {
          this.questions.push({ units: [...units], sink, signal, end })
          signal.addEventListener('abort', () => {
            for (const unit of units) sink.failed(unit, signal.reason)
            end()
          })
        }),
    }
    this.source = new UnitSource({ cache, network }, options)
  }

  /** Everything that was asked for so far. */
  answer(): void {
    for (const { units, sink, end } of this.questions.splice(0)) {
      for (const unit of units) sink.unit(unit, unitBytes(unit))
      end()
    }
  }

  /** As `answer`, but for a unit that is not to be had. */
  fail(lost: number, error: AppError): void {
    for (const { units, sink, end } of this.questions.splice(0)) {
      for (const unit of units) {
        if (unit === lost) sink.failed(unit, error)
        else sink.unit(unit, unitBytes(unit))
      }
      end()
    }
  }

  /** Read with the network answering at once. */
  async get(units: number[], info = INFO): Promise<Buffer[]> {
    const read = this.source.read(info, units, NEVER)
    await turn()
    this.answer()
    return read
  }
}

const areRight = (found: Buffer[], units: number[]) =>
  found.every((bytes, at) => bytes.equals(unitBytes(units[at] as number)))

t.test('a unit comes from the network once, then from memory, then from the disk', async (t) => {
  const bench = new Bench({ memoryBytes: 40 * UNIT_BYTES })
  t.ok(areRight(await bench.get([3, 1, 2]), [3, 1, 2]))
  t.equal(bench.diskReads, 1)
  t.ok(areRight(await bench.source.read(INFO, [1, 3], NEVER), [1, 3]))
  t.equal(bench.diskReads, 1, 'memory')
  await bench.get(Array.from({ length: 60 }, (_, at) => 100 + at))
  t.equal(bench.source.peek(INFO, [1]), null, 'evicted')
  t.ok(areRight(await bench.source.read(INFO, [1], NEVER), [1]))
  t.equal(bench.questions.length, 0, 'the disk')
  t.equal(bench.source.peek(infoOf(2), [1]), null, 'of its own segment only')
})

t.test('many readers of a unit cause one question, and every one gets all in his order', async (t) => {
  const bench = new Bench()
  await bench.get([5])
  const reads = [
    [4, 5, 6],
    [6, 4],
    [5, 7, 4],
    [7, 7],
  ].map(async (units) => areRight(await bench.source.read(INFO, units, NEVER), units))
  await turn()
  t.same(
    bench.questions.map(({ units }) => units),
    [[4, 6], [7]],
  )
  bench.answer()
  t.same(await Promise.all(reads), [true, true, true, true])
  t.equal(bench.source.inFlight, 0)
})

t.test('a unit is served as soon as it is here, whatever it was asked for with', async (t) => {
  const bench = new Bench()
  const ahead = bench.source.fetchAhead(INFO, [1, 2, 3], NEVER)
  const read = bench.source.read(INFO, [2], NEVER)
  await turn()
  const [question] = bench.questions
  t.equal(bench.questions.length, 1)
  question?.sink.unit(2, unitBytes(2))
  t.ok(areRight(await read, [2]))
  t.equal(bench.source.inFlight, 2)
  bench.answer()
  await ahead
})

t.test('a failure reaches those who wait for that unit and nobody else', async (t) => {
  const bench = new Bench()
  const gone = new AppError('shards-unreachable', 'gone')
  const both = bench.source.read(INFO, [1, 2], NEVER)
  const one = bench.source.read(INFO, [1], NEVER)
  await turn()
  bench.fail(2, gone)
  t.ok(areRight(await one, [1]))
  await t.rejects(both, gone)
  await bench.source.fetchAhead(INFO, [2], NEVER)
  t.equal(bench.questions.length, 0, 'nothing is read ahead of a reader who will wait')
  t.equal(bench.source.inFlight, 0)
})

t.test('who comes soon after a failure asks again, less long; the next is told at once, for a time', async (t) => {
  // A read's time limit keeps no process alive; a mount does.
  const alive = setInterval(() => {}, 1_000)
  t.teardown(() => clearInterval(alive))
  const bench = new Bench({ againMs: 50, failedMs: 200 })
  const gone = new AppError('shards-unreachable', 'gone')
  const first = bench.source.read(INFO, [2], NEVER)
  await turn()
  bench.fail(2, gone)
  await t.rejects(first, gone)
  t.ok(areRight(await bench.get([3, 2]), [3, 2]), 'it is there again')
  const other = bench.source.read(INFO, [4], NEVER)
  await turn()
  bench.fail(4, gone)
  await t.rejects(other, gone)
  await t.rejects(bench.source.read(INFO, [5, 4], NEVER), gone, 'nobody answers: as it was')
  t.equal(bench.questions.splice(0)[0]?.signal.aborted, true)
  t.equal(bench.source.inFlight, 0)
  for (let process = 0; process < 16; process++) await t.rejects(bench.source.read(INFO, [4], NEVER), gone)
  t.equal(bench.questions.length, 0, 'the kernel asks for one process after the other')
  await new Promise((resolve) => setTimeout(resolve, 250))
  t.ok(areRight(await bench.get([4]), [4]))
})

t.test('who joins what was begun for others and fails asks once for itself', async (t) => {
  const bench = new Bench()
  const gone = new AppError('shards-unreachable', 'gone')
  const ahead = bench.source.fetchAhead(INFO, [1], NEVER)
  const late = bench.source.read(INFO, [1], NEVER)
  await turn()
  bench.fail(1, gone)
  await t.rejects(ahead, gone)
  await turn()
  bench.answer()
  t.ok(areRight(await late, [1]))
  const first = bench.source.read(INFO, [2], NEVER)
  const second = bench.source.read(INFO, [2], NEVER)
  await turn()
  bench.fail(2, gone)
  await t.rejects(first, gone)
  await turn()
  bench.fail(2, gone)
  await t.rejects(second, gone, 'once')
  t.equal(bench.source.inFlight, 0)
})

t.test('who leaves does not end what another waits for; the last one does', async (t) => {
  const bench = new Bench()
  const [first, second] = [new AbortController(), new AbortController()]
  const reason = new Error('enough')
  const reads = [bench.source.read(INFO, [1, 2], first.signal), bench.source.read(INFO, [2], second.signal)]
  await turn()
  first.abort(reason)
  await t.rejects(reads[0] as Promise<unknown>, reason, 'untouched and at once')
  t.equal(bench.questions[0]?.signal.aborted, false)
  t.equal(bench.source.inFlight, 1)
  second.abort(reason)
  await t.rejects(reads[1] as Promise<unknown>, reason)
  t.equal(bench.questions[0]?.signal.aborted, true)
  t.equal(bench.source.inFlight, 0)
  bench.questions.length = 0
  t.ok(areRight(await bench.get([1, 2]), [1, 2]), 'asked for again')
  await t.rejects(bench.source.read(INFO, [9], first.signal), reason)
  t.equal(bench.source.inFlight, 0)
})

t.test('a reader that joins what readahead gave up goes on', async (t) => {
  const bench = new Bench()
  const stop = new AbortController()
  const ahead = bench.source.fetchAhead(INFO, [1], stop.signal)
  await turn()
  stop.abort(new Error('enough'))
  const read = bench.get([1])
  await t.rejects(ahead)
  t.ok(areRight(await read, [1]))
})

t.test('memory is what it says', async (t) => {
  const bench = new Bench({ memoryBytes: 8 * 1_048_576 })
  const shared = Buffer.alloc(8 * UNIT_BYTES)
  for (let seed = 2; seed < 200; seed++) {
    const read = bench.source.read(infoOf(seed), [0], NEVER)
    await turn()
    for (const { sink, end } of bench.questions.splice(0)) {
      sink.unit(0, shared.subarray(0, UNIT_BYTES))
      end()
    }
    await read
    t.ok(bench.source.memoryBytes <= 8 * 1_048_576)
  }
  t.equal(bench.source.peek(infoOf(199), [0])?.length, 1)
  t.equal(bench.source.peek(infoOf(199 - 16), [0]), null, 'a view counts as what it keeps alive')
})

t.test('what was fetched ahead and thrown away unread is noticed', async (t) => {
  const bench = new Bench({ memoryBytes: 10 * UNIT_BYTES })
  let wasted = 0
  bench.source.onWaste = () => wasted++
  await bench.get([1, 2, 3, 4])
  await bench.get([11, 12, 13, 14, 15, 16, 17, 18])
  t.equal(wasted, 0, 'it was read')
  const ahead = bench.source.fetchAhead(INFO, [21, 22, 23, 24, 25, 26, 27, 28], NEVER)
  await turn()
  bench.answer()
  await ahead
  bench.source.peek(INFO, [21, 22])
  await bench.get([31, 32, 33])
  t.equal(wasted, 0, 'those read went')
  await bench.get([41, 42, 43, 44])
  t.ok(wasted > 0)
})

t.test('readers take turns at the network, and leave the queue', async (t) => {
  const bench = new Bench()
  const stop = new AbortController()
  setMaxListeners(0, NEVER, stop.signal)
  const reads = Array.from({ length: 70 }, (_, unit) =>
    bench.source.read(INFO, [unit], unit < 64 ? NEVER : stop.signal),
  )
  await turn()
  t.equal(bench.questions.length, 64)
  bench.disk.set(`${INFO.segment}500`, unitBytes(500))
  t.ok(areRight(await bench.source.read(INFO, [500], NEVER), [500]), 'the disk is not behind them')
  stop.abort(new Error('enough'))
  t.same(
    (await Promise.allSettled(reads.slice(64))).map(({ status }) => status),
    Array(6).fill('rejected'),
  )
  bench.answer()
  await Promise.all(reads.slice(0, 64))
  t.equal(bench.source.inFlight, 0)
  t.ok(areRight(await bench.get([80]), [80]))
})
