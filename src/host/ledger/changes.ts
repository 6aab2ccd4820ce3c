/**
 * What a record does to the index. A shard's row is what its last records say: where the payload lies, whether it is served
 * or in the trash, and by which generation. Bytes are gathered and written once a transaction: `flush`, and nothing reads
 * them before it.
 */
import { idBytes } from '../../model/ids.js'
import { inventoryItemHash } from '../../permits/inventory-item.js'
import { placeKey, shardKey } from './keys.js'
import { type IndexSql, type ShardRow, shardOf } from './sql.js'
import type { IndexedRecord } from './types.js'

interface Bytes {
  live: number
  liveRecords: number
  trash: number
  trashRecords: number
  dead: number
}

/** A row as far as it says where its bytes are counted. */
type Counted = Pick<ShardRow, 'volume' | 'recordBytes' | 'trashedAtMs'>

export class RecordChanges {
  private readonly sql: IndexSql
  private readonly gathered = new Map<number, Bytes>()

  constructor(sql: IndexSql) {
    this.sql = sql
  }

  /** A transaction begins: what one that failed left over is forgotten. */
  begin(): void {
    this.gathered.clear()
  }

  flush(): void {
    for (const [volume, { live, liveRecords, trash, trashRecords, dead }] of this.gathered) {
      this.sql.addBytes.run(live, liveRecords, trash, trashRecords, dead, volume)
    }
    this.gathered.clear()
  }

  take(volume: number, record: IndexedRecord): void {
    const pseudonym = idBytes(record.pseudonym)
    const segment = idBytes(record.segment)
    const place = placeKey(pseudonym, segment, record.index)
    const before = this.sql.find.get(place, pseudonym, segment, record.index)
    if (record.serialExpiresMs !== null) this.sql.addSerial.run(record.serialExpiresMs, idBytes(record.serial))
    if (before && before.volume !== volume) this.sql.addCover.run(volume, before.volume, 1)
    if (record.what === 'stored' || record.what === 'trashed') {
      this.takePayload(volume, record, before, [place, shardKey(idBytes(record.shard)), pseudonym, segment])
      return
    }
    this.dead(volume, record.recordBytes)
    if (!before) return
    if (record.what === 'ended') this.end(before, record)
    else this.renew(before, record)
  }

  /** Bytes of no row. */
  dead(volume: number, bytes: number): void {
    this.of(volume).dead += bytes
  }

  forget(row: ShardRow): void {
    this.uncount(row)
    this.dead(row.volume, row.recordBytes)
    this.sql.remove.run(row.id)
  }

  private takePayload(
    volume: number,
    record: IndexedRecord,
    before: ShardRow | undefined,
    keys: [place: number, shardKey: number, pseudonym: Buffer, segment: Buffer],
  ): void {
    if (before && record.damaged && before.damaged === 0) {
      // A sound one is there: the damaged one is dead at once.
      this.dead(volume, record.recordBytes)
      return
    }
    if (before) {
      this.uncount(before)
      this.dead(before.volume, before.recordBytes)
    }
    const isTrash = record.what === 'trashed'
    // Of a copy that lies in the trash: see RECORD_TYPE.trashed.
    const trashedAtMs = isTrash ? record.keepUntilMs : null
    const keepUntilMs = isTrash ? 0 : record.keepUntilMs
    const item = isTrash || record.damaged ? null : inventoryItemHash(record)
    const { offset, length, generation, storedAtMs, recordBytes } = record
    const shard = idBytes(record.shard)
    const state = [generation, storedAtMs, keepUntilMs, record.damaged ? 1 : 0, trashedAtMs] as const
    // The same shard stays the same row: its keys need not be written again.
    if (before?.shard.equals(shard)) {
      this.sql.move.run(item, shard, volume, offset, length, ...state, before.id)
    } else {
      if (before) this.sql.remove.run(before.id)
      this.sql.insert.run(...keys, record.index, item, shard, volume, offset, length, ...state)
    }
    this.count({ volume, recordBytes, trashedAtMs })
  }

  /** Into the trash; what is damaged is nothing to keep. */
  private end(before: ShardRow, record: IndexedRecord): void {
    if (before.damaged !== 0) {
      this.forget(before)
      return
    }
    this.uncount(before)
    this.sql.trash.run(record.storedAtMs, record.generation, before.id)
    this.count({ ...before, trashedAtMs: record.storedAtMs })
  }

  private renew(before: ShardRow, record: IndexedRecord): void {
    this.uncount(before)
    const { generation, storedAtMs, keepUntilMs } = record
    this.sql.renew.run(itemOf({ ...before, generation }), generation, storedAtMs, keepUntilMs, before.id)
    this.count({ ...before, trashedAtMs: null })
  }

  private count(row: Counted): void {
    this.add(row, 1)
  }

  private uncount(row: Counted): void {
    this.add(row, -1)
  }

  private add({ volume, recordBytes, trashedAtMs }: Counted, sign: 1 | -1): void {
    const bytes = this.of(volume)
    if (trashedAtMs === null) {
      bytes.live += sign * recordBytes
      bytes.liveRecords += sign
    } else {
      bytes.trash += sign * recordBytes
      bytes.trashRecords += sign
    }
  }

  private of(volume: number): Bytes {
    let bytes = this.gathered.get(volume)
    if (bytes === undefined) {
      bytes = { live: 0, liveRecords: 0, trash: 0, trashRecords: 0, dead: 0 }
      this.gathered.set(volume, bytes)
    }
    return bytes
  }
}

/** What a served row counts as in the inventory; a damaged one does not. */
export function itemOf(row: ShardRow): Buffer | null {
  return row.damaged === 0 ? inventoryItemHash(shardOf(row)) : null
}
