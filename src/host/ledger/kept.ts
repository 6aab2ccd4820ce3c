/**
 * What a host must remember and cannot derive from its volumes: the newest head witness of each pseudonym, used
 * serials whose volume was reclaimed, the loss list, and the newest mark of the bridge. A database of its own, durable at every
 * commit: small and rarely written.
 */
import { idBytes, type Pseudonym, pseudonymId, segmentId, shardId } from '../../model/ids.js'
import type { Database } from '../../sqlite/driver.js'
import { guarded } from '../../sqlite/failures.js'
import { openDatabase, transaction } from '../../sqlite/open.js'
import { KEPT_KIND, KEPT_MIGRATIONS } from './schema.js'
import type { Loss, ShardKey, UsedSerial } from './types.js'

interface RawLoss {
  pseudonym: Buffer
  segment: Buffer
  idx: number
  shard: Buffer
  generation: number
  found_at: number
}

const EMPTY = Buffer.alloc(0)

export class Kept {
  private readonly db: Database

  private constructor(db: Database) {
    this.db = db
  }

  static open(file: string): Kept {
    const db = openDatabase(file, {
      kind: KEPT_KIND,
      migrations: KEPT_MIGRATIONS,
      exclusive: true,
      synchronous: 'full',
    })
    return new Kept(db)
  }

  /** False, and nothing changes, when one of the same or a higher sequence is there. */
  saveWitness(pseudonym: Pseudonym, sequence: number, witness: Buffer): boolean {
    const upsert = `INSERT INTO witnesses VALUES (?, ?, ?) ON CONFLICT (pseudonym)
      DO UPDATE SET sequence = excluded.sequence, witness = excluded.witness WHERE excluded.sequence > sequence`
    return guarded(() => this.db.prepare(upsert).run(idBytes(pseudonym), sequence, witness)).changes === 1
  }

  loadWitness(pseudonym: Pseudonym): Buffer | null {
    const query = this.db.prepare('SELECT witness FROM witnesses WHERE pseudonym = ?').pluck()
    return (guarded(() => query.get(idBytes(pseudonym))) as Buffer | undefined) ?? null
  }

  saveMark(mark: Buffer): void {
    const upsert = 'INSERT INTO bridge_marks VALUES (1, ?) ON CONFLICT (one) DO UPDATE SET mark = excluded.mark'
    guarded(() => this.db.prepare(upsert).run(mark))
  }

  loadMark(): Buffer | null {
    return guarded(() => this.db.prepare('SELECT mark FROM bridge_marks').pluck().get() as Buffer | undefined) ?? null
  }

  /** Adds serials and forgets those that ended before `nowMs`. */
  saveSerials(serials: readonly UsedSerial[], nowMs: number): void {
    transaction(this.db, () => {
      this.db.prepare('DELETE FROM serials WHERE expires < ?').run(nowMs)
      const insert = this.db.prepare('INSERT INTO serials VALUES (?, ?) ON CONFLICT DO NOTHING')
      for (const one of serials) insert.run(one.serial, one.expires)
    })
  }

  loadSerials(): UsedSerial[] {
    return guarded(() => this.db.prepare('SELECT serial, expires FROM serials').all()) as UsedSerial[]
  }

  /** What was lost here; one that is known keeps its time. */
  saveLosses(losses: readonly Loss[]): void {
    transaction(this.db, () => {
      const insert = this.db.prepare('INSERT INTO losses VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING')
      for (const one of losses) {
        const { pseudonym, segment, index, shard, generation, foundAtMs } = one
        insert.run(idBytes(pseudonym), idBytes(segment), index, idBytes(shard), generation, foundAtMs)
      }
    })
  }

  /** Behind `after`, in the order of their places. */
  loadLosses(limit: number, after?: ShardKey): Loss[] {
    const query = this.db.prepare(
      `SELECT * FROM losses WHERE (pseudonym, segment, idx) > (?, ?, ?) ORDER BY pseudonym, segment, idx LIMIT ?`,
    )
    const place = after ? [idBytes(after.pseudonym), idBytes(after.segment), after.index] : [EMPTY, EMPTY, -1]
    return (guarded(() => query.all(...place, limit)) as RawLoss[]).map((raw) => ({
      pseudonym: pseudonymId(raw.pseudonym),
      segment: segmentId(raw.segment),
      index: raw.idx,
      shard: shardId(raw.shard),
      generation: raw.generation,
      foundAtMs: raw.found_at,
    }))
  }

  hasLoss(key: ShardKey): boolean {
    const query = this.db.prepare('SELECT 1 FROM losses WHERE pseudonym = ? AND segment = ? AND idx = ?')
    return guarded(() => query.get(idBytes(key.pseudonym), idBytes(key.segment), key.index)) !== undefined
  }

  removeLosses(losses: readonly ShardKey[]): void {
    transaction(this.db, () => {
      const remove = this.db.prepare('DELETE FROM losses WHERE pseudonym = ? AND segment = ? AND idx = ?')
      for (const one of losses) remove.run(idBytes(one.pseudonym), idBytes(one.segment), one.index)
    })
  }

  /** 0 when it was never saved. */
  loadFact(name: string): number {
    const query = this.db.prepare('SELECT value FROM facts WHERE name = ?').pluck()
    return (guarded(() => query.get(name)) as number | undefined) ?? 0
  }

  saveFacts(facts: Record<string, number>): void {
    transaction(this.db, () => {
      const text = 'INSERT INTO facts VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value'
      const upsert = this.db.prepare(text)
      for (const [name, value] of Object.entries(facts)) upsert.run(name, value)
    })
  }

  close(): void {
    this.db.close()
  }
}
