/**
 * Reads every shard again, in the order in which they lie on the disk, and computes its whole id. Goes on where it ended,
 * also after a restart. Shards that compaction moved meanwhile were compared then, and are met once more.
 *
 * A payload that does not match, or cannot be read, is a loss. Where only the record around a sound payload is damaged
 * (its header, its subtree hashes), the shard is written again: an index that is built from the volumes would miss it.
 */
import { failpoint } from '../../base/failpoint.js'
import type { KeyedMutex } from '../../base/keyed-mutex.js'
import { shardTree } from '../../crypto/merkle.js'
import { idBytes } from '../../model/ids.js'
import type { ShardIndex } from '../ledger/shard-index.js'
import type { StoredShard } from '../ledger/types.js'
import type { Appender } from './appender.js'
import { copyOf } from './compaction.js'
import { saysLost } from './disk-failures.js'
import { RECORD_HEADER_BYTES, recordBytes } from './offsets.js'
import { placeOf } from './places.js'
import type { Keeper } from './reclaim.js'
import { decodeRecordHeader, RECORD_TYPE, type VolumeRecord } from './record.js'
import { readFully, type VolumeFiles } from './volume-files.js'

export interface ScrubParts {
  index: ShardIndex
  files: VolumeFiles
  appender: Appender
  places: KeyedMutex<string>
  kept: Keeper
  onDamage(shard: StoredShard): void
}

export interface Scrubbed {
  bytes: number
  /** Found now. */
  damaged: number
  mended: number
  /** The last volume was done, the next call begins again. */
  isThrough: boolean
}

const PAGE = 64
const NO_SERIAL = '0'.repeat(32) as VolumeRecord['serial']

export class Scrub {
  private readonly parts: ScrubParts

  constructor(parts: ScrubParts) {
    this.parts = parts
  }

  /** At most so many bytes, or one shard. */
  async run(bytesMax: number, signal: AbortSignal): Promise<Scrubbed> {
    const { index, kept } = this.parts
    let volume = kept.loadFact('scrub-volume')
    let offset = kept.loadFact('scrub-offset')
    const done: Scrubbed = { bytes: 0, damaged: 0, mended: 0, isThrough: false }
    while (done.bytes < bytesMax && !signal.aborted) {
      const page = volume === 0 ? [] : index.inVolume(volume, offset, PAGE)
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
        await this.look(one, done)
        done.bytes += one.length
        offset = one.offset
      }
    }
    failpoint('host.scrub.before-place')
    kept.saveFacts({ 'scrub-volume': volume, 'scrub-offset': offset })
    return done
  }

  /** One shard: written again where only the record around it is damaged, or found lost. */
  async look(
    shard: StoredShard,
    done: Pick<Scrubbed, 'damaged' | 'mended'> = { damaged: 0, mended: 0 },
  ): Promise<void> {
    if (shard.damaged) return
    const found = await this.inspect(shard)
    if (found === 'sound') return
    // Nobody changes it while it is looked at again: it may have been moved or deleted meanwhile.
    await this.parts.places.run(placeOf(shard), async () => {
      const row = this.parts.index.find(shard)
      if (row?.volume !== shard.volume || row.offset !== shard.offset) return
      const again = await this.inspect(row)
      if (again === 'sound') return
      if (again === 'lost') {
        this.parts.onDamage(row)
        done.damaged++
        return
      }
      await this.rewrite(row, again)
      done.mended++
    })
  }

  /** The payload and its subtree hashes when only the record around it is damaged. */
  private async inspect(row: StoredShard): Promise<'sound' | 'lost' | { payload: Buffer; subtrees: Buffer }> {
    const record = Buffer.allocUnsafeSlow(recordBytes(row.length))
    try {
      const read = await this.parts.files.use(row.volume, (handle) => readFully(handle, record, row.offset))
      if (read < RECORD_HEADER_BYTES + row.length) return 'lost'
      record.fill(0, read)
    } catch (error) {
      if (saysLost(error)) return 'lost'
      throw error
    }
    const payload = record.subarray(RECORD_HEADER_BYTES, RECORD_HEADER_BYTES + row.length)
    const tree = await shardTree(payload)
    if (!tree.id.equals(idBytes(row.shard))) return 'lost'
    const kept = record.subarray(
      RECORD_HEADER_BYTES + row.length,
      RECORD_HEADER_BYTES + row.length + tree.subtrees.length,
    )
    const header = decodeRecordHeader(record.subarray(0, RECORD_HEADER_BYTES), this.parts.files.key(row.volume))
    const isWhole = header?.shard === row.shard && placeOf(header) === placeOf(row) && header.length === row.length
    return isWhole && kept.equals(tree.subtrees) ? 'sound' : { payload, subtrees: tree.subtrees }
  }

  private rewrite(row: StoredShard, { payload, subtrees }: { payload: Buffer; subtrees: Buffer }): Promise<void> {
    const { pseudonym, segment, index, shard, length, generation, storedAtMs, keepUntilMs } = row
    const type = RECORD_TYPE.shard
    const serial = NO_SERIAL
    const fields = { pseudonym, segment, index, shard, length, generation, storedAtMs, keepUntilMs }
    const record = copyOf(row, { type, serial, ...fields })
    return this.parts.appender.append({ record, payload, subtrees, serialExpiresMs: null })
  }
}
