/** Statements of the index, prepared once. */
import { pseudonymId, segmentId, shardId } from '../../model/ids.js'
import type { Database, Statement } from '../../sqlite/driver.js'
import type { DamagedRange, StoredShard, Totals, UsedSerial, VolumeState } from './types.js'

export interface ShardRow {
  id: number
  pseudonym: Buffer
  segment: Buffer
  idx: number
  shard: Buffer
  volume: number
  offset: number
  length: number
  generation: number
  storedAtMs: number
  keepUntilMs: number
  damaged: number
  trashedAtMs: number | null
  recordBytes: number
}

/** Record bytes in SQL: offsets.ts recordBytes() with header 136, hash 32 for each 65,536, multiples of 8. */
const RECORD_BYTES = '((136 + length + (length + 65535) / 65536 * 32 + 7) / 8 * 8)'
export const SHARD = `id, pseudonym, segment, idx, shard, volume, offset, length, generation,
  stored_at AS storedAtMs, keep_until AS keepUntilMs, damaged, trashed_at AS trashedAtMs, ${RECORD_BYTES} AS recordBytes`
/** What an end, a renewal or nothing at all weighs: offsets.ts recordBytes(0). */
const BARE_RECORD_BYTES = 136
/** What compaction would give back: dead bytes but for ends that older volumes still need. */
const GAIN = `(dead_bytes - ${BARE_RECORD_BYTES} * ifnull((SELECT sum(records) FROM covers
  WHERE covers.volume = number AND target <> number), 0))`

export function shardOf(row: ShardRow): StoredShard {
  return {
    pseudonym: pseudonymId(row.pseudonym),
    segment: segmentId(row.segment),
    index: row.idx,
    shard: shardId(row.shard),
    volume: row.volume,
    offset: row.offset,
    length: row.length,
    generation: row.generation,
    storedAtMs: row.storedAtMs,
    keepUntilMs: row.keepUntilMs,
    damaged: row.damaged !== 0,
    trashedAtMs: row.trashedAtMs,
  }
}

export function prepareIndexSql(db: Database) {
  const one: Prepare = (text) => db.prepare(text) as never
  return { ...prepareShards(one), ...prepareChanges(one), ...prepareVolumes(one), ...prepareSerials(one) }
}

export type Prepare = <P extends unknown[], R = unknown>(text: string) => Statement<P, R>

function prepareShards(one: Prepare) {
  return {
    find: one<[number, Buffer, Buffer, number], ShardRow>(
      `SELECT ${SHARD} FROM shards WHERE place = ? AND pseudonym = ? AND segment = ? AND idx = ?`,
    ),
    // Two queries: to prefer a sound one by ORDER BY would read all that have this content.
    findSound: one<[number, Buffer, Buffer], ShardRow>(
      `SELECT ${SHARD} FROM shards WHERE shard_key = ? AND item IS NOT NULL AND shard = ? AND pseudonym = ? LIMIT 1`,
    ),
    findDamaged: one<[number, Buffer, Buffer], ShardRow>(
      `SELECT ${SHARD} FROM shards WHERE shard_key = ? AND shard = ? AND pseudonym = ? AND damaged <> 0
         AND trashed_at IS NULL LIMIT 1`,
    ),
    trashedBefore: one<[number, number], ShardRow>(
      `SELECT ${SHARD} FROM shards WHERE trashed_at <= ? ORDER BY trashed_at LIMIT ?`,
    ),
    damagedShards: one<[number], ShardRow>(`SELECT ${SHARD} FROM shards WHERE damaged <> 0 LIMIT ?`),
    inVolume: one<[number, number, number], ShardRow>(
      `SELECT ${SHARD} FROM shards WHERE volume = ? AND offset > ? ORDER BY offset LIMIT ?`,
    ),
    after: one<[number, number], ShardRow & { item: Buffer | null }>(
      `SELECT ${SHARD}, item FROM shards WHERE id > ? ORDER BY id LIMIT ?`,
    ),
  }
}

