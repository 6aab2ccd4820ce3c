/**
 * Brings index and volumes together at start: builds the index again when it is missing, damaged or does not fit the
 * files, replays what the index has not seen, cuts a torn tail off the last volume, and records damage anywhere else.
 * No record that was acknowledged is lost by it: those lie below a completed fdatasync, and only what no sound record
 * follows is cut.
 */
import { AppError, isCode } from '../../base/errors.js'
import type { Log } from '../../base/log.js'
import { idBytes } from '../../model/ids.js'
import { removeDatabase } from '../../sqlite/open.js'
import { ShardIndex } from '../ledger/shard-index.js'
import type { DamagedRange, IndexedRecord, Loss, UsedSerial, VolumeState } from '../ledger/types.js'
import { indexedRecord, TORN_BYTES_MAX } from './appender.js'
import { compareWithBefore, setAside } from './index-before.js'
import { lossOf } from './loss-book.js'
import { alignUp, VOLUME_HEADER_BYTES } from './offsets.js'
import type { VolumeRecord } from './record.js'
import { type Scanned, scanVolume } from './scan.js'
import type { VolumeFiles } from './volume-files.js'
import { readFully } from './volume-files.js'
import { inspectVolumeHeader } from './volume-header.js'

export interface RecoveryParts {
  files: VolumeFiles
  indexFile: string
  log: Log
  nowMs: () => number
  verify: (payload: Buffer, record: VolumeRecord) => Promise<boolean>
  /** How long a replayed serial stays used: records do not hold their token's end. */
  serialKeepMs: number
  saveLosses: (losses: readonly Loss[]) => void
  ownMs: () => number
}

export interface Recovered {
  index: ShardIndex
  rebuilt: boolean
  replayedRecords: number
  cutBytes: number
  damagedRanges: number
  /** Shards that the index knew and the volumes do not hold any more. */
  lostShards: number
  /** Volumes that the index knows and whose files are not there. */
  missing: number[]
  lastVolume: number
  /** Where the next record of the last volume may begin; null: nowhere, begin another. */
  lastEnd: number | null
}

/** Records that enter the index in one transaction. */
const APPLY_RECORDS_MAX = 1_000

export async function recover(parts: RecoveryParts): Promise<Recovered> {
  try {
    return await recoverOnce(parts)
  } catch (error) {
    if (!isCode(error, 'database-damaged')) throw error
    parts.log.error({ err: error }, 'the index is damaged')
    removeDatabase(parts.indexFile)
    return recoverOnce(parts)
  }
}

async function recoverOnce(parts: RecoveryParts): Promise<Recovered> {
  const files = parts.files.list()
  let index = openIndex(parts)
  const rebuilt = !fits(index.volumes(), files)
  if (rebuilt) {
    parts.log.warn({ volumes: files.length }, 'the index is built again from the volumes')
    index.close()
    index = setAside(parts.indexFile)
  }
  const last = files.at(-1)
  const lastVolume = Math.max(last?.number ?? 0, index.volumes().at(-1)?.number ?? 0)
  const found: Recovered = {
    index,
    rebuilt,
    replayedRecords: 0,
    cutBytes: 0,
    damagedRanges: 0,
    lostShards: 0,
    missing: [],
    lastVolume,
    lastEnd: null,
  }
  try {
    const known = new Map(index.volumes().map((one) => [one.number, one]))
    for (const file of files) {
      const end = await replay(parts, found, file, known.get(file.number), file.number === lastVolume)
      if (file.number === lastVolume && alignUp(end) === end) found.lastEnd = end
    }
    // Afterwards: what a replayed copy stands for is not missed where it was before.
    found.missing = dropOrReportMissing(parts, index, files)
    found.lostShards = await compareWithBefore({ ...parts, index })
  } catch (error) {
    index.close()
    throw error
  }
  return found
}

function openIndex(parts: RecoveryParts): ShardIndex {
  try {
    return ShardIndex.open(parts.indexFile)
  } catch (error) {
    if (!isCode(error, 'database-damaged') && !isCode(error, 'database-foreign')) throw error
    parts.log.error({ err: error }, 'the index is damaged')
    removeDatabase(parts.indexFile)
    return ShardIndex.open(parts.indexFile)
  }
}

/** False when the index says more than the files hold, or misses a volume in their middle. */
function fits(known: VolumeState[], files: { number: number; bytes: number }[]): boolean {
  const newest = known.at(-1)?.number ?? 0
  return files.every((file) => {
    const row = known.find((one) => one.number === file.number)
    return row ? row.indexedTo <= file.bytes : file.number > newest
  })
}

function dropOrReportMissing(parts: RecoveryParts, index: ShardIndex, files: { number: number }[]): number[] {
  const there = new Set(files.map((file) => file.number))
  const gone = index.volumes().filter((one) => !there.has(one.number))
  // Without live records: the file was reclaimed and a crash came before the index heard of it.
  const isEmpty = (one: VolumeState) => one.liveRecords === 0 && one.trashRecords === 0
  for (const one of gone) if (isEmpty(one)) dropEmpty(index, one.number)
  const missing = gone.filter((one) => !isEmpty(one))
  index.setMissing(new Set(missing.map((one) => one.number)))
  for (const one of missing) {
    parts.log.error({ volume: one.number, shards: one.liveRecords }, 'a volume is missing')
  }
  return missing.map((one) => one.number)
}

