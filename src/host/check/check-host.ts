/**
 * Compares a host with itself, completely: every record of the volumes has its right row, every row its record, every
 * payload its shard id; counters, trash, covers, kept serials and the loss list fit. Reads everything, changes nothing but
 * a scratch file that it removes; an index of an older program is brought up to date, as the next start would. The host must
 * not run: its folder is locked by the caller.
 */
import fs from 'node:fs'
import type { Log } from '../../base/log.js'
import type { SecretBytes } from '../../crypto/secret.js'
import type { HostId } from '../../model/ids.js'
import { inventoryItemHash } from '../../permits/inventory-item.js'
import { removeDatabase } from '../../sqlite/open.js'
import type { Kept } from '../ledger/kept.js'
import { ShardIndex } from '../ledger/shard-index.js'
import type { StoredShard } from '../ledger/types.js'
import { recordBytes, VOLUME_HEADER_BYTES } from '../shards/offsets.js'
import { TRASH_MS } from '../shards/upkeep.js'
import { VolumeFiles } from '../shards/volume-files.js'
import { Findings, type HostFinding } from './findings.js'
import { readVolumes, where } from './read-volumes.js'

export interface CheckParts {
  volumesDir: string
  indexFile: string
  host: HostId
  seed: SecretBytes
  kept: Kept
  log: Log
  /** This machine's own time. */
  ownMs: () => number
  /** Bridge time, or the best guess. */
  nowMs: () => number
  trashMs?: number
}

export interface HostCheck {
  /** The first hundred of each code. */
  findings: HostFinding[]
  /** Of all. */
  found: number
  records: number
  shards: number
  trashShards: number
  bytes: number
  /** Bytes of volumes that the next start takes in: after a crash. */
  behindBytes: number
}

interface Compared extends CheckParts {
  index: ShardIndex
  scratch: ShardIndex
  findings: Findings
  damaged: ReadonlySet<string>
}

const PAGE = 1_000

export async function checkHost(parts: CheckParts): Promise<HostCheck> {
  const files = new VolumeFiles({ dir: parts.volumesDir, host: parts.host, seed: parts.seed })
  if (!fs.existsSync(parts.indexFile)) return withoutIndex(files)
  const scratchFile = `${parts.indexFile}.check`
  removeDatabase(scratchFile)
  const index = ShardIndex.open(parts.indexFile)
  const scratch = ShardIndex.open(scratchFile)
  const findings = new Findings()
  try {
    const trashOverMs = parts.ownMs() - (parts.trashMs ?? TRASH_MS)
    const { records, bytes, behind, damaged } = await readVolumes({ files, index, scratch, findings, trashOverMs })
    const all: Compared = { ...parts, index, scratch, findings, damaged }
    await compareRecords(all)
    await compareRows(all)
    compareCovers(all)
    compareSerials(all)
    compareLosses(all)
    const { shards, trashShards } = index.totals()
    return { findings: findings.kept, found: findings.total, records, shards, trashShards, bytes, behindBytes: behind }
  } finally {
    scratch.close()
    removeDatabase(scratchFile)
    index.close()
    await files.close()
  }
}

/** Nothing can be compared, and none is made here: a start makes it of the volumes. */
function withoutIndex(files: VolumeFiles): HostCheck {
  const findings = new Findings()
  const behindBytes = files.list().reduce((sum, one) => sum + one.bytes, 0)
  if (behindBytes > 0)
    findings.add('index-missing', 'there is no index: the next start builds it, check again after that')
  const nothing = { records: 0, shards: 0, trashShards: 0, bytes: 0 }
  return { findings: findings.kept, found: findings.total, ...nothing, behindBytes }
}

/** Each shard that the volumes hold has its row. */
async function compareRecords({ index, scratch, findings, ownMs, trashMs = TRASH_MS }: Compared): Promise<void> {
  await eachRow(scratch, (shard) => {
    const row = index.find(shard)
    if (row === undefined) {
      const mayBeGone = shard.trashedAtMs !== null && (shard.trashedAtMs + trashMs <= ownMs() || index.isUpgraded)
      if (!mayBeGone) findings.add('row-missing', `${where(shard)} is not in the index`)
      return
    }
    const wrong = differences(shard, row)
    if (wrong.length > 0) findings.add('row-wrong', `${where(shard)}: the index differs in ${wrong.join(', ')}`)
  })
}

