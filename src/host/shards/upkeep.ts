/**
 * What a store does for itself, besides serving: empties the trash, compacts, scrubs, keeps the list of what it lost.
 * Each call is bounded and may be stopped by its signal; chores/ decides when.
 */
import { failpoint } from '../../base/failpoint.js'
import type { KeyedMutex } from '../../base/keyed-mutex.js'
import type { Log } from '../../base/log.js'
import type { RandomBytes } from '../../base/random.js'
import { shardTree } from '../../crypto/merkle.js'
import { idBytes } from '../../model/ids.js'
import type { ShardIndex } from '../ledger/shard-index.js'
import type { Loss, StoredShard, VolumeState } from '../ledger/types.js'
import type { Appender } from './appender.js'
import { compactVolume, type Pace } from './compaction.js'
import { LossBook } from './loss-book.js'
import { placeOf } from './places.js'
import type { Keeper } from './reclaim.js'
import { Scrub, type Scrubbed } from './scrub.js'
import type { VolumeFiles } from './volume-files.js'

export interface UpkeepParts {
  index: ShardIndex
  files: VolumeFiles
  appender: Appender
  places: KeyedMutex<string>
  kept: Keeper
  log: Log
  ownMs: () => number
  diskFloorBytes: number
  /** Volumes without anything that counts may go. Resolves when they are gone. */
  reclaim(): Promise<void>
  random?: RandomBytes
}

export interface CompactOptions {
  deadShareMin?: number
  /** No further volume is begun when so much was copied. */
  copiedBytesMax?: number
  pace?: Pace
  signal: AbortSignal
}

/** What a bridge deletes by mistake can be had back for a week. */
export const TRASH_MS = 7 * 24 * 3_600_000
/** A quarter dead: each byte that is copied gives at least a third of a byte back. */
export const DEAD_SHARE_MIN = 0.25
/** Of what a day's tidying begins with on a large host: each byte that is copied gives at least a fiftieth of a byte back. */
const TIDY_SHARE_MIN = 0.02
/** Of the floor that puts leave on a disk, copies may take half: what they make room for is what a full disk waits for. */
const FLOOR_SHARE = 0.5

export class StoreUpkeep {
  readonly book: LossBook
  /** Bytes that lie here twice while a volume is being compacted: no reason to refuse a put. */
  copiedBytes = 0
  private readonly parts: UpkeepParts
  private readonly scrubbing: Scrub

  constructor(parts: UpkeepParts) {
    this.parts = parts
    this.book = new LossBook(parts)
    this.scrubbing = new Scrub({ ...parts, onDamage: (one) => this.noteDamage(one) })
  }

  /** Shards whose time in the trash is over are gone: the number of them. */
  async purgeTrash(trashMs = TRASH_MS, signal?: AbortSignal): Promise<number> {
    const { index, ownMs, places } = this.parts
    const isBusy = (key: Parameters<typeof placeOf>[0]) => places.isHeld(placeOf(key))
    let purged = 0
    while (signal?.aborted !== true) {
      const some = index.purgeTrash(ownMs() - trashMs, isBusy)
      if (some === 0) break
      purged += some
      failpoint('host.trash.after-rows')
      await new Promise((resolve) => setImmediate(resolve))
    }
    if (purged > 0) await this.parts.reclaim()
    return purged
  }

  /**
   * Compacts volumes of which at least `deadShareMin` can be given back, one after the other; 0 tidies up everything, the
   * current volume too. One at a time. The number of volumes that went. Where the disk has no room for the live bytes of
   * any of them, all wait: what is deleted meanwhile makes them smaller, and a volume without live bytes needs no room.
   */
  async compact(options: CompactOptions): Promise<number> {
    const { deadShareMin = DEAD_SHARE_MIN, copiedBytesMax = Number.MAX_SAFE_INTEGER, pace = async () => {} } = options
    let gone = 0
    let copiedBytes = 0
    const tried = new Set<number>()
    const next = deadShareMin === 0 ? await this.everything() : () => this.worthwhile(deadShareMin, tried)
    while (copiedBytes < copiedBytesMax && !options.signal.aborted) {
      const volume = await next()
      if (volume === undefined) break
      tried.add(volume.number)
      copiedBytes += counted(volume)
      if (await this.compactOne(volume, pace, options.signal)) gone++
    }
    return gone
  }

