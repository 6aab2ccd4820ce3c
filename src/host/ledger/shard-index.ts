/**
 * The host's index: which shard lies where, used serials, exact byte counters. Derived from the volumes: it may lag
 * behind them (`indexedTo` says how far it is), never run ahead. One transaction takes in a group of records, so that
 * rows, serials, counters and position always agree. Synchronous; every call is one short transaction or query.
 *
 * Failures: `no-space`, `database-damaged`, `disk-failing` and what else sqlite/failures.ts names.
 */
import { assert } from '../../base/assert.js'
import { AppError, isCode } from '../../base/errors.js'
import { idBytes, type Pseudonym, type Serial, type ShardId } from '../../model/ids.js'
import type { Database } from '../../sqlite/driver.js'
import { guarded } from '../../sqlite/failures.js'
import { openDatabase, quickCheck, transaction } from '../../sqlite/open.js'
import { InventoryRows } from './inventory-rows.js'
import { INDEX_KIND, INDEX_MIGRATIONS } from './schema.js'
import { type IndexSql, prepareIndexSql, type ShardRow, shardOf } from './sql.js'
import type { DamagedRange, IndexedRecord, ShardKey, StoredShard, Totals, UsedSerial, VolumeState } from './types.js'

/** Rows of a purge in one transaction: a few milliseconds. */
const PURGE_ROWS_MAX = 5_000

export class ShardIndex {
  readonly inventory: InventoryRows
  private readonly db: Database
  private readonly sql: IndexSql
  private bytes: number
  private damaged = false

  private constructor(db: Database) {
    this.db = db
    this.sql = prepareIndexSql(db)
    this.inventory = new InventoryRows(db)
    this.bytes = (this.sql.totals.get() as Totals).volumeBytes
  }

  /** Checks the file when it was not closed in order: that costs a read of all of it. */
  static open(file: string): ShardIndex {
    const db = openDatabase(file, { kind: INDEX_KIND, migrations: INDEX_MIGRATIONS, exclusive: true })
    try {
      const index = guarded(() => new ShardIndex(db))
      if (!index.takeFact('closed')) quickCheck(db)
      return index
    } catch (error) {
      db.close()
      throw error
    }
  }

  /** Marks an orderly end, unless damage was met: then the next start looks at all of it. */
  close(): void {
    try {
      if (!this.damaged) this.run(() => this.sql.setFact.run('closed'))
    } catch (error) {
      // A full disk at the end: without the mark the next start looks at the index, which is all it is for.
      if (!(error instanceof AppError)) throw error
    } finally {
      this.db.close()
    }
  }

  abandon(): void {
    this.db.close()
  }

