/** Which volumes must outlive which others: they hold the ends and successors of records there (schema.ts). */
import type { IndexSql } from './sql.js'

export class CoverRows {
  private readonly sql: IndexSql
  private readonly run: <T>(work: () => T) => T
  private readonly change: (work: () => void) => void

  constructor(sql: IndexSql, run: <T>(work: () => T) => T, change: (work: () => void) => void) {
    this.sql = sql
    this.run = run
    this.change = change
  }

  all(): { volume: number; target: number }[] {
    return this.run(() => this.sql.allCovers.all())
  }

  /** Whether a dead record lies in an older volume that this one covers: without an end it could come back. */
  hasDead(volume: number): boolean {
    return this.run(() => this.sql.coversDead.get(volume)) !== undefined
  }

  /** What `volume` covered is covered by `heirs` from now on, and by whatever covered `volume`. The caller flushes. */
  pass(volume: number, heirs: Iterable<number>): void {
    this.change(() => {
      const all = new Set([...heirs, ...this.sql.coverers.all(volume).map((row) => row.volume)])
      for (const { target, records } of this.sql.covered.all(volume)) {
        for (const heir of all) if (heir !== target && heir !== volume) this.sql.addCover.run(heir, target, records)
      }
      this.sql.dropCovers.run(volume)
    })
  }
}