function dropEmpty(index: ShardIndex, volume: number): void {
  index.covers.pass(volume, [])
  index.flush()
  index.dropVolume(volume)
}

/** Returns the size of the volume afterwards. */
async function replay(
  parts: RecoveryParts,
  found: Recovered,
  file: { number: number; bytes: number },
  known: VolumeState | undefined,
  isLast: boolean,
): Promise<number> {
  if (known?.indexedTo === file.bytes) return file.bytes
  const handle = await parts.files.openForWriting(file.number)
  try {
    if (!known) {
      const isTorn = file.bytes < VOLUME_HEADER_BYTES
      if (isTorn && !isLast) parts.log.error({ volume: file.number }, 'a volume is cut short')
      if (isTorn) await handle.truncate(0)
      if (isTorn || (await headerDamaged(parts, handle, file))) {
        await parts.files.writeHeader(handle, file.number, parts.nowMs())
        parts.log.warn({ volume: file.number }, 'the header of a volume was written again')
      }
      found.index.addVolume(file.number, VOLUME_HEADER_BYTES)
    }
    const from = known?.indexedTo ?? VOLUME_HEADER_BYTES
    const size = Math.max(file.bytes, VOLUME_HEADER_BYTES)
    const tail = await replayRecords(parts, found, { handle, number: file.number, from, size, isLast, known })
    const cutAt = tail[0]?.offset
    if (cutAt === undefined) return size
    await handle.truncate(cutAt)
    await handle.datasync()
    found.cutBytes += size - cutAt
    parts.log.warn({ volume: file.number, bytes: size - cutAt }, 'a torn tail was cut off')
    return cutAt
  } finally {
    await handle.close()
  }
}

type Handle = Awaited<ReturnType<VolumeFiles['openForWriting']>>

interface ReplayRange {
  handle: Handle
  number: number
  from: number
  size: number
  isLast: boolean
  known: VolumeState | undefined
}

/** Returns what is to be cut: only at the end of the last volume. */
async function replayRecords(parts: RecoveryParts, found: Recovered, range: ReplayRange): Promise<Scanned[]> {
  const { handle, number, from, size } = range
  const key = parts.files.key(number)
  // Old volumes were synced long ago: their payloads are checked when they are read.
  const verify = range.isLast || range.known ? parts.verify : null
  const scan = scanVolume(handle, { key, from, size, verify })
  let group: Scanned[] = []
  for (;;) {
    const next = await scan.next()
    if (!next.done) group.push(next.value)
    else if (!mayCut(range, next.value)) group.push(...next.value)
    if (group.length >= APPLY_RECORDS_MAX || next.done) {
      applyGroup(parts, found, number, group)
      group = []
    }
    if (next.done) return mayCut(range, next.value) ? next.value : []
  }
}

/** A crash can cut short no more than was being written. */
function mayCut(range: ReplayRange, tail: Scanned[]): boolean {
  const first = tail[0]
  return range.isLast && first !== undefined && range.size - first.offset <= TORN_BYTES_MAX
}

function applyGroup(parts: RecoveryParts, found: Recovered, number: number, group: Scanned[]): void {
  const last = group.at(-1)
  if (!last) return
  const records: IndexedRecord[] = []
  const serials: UsedSerial[] = []
  const damaged: DamagedRange[] = []
  for (const one of group) {
    if (one.what === 'record') {
      const expires = one.record.storedAtMs + parts.serialKeepMs
      // Copies and old records: their tokens ended long ago.
      if (expires >= parts.nowMs()) serials.push({ serial: idBytes(one.record.serial), expires })
      records.push(indexedRecord(one.record, one.offset, null, one.damaged))
    } else {
      damaged.push({ offset: one.offset, bytes: one.bytes, reason: 'unreadable' })
      parts.log.error({ volume: number, offset: one.offset, bytes: one.bytes }, 'a stretch of a volume is damaged')
    }
  }
  // Before the records: what a crash leaves between the two is known too early, never too late.
  found.index.serials.addReplayed(serials)
  found.index.apply(number, records, damaged, last.offset + last.bytes, parts.nowMs())
  noteDamaged(parts, found.index, records)
  found.replayedRecords += records.length
  found.damagedRanges += damaged.length
}

/** Shards that are damaged already when the index meets them. */
function noteDamaged(parts: RecoveryParts, index: ShardIndex, records: readonly IndexedRecord[]): void {
  const rows = records.filter((one) => one.damaged).map((one) => index.find(one))
  const losses = rows.flatMap((row) => (row?.damaged && row.trashedAtMs === null ? [lossOf(row, parts.ownMs())] : []))
  if (losses.length > 0) parts.saveLosses(losses)
}

/** `host-folder-wrong` when a volume is another host's: nothing in it is ours, so nothing may be cut or written. */
async function headerDamaged(parts: RecoveryParts, handle: Handle, file: { number: number; bytes: number }) {
  const header = Buffer.alloc(VOLUME_HEADER_BYTES)
  await readFully(handle, header, 0)
  const state = inspectVolumeHeader(header, parts.files.host, file.number)
  if (state !== 'foreign') return state === 'damaged'
  const key = parts.files.key(file.number)
  const scan = scanVolume(handle, { key, from: VOLUME_HEADER_BYTES, size: file.bytes, verify: null })
  for await (const one of scan) if (one.what === 'record') return true
  throw new AppError('host-folder-wrong', `volume ${file.number} belongs to another host`, {
    hint: 'move it out of the folder',
  })
}