  private run<T>(work: () => T): T {
    try {
      return guarded(work)
    } catch (error) {
      this.damaged ||= isCode(error, 'database-damaged')
      throw error
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
    const row = this.run(() => this.sql.find.get(idBytes(key.pseudonym), idBytes(key.segment), key.index))
    return row && shardOf(row)
  }

  /** A shard of this pseudonym by its content. Prefers an undamaged one when it lies here twice. */
  findByContent(pseudonym: Pseudonym, shard: ShardId): StoredShard | undefined {
    const row = this.run(() => this.sql.findByContent.get(idBytes(shard), idBytes(pseudonym)))
    return row && shardOf(row)
  }

  serialUsed(serial: Serial): boolean {
    return this.run(() => this.sql.serialUsed.get(idBytes(serial))) !== undefined
  }

  serialsOf(volume: number): UsedSerial[] {
    return this.run(() => this.sql.serialsOf.all(volume))
  }

  /** Serials that no volume holds any more. */
  addSerials(serials: readonly UsedSerial[]): void {
    this.change(() => {
      for (const one of serials) this.sql.addSerial.run(one.serial, one.expires, 0)
    })
  }

  purgeSerials(beforeMs: number): number {
    return this.run(() => this.sql.purgeSerials.run(beforeMs, PURGE_ROWS_MAX).changes)
  }

  addVolume(number: number, headerBytes: number): void {
    this.run(() => this.sql.addVolume.run(number, headerBytes))
    this.bytes += headerBytes
  }

  /** Takes in records, in the order in which they lie in the volume, up to `indexedTo`. All or nothing. */
  apply(
    volume: number,
    records: readonly IndexedRecord[],
    ranges: readonly DamagedRange[],
    indexedTo: number,
    nowMs: number,
  ): void {
    this.change(() => {
      for (const record of records) this.applyOne(volume, record)
      for (const range of ranges) {
        this.sql.addDamage.run(volume, range.offset, range.bytes, range.reason, nowMs)
        this.sql.addDead.run(range.bytes, volume)
      }
      const changed = this.sql.setIndexedTo.run(indexedTo, volume, indexedTo)
      assert(changed.changes === 1, `counters of volume ${volume} do not add up to ${indexedTo}`)
    })
    this.bytes += records.reduce((sum, one) => sum + one.recordBytes, 0)
    this.bytes += ranges.reduce((sum, one) => sum + one.bytes, 0)
  }

  private applyOne(volume: number, record: IndexedRecord): void {
    const key = [idBytes(record.pseudonym), idBytes(record.segment), record.index] as const
    const before = this.sql.find.get(...key)
    this.sql.addSerial.run(idBytes(record.serial), record.serialExpiresMs, volume)
    if (before && before.volume !== volume) this.sql.addCover.run(volume, before.volume)
    if (record.what !== 'stored') this.sql.addDead.run(record.recordBytes, volume)
    if (record.what === 'renewed') {
      if (before) this.count(before, 'live')
      this.sql.renew.run(record.generation, record.storedAtMs, record.keepUntilMs, ...key)
    } else if (record.what === 'ended') {
      if (before) this.end(before, record)
    } else if (before && record.damaged && before.damaged === 0) {
      // A sound one is there: the damaged one is dead at once.
      this.sql.addDead.run(record.recordBytes, volume)
    } else {
      if (before) this.forget(before)
      this.insert(volume, record)
    }
  }

  private insert(volume: number, record: IndexedRecord): void {
    this.sql.addLive.run(record.recordBytes, 1, volume)
    this.sql.insert.run(
      idBytes(record.pseudonym),
      idBytes(record.segment),
      record.index,
      idBytes(record.shard),
      volume,
      record.offset,
      record.length,
      record.generation,
      record.storedAtMs,
      record.keepUntilMs,
      record.damaged ? 1 : 0,
    )
  }

  /** Into the trash; what is damaged is nothing to keep. */
  private end(before: ShardRow, record: IndexedRecord): void {
    if (before.damaged !== 0) {
      this.forget(before)
      return
    }
    this.count(before, 'trash')
    this.sql.trash.run(record.storedAtMs, record.generation, before.pseudonym, before.segment, before.idx)
  }

  private forget(row: ShardRow): void {
    this.count(row, 'dead')
    this.sql.remove.run(row.pseudonym, row.segment, row.idx)
  }

  /** Moves a record's bytes from where they are counted to where they are from now on. */
  private count(row: ShardRow, as: 'live' | 'trash' | 'dead'): void {
    const { volume, recordBytes } = row
    if (row.trashedAtMs === null) this.sql.addLive.run(-recordBytes, -1, volume)
    else this.sql.addTrash.run(-recordBytes, -1, volume)
    if (as === 'live') this.sql.addLive.run(recordBytes, 1, volume)
    else if (as === 'trash') this.sql.addTrash.run(recordBytes, 1, volume)
    else this.sql.addDead.run(recordBytes, volume)
  }

  /** Ends what was thrown away at or before this time, some of it. The number that went: 0 when nothing is due. */
  purgeTrash(beforeMs: number): number {
    const due = this.run(() => this.sql.trashedBefore.all(beforeMs, PURGE_ROWS_MAX))
    if (due.length === 0) return 0
    this.change(() => {
      for (const row of due) this.forget(row)
    })
    return due.length
  }

  /** A stored payload was found wrong when it was read: it is known from now on and not served. */
  markDamaged(key: ShardKey): void {
    this.run(() => this.sql.markDamaged.run(idBytes(key.pseudonym), idBytes(key.segment), key.index))
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
   * Volumes but `current` of which at least this share is dead and nothing is damaged, most dead bytes for each that
   * would have to be copied first.
   */
  compactable(current: number, deadShareMin: number): number[] {
    return this.run(() => this.sql.compactable.all(current, deadShareMin)).map((row) => row.number)
  }

  /** Older volumes with records that records of this one end or replace. */
  covered(volume: number): number[] {
    return this.run(() => this.sql.covered.all(volume)).map((row) => row.target)
  }

  /** What `volume` covered is covered by `heirs` from now on, and by whatever covered `volume`. */
  passCovers(volume: number, heirs: readonly number[]): void {
    this.change(() => {
      const all = [...heirs, ...this.sql.coverers.all(volume).map((row) => row.volume)]
      for (const { target } of this.sql.covered.all(volume)) {
        for (const heir of all) if (heir !== target) this.sql.addCover.run(heir, target)
      }
      this.sql.dropCovers.run(volume)
    })
  }

  /** Shards of a volume behind `afterOffset`, in the order in which they lie there. */
  inVolume(volume: number, afterOffset: number, limit: number): StoredShard[] {
    return this.run(() => this.sql.inVolume.all(volume, afterOffset, limit)).map(shardOf)
  }

  /** The file is gone, durably. */
  dropVolume(number: number): void {
    this.change(() => {
      for (const statement of this.sql.dropVolume) statement.run(number)
    })
    this.bytes = (this.run(() => this.sql.totals.get()) as Totals).volumeBytes
  }

  private takeFact(name: string): boolean {
    return this.run(() => this.sql.takeFact.run(name).changes) === 1
  }
}
