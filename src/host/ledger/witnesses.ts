/** Head witnesses: for each pseudonym the one with the highest sequence. Not derived from anything: a file of its own. */
import { idBytes, type Pseudonym } from '../../model/ids.js'
import type { Database } from '../../sqlite/driver.js'
import { guarded } from '../../sqlite/failures.js'
import { openDatabase } from '../../sqlite/open.js'
import { WITNESS_KIND, WITNESS_MIGRATIONS } from './schema.js'

export class Witnesses {
  private readonly db: Database

  private constructor(db: Database) {
    this.db = db
  }

  /** FULL: a witness that was acknowledged is there after power loss. */
  static open(file: string): Witnesses {
    return new Witnesses(
      openDatabase(file, { kind: WITNESS_KIND, migrations: WITNESS_MIGRATIONS, exclusive: true, synchronous: 'full' }),
    )
  }

  /** False, and nothing changes, when one of the same or a higher sequence is there. */
  save(pseudonym: Pseudonym, sequence: number, witness: Buffer): boolean {
    const upsert = `INSERT INTO witnesses VALUES (?, ?, ?) ON CONFLICT (pseudonym)
      DO UPDATE SET sequence = excluded.sequence, witness = excluded.witness WHERE excluded.sequence > sequence`
    return guarded(() => this.db.prepare(upsert).run(idBytes(pseudonym), sequence, witness)).changes === 1
  }

  load(pseudonym: Pseudonym): { sequence: number; witness: Buffer } | null {
    const query = this.db.prepare('SELECT sequence, witness FROM witnesses WHERE pseudonym = ?')
    const row = guarded(() => query.get(idBytes(pseudonym))) as { sequence: number; witness: Buffer } | undefined
    return row ?? null
  }

  close(): void {
    this.db.close()
  }
}
