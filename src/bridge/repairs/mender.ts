/**
 * Carries out one repair: shards of hosts that are leaving are copied, one in and one out; else k verified shards come in,
 * the missing ones are rebuilt and checked against their ids, and pushed. In the bridge and in workers beside it alike.
 * Memory: k shards and those rebuilt. What one host does wrong becomes a fault; the next one is asked.
 */
import { codecAddon } from '../../addon/codec.js'
import type { Clock } from '../../base/clock.js'
import { AppError } from '../../base/errors.js'
import { failpoint } from '../../base/failpoint.js'
import { type IndexedBytes, reconstruct } from '../../erasure/code.js'
import { type HostId, idBytes, type ShardId } from '../../model/ids.js'
import { LEAF_BYTES } from '../../model/segment.js'
import type { Transport } from '../../rtc/transport.js'
import * as wire from '../../wire/methods.js'
import type { RepairFault, RepairJob, RepairResult, RepairTarget } from './repair-job.js'

const GET_MS = 30_000
const PUT_MS = 60_000

export interface MenderParts {
  transport: Transport
  clock: Clock
  /** So many bytes went to or came from a host in so many milliseconds. */
  onMoved?: (host: HostId, bytes: number, durationMs: number) => void
}

interface Work {
  job: RepairJob
  faults: RepairFault[]
  signal: AbortSignal
}

export class Mender {
  private readonly parts: MenderParts

  constructor(parts: MenderParts) {
    this.parts = parts
  }

  /** Rejects only when aborted. */
  async mend(job: RepairJob, signal: AbortSignal): Promise<RepairResult> {
    const work: Work = { job, faults: [], signal }
    const receipts: Buffer[] = []
    try {
      const rest = await this.copyAll(work, receipts)
      if (rest.length > 0) await this.rebuildAll(work, rest, receipts)
      return { lease: job.lease, receipts, faults: work.faults, error: null }
    } catch (error) {
      signal.throwIfAborted()
      const known = error instanceof AppError ? error : new AppError('internal', 'a repair failed', { cause: error })
      return { lease: job.lease, receipts, faults: work.faults, error: known }
    }
  }

  /** What is left to be rebuilt. Copies only pay while they are fewer than a rebuild fetches. */
  private async copyAll(work: Work, receipts: Buffer[]): Promise<RepairTarget[]> {
    const { targets, dataShards } = work.job
    const copies = targets.filter((one) => one.copyFrom !== null)
    if (copies.length < targets.length || copies.length >= dataShards) return targets
    const done = await Promise.all(copies.map((one) => this.copy(work, one, receipts)))
    return targets.filter((_, at) => !done[at])
  }

  private async copy(work: Work, target: RepairTarget, receipts: Buffer[]): Promise<boolean> {
    const { index, copyFrom } = target
    if (copyFrom === null) return false
    try {
      const bytes = await this.fetch(work, { index, ...copyFrom }, work.signal)
      receipts.push(await this.push(work, target, bytes))
      return true
    } catch (error) {
      work.signal.throwIfAborted()
      if (!(error instanceof AppError)) throw error
      // Another target would have to be found for a push that failed: the next lease does that.
      if (work.faults.some((one) => one.index === index && one.way === 'push')) throw error
      return false
    }
  }

  private async rebuildAll(work: Work, targets: RepairTarget[], receipts: Buffer[]): Promise<void> {
    const present = await this.gather(work)
    const { dataShards, totalShards, shards, segment } = work.job
    const wanted = targets.map((one) => one.index)
    const rebuilt = await reconstruct({ dataShards, totalShards }, present, wanted)
    for (const [at, index] of wanted.entries()) {
      if (await isShard(rebuilt[at] as Buffer, shards[index] as ShardId)) continue
      // Each of the k is what its id says, so they were never of one code word: whoever made the segment did it.
      throw new AppError('segment-inconsistent', 'the shards of the segment are not of one code word', {
        details: { segment },
      })
    }
    failpoint('bridge.repair.rebuilt')
    const pushes = targets.map(async (target, at) => {
      receipts.push(await this.push(work, target, rebuilt[at] as Buffer))
    })
    const failed = (await Promise.allSettled(pushes)).find((one) => one.status === 'rejected')
    failpoint('bridge.repair.pushed')
    if (failed !== undefined) throw failed.reason
  }

