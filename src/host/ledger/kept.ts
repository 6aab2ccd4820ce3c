/**
 * What a host must remember and cannot derive from its volumes: the newest head witness of each pseudonym, and used
 * serials whose volume was reclaimed. A database of its own, durable at every commit: small and rarely written.
 */
import { idBytes, type Pseudonym } from '../../model/ids.js'
import type { Database } from '../../sqlite/driver.js'
import { guarded } from '../../sqlite/failures.js'
import { openDatabase, transaction } from '../../sqlite/open.js'
import { KEPT_KIND, KEPT_MIGRATIONS } from './schema.js'
import type { UsedSerial } from './types.js'

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

  close(): void {
    this.db.close()
  }
}
