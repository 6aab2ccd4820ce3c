/**
 * Gives the space of volumes without a live record back to the disk, whole files at a time. A volume that still ends
 * records of an older volume stays until that one is gone, so that a rebuild of the index never brings them back.
 */
import { failpoint } from '../../base/failpoint.js'
import type { Log } from '../../base/log.js'
import type { ShardIndex } from '../ledger/shard-index.js'
import type { Loss, ShardKey, UsedSerial } from '../ledger/types.js'
import type { Appender } from './appender.js'
import { VOLUME_HEADER_BYTES } from './offsets.js'
import { scanVolume } from './scan.js'
import type { VolumeFiles } from './volume-files.js'

/** Remembers used serials beyond the volume that held them: a rebuilt index must still know them. */
export interface SerialKeeper {
  saveSerials(serials: readonly UsedSerial[], nowMs: number): void
  loadSerials(): UsedSerial[]
}

/** What outlives the index: serials, the loss list, how far the scrub is. */
export interface Keeper extends SerialKeeper {
  saveLosses(losses: readonly Loss[]): void
  /** Behind `after`, in the order of their places. */
  loadLosses(limit: number, after?: ShardKey): Loss[]
  removeLosses(losses: readonly ShardKey[]): void
  loadFact(name: string): number
  saveFacts(facts: Record<string, number>): void
}

export interface ReclaimParts {
  kept: SerialKeeper
  nowMs: () => number
  index: ShardIndex
  files: VolumeFiles
  appender: Appender
  log: Log
}

/** One transaction, while requests wait. */
const SAVED_MAX = 1_000
/** Looked for at once, among all serials that are remembered: some ten megabytes. */
const WANTED_MAX = 100_000

/** One after the other: the file is gone durably before the index and the next volume follow. */
export async function reclaimVolumes(parts: ReclaimParts): Promise<void> {
  const { index, files, appender, log } = parts
  for (;;) {
    const number = index.reclaimable()[0]
    if (number === undefined) return
    if (number === appender.currentVolume) {
      await appender.roll()
      // Something may have been appended before it was closed.
      if (index.reclaimable()[0] !== number) continue
    }
    await keepSerials(parts, number)
    // What stands in other volumes for this one is in the index for good before the file goes.
    index.flush()
    failpoint('host.compact.before-unlink')
    await files.unlink(number)
    failpoint('host.compact.after-unlink')
    index.dropVolume(number)
    log.info({ volume: number }, 'a volume without live shards was removed')
  }
}

/** Serials of the volume whose tokens may still be shown. */
async function keepSerials({ index, files, kept, nowMs }: ReclaimParts, volume: number): Promise<void> {
  const size = index.volumes().find((one) => one.number === volume)?.indexedTo ?? VOLUME_HEADER_BYTES
  await files.use(volume, async (handle) => {
    const scan = scanVolume(handle, { key: files.key(volume), from: VOLUME_HEADER_BYTES, size, verify: null })
    const wanted = new Set<string>()
    const save = async () => {
      const found = await index.serials.lasting(wanted, nowMs())
      for (let at = 0; at < found.length; at += SAVED_MAX) kept.saveSerials(found.slice(at, at + SAVED_MAX), nowMs())
      wanted.clear()
    }
    for await (const one of scan) {
      if (one.what !== 'record') continue
      wanted.add(one.record.serial)
      if (wanted.size >= WANTED_MAX) await save()
    }
    if (wanted.size > 0) await save()
  })
}