  /** k verified shards; for one that fails the next source is asked. */
  private async gather(work: Work): Promise<IndexedBytes[]> {
    const rest = [...work.job.sources]
    const present: IndexedBytes[] = []
    const giveUp = new AbortController()
    const stop = () => giveUp.abort(work.signal.reason)
    work.signal.addEventListener('abort', stop, { once: true })
    const fetchNext = async (): Promise<void> => {
      const source = rest.shift()
      if (source === undefined)
        throw new AppError('shards-unreachable', 'too few shards can be fetched', { retry: 'later' })
      try {
        present.push({ index: source.index, bytes: await this.fetch(work, source, giveUp.signal) })
      } catch (error) {
        giveUp.signal.throwIfAborted()
        if (!(error instanceof AppError)) throw error
        await fetchNext()
      }
    }
    try {
      await Promise.all(Array.from({ length: work.job.dataShards }, fetchNext))
      return present
    } finally {
      work.signal.removeEventListener('abort', stop)
      giveUp.abort()
    }
  }

  /** The bytes, verified. */
  private async fetch(
    work: Work,
    from: { index: number; host: HostId; token: Buffer },
    signal: AbortSignal,
  ): Promise<Buffer> {
    const { shardLength, shards } = work.job
    const shard = shards[from.index] as ShardId
    const leafCount = Math.ceil(shardLength / LEAF_BYTES)
    const ask = async () => {
      const reply = await this.parts.transport.request(from.host, {
        method: wire.METHOD.get,
        head: wire.encodeGetRequest({ token: from.token, shard, firstLeaf: 0, leafCount }),
        deadlineMs: GET_MS,
        replyBytesMax: wire.getReplyBytesMax(leafCount),
        signal,
      })
      if (wire.decodeGetReply(reply.head).shardLength !== shardLength || reply.body.length !== shardLength) {
        throw new AppError('shard-truncated', 'a host answered with another length', { retry: 'elsewhere' })
      }
      if (!(await isShard(reply.body, shard))) {
        throw new AppError('shard-wrong-bytes', 'a host answered with wrong bytes', { retry: 'elsewhere' })
      }
      return reply.body
    }
    return this.timed(work, { ...from, way: 'fetch' }, ask)
  }

  /** The receipt, not yet verified. */
  private push(work: Work, target: RepairTarget, body: Buffer): Promise<Buffer> {
    const head = wire.encodeTokenHead(target.token)
    const request = { method: wire.METHOD.put, head, body, deadlineMs: PUT_MS, signal: work.signal }
    return this.timed(work, { ...target, way: 'push' }, async () => {
      const reply = await this.parts.transport.request(target.host, request)
      return wire.decodePutReply(reply.head)
    })
  }

  private async timed<T>(
    work: Work,
    what: { index: number; host: HostId; way: 'fetch' | 'push' },
    run: () => Promise<T>,
  ): Promise<T> {
    const { index, host, way } = what
    const startedMs = this.parts.clock.monotonicMs()
    try {
      const result = await run()
      this.parts.onMoved?.(host, work.job.shardLength, this.parts.clock.monotonicMs() - startedMs)
      return result
    } catch (error) {
      if (error instanceof AppError) work.faults.push({ index, host, way, code: error.code })
      throw error
    }
  }
}

/** Whether the bytes are the shard of that id. */
async function isShard(bytes: Buffer, shard: ShardId): Promise<boolean> {
  return (await codecAddon().shardId(bytes)).id.equals(idBytes(shard))
}
