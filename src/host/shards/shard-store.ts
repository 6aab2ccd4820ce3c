/**
 * The host's store of shards: volumes on disk and the index beside them, behind put, read and remove.
 *
 * Promises: what put or remove resolved to survives kill -9 and power loss; a serial counts once, also after a crash;
 * bytes that do not match their shard id are never returned; counters are exact. Memory: the payloads of puts in
 * flight, which the caller bounds.
 *
 * Codes: `token-used`, `old-generation`, `shard-mismatch`, `shard-not-found`, `shard-damaged`, `shard-too-young`, `host-full`
 * (the capacity lent), `no-space` (the disk), `host-read-only`.
 */
import { AppError } from '../../base/errors.js'
import { KeyedMutex } from '../../base/keyed-mutex.js'
import { shardTree } from '../../crypto/merkle.js'
import { idBytes, type Pseudonym, type Serial, type ShardId } from '../../model/ids.js'
import type { InventoryRows } from '../ledger/inventory-rows.js'
import type { ShardIndex } from '../ledger/shard-index.js'
import type { StoredShard, Totals } from '../ledger/types.js'
import { Appender } from './appender.js'
import { recordBytes, volumeBytesFor } from './offsets.js'
import { placeOf } from './places.js'
import { reclaimVolumes } from './reclaim.js'
import { RECORD_TYPE, type RecordType } from './record.js'
import { type Recovered, recover } from './recovery.js'
import { mismatch, notFound, refuseOlder, tooYoung } from './refusals.js'
import { damaged, readLeaves, readWhole, type ShardLeaves } from './shard-reader.js'
import { Space } from './space.js'
import type { PutOrder, StoreOptions, StoreParts } from './store-parts.js'
import { StoreUpkeep } from './upkeep.js'
import { VolumeFiles } from './volume-files.js'

/** No put or delete token lives longer; serials replayed from volumes are remembered as long. */
export const SERIAL_KEEP_MS = 7 * 24 * 3_600_000
/** Whatever a bridge says: what was just stored may be named by a record that is on its way. A segment that nobody confirms lives as
 *  long at the bridge. */
export const YOUNG_MS = 72 * 3_600_000
const PURGE_STEPS_MAX = 100 // 100,000 serials a call
const DISK_FLOOR_BYTES = 64 * 1_048_576
const NOTHING = Buffer.alloc(0)

export class ShardStore {
  readonly recovered: Omit<Recovered, 'index'>
  readonly upkeep: StoreUpkeep
  private readonly parts: StoreParts
  private readonly files: VolumeFiles
  private readonly index: ShardIndex
  private readonly appender: Appender
  private readonly space: Space
  private readonly youngMs: number
  private readonly places = new KeyedMutex<string>()
  private readonly serialsInFlight = new Set<Serial>()
  private reclaiming: Promise<void> | null = null
  private readsInFlight = 0

  private constructor(parts: StoreParts, files: VolumeFiles, recovered: Recovered, options: StoreOptions) {
    const { index, ...rest } = recovered
    this.parts = parts
    this.files = files
    this.index = index
    this.recovered = rest
    this.youngMs = options.youngMs ?? YOUNG_MS
    this.appender = new Appender(
      { files, index, nowMs: parts.nowMs, onEnded: () => void this.reclaim() },
      {
        volume: recovered.lastVolume,
        end: recovered.lastEnd,
        volumeBytesMax: options.volumeBytesMax ?? volumeBytesFor(options.capacityBytes),
      },
    )
    this.space = new Space({
      capacityBytes: options.capacityBytes,
      diskFloorBytes: options.diskFloorBytes ?? DISK_FLOOR_BYTES,
      usedBytes: () => this.index.volumeBytes - this.upkeep.copiedBytes,
      diskFreeBytes: () => files.diskFreeBytes(),
    })
    const { kept, log, ownMs } = parts
    this.upkeep = new StoreUpkeep({
      ...{ index, files, kept, log, ownMs, appender: this.appender, places: this.places },
      diskFloorBytes: options.diskFloorBytes ?? DISK_FLOOR_BYTES,
      reclaim: () => this.reclaim(),
    })
  }