function prepareChanges(one: Prepare) {
  return {
    insert: one<(number | Buffer | null)[]>(
      `INSERT INTO shards (place, shard_key, pseudonym, segment, idx, item, shard, volume, offset, length, generation,
         stored_at, keep_until, damaged, trashed_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ),
    move: one<(number | Buffer | null)[]>(
      `UPDATE shards SET item = ?, shard = ?, volume = ?, offset = ?, length = ?, generation = ?,
         stored_at = ?, keep_until = ?, damaged = ?, trashed_at = ? WHERE id = ?`,
    ),
    remove: one<[number]>('DELETE FROM shards WHERE id = ?'),
    renew: one<[Buffer | null, number, number, number, number]>(
      'UPDATE shards SET item = ?, generation = ?, stored_at = ?, keep_until = ?, trashed_at = NULL WHERE id = ?',
    ),
    trash: one<[number, number, number]>('UPDATE shards SET item = NULL, trashed_at = ?, generation = ? WHERE id = ?'),
    setDamaged: one<[number, Buffer | null, number]>('UPDATE shards SET damaged = ?, item = ? WHERE id = ?'),
  }
}

function prepareVolumes(one: Prepare) {
  return {
    volumes: one<[], VolumeState>(
      `SELECT number, indexed_to AS indexedTo, live_bytes AS liveBytes, trash_bytes AS trashBytes,
         dead_bytes AS deadBytes, live_records AS liveRecords, trash_records AS trashRecords, missing
       FROM volumes ORDER BY number`,
    ),
    totals: one<[], Totals>(
      `SELECT count(*) AS volumes, ifnull(sum(indexed_to), 0) AS volumeBytes, ifnull(sum(live_bytes), 0) AS liveBytes,
         ifnull(sum(trash_bytes), 0) AS trashBytes, ifnull(sum(dead_bytes), 0) AS deadBytes,
         (SELECT ifnull(sum(live_records), 0) FROM volumes) AS shards, ifnull(sum(trash_records), 0) AS trashShards,
         (SELECT count(*) FROM shards WHERE damaged <> 0) AS damagedShards,
         (SELECT count(*) FROM damage) AS damagedRanges FROM volumes WHERE missing = 0`,
    ),
    setMissing: one<[number, number]>('UPDATE volumes SET missing = ? WHERE number = ?'),
    addVolume: one<[number, number]>(
      'INSERT INTO volumes (number, indexed_to, live_bytes, dead_bytes, live_records) VALUES (?, ?, 0, 0, 0)',
    ),
    addBytes: one<[number, number, number, number, number, number]>(
      `UPDATE volumes SET live_bytes = live_bytes + ?, live_records = live_records + ?, trash_bytes = trash_bytes + ?,
         trash_records = trash_records + ?, dead_bytes = dead_bytes + ? WHERE number = ?`,
    ),
    setIndexedTo: one<[number, number, number]>(
      'UPDATE volumes SET indexed_to = ? WHERE number = ? AND 64 + live_bytes + trash_bytes + dead_bytes = ?',
    ),
    addCover: one<[number, number, number]>(
      `INSERT INTO covers VALUES (?, ?, ?) ON CONFLICT (volume, target) DO UPDATE SET records = records + excluded.records`,
    ),
    covered: one<[number], { target: number; records: number }>(
      'SELECT target, records FROM covers WHERE volume = ? AND target <> volume',
    ),
    coversDead: one<[number]>(
      'SELECT 1 FROM covers JOIN volumes ON number = target WHERE covers.volume = ? AND target <> volume AND dead_bytes > 0',
    ),
    coverers: one<[number], { volume: number }>('SELECT volume FROM covers WHERE target = ? AND target <> volume'),
    dropCovers: one<[number]>('DELETE FROM covers WHERE volume = ?'),
    allCovers: one<[], { volume: number; target: number }>('SELECT volume, target FROM covers WHERE volume <> target'),
    addDamage: one<[number, number, number, string, number]>('INSERT OR REPLACE INTO damage VALUES (?, ?, ?, ?, ?)'),
    damagedRanges: one<[number], DamagedRange & { volume: number }>(
      'SELECT volume, offset, bytes, reason FROM damage ORDER BY volume, offset LIMIT ?',
    ),
    reclaimable: one<[], { number: number }>(
      `SELECT number FROM volumes WHERE live_records = 0 AND trash_records = 0 AND dead_bytes > 0 AND missing = 0
         AND NOT EXISTS (SELECT 1 FROM covers WHERE covers.volume = number AND target <> number) ORDER BY number`,
    ),
    compactable: one<[number, number, number], VolumeState>(
      `SELECT number, live_bytes AS liveBytes, trash_bytes AS trashBytes FROM volumes
       WHERE number <> ? AND missing = 0 AND ${GAIN} > ? AND ${GAIN} >= ? * (indexed_to - 64)
         AND NOT EXISTS (SELECT 1 FROM shards WHERE shards.volume = number AND damaged <> 0)
       ORDER BY ${GAIN} * 1.0 / (1 + live_bytes + trash_bytes) DESC, number`,
    ),
    dropVolume: [
      one<[number]>('DELETE FROM covers WHERE volume = ?'),
      one<[number]>('DELETE FROM covers WHERE target = ?'),
      one<[number]>('DELETE FROM damage WHERE volume = ?'),
      one<[number]>('DELETE FROM shards WHERE volume = ?'),
      one<[number]>('DELETE FROM volumes WHERE number = ?'),
    ],
  }
}

function prepareSerials(one: Prepare) {
  return {
    hasSerial: one<[number, Buffer]>('SELECT 1 FROM serials WHERE expires = ? AND serial = ?'),
    addSerial: one<[number, Buffer]>('INSERT INTO serials VALUES (?, ?) ON CONFLICT DO NOTHING'),
    serialsAfter: one<[number, Buffer, number], UsedSerial>(
      'SELECT serial, expires FROM serials WHERE (expires, serial) > (?, ?) ORDER BY expires, serial LIMIT ?',
    ),
    purgeSerials: one<[number, number]>(
      `DELETE FROM serials WHERE (expires, serial) IN
         (SELECT expires, serial FROM serials WHERE expires < ? ORDER BY expires LIMIT ?)`,
    ),
    replayedSerial: one<[Buffer], UsedSerial>('SELECT serial, expires FROM replayed_serials WHERE serial = ?'),
    addReplayed: one<[Buffer, number]>('INSERT INTO replayed_serials VALUES (?, ?) ON CONFLICT DO NOTHING'),
    purgeReplayed: one<[number, number]>(
      'DELETE FROM replayed_serials WHERE serial IN (SELECT serial FROM replayed_serials WHERE expires < ? LIMIT ?)',
    ),
    hasFact: one<[string]>('SELECT 1 FROM facts WHERE name = ?'),
    setFact: one<[string]>('INSERT INTO facts VALUES (?, 1) ON CONFLICT DO NOTHING'),
  }
}

export type IndexSql = ReturnType<typeof prepareIndexSql>
