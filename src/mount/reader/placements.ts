/**
 * Where shards lie, as far as it can be believed: a list of shard ids counts only when it hashes to the segment root that the
 * ledger holds; which host keeps which shard is only a hint, for every answer is verified against the shard id.
 *
 * Known placements live in memory and in the ledger, so a cold read needs no bridge; the bridge is asked for what is unknown,
 * many segments in one call.
 */
import { LRUCache } from 'lru-cache'
import { ByteReader } from '../../base/byte-reader.js'
import { ByteWriter } from '../../base/byte-writer.js'
import { AppError } from '../../base/errors.js'
import { type HostId, hostId, idBytes, type SegmentId, type ShardId, shardId } from '../../model/ids.js'
import type { Placement, SegmentInfo } from '../../model/segment.js'
import { ownsShards } from '../../segment/root.js'

export interface PlacementLedger {
  placement(segment: SegmentId): Promise<Buffer | null>
  putPlacement(segment: SegmentId, placement: Buffer): Promise<void>
}

/** `totalShards`: of the segment that has the most. */
export type Locate = (
  segments: readonly SegmentId[],
  options: { totalShards: number; signal: AbortSignal },
) => Promise<Placement[]>

/** A placement that looks outdated is asked for again at most so often. */
const DOUBT_MS = 60_000
/** About 1 kB each at 8 shards. */
const KNOWN_MAX = 4_096
/** Questions that come within a turn go in one call. */
const LOCATE_MAX = 256
const LOCATE_TIMEOUT_MS = 10_000

export class Placements {
  private readonly ledger: PlacementLedger
  private readonly locate: Locate
  private readonly known = new LRUCache<SegmentId, Placement>({ max: KNOWN_MAX })
  private readonly asking = new Map<SegmentId, Promise<Placement>>()
  private readonly loading = new Map<SegmentId, Promise<Placement | null>>()
  private readonly doubted = new LRUCache<SegmentId, true>({ max: KNOWN_MAX, ttl: DOUBT_MS })
  private batch: { segments: Map<SegmentId, SegmentInfo>; answer: Promise<Map<SegmentId, Placement>> } | null = null

  constructor(parts: { ledger: PlacementLedger; locate: Locate }) {
    this.ledger = parts.ledger
    this.locate = parts.locate
  }

  /** `placement-unknown` when the bridge does not know it, `placement-wrong` when what it says is not this segment. */
  async of(info: SegmentInfo): Promise<Placement> {
    const known = this.known.get(info.segment)
    if (known) return known
    return (await this.saved(info)) ?? this.renew(info)
  }

  /** What is known without asking anybody; null: nothing that can be believed. */
  async recall(info: SegmentInfo): Promise<Placement | null> {
    return this.known.get(info.segment) ?? this.saved(info)
  }

  /** A host says that it does not have its shard: the bridge is asked, behind the reader's back. */
  doubt(info: SegmentInfo): void {
    if (this.doubted.has(info.segment)) return
    this.doubted.set(info.segment, true)
    this.renew(info).catch(() => undefined)
  }

  private saved(info: SegmentInfo): Promise<Placement | null> {
    const running = this.loading.get(info.segment)
    if (running) return running
    const load = async () => {
      const bytes = await this.ledger.placement(info.segment)
      const decoded = bytes === null ? null : decodePlacement(info.segment, bytes)
      if (decoded === null || !isOwn(info, decoded)) return null
      this.known.set(info.segment, decoded)
      return decoded
    }
    const loaded = load().finally(() => this.loading.delete(info.segment))
    this.loading.set(info.segment, loaded)
    return loaded
  }

  /** Asks the bridge, whatever is known here: hosts may have changed. */
  renew(info: SegmentInfo): Promise<Placement> {
    const running = this.asking.get(info.segment)
    if (running) return running
    const asked = this.ask(info).finally(() => this.asking.delete(info.segment))
    this.asking.set(info.segment, asked)
    return asked
  }

  /** What the writer learnt when it pushed. */
  async learn(info: SegmentInfo, placement: Placement): Promise<void> {
    if (!isOwn(info, placement)) return
    this.known.set(info.segment, placement)
    await this.ledger.putPlacement(info.segment, encodePlacement(placement))
  }

  private async ask(info: SegmentInfo): Promise<Placement> {
    if (this.batch === null || this.batch.segments.size >= LOCATE_MAX) this.batch = this.openBatch()
    this.batch.segments.set(info.segment, info)
    const placement = (await this.batch.answer).get(info.segment)
    if (placement === undefined) {
      throw new AppError('placement-unknown', 'the bridge does not know a segment of this drive', { retry: 'later' })
    }
    if (!isOwn(info, placement)) {
      throw new AppError('placement-wrong', 'the bridge named other shards than those of the segment', {
        retry: 'later',
        hint: 'this bridge is not to be trusted; your data is judged by your own ledger and stays unread until the right shards are named',
      })
    }
    await this.learn(info, placement)
    return placement
  }

  private openBatch() {
    const segments = new Map<SegmentId, SegmentInfo>()
    const answer = Promise.resolve().then(async () => {
      await new Promise((resolve) => setImmediate(resolve))
      if (this.batch?.segments === segments) this.batch = null
      const totalShards = Math.max(...[...segments.values()].map((one) => one.totalShards))
      const signal = AbortSignal.timeout(LOCATE_TIMEOUT_MS)
      const found = await this.locate([...segments.keys()], { totalShards, signal })
      return new Map(found.map((one) => [one.segment, one]))
    })
    return { segments, answer }
  }
}

function isOwn(info: SegmentInfo, placement: Placement): boolean {
  const byIndex = [...placement.shards].sort((a, b) => a.index - b.index)
  if (byIndex.some((one, at) => one.index !== at)) return false
  return ownsShards(
    info,
    byIndex.map((one) => one.shard),
  )
}

const VERSION = 1

function encodePlacement(placement: Placement): Buffer {
  const writer = new ByteWriter(16 + placement.shards.length * 65)
    .u8(VERSION)
    .u32(placement.generation)
    .u8(placement.shards.length)
  for (const { shard, host } of [...placement.shards].sort((a, b) => a.index - b.index)) {
    writer.fixed(idBytes(shard), 32).u8(host === null ? 0 : 1)
    if (host !== null) writer.fixed(idBytes(host), 32)
  }
  return writer.bytes()
}

/** Null when it is of another version or damaged: the bridge is asked then. */
function decodePlacement(segment: SegmentId, bytes: Buffer): Placement | null {
  const reader = new ByteReader(bytes, 'placement')
  try {
    if (reader.u8() !== VERSION) return null
    const generation = reader.u32()
    const shards: { index: number; shard: ShardId; host: HostId | null }[] = []
    for (let index = 0, count = reader.u8(); index < count; index++) {
      const shard = shardId(reader.fixed(32))
      shards.push({ index, shard, host: reader.u8() === 0 ? null : hostId(reader.fixed(32)) })
    }
    reader.end()
    return { segment, generation, shards }
  } catch (error) {
    if (error instanceof AppError) return null
    throw error
  }
}
