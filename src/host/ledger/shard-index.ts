/**
 * The host's index: which shard lies where, used serials, exact byte counters. Derived from the volumes: it may lag
 * behind them (`indexedTo` says how far it is), never run ahead. One transaction takes in a group of records, so that
 * rows, serials, counters and position always agree. Synchronous; every call is one short transaction or query.
 *
 * Failures: `no-space`, `database-damaged`, `disk-failing` and what else sqlite/failures.ts names.
 */
import fs from 'node:fs'
import { assert } from '../../base/assert.js'
import { isCode } from '../../base/errors.js'
import { idBytes, type Pseudonym, type ShardId } from '../../model/ids.js'
import type { Database } from '../../sqlite/driver.js'
import { guarded } from '../../sqlite/failures.js'
import { flushToDisk, openDatabase, quickCheck, transaction } from '../../sqlite/open.js'
import { itemOf, RecordChanges } from './changes.js'
import { CoverRows } from './cover-rows.js'
import { InventoryRows } from './inventory-rows.js'
import { placeKey, shardKey } from './keys.js'
import { boundLog } from './log-bound.js'
import { INDEX_KIND, INDEX_MIGRATIONS } from './schema.js'
import { SerialRows } from './serial-rows.js'
import { type IndexSql, prepareIndexSql, type ShardRow, shardOf } from './sql.js'
import type { DamagedRange, IndexedRecord, ShardKey, StoredShard, Totals, VolumeState } from './types.js'

/** In one transaction, while requests wait: some ten milliseconds when no page of them is in memory. */
const TRASH_PURGED_MAX = 250
/** At a million shards this holds the trees in which a put writes; at ten million their inner nodes, and what is hot. */
const CACHE_BYTES = 128 * 1_048_576

export class ShardIndex {
  readonly inventory: InventoryRows
  readonly serials: SerialRows
  readonly covers: CoverRows
  private readonly db: Database
  private readonly sql: IndexSql
  private readonly changes: RecordChanges
  private bytes: number
  private readonly suspicion: string | null

  private constructor(db: Database, suspicion: string | null) {
    this.db = db
    this.suspicion = suspicion
    this.sql = prepareIndexSql(db)
    this.changes = new RecordChanges(this.sql)
    this.inventory = new InventoryRows(db)
    const run = <T>(work: () => T) => this.run(work)
    const change = (work: () => void) => this.change(work)
    this.serials = new SerialRows(this.sql, run, change)
    this.covers = new CoverRows(this.sql, run, change)
    this.bytes = (this.sql.totals.get() as Totals).volumeBytes
    boundLog(db)
  }

  /**
   * Checks the file, which costs a read of all of it, when damage was met in it before. A process that was killed leaves no
   * damage: a start after it is as quick as any.
   */
  static open(file: string): ShardIndex {
    const db = openDatabase(file, {
      kind: INDEX_KIND,
      migrations: INDEX_MIGRATIONS,
      exclusive: true,
      cacheBytes: CACHE_BYTES,
    })
    const suspicion = file === ':memory:' ? null : `${file}.suspect`
    try {
      if (suspicion !== null && fs.existsSync(suspicion)) {
        quickCheck(db)
        fs.rmSync(suspicion)
      }
      return guarded(() => new ShardIndex(db, suspicion))
    } catch (error) {
      db.close()
      throw error
    }
  }

  close(): void {
    this.db.close()
  }

  private run<T>(work: () => T): T {
    try {
      return guarded(work)
    } catch (error) {
      if (isCode(error, 'database-damaged')) this.suspect()
      throw error
    }
  }

  /** The next start looks at all of it. */
  private suspect(): void {
    try {
      if (this.suspicion !== null) fs.writeFileSync(this.suspicion, '')
    } catch {
      // A disk that takes no mark: whoever meets the damage again tries again.
    }
  }

  private change(work: () => void): void {
    this.run(() => transaction(this.db, work))
  }

  /** Bytes of all volume files. */
  get volumeBytes(): number {
    return this.bytes
  }

  volumes(): VolumeState[] {
    return this.run(() => this.sql.volumes.all())
  }

  /** What lies here, without a look at every shard. */
  holdings(): { shards: number; liveBytes: number } {
    const volumes = this.volumes()
    const sum = (of: 'liveRecords' | 'liveBytes') => volumes.reduce((total, one) => total + one[of], 0)
    return { shards: sum('liveRecords'), liveBytes: sum('liveBytes') }
  }

  totals(): Totals {
    return this.run(() => this.sql.totals.get() as Totals)
  }

  find(key: ShardKey): StoredShard | undefined {
    const row = this.row(key)
    return row && shardOf(row)
  }

  private row(key: ShardKey): ShardRow | undefined {
    const pseudonym = idBytes(key.pseudonym)
    const segment = idBytes(key.segment)
    return this.run(() => this.sql.find.get(placeKey(pseudonym, segment, key.index), pseudonym, segment, key.index))
  }

  /** A served shard of this pseudonym by its content. Prefers an undamaged one when it lies here twice. */
  findByContent(pseudonym: Pseudonym, shard: ShardId): StoredShard | undefined {
    const id = idBytes(shard)
    const wanted = [shardKey(id), id, idBytes(pseudonym)] as const
    const row = this.run(() => this.sql.findSound.get(...wanted) ?? this.sql.findDamaged.get(...wanted))
    return row && shardOf(row)
  }

  addVolume(number: number, headerBytes: number): void {
    this.run(() => this.sql.addVolume.run(number, headerBytes))
    this.bytes += headerBytes
    boundLog(this.db)
  }