  /** Looks at the files first: see recovery.ts. The folder is locked and known to be ours. */
  static async open(parts: StoreParts, options: StoreOptions): Promise<ShardStore> {
    const files = new VolumeFiles({ dir: parts.volumesDir, host: parts.host, seed: parts.seed })
    const recovered = await recover({
      files,
      indexFile: parts.indexFile,
      log: parts.log,
      nowMs: parts.nowMs,
      verify: async (payload, record) => (await shardTree(payload)).id.equals(idBytes(record.shard)),
      serialKeepMs: SERIAL_KEEP_MS,
      saveLosses: (losses) => parts.kept.saveLosses(losses),
      ownMs: parts.ownMs,
    })
    const store = new ShardStore(parts, files, recovered, options)
    if (!store.index.isComplete) {
      store.index.serials.addReplayed(parts.kept.loadSerials())
      store.upkeep.book.markKnown()
      store.index.setComplete()
    }
    await store.upkeep.book.noteMissing(recovered.missing)
    await store.space.freeBytes()
    void store.reclaim()
    return store
  }

  /**
   * Stores the payload, durably, or finds that it is there: then only generation and times are new. The payload is
   * compared with its shard id here; it must not change meanwhile.
   */
  put(order: PutOrder, payload: Buffer): Promise<StoredShard> {
    return this.once(order, async () => {
      const tree = await shardTree(payload)
      if (!tree.id.equals(idBytes(order.shard))) throw mismatch('the bytes are not the shard that the token names')
      const before = this.index.find(order)
      if (before && before.shard !== order.shard) throw mismatch('another shard has this place')
      refuseOlder(order, before)
      if (before && (await this.holds(before, payload))) await this.append(RECORD_TYPE.renewed, order, NOTHING, NOTHING)
      else await this.append(RECORD_TYPE.shard, order, payload, tree.subtrees)
      if (before?.damaged) this.upkeep.book.forget(order)
      return this.index.find(order) as StoredShard
    })
  }

  /**
   * Into the trash, durably: not served from now on, and gone after its time there. `shard-not-found` when it never was or is gone already, `shard-too-young` before its 72 hours. */
  remove(order: PutOrder): Promise<void> {
    return this.once(order, async () => {
      const before = this.index.find(order)
      if (!before || before.trashedAtMs !== null) throw notFound()
      if (before.shard !== order.shard) throw mismatch('another shard has this place')
      refuseOlder(order, before)
      if (this.parts.ownMs() - before.storedAtMs < this.youngMs) throw tooYoung()
      await this.append(RECORD_TYPE.deleted, order, NOTHING, NOTHING)
      if (before.damaged) this.upkeep.book.forget(order)
    })
  }

  get inventory(): InventoryRows {
    return this.index.inventory
  }

  /** Takes a deleted shard back without its bytes; one that is served is only renewed. `shard-not-found`. */
  restore(order: PutOrder): Promise<StoredShard> {
    return this.once(order, async () => {
      const before = this.index.find(order)
      if (!before || before.shard !== order.shard) throw notFound()
      refuseOlder(order, before)
      // It was not read since it was thrown away: whoever takes it back believes that it is whole.
      if (before.damaged) throw damaged(before)
      if (before.trashedAtMs !== null && !(await this.upkeep.book.readsWell(before))) {
        this.upkeep.noteDamage(before)
        throw damaged(before)
      }
      await this.append(RECORD_TYPE.renewed, order, NOTHING, NOTHING)
      return this.index.find(order) as StoredShard
    })
  }

  find(pseudonym: Pseudonym, shard: ShardId): StoredShard {
    const stored = this.index.findByContent(pseudonym, shard)
    if (!stored) throw notFound()
    return stored
  }

  async read(
    pseudonym: Pseudonym,
    shard: ShardId,
    first: number,
    count: number,
  ): Promise<ShardLeaves & { length: number }> {
    const stored = this.find(pseudonym, shard)
    this.readsInFlight++
    try {
      return { ...(await readLeaves(this.files, stored, first, count)), length: stored.length }
    } catch (error) {
      // It may have been deleted and its volume reclaimed meanwhile.
      const still = this.index.find(stored)
      if (!still) throw notFound()
      if (still.offset !== stored.offset || still.volume !== stored.volume)
        return this.read(pseudonym, shard, first, count)
      this.noteDamage(stored, error)
      throw error
    } finally {
      this.readsInFlight--
    }
  }

