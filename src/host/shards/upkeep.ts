/**
 * What a store does for itself, besides serving: empties the trash, compacts, scrubs, keeps the list of what it lost.
 * Each call is bounded and may be stopped by its signal; chores/ decides when. What is found damaged enters the loss
 * list at once, whoever found it, and leaves it when the bridge has it in its books.
 */
import { AppError } from '../../base/errors.js'
import type { KeyedMutex } from '../../base/keyed-mutex.js'
import type { Log } from '../../base/log.js'
import { type RandomBytes, systemRandom } from '../../base/random.js'
import { shardTree } from '../../crypto/merkle.js'
import { idBytes, serialId } from '../../model/ids.js'
import { LEAF_BYTES } from '../../model/segment.js'
import type { ShardIndex } from '../ledger/shard-index.js'
import type { Loss, StoredShard } from '../ledger/types.js'
import type { Appender } from './appender.js'
import { compactVolume, type Pace } from './compaction.js'
import { placeOf } from './places.js'
import type { Keeper } from './reclaim.js'
import { RECORD_TYPE } from './record.js'
import { readLeaves } from './shard-reader.js'
import type { VolumeFiles } from './volume-files.js'

export interface UpkeepParts {
  index: ShardIndex
  files: VolumeFiles
  appender: Appender
  places: KeyedMutex<string>
  kept: Keeper
  log: Log
  ownMs: () => number
  serialKeepMs: number
  diskFloorBytes: number
  /** Volumes without anything that counts may go. Resolves when they are gone. */
  reclaim(): Promise<void>
  random?: RandomBytes
}

/** What a bridge deletes by mistake can be had back for a week. */
export const TRASH_MS = 7 * 24 * 3_600_000
/** A quarter dead: each byte that is copied gives at least a third of a byte back. */
export const DEAD_SHARE_MIN = 0.25
const SCRUB_PAGE = 64
/** A round a minute: 1 TiB in 30 days, and no more than a few tenths of a second of a disk. */
const SCRUB_BYTES = 24 * 1_048_576
const NOTHING = Buffer.alloc(0)

export class StoreUpkeep {
  private readonly parts: UpkeepParts

  constructor(parts: UpkeepParts) {
    this.parts = parts
  }

  /** A little of everything, as often as it is called: all of the trash that is due, what is worth compacting, some scrubbing. */
  async tidyUp(signal: AbortSignal): Promise<void> {
    await this.purgeTrash()
    if (!signal.aborted) await this.compact({ signal })
    if (!signal.aborted) await this.scrub(SCRUB_BYTES, signal)
  }

  /** Shards whose time in the trash is over are gone: the number of them. */
  async purgeTrash(trashMs = TRASH_MS): Promise<number> {
    const { index, ownMs } = this.parts
    let purged = 0
    for (let some = index.purgeTrash(ownMs() - trashMs); some > 0; some = index.purgeTrash(ownMs() - trashMs)) {
      purged += some
      await new Promise((resolve) => setImmediate(resolve))
    }
    if (purged > 0) await this.parts.reclaim()
    return purged
  }

  /**
   * Compacts volumes of which at least `deadShareMin` is dead, one after the other; 0 tidies up everything, the current
   * volume too. A volume for which the disk has no room waits. The number of volumes that went.
   */
  async compact(options: { deadShareMin?: number; pace?: Pace; signal: AbortSignal }): Promise<number> {
    const { index, appender, files, log, places, serialKeepMs, diskFloorBytes } = this.parts
    const { deadShareMin = DEAD_SHARE_MIN, pace = async () => {}, signal } = options
    if (deadShareMin === 0) await appender.roll()
    let gone = 0
    const all = index.compactable(deadShareMin === 0 ? 0 : appender.currentVolume, deadShareMin)
    // Oldest first leaves no ends and renewals over: what they stood for is gone before them.
    for (const volume of deadShareMin === 0 ? all.sort((a, b) => a - b) : all) {
      if (signal.aborted) break
      const state = index.volumes().find((one) => one.number === volume)
      if (state === undefined) continue
      const bytes = state.liveBytes + state.trashBytes
      if ((await files.diskFreeBytes()) < bytes + diskFloorBytes) {
        log.warn({ volume, bytes }, 'no room on the disk to compact a volume')
        continue
      }
      const verify = async (payload: Buffer, shard: StoredShard) => {
        const tree = await shardTree(payload)
        return tree.id.equals(idBytes(shard.shard)) ? tree.subtrees : null
      }
      const parts = {
        index,
        files,
        appender,
        places,
        verify,
        serialKeepMs,
        onDamage: (one: StoredShard) => this.noteDamage(one),
      }
      if (!(await compactVolume(parts, volume, pace, signal))) continue
      await this.parts.reclaim()
      // A round that was under way may have looked too early.
      if (index.volumes().some((one) => one.number === volume)) await this.parts.reclaim()
      gone++
      log.info({ volume, bytes }, 'a volume was compacted')
    }
    return gone
  }

