/** Serials of used tokens, until they may be forgotten. They outlive their volumes here, and in kept.ts beyond the index. */
import { idBytes, type Serial } from '../../model/ids.js'
import type { IndexSql } from './sql.js'
import type { UsedSerial } from './types.js'

/** In one transaction, while requests wait: some ten milliseconds when no page of them is in memory. */
const PURGED_MAX = 1_000

export class SerialRows {
  private readonly sql: IndexSql
  private readonly run: <T>(work: () => T) => T
  private readonly change: (work: () => void) => void

  constructor(sql: IndexSql, run: <T>(work: () => T) => T, change: (work: () => void) => void) {
    this.sql = sql
    this.run = run
    this.change = change
  }

  has(serial: Serial): boolean {
    return this.endOf(serial) !== undefined
  }

  hasBytes(serial: Buffer): boolean {
    return this.run(() => this.sql.serialEnd.get(serial)) !== undefined
  }

  /** When it may be forgotten; undefined: it is. */
  endOf(serial: Serial): number | undefined {
    return this.run(() => this.sql.serialEnd.get(idBytes(serial)))?.expires
  }

  add(serials: readonly UsedSerial[]): void {
    this.change(() => {
      for (const one of serials) this.sql.addSerial.run(one.serial, one.expires)
    })
  }

  /** Forgets some that ended; how many. */
  purge(beforeMs: number): number {
    return this.run(() => this.sql.purgeSerials.run(beforeMs, PURGED_MAX).changes)
  }
}