  /** Requests are under way. */
  get isBusy(): boolean {
    return this.readsInFlight > 0 || this.serialsInFlight.size > 0
  }

  /** A quick check before the body of a put is taken in; put itself looks again. */
  checkRoom(length: number): void {
    if (this.readOnly) throw new AppError('host-read-only', 'the host cannot write', { retry: 'elsewhere' })
    this.space.check(recordBytes(length))
  }

  /** Writing stopped after a failure of the disk; reading goes on. */
  get readOnly(): boolean {
    return this.appender.readOnly
  }

  serialUsed({ serial, serialExpiresMs }: Pick<PutOrder, 'serial' | 'serialExpiresMs'>): boolean {
    if (this.serialsInFlight.has(serial)) return true
    return this.index.serials.has({ serial: idBytes(serial), expires: serialExpiresMs })
  }

  totals(): Totals {
    return this.index.totals()
  }

  /** Asks index and disk: resolves when both answer. Cheap, however much lies here. */
  async answers(): Promise<{ shards: number; liveBytes: number; freeBytes: number }> {
    return { ...this.index.holdings(), freeBytes: await this.freeBytes() }
  }

  /** Exact: what may still be put, in bytes of volume files. */
  freeBytes(): Promise<number> {
    return this.space.freeBytes()
  }

  setCapacity = (bytes: number): void => this.space.setCapacity(bytes)

  damagedShards(limit: number): StoredShard[] {
    return this.index.damagedShards(limit)
  }

  damagedRanges(limit: number) {
    return this.index.damagedRanges(limit)
  }

  /** Forgets serials whose tokens have ended, some at a time: the rest next time. */
  async purgeSerials(): Promise<void> {
    for (let step = 0; step < PURGE_STEPS_MAX && this.index.serials.purge(this.parts.nowMs()) > 0; step++) {
      await new Promise((resolve) => setImmediate(resolve))
    }
  }

  /** Appends in flight settle; new ones are refused. */
  async stop(): Promise<void> {
    await this.appender.stop()
    await this.reclaiming
    await this.files.close()
    this.index.close()
  }

  /** One place at a time, one use of a serial. */
  private async once<T>(order: PutOrder, work: () => Promise<T>): Promise<T> {
    if (this.serialUsed(order)) throw new AppError('token-used', 'the token was used before')
    this.serialsInFlight.add(order.serial)
    try {
      return await this.places.run(placeOf(order), work)
    } finally {
      this.serialsInFlight.delete(order.serial)
    }
  }

  private async append(type: RecordType, order: PutOrder, payload: Buffer, subtrees: Buffer): Promise<void> {
    const { serialExpiresMs, ...fields } = order
    const storedAtMs = this.parts.ownMs()
    const record = { ...fields, type, length: payload.length, storedAtMs, keepUntilMs: 0 }
    const release = type !== RECORD_TYPE.deleted ? await this.space.reserve(recordBytes(payload.length)) : () => {}
    try {
      await this.appender.append({ record, payload, subtrees, serialExpiresMs })
    } finally {
      release()
    }
  }

  private async holds(stored: StoredShard, payload: Buffer): Promise<boolean> {
    if (stored.damaged || stored.length !== payload.length) return false
    try {
      return (await readWhole(this.files, stored)).equals(payload)
    } catch (error) {
      this.noteDamage(stored, error)
      return false
    }
  }

  private noteDamage(stored: StoredShard, error: unknown): void {
    if (error instanceof AppError && error.code === 'shard-damaged') this.upkeep.noteDamage(stored)
  }

  private reclaim(): Promise<void> {
    if (this.reclaiming) return this.reclaiming
    const { index, files, appender } = this
    const { kept, nowMs, log } = this.parts
    this.reclaiming = reclaimVolumes({ index, files, appender, kept, nowMs, log })
      .catch((error) => this.parts.log.error({ err: error }, 'volumes could not be reclaimed'))
      .finally(() => {
        this.reclaiming = null
      })
    return this.reclaiming
  }
}