  /**
   * What compaction leaves, when nothing hurries: everything, to the byte, where no more than `copiedBytesMax` have to be
   * copied for it, or else the volumes with most to give back, until so much was copied. The number of volumes that went.
   */
  async tidy(options: CompactOptions & { copiedBytesMax: number }): Promise<number> {
    const untidy = this.untidy()
    if (untidy.every((one) => one.deadBytes === 0)) return 0
    const cost = untidy.reduce((sum, one) => sum + counted(one), 0)
    return this.compact({ ...options, deadShareMin: cost <= options.copiedBytesMax ? 0 : TIDY_SHARE_MIN })
  }

  /** Volumes with something that does not count any more, or that others outlive only for what they say of it. */
  private untidy(): VolumeState[] {
    const { index } = this.parts
    const targets = new Set(index.covers.all().map((one) => one.target))
    return index.volumes().filter((one) => one.missing === 0 && (one.deadBytes > 0 || targets.has(one.number)))
  }

  /** Oldest first, so that nothing is left over of ends and renewals: what they stood for is gone before them. */
  private async everything(): Promise<() => Promise<VolumeState | undefined>> {
    const { appender } = this.parts
    await appender.roll()
    const last = appender.currentVolume
    let done = 0
    return async () => {
      const found = this.untidy().find((one) => one.number > done && one.number <= last)
      done = found?.number ?? last
      if (found === undefined || counted(found) <= (await this.room())) return found
      this.tellNoRoom(found)
      return undefined
    }
  }

  /** The one with most to give back for what has to be copied; on a disk that is nearly full, the one with least to copy. */
  private async worthwhile(deadShareMin: number, tried: ReadonlySet<number>): Promise<VolumeState | undefined> {
    const { index, appender } = this.parts
    const all = index.compactable(appender.currentVolume, deadShareMin).filter((one) => !tried.has(one.number))
    const room = await this.room()
    const [best] = all
    if (best === undefined || counted(best) <= room) return best
    const least = all.reduce((a, b) => (counted(b) < counted(a) ? b : a))
    if (counted(least) <= room) return least
    this.tellNoRoom(least)
    return undefined
  }

  private async room(): Promise<number> {
    return (await this.parts.files.diskFreeBytes()) - this.parts.diskFloorBytes * FLOOR_SHARE
  }

  private tellNoRoom(volume: VolumeState): void {
    this.parts.log.warn({ volume: volume.number, bytes: counted(volume) }, 'no room on the disk to compact a volume')
  }

  private async compactOne({ number }: VolumeState, pace: Pace, signal: AbortSignal): Promise<boolean> {
    const { index, log, reclaim } = this.parts
    const parts = {
      ...this.parts,
      verify: subtreesOf,
      onDamage: (one: StoredShard) => this.noteDamage(one),
      check: (one: StoredShard) => this.scrubbing.look(one),
      onCopied: (bytes: number) => {
        this.copiedBytes += bytes
      },
    }
    try {
      if (!(await compactVolume(parts, number, pace, signal))) return false
      await reclaim()
      // A round that was under way may have looked too early.
      const isThere = () => index.volumes().some((one) => one.number === number)
      if (isThere()) await reclaim()
      log.info({ volume: number, copiedBytes: this.copiedBytes }, 'a volume was compacted')
      return !isThere()
    } finally {
      this.copiedBytes = 0
    }
  }

  /** Reads on where the last scrub ended, at most so many bytes, and compares every shard with its id. */
  scrub(bytesMax: number, signal: AbortSignal): Promise<Scrubbed> {
    return this.scrubbing.run(bytesMax, signal)
  }

  /** A stored payload is not what it should be: it is not served from now on, and the bridge is to be told. */
  noteDamage(shard: StoredShard): void {
    this.book.note([shard])
  }

  losses(limit: number): Loss[] {
    return this.book.list(limit)
  }

  /** The bridge knows: what is left of them may go. */
  settleLosses(losses: readonly Loss[]): Promise<void> {
    return this.book.settle(losses)
  }
}

/** What has to be copied of a volume. */
function counted(volume: VolumeState): number {
  return volume.liveBytes + volume.trashBytes
}

async function subtreesOf(payload: Buffer, shard: StoredShard): Promise<Buffer | null> {
  const tree = await shardTree(payload)
  return tree.id.equals(idBytes(shard.shard)) ? tree.subtrees : null
}
