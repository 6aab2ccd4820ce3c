/**
 * The index that did not fit the volumes any more, beside the one that is built from them: what only the old one knows is
 * lost, and is entered into the loss list by name. It lies there until that is done, whatever comes between.
 */
import fs from 'node:fs'
import { AppError, isCode } from '../../base/errors.js'
import type { Log } from '../../base/log.js'
import { removeDatabase } from '../../sqlite/open.js'
import { ShardIndex } from '../ledger/shard-index.js'
import type { Loss, StoredShard } from '../ledger/types.js'
import { lossOf } from './loss-book.js'

export interface ComparisonParts {
  indexFile: string
  index: ShardIndex
  log: Log
  ownMs: () => number
  saveLosses: (losses: readonly Loss[]) => void
}

const PAGE = 1_000

/** Puts the (closed) index aside and makes an empty one. The first that was put aside knows most: it stays. */
export function setAside(indexFile: string): ShardIndex {
  if (indexFile !== ':memory:') {
    const before = beforeOf(indexFile)
    if (!fs.existsSync(before)) fs.renameSync(indexFile, before)
    removeDatabase(indexFile)
  }
  return ShardIndex.open(indexFile)
}

/** The number of shards that are lost. Yields. */
export async function compareWithBefore({
  indexFile,
  index,
  log,
  ownMs,
  saveLosses,
}: ComparisonParts): Promise<number> {
  const file = beforeOf(indexFile)
  if (indexFile === ':memory:' || !fs.existsSync(file)) return 0
  let lost = 0
  const before = openBefore(file, log)
  try {
    for (let page = before?.rowsAfter(0, PAGE) ?? []; page.length > 0; ) {
      const gone = page.flatMap(({ shard }) => (isLost(shard, index) ? [lossOf(shard, ownMs())] : []))
      if (gone.length > 0) saveLosses(gone)
      index.markDamaged(page.flatMap(({ shard }) => (shard.damaged ? [shard] : [])))
      lost += gone.length
      await new Promise((resolve) => setImmediate(resolve))
      page = before?.rowsAfter(page.at(-1)?.id ?? 0, PAGE) ?? []
    }
  } catch (error) {
    if (!isCode(error, 'database-damaged')) throw error
    log.warn({ err: error, lost }, 'the index of before is damaged: nobody can say what else it knew')
  } finally {
    before?.close()
  }
  removeDatabase(file)
  if (lost > 0) log.error({ shards: lost }, 'volumes hold less than the index knew: shards are lost')
  return lost
}

function isLost(shard: StoredShard, index: ShardIndex): boolean {
  return shard.trashedAtMs === null && index.find(shard) === undefined
}

function openBefore(file: string, log: Log): ShardIndex | null {
  try {
    return ShardIndex.open(file)
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    log.warn({ err: error }, 'the index of before cannot be read: nobody can say what it knew')
    return null
  }
}

function beforeOf(indexFile: string): string {
  return `${indexFile}.before`
}