  /**
   * Reads on where the last scrub ended, at most so many bytes, and compares every shard with its id. `isThrough`: the
   * last volume was done, the next call begins again.
   */
  async scrub(bytesMax: number, signal: AbortSignal): Promise<{ bytes: number; damaged: number; isThrough: boolean }> {
    const { index, kept } = this.parts
    let volume = kept.loadFact('scrub-volume')
    let offset = kept.loadFact('scrub-offset')
    const done = { bytes: 0, damaged: 0, isThrough: false }
    while (done.bytes < bytesMax && !signal.aborted) {
      const page = volume === 0 ? [] : index.inVolume(volume, offset, SCRUB_PAGE)
      if (page.length === 0) {
        const next = index.volumes().find((one) => one.number > volume)
        volume = next?.number ?? 0
        offset = 0
        done.isThrough = next === undefined
        if (done.isThrough) break
        continue
      }
      for (const one of page) {
        if (done.bytes >= bytesMax || signal.aborted) break
        if (!(await this.isSound(one))) done.damaged++
        done.bytes += one.length
        offset = one.offset
      }
    }
    kept.saveFact('scrub-volume', volume)
    kept.saveFact('scrub-offset', offset)
    return done
  }

  private async isSound(shard: StoredShard): Promise<boolean> {
    if (shard.damaged) return false
    try {
      await readLeaves(this.parts.files, shard, 0, Math.ceil(shard.length / LEAF_BYTES))
      return true
    } catch (error) {
      const still = this.parts.index.find(shard)
      // It was moved or deleted meanwhile.
      if (still?.volume !== shard.volume || still.offset !== shard.offset) return true
      if (!(error instanceof AppError) || error.code !== 'shard-damaged') throw error
      this.noteDamage(shard)
      return false
    }
  }

  /** A stored payload is not what it should be: it is not served from now on, and the bridge is to be told. */
  noteDamage(shard: StoredShard): void {
    const { index, kept, log, ownMs } = this.parts
    log.error({ volume: shard.volume, offset: shard.offset }, 'a stored shard is damaged')
    if (shard.damaged) return
    if (shard.trashedAtMs === null) kept.saveLosses([lossOf(shard, ownMs())])
    index.markDamaged(shard)
  }

  losses(limit: number): Loss[] {
    return this.parts.kept.loadLosses(limit)
  }

  /** The bridge knows: what is left of them may go. */
  async settleLosses(losses: readonly Loss[]): Promise<void> {
    const { index, kept, places } = this.parts
    for (const one of losses) {
      await places.run(placeOf(one), async () => {
        const row = index.find(one)
        if (row?.damaged === true && row.generation <= one.generation) await this.end(row)
      })
    }
    kept.removeLosses(losses)
  }

  private end(row: StoredShard): Promise<void> {
    const { appender, ownMs, serialKeepMs, random = systemRandom } = this.parts
    const { pseudonym, segment, index, shard, generation } = row
    const now = ownMs()
    const record = {
      ...{ type: RECORD_TYPE.deleted, pseudonym, segment, index, shard, generation, length: 0 },
      ...{ storedAtMs: now, keepUntilMs: 0, serial: serialId(random(16)) },
    }
    return appender.append({ record, payload: NOTHING, subtrees: NOTHING, serialExpiresMs: now + serialKeepMs })
  }
}

function lossOf(shard: StoredShard, foundAtMs: number): Loss {
  const { pseudonym, segment, index, shard: id, generation } = shard
  return { pseudonym, segment, index, shard: id, generation, foundAtMs }
}
