/**
 * The loss list: shards that were stored here and are not any more, or not as they should be. What is found damaged enters
 * it at once, whoever found it, and leaves it when the bridge has it in its books, or when the shard is put again.
 */
import { AppError } from '../../base/errors.js'
import { failpoint } from '../../base/failpoint.js'
import type { KeyedMutex } from '../../base/keyed-mutex.js'
import type { Log } from '../../base/log.js'
import { type RandomBytes, systemRandom } from '../../base/random.js'
import { serialId } from '../../model/ids.js'
import type { ShardIndex } from '../ledger/shard-index.js'
import type { Loss, ShardKey, StoredShard } from '../ledger/types.js'
import type { Appender } from './appender.js'
import { placeOf } from './places.js'
import type { Keeper } from './reclaim.js'
import { RECORD_TYPE } from './record.js'
import { readWhole } from './shard-reader.js'
import type { VolumeFiles } from './volume-files.js'

export interface LossBookParts {
  index: ShardIndex
  files: VolumeFiles
  appender: Appender
  places: KeyedMutex<string>
  kept: Keeper
  log: Log
  ownMs: () => number
  random?: RandomBytes
}

const NOTHING = Buffer.alloc(0)
const PAGE = 1_000

export class LossBook {
  private readonly parts: LossBookParts

  constructor(parts: LossBookParts) {
    this.parts = parts
  }

  /** Stored payloads are not what they should be: not served from now on, and the bridge is to be told. */
  note(shards: readonly StoredShard[]): void {
    const { index, kept, log, ownMs } = this.parts
    const fresh = shards.filter((one) => !one.damaged && isWhere(index.find(one), one))
    if (fresh.length === 0) return
    const { volume, offset } = fresh[0] as StoredShard
    log.error({ shards: fresh.length, volume, offset }, 'stored shards are damaged')
    const now = ownMs()
    kept.saveLosses(fresh.filter((one) => one.trashedAtMs === null).map((one) => lossOf(one, now)))
    failpoint('host.losses.after-kept')
    index.markDamaged(fresh)
  }

  /** What lay in volumes that are not there any more. Yields. */
  async noteMissing(volumes: readonly number[]): Promise<void> {
    for (const volume of volumes) {
      let after = 0
      for (;;) {
        const page = this.parts.index.inVolume(volume, after, PAGE)
        this.note(page)
        const last = page.at(-1)
        if (last === undefined) break
        after = last.offset
        await new Promise((resolve) => setImmediate(resolve))
      }
    }
  }

  /** An index that was built again has to learn which of its shards are known to be damaged. */
  markKnown(): void {
    const { index, kept } = this.parts
    for (let page = kept.loadLosses(PAGE); page.length > 0; page = kept.loadLosses(PAGE, page.at(-1))) {
      const rows = page.map((one) => ({ loss: one, row: index.find(one) }))
      index.markDamaged(rows.flatMap(({ loss, row }) => (row && isOf(loss, row) && !row.damaged ? [row] : [])))
    }
  }

  list(limit: number): Loss[] {
    return this.parts.kept.loadLosses(limit)
  }

  /** It was put again, or thrown away: nothing to tell any more. */
  forget(key: ShardKey): void {
    this.parts.kept.removeLosses([key])
  }

  /** The bridge knows: what is left of them may go. What reads well after all is served again. */
  async settle(losses: readonly Loss[]): Promise<void> {
    const { index, kept, places } = this.parts
    for (const one of losses) {
      await places.run(placeOf(one), async () => {
        const row = index.find(one)
        if (row?.damaged !== true || !isOf(one, row)) return
        if (await this.readsWell(row)) index.clearDamage(row)
        else await this.end(row)
      })
    }
    failpoint('host.losses.before-settled')
    kept.removeLosses(losses)
  }

  async readsWell(row: StoredShard): Promise<boolean> {
    try {
      await readWhole(this.parts.files, row)
      return true
    } catch (error) {
      if (error instanceof AppError && error.code === 'shard-damaged') return false
      throw error
    }
  }

  private end(row: StoredShard): Promise<void> {
    const { appender, ownMs, random = systemRandom } = this.parts
    const { pseudonym, segment, index, shard, generation } = row
    const record = {
      ...{ type: RECORD_TYPE.deleted, pseudonym, segment, index, shard, generation, length: 0 },
      ...{ storedAtMs: ownMs(), keepUntilMs: 0, serial: serialId(random(16)) },
    }
    return appender.append({ record, payload: NOTHING, subtrees: NOTHING, serialExpiresMs: null })
  }
}

export function lossOf(shard: StoredShard, foundAtMs: number): Loss {
  const { pseudonym, segment, index, shard: id, generation } = shard
  return { pseudonym, segment, index, shard: id, generation, foundAtMs }
}

function isOf(loss: Loss, row: StoredShard): boolean {
  return row.shard === loss.shard && row.generation <= loss.generation
}

function isWhere(row: StoredShard | undefined, one: StoredShard): boolean {
  return row?.volume === one.volume && row.offset === one.offset
}