function differences(record: StoredShard, row: StoredShard): string[] {
  const fields: (keyof StoredShard)[] = ['shard', 'volume', 'offset', 'length', 'generation', 'trashedAtMs']
  // In the trash the times of storing do not count any more: compaction may have left a renewal out.
  if (row.trashedAtMs === null) fields.push('storedAtMs', 'keepUntilMs')
  return fields.filter((field) => record[field] !== row[field])
}

/** Each row has its record, once, and the rows add up to the counters. */
async function compareRows({ index, scratch, findings, kept, damaged }: Compared): Promise<void> {
  const sums = new Map<number, [live: number, liveRecords: number, trash: number, trashRecords: number]>()
  const missing = new Set(index.volumes().flatMap((one) => (one.missing === 0 ? [] : [one.number])))
  await eachRow(index, (row, item) => {
    const isLive = row.trashedAtMs === null
    const sum = sums.get(row.volume) ?? [0, 0, 0, 0]
    sum[isLive ? 0 : 2] += recordBytes(row.length)
    sum[isLive ? 1 : 3] += 1
    sums.set(row.volume, sum)
    const same = index.find(row)
    if (same?.volume !== row.volume || same.offset !== row.offset)
      findings.add('row-twice', `${where(row)} has two rows`)
    const wanted = isLive && !row.damaged ? inventoryItemHash(row) : null
    if (!(wanted === null ? item === null : item?.equals(wanted))) {
      findings.add('row-wrong', `${where(row)} counts wrongly in the inventory`)
    }
    // A damaged record of the trash is nothing at all when it is read anew.
    const isKnown = missing.has(row.volume) || damaged.has(`${row.volume}/${row.offset}`)
    if (!isKnown && scratch.find(row) === undefined) {
      findings.add('record-missing', `${where(row)} has no record`)
    }
    if (row.damaged && isLive && !kept.hasLoss(row))
      findings.add('loss-missing', `${where(row)} is not in the loss list`)
  })
  for (const one of index.volumes()) {
    const [live, liveRecords, trash, trashRecords] = sums.get(one.number) ?? [0, 0, 0, 0]
    const fits =
      one.liveBytes === live &&
      one.liveRecords === liveRecords &&
      one.trashBytes === trash &&
      one.trashRecords === trashRecords &&
      one.indexedTo === VOLUME_HEADER_BYTES + live + trash + one.deadBytes
    if (!fits)
      findings.add('counter-wrong', `volume ${one.number}: ${JSON.stringify(one)}, rows have ${live} + ${trash}`)
  }
}

/** Whoever stands against a dead record in the volumes is known to, or an older one is that has to outlive the same. */
function compareCovers({ index, scratch, findings }: Compared): void {
  const known = index.covers.all()
  for (const { volume, target } of scratch.covers.all()) {
    const stands = known.some((one) => one.target === target && one.volume <= volume)
    if (!stands) findings.add('cover-missing', `volume ${volume} ends records of ${target}, and may go before it`)
  }
}

function compareSerials({ index, findings, kept, nowMs }: Compared): void {
  for (const { serial, expires } of kept.loadSerials()) {
    if (expires < nowMs() || index.serials.has({ serial, expires })) continue
    findings.add('serial-missing', `used serial ${serial.toString('hex')} is not in the index`)
  }
}

function compareLosses({ index, findings, kept }: Compared): void {
  for (let page = kept.loadLosses(PAGE); page.length > 0; page = kept.loadLosses(PAGE, page.at(-1))) {
    for (const one of page) {
      const row = index.find(one)
      if (row === undefined || row.damaged || row.trashedAtMs !== null || row.shard !== one.shard) continue
      findings.add('loss-wrong', `${where(row)} is in the loss list, and is served`)
    }
  }
}

/** Yields between pages. */
async function eachRow(index: ShardIndex, look: (shard: StoredShard, item: Buffer | null) => void): Promise<void> {
  for (let page = index.rowsAfter(0, PAGE); page.length > 0; page = index.rowsAfter(page.at(-1)?.id ?? 0, PAGE)) {
    for (const { shard, item } of page) look(shard, item)
    await new Promise((resolve) => setImmediate(resolve))
  }
}
