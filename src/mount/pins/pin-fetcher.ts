/** Fetches what is pinned and not here, a little at a time: who reads comes first. */
import type { Clock } from '../../base/clock.js'
import { AppError } from '../../base/errors.js'
import { linkSignal } from '../../base/linked-signal.js'
import type { SegmentId } from '../../model/ids.js'
import type { SegmentInfo } from '../../model/segment.js'

export interface PinNetwork {
  /** Resolves when each unit has been handed over, or why it cannot be had. */
  read(
    info: SegmentInfo,
    units: readonly number[],
    sink: { unit(unit: number, bytes: Buffer): void; failed(unit: number, error: unknown): void },
    signal: AbortSignal,
  ): Promise<void>
}

export interface PinCache {
  put(segment: SegmentId, units: Iterable<{ unit: number; bytes: Uint8Array }>): void
  missing(segment: SegmentId, units: readonly number[]): Promise<readonly number[] | null>
}

export interface FetchTask {
  readonly info: SegmentInfo
  readonly units: readonly number[]
  /** Those of them that are in the cache now. */
  arrived(units: readonly number[]): void
}

export interface FetcherParts {
  network: PinNetwork
  cache: PinCache
  clock: Clock
}

/** 4 MiB, what the cache's queue of puts takes at once with room to spare; two of them keep all hosts busy. */
const UNITS_PER_READ = 64
const READS_AT_ONCE = 2
/** As for a program that reads: hosts that do not answer by then are away. */
const READ_MS = 28_000
/** So many reads in vain, one after the other: the network is away, and the rest would fail as well. */
const FAILURES_MAX = 3
/** The cache takes what was put when its thread comes to it; asked again so often, with this in between. */
const LOOKS = 3
const LOOK_AGAIN_MS = 50

/** Runs through all tasks, in order. Answers why something is missing, or null. Rejects only when the signal fires. */
export async function fetchPinned(
  parts: FetcherParts,
  tasks: readonly FetchTask[],
  signal: AbortSignal,
): Promise<AppError | null> {
  const reads = stepsOf(tasks)
  let failures = 0
  let trouble: AppError | null = null
  const run = async () => {
    for (let read = reads.next(); !read.done && failures < FAILURES_MAX; read = reads.next()) {
      signal.throwIfAborted()
      const failure = await fetchSome(parts, read.value.task, read.value.units, signal)
      signal.throwIfAborted()
      failures = failure === null ? 0 : failures + 1
      trouble = failure ?? trouble
    }
  }
  await Promise.all(Array.from({ length: READS_AT_ONCE }, run))
  return trouble
}

function* stepsOf(tasks: readonly FetchTask[]): Generator<{ task: FetchTask; units: readonly number[] }> {
  for (const task of tasks) {
    for (let at = 0; at < task.units.length; at += UNITS_PER_READ) {
      yield { task, units: task.units.slice(at, at + UNITS_PER_READ) }
    }
  }
}

async function fetchSome(
  { network, cache, clock }: FetcherParts,
  { info, arrived }: FetchTask,
  units: readonly number[],
  signal: AbortSignal,
): Promise<AppError | null> {
  const late = new AppError('offline', 'the hosts of this data did not answer in time', { retry: 'later' })
  const limit = linkSignal(signal, { ms: READ_MS, reason: () => late })
  let failure: AppError | null = null
  const sink = {
    unit: (unit: number, bytes: Buffer) => {
      if (bytes.length > 0) cache.put(info.segment, [{ unit, bytes }])
    },
    failed: (_unit: number, error: unknown) => {
      if (error instanceof AppError) failure = error
      else if (!signal.aborted) throw error
    },
  }
  try {
    await network.read(info, units, sink, limit.signal)
  } finally {
    limit.release()
  }
  let left: readonly number[] = units
  for (let look = 0; look < LOOKS && left.length > 0 && failure === null; look++) {
    if (look > 0) await clock.sleep(LOOK_AGAIN_MS, signal)
    left = (await cache.missing(info.segment, units)) ?? units
  }
  if (failure !== null) left = (await cache.missing(info.segment, units)) ?? units
  const away = new Set(left)
  arrived(units.filter((unit) => !away.has(unit)))
  if (left.length === 0) return null
  return failure ?? new AppError('no-space', 'the cache does not take what is pinned', { retry: 'later' })
}
