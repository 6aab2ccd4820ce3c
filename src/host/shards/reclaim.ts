/**
 * Gives the space of volumes without a live record back to the disk, whole files at a time. A volume that still ends
 * records of an older volume stays until that one is gone, so that a rebuild of the index never brings them back.
 */
import type { Log } from '../../base/log.js'
import type { ShardIndex } from '../ledger/shard-index.js'
import type { Loss, ShardKey, UsedSerial } from '../ledger/types.js'
import type { Appender } from './appender.js'
import type { VolumeFiles } from './volume-files.js'

/** Remembers used serials beyond the volume that held them: a rebuilt index must still know them. */
export interface SerialKeeper {
  saveSerials(serials: readonly UsedSerial[], nowMs: number): void
  loadSerials(): UsedSerial[]
}

/** What outlives the index: serials, the loss list, how far the scrub is. */
export interface Keeper extends SerialKeeper {
  saveLosses(losses: readonly Loss[]): void
  loadLosses(limit: number): Loss[]
  removeLosses(losses: readonly ShardKey[]): void
  loadFact(name: string): number
  saveFact(name: string, value: number): void
}

export interface ReclaimParts {
  kept: SerialKeeper
  nowMs: () => number
  index: ShardIndex
  files: VolumeFiles
  appender: Appender
  log: Log
}

/** One after the other: the file is gone durably before the index and the next volume follow. */
export async function reclaimVolumes({ index, files, appender, kept, nowMs, log }: ReclaimParts): Promise<void> {
  for (;;) {
    const number = index.reclaimable()[0]
    if (number === undefined) return
    if (number === appender.currentVolume) {
      await appender.roll()
      // Something may have been appended before it was closed.
      if (index.reclaimable()[0] !== number) continue
    }
    kept.saveSerials(
      index.serialsOf(number).filter((one) => one.expires >= nowMs()),
      nowMs(),
    )
    await files.unlink(number)
    index.dropVolume(number)
    log.info({ volume: number }, 'a volume without live shards was removed')
  }
}
