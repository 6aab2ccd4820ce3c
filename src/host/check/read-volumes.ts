/**
 * Reads every record of the volumes, payloads too, into an index of its own beside the host's: what the host's index should
 * say. Changes no volume. Only as far as the host's index says that it has come: what lies behind is taken in at the next start.
 */
import type fs from 'node:fs'
import { shardTree } from '../../crypto/merkle.js'
import { idBytes } from '../../model/ids.js'
import type { ShardIndex } from '../ledger/shard-index.js'
import type { DamagedRange, IndexedRecord, StoredShard } from '../ledger/types.js'
import { indexedRecord } from '../shards/appender.js'
import { VOLUME_HEADER_BYTES } from '../shards/offsets.js'
import type { VolumeRecord } from '../shards/record.js'
import { type Scanned, scanVolume } from '../shards/scan.js'
import { readFully, type VolumeFiles } from '../shards/volume-files.js'
import { inspectVolumeHeader } from '../shards/volume-header.js'
import type { Findings } from './findings.js'

export interface ReadParts {
  files: VolumeFiles
  index: ShardIndex
  /** Empty; holds what the volumes say afterwards. */
  scratch: ShardIndex
  findings: Findings
  /** Own clock: what was thrown away at or before it may be gone from the host's index. */
  trashOverMs: number
}

const GROUP = 1_000
/** Of damaged records that are told from missing ones: some ten megabytes. */
const DAMAGED_MAX = 100_000

export interface VolumesRead {
  records: number
  bytes: number
  /** Bytes that the index has not seen. */
  behind: number
  /** Records whose payload does not match, as `volume/offset`. */
  damaged: Set<string>
}

export async function readVolumes(parts: ReadParts): Promise<VolumesRead> {
  const sizes = new Map(parts.files.list().map((file) => [file.number, file.bytes]))
  const done: VolumesRead = { records: 0, bytes: 0, behind: 0, damaged: new Set() }
  for (const { number, indexedTo, missing, liveRecords } of parts.index.volumes()) {
    const bytes = sizes.get(number)
    sizes.delete(number)
    if (bytes === undefined) {
      const told = missing === 0 ? 'and the index does not know it' : 'its shards are in the loss list'
      parts.findings.add('volume-missing', `volume ${number} with ${liveRecords} shards is not there, ${told}`)
      continue
    }
    if (bytes < indexedTo) parts.findings.add('volume-short', `volume ${number} ends at ${bytes}, before ${indexedTo}`)
    done.behind += Math.max(0, bytes - indexedTo)
    done.records += await readVolume(parts, number, Math.min(bytes, indexedTo), done.damaged)
    done.bytes += Math.min(bytes, indexedTo)
  }
  for (const bytes of sizes.values()) done.behind += bytes
  return done
}

export function where({ volume, offset, segment, index }: StoredShard): string {
  return `the shard ${index} of segment ${segment.slice(0, 16)} at ${offset} of volume ${volume}`
}

async function readVolume(parts: ReadParts, volume: number, size: number, damaged: Set<string>): Promise<number> {
  const { files, scratch, findings } = parts
  scratch.addVolume(volume, VOLUME_HEADER_BYTES)
  return files.use(volume, async (handle: fs.promises.FileHandle) => {
    const header = Buffer.alloc(VOLUME_HEADER_BYTES)
    await readFully(handle, header, 0)
    const state = inspectVolumeHeader(header, files.host, volume)
    if (state === 'foreign') findings.add('volume-foreign', `volume ${volume} belongs to another host`)
    if (state === 'damaged') findings.add('volume-damaged', `the header of volume ${volume} is damaged`)
    const verify = async (payload: Buffer, record: VolumeRecord) =>
      (await shardTree(payload)).id.equals(idBytes(record.shard))
    const scan = scanVolume(handle, { key: files.key(volume), from: VOLUME_HEADER_BYTES, size, verify })
    let records = 0
    let group: Scanned[] = []
    for (;;) {
      const next = await scan.next()
      if (next.done) group.push(...next.value)
      else group.push(next.value)
      if (group.length >= GROUP || next.done) {
        records += take(parts, volume, group, damaged)
        group = []
      }
      if (next.done) return records
    }
  })
}

function take(parts: ReadParts, volume: number, group: readonly Scanned[], damaged: Set<string>): number {
  const { scratch, findings, index } = parts
  const last = group.at(-1)
  if (last === undefined) return 0
  const records: IndexedRecord[] = []
  const ranges: DamagedRange[] = []
  for (const one of group) {
    if (one.what === 'record') {
      records.push(indexedRecord(one.record, one.offset, null, one.damaged))
      if (!one.damaged) continue
      if (damaged.size < DAMAGED_MAX) damaged.add(`${volume}/${one.offset}`)
      const row = index.find(one.record)
      if (row?.volume !== volume || row.offset !== one.offset) continue
      findings.add('shard-damaged', `${where(row)} does not match its id`)
    } else {
      ranges.push({ offset: one.offset, bytes: one.bytes, reason: 'unreadable' })
      findings.add('volume-damaged', `volume ${volume}: ${one.bytes} bytes at ${one.offset} are no record`)
    }
  }
  forgetReplaced(parts, volume, records)
  scratch.apply(volume, records, ranges, last.offset + last.bytes, 0)
  return records.length
}

/** What was put anew after its time in the trash stands against nothing: the host's index had forgotten what was before it. */
function forgetReplaced({ scratch, trashOverMs }: ReadParts, volume: number, records: readonly IndexedRecord[]): void {
  for (const record of records) {
    if (record.damaged || (record.what !== 'stored' && record.what !== 'trashed')) continue
    const row = scratch.find(record)
    if (row === undefined || row.volume === volume || row.trashedAtMs === null) continue
    if (row.trashedAtMs <= trashOverMs) scratch.forget(record)
  }
}