  /** Takes in records, in the order in which they lie in the volume, up to `indexedTo`. All or nothing. */
  apply(
    volume: number,
    records: readonly IndexedRecord[],
    ranges: readonly DamagedRange[],
    indexedTo: number,
    nowMs: number,
  ): void {
    this.changeRecords(() => {
      for (const record of records) this.changes.take(volume, record)
      for (const range of ranges) {
        this.sql.addDamage.run(volume, range.offset, range.bytes, range.reason, nowMs)
        this.changes.dead(volume, range.bytes)
      }
      this.changes.flush()
      const changed = this.sql.setIndexedTo.run(indexedTo, volume, indexedTo)
      assert(changed.changes === 1, `counters of volume ${volume} do not add up to ${indexedTo}`)
    })
    this.bytes += records.reduce((sum, one) => sum + one.recordBytes, 0)
    this.bytes += ranges.reduce((sum, one) => sum + one.bytes, 0)
  }

  private changeRecords(work: () => void): void {
    this.changes.begin()
    this.change(work)
  }

  /**
   * Ends what was thrown away at or before this time, some of it, but for what is busy: a restore may be under way. The
   * number that went: 0 when nothing is due.
   */
  purgeTrash(beforeMs: number, isBusy: (key: ShardKey) => boolean): number {
    const due = this.run(() => this.sql.trashedBefore.all(beforeMs, TRASH_PURGED_MAX))
    // await-free: what is not busy now is gone before anything else runs
    const ending = due.filter((row) => !isBusy(shardOf(row)))
    if (ending.length > 0) this.forgetRows(ending)
    return ending.length
  }

  /** Ends a shard at once, as emptying the trash does; nothing without it. */
  forget(key: ShardKey): void {
    const row = this.row(key)
    if (row !== undefined) this.forgetRows([row])
  }

  private forgetRows(rows: readonly ShardRow[]): void {
    this.changeRecords(() => {
      for (const row of rows) this.changes.forget(row)
      this.changes.flush()
    })
  }

  /** Stored payloads were found wrong, where they lay then: they are known from now on and not served. */
  markDamaged(shards: readonly StoredShard[]): void {
    this.change(() => {
      for (const shard of shards) this.setDamaged(shard, 1)
    })
  }

  /** It reads well after all. */
  clearDamage(shard: StoredShard): void {
    this.change(() => this.setDamaged(shard, 0))
  }

  private setDamaged(shard: StoredShard, damaged: 0 | 1): void {
    const row = this.row(shard)
    if (row === undefined || row.volume !== shard.volume || row.offset !== shard.offset) return
    const item = row.trashedAtMs === null ? itemOf({ ...row, damaged }) : null
    this.sql.setDamaged.run(damaged, item, row.id)
  }

  damagedShards(limit: number): StoredShard[] {
    return this.run(() => this.sql.damagedShards.all(limit)).map(shardOf)
  }

  damagedRanges(limit: number): (DamagedRange & { volume: number })[] {
    return this.run(() => this.sql.damagedRanges.all(limit))
  }

  /** Volumes without a live record that no remaining volume needs: their files may go. Lowest number first. */
  reclaimable(): number[] {
    return this.run(() => this.sql.reclaimable.all()).map((row) => row.number)
  }

  /**
   * Volumes but `current` of which at least this share can be given back and nothing is damaged, those with most to give
   * back for each byte that would have to be copied first.
   */
  compactable(current: number, deadShareMin: number): VolumeState[] {
    return this.run(() => this.sql.compactable.all(current, 0, deadShareMin))
  }

  /** Everything up to now survives a loss of power: before a file goes that the index of before would need. */
  flush(): void {
    this.run(() => flushToDisk(this.db))
  }

  /** Shards of a volume behind `afterOffset`, in the order in which they lie there. */
  inVolume(volume: number, afterOffset: number, limit: number): StoredShard[] {
    return this.run(() => this.sql.inVolume.all(volume, afterOffset, limit)).map(shardOf)
  }

  /** Some rows behind this one, in the order in which they came; `id` for the next call. */
  rowsAfter(id: number, limit: number): { id: number; shard: StoredShard; item: Buffer | null }[] {
    const rows = this.run(() => this.sql.after.all(id, limit))
    return rows.map((row) => ({ id: row.id, shard: shardOf(row), item: row.item }))
  }

  /** Whose files are not there now. */
  setMissing(missing: ReadonlySet<number>): void {
    this.change(() => {
      for (const one of this.sql.volumes.all()) {
        if ((one.missing !== 0) !== missing.has(one.number)) {
          this.sql.setMissing.run(missing.has(one.number) ? 1 : 0, one.number)
        }
      }
    })
    this.bytes = this.totals().volumeBytes
  }

  /** False: it was made since, and does not know yet what is kept beside it: serials of volumes that went, losses. */
  get isComplete(): boolean {
    return this.run(() => this.sql.hasFact.get('complete')) !== undefined
  }

  setComplete(): void {
    this.run(() => this.sql.setFact.run('complete'))
  }

  /** Made by a program that knew no trash: what was deleted then is not in it. */
  get isUpgraded(): boolean {
    return this.run(() => this.sql.hasFact.get('upgraded')) !== undefined
  }

  /** The file is gone, durably. */
  dropVolume(number: number): void {
    this.change(() => {
      for (const statement of this.sql.dropVolume) statement.run(number)
    })
    this.bytes = this.totals().volumeBytes
  }
}
