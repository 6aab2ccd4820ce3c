/** Serials of used tokens, until they may be forgotten. They outlive their volumes here, and in kept.ts beyond the index. */
import type { IndexSql } from './sql.js'
import type { UsedSerial } from './types.js'

/** In one transaction, while requests wait: some ten milliseconds when no page of them is in memory. */
const PURGED_MAX = 1_000
const PAGE = 1_000
const NOTHING = Buffer.alloc(0)

export class SerialRows {
  private readonly sql: IndexSql
  private readonly run: <T>(work: () => T) => T
  private readonly change: (work: () => void) => void

  constructor(sql: IndexSql, run: <T>(work: () => T) => T, change: (work: () => void) => void) {
    this.sql = sql
    this.run = run
    this.change = change
  }

  /** `expires` is the one of the token: two tokens that differ in it are two. */
  has({ serial, expires }: UsedSerial): boolean {
    return this.run(() => this.sql.hasSerial.get(expires, serial) ?? this.sql.replayedSerial.get(serial)) !== undefined
  }

  /** Serials whose tokens' ends are not known: `expires` is when they may be forgotten, at the earliest. */
  addReplayed(serials: readonly UsedSerial[]): void {
    if (serials.length === 0) return
    this.change(() => {
      for (const one of serials) this.sql.addReplayed.run(one.serial, one.expires)
    })
  }

  /** Those of `wanted` (as hex) that may not be forgotten at `nowMs`. Yields, so that requests do not wait. */
  async lasting(wanted: ReadonlySet<string>, nowMs: number): Promise<UsedSerial[]> {
    const found: UsedSerial[] = []
    let looked = 0
    for (const hex of wanted) {
      const replayed = this.run(() => this.sql.replayedSerial.get(Buffer.from(hex, 'hex')))
      if (replayed !== undefined && replayed.expires >= nowMs) found.push(replayed)
      if (++looked % PAGE === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    let after: UsedSerial = { expires: nowMs - 1, serial: NOTHING }
    for (;;) {
      const page = this.run(() => this.sql.serialsAfter.all(after.expires, after.serial, PAGE))
      for (const one of page) if (one.expires >= nowMs && wanted.has(one.serial.toString('hex'))) found.push(one)
      const last = page.at(-1)
      if (last === undefined) return found
      after = last
      await new Promise((resolve) => setImmediate(resolve))
    }
  }

  /** Forgets some that ended; how many. */
  purge(beforeMs: number): number {
    const ofTable = (one: IndexSql['purgeSerials']) => this.run(() => one.run(beforeMs, PURGED_MAX).changes)
    return ofTable(this.sql.purgeSerials) + ofTable(this.sql.purgeReplayed)
  }
}
