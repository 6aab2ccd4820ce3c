/** Drops the cached bytes of files: they stay on hosts, and come again when they are read. */
import { AppError } from '../../base/errors.js'
import type { SegmentId } from '../../model/ids.js'
import { below, type WalkLedger, wantedOf } from './data-walk.js'

export interface EvictParts {
  ledger: WalkLedger
  cache: { drop(segment: SegmentId, units: readonly number[]): Promise<number> }
  isPinned(ino: number): boolean
}

export interface Evicted {
  /** Of which the cached bytes went. */
  files: number
  /** Of the disk. */
  bytes: number
  /** Left alone. */
  pinnedFiles: number
  localFiles: number
}

/**
 * A file, or all files of a folder. `pinned`, `only-local`: it is one of those itself; in a folder they are left alone and
 * counted. What others share with a pinned file (a packed segment's units) stays.
 */
export async function evict(parts: EvictParts, ino: number, signal: AbortSignal): Promise<Evicted> {
  const { ledger, cache, isPinned } = parts
  if (isPinned(ino)) {
    throw new AppError('pinned', 'it is pinned: its bytes stay here', { hint: 'shardrive unpin lets them go' })
  }
  const done: Evicted = { files: 0, bytes: 0, pinnedFiles: 0, localFiles: 0 }
  for await (const { files } of below(ledger, ino, signal)) {
    for (const file of files) {
      if (isPinned(file)) done.pinnedFiles++
      else {
        const bytes = await evictFile(ledger, cache, file, signal)
        if (bytes === null && file === ino) {
          throw new AppError('only-local', 'it is only on this machine so far', { hint: 'shardrive sync stores it' })
        }
        if (bytes === null) done.localFiles++
        else if (bytes > 0) {
          done.files++
          done.bytes += bytes
        }
      }
    }
  }
  return done
}

/** Null: some of its bytes are nowhere else. */
async function evictFile(
  ledger: WalkLedger,
  cache: EvictParts['cache'],
  file: number,
  signal: AbortSignal,
): Promise<number | null> {
  let bytes = 0
  const dropped: Promise<number>[] = []
  for await (const { wanted, localBytes } of wantedOf(ledger, [file], signal)) {
    if (localBytes > 0) return null
    for (const { info, units } of wanted) dropped.push(cache.drop(info.segment, [...units.keys()]))
    for (const one of await Promise.all(dropped.splice(0))) bytes += one
  }
  return bytes
}
