/** Statements of the index, prepared once. */
import { pseudonymId, segmentId, shardId } from '../../model/ids.js'
import type { Database, Statement } from '../../sqlite/driver.js'
import type { DamagedRange, StoredShard, Totals, UsedSerial, VolumeState } from './types.js'

export interface ShardRow {
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
export const SHARD = `pseudonym, segment, idx, shard, volume, offset, length, generation,
  stored_at AS storedAtMs, keep_until AS keepUntilMs, damaged, trashed_at AS trashedAtMs, ${RECORD_BYTES} AS recordBytes`
const KEY = 'pseudonym = ? AND segment = ? AND idx = ?'

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
  return { ...prepareShards(one), ...prepareVolumes(one) }
}

type Prepare = <P extends unknown[], R = unknown>(text: string) => Statement<P, R>

function prepareShards(one: Prepare) {
  return {
    volumes: one<[], VolumeState>(
      `SELECT number, indexed_to AS indexedTo, live_bytes AS liveBytes, trash_bytes AS trashBytes,
         dead_bytes AS deadBytes, live_records AS liveRecords, trash_records AS trashRecords
       FROM volumes ORDER BY number`,
    ),
    totals: one<[], Totals>(
      `SELECT count(*) AS volumes, ifnull(sum(indexed_to), 0) AS volumeBytes, ifnull(sum(live_bytes), 0) AS liveBytes,
         ifnull(sum(trash_bytes), 0) AS trashBytes, ifnull(sum(dead_bytes), 0) AS deadBytes,
         ifnull(sum(live_records), 0) AS shards, ifnull(sum(trash_records), 0) AS trashShards,
         (SELECT count(*) FROM shards WHERE damaged <> 0) AS damagedShards,
         (SELECT count(*) FROM damage) AS damagedRanges FROM volumes`,
    ),
    find: one<[Buffer, Buffer, number], ShardRow>(`SELECT ${SHARD} FROM shards WHERE ${KEY}`),
    findByContent: one<[Buffer, Buffer], ShardRow>(
      `SELECT ${SHARD} FROM shards WHERE shard = ? AND pseudonym = ? AND trashed_at IS NULL
       ORDER BY damaged LIMIT 1`,
    ),
    insert: one<[Buffer, Buffer, number, Buffer, number, number, number, number, number, number, number]>(
      `INSERT INTO shards (pseudonym, segment, idx, shard, volume, offset, length, generation, stored_at, keep_until, damaged)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ),
    remove: one<[Buffer, Buffer, number]>(`DELETE FROM shards WHERE ${KEY}`),
    renew: one<[number, number, number, Buffer, Buffer, number]>(
      `UPDATE shards SET generation = ?, stored_at = ?, keep_until = ?, trashed_at = NULL WHERE ${KEY}`,
    ),
    trash: one<[number, number, Buffer, Buffer, number]>(
      `UPDATE shards SET trashed_at = ?, generation = ? WHERE ${KEY}`,
    ),
    trashedBefore: one<[number, number], ShardRow>(
      `SELECT ${SHARD} FROM shards WHERE trashed_at <= ? ORDER BY trashed_at LIMIT ?`,
    ),
    markDamaged: one<[Buffer, Buffer, number]>(`UPDATE shards SET damaged = 1 WHERE ${KEY}`),
    damagedShards: one<[number], ShardRow>(`SELECT ${SHARD} FROM shards WHERE damaged <> 0 LIMIT ?`),
    serialUsed: one<[Buffer]>('SELECT 1 FROM serials WHERE serial = ?'),
    addSerial: one<[Buffer, number, number]>('INSERT INTO serials VALUES (?, ?, ?) ON CONFLICT DO NOTHING'),
    serialsOf: one<[number], UsedSerial>('SELECT serial, expires FROM serials WHERE volume = ?'),
    purgeSerials: one<[number, number]>(
      'DELETE FROM serials WHERE serial IN (SELECT serial FROM serials WHERE expires < ? LIMIT ?)',
    ),
  }
}

function prepareVolumes(one: Prepare) {
  return {
    addVolume: one<[number, number]>(
      'INSERT INTO volumes (number, indexed_to, live_bytes, dead_bytes, live_records) VALUES (?, ?, 0, 0, 0)',
    ),
    addLive: one<[number, number, number]>(
      'UPDATE volumes SET live_bytes = live_bytes + ?, live_records = live_records + ? WHERE number = ?',
    ),
    addTrash: one<[number, number, number]>(
      'UPDATE volumes SET trash_bytes = trash_bytes + ?, trash_records = trash_records + ? WHERE number = ?',
    ),
    addDead: one<[number, number]>('UPDATE volumes SET dead_bytes = dead_bytes + ? WHERE number = ?'),
    setIndexedTo: one<[number, number, number]>(
      'UPDATE volumes SET indexed_to = ? WHERE number = ? AND 64 + live_bytes + trash_bytes + dead_bytes = ?',
    ),
    addCover: one<[number, number]>('INSERT INTO covers VALUES (?, ?) ON CONFLICT DO NOTHING'),
    addDamage: one<[number, number, number, string, number]>('INSERT OR REPLACE INTO damage VALUES (?, ?, ?, ?, ?)'),
    damagedRanges: one<[number], DamagedRange & { volume: number }>(
      'SELECT volume, offset, bytes, reason FROM damage ORDER BY volume, offset LIMIT ?',
    ),
    reclaimable: one<[], { number: number }>(
      `SELECT number FROM volumes WHERE live_records = 0 AND trash_records = 0 AND dead_bytes > 0
         AND NOT EXISTS (SELECT 1 FROM covers WHERE covers.volume = number AND target <> number) ORDER BY number`,
    ),
    compactable: one<[number, number], { number: number }>(
      `SELECT number FROM volumes WHERE number <> ? AND dead_bytes > 0 AND dead_bytes >= ? * (indexed_to - 64)
         AND NOT EXISTS (SELECT 1 FROM shards WHERE shards.volume = number AND damaged <> 0)
       ORDER BY dead_bytes * 1.0 / (1 + live_bytes + trash_bytes) DESC, number`,
    ),
    covered: one<[number], { target: number }>('SELECT target FROM covers WHERE volume = ? AND target <> volume'),
    coverers: one<[number], { volume: number }>('SELECT volume FROM covers WHERE target = ? AND target <> volume'),
    dropCovers: one<[number]>('DELETE FROM covers WHERE volume = ?'),
    inVolume: one<[number, number, number], ShardRow>(
      `SELECT ${SHARD} FROM shards WHERE volume = ? AND offset > ? ORDER BY offset LIMIT ?`,
    ),
    dropVolume: [
      one<[number]>('DELETE FROM covers WHERE volume = ?'),
      one<[number]>('DELETE FROM covers WHERE target = ?'),
      one<[number]>('DELETE FROM damage WHERE volume = ?'),
      one<[number]>('DELETE FROM shards WHERE volume = ?'),
      one<[number]>('UPDATE serials SET volume = 0 WHERE volume = ?'),
      one<[number]>('DELETE FROM volumes WHERE number = ?'),
    ],
    takeFact: one<[string]>('DELETE FROM facts WHERE name = ?'),
    setFact: one<[string]>('INSERT INTO facts VALUES (?, 1) ON CONFLICT DO NOTHING'),
  }
}

export type IndexSql = ReturnType<typeof prepareIndexSql>
