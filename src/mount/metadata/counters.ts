/** Numbers that only rise and are never given twice, kept with the group they belong to. */
import type { LedgerDatabase, WriteBack } from './database.js'

const FIRST = { ino: 2, cookie: 3, staged: 1, log: 1, epoch: 1 } as const
export type CounterName = keyof typeof FIRST

export class Counters implements WriteBack {
  private readonly database: LedgerDatabase
  private values: Record<CounterName, number> = { ...FIRST }
  private dirty = false

  constructor(database: LedgerDatabase) {
    this.database = database
    this.drop()
  }

  take(name: CounterName): number {
    this.dirty = true
    return this.values[name]++
  }

  /** Skips numbers: `value` is the next to be given unless that would go back. */
  raise(name: CounterName, value: number): void {
    if (value <= this.values[name]) return
    this.values[name] = value
    this.dirty = true
  }

  /** The next number to be given. */
  peek(name: CounterName): number {
    return this.values[name]
  }

  flush(): void {
    if (!this.dirty) return
    const put = this.database.sql('INSERT OR REPLACE INTO counter (name, value) VALUES (?, ?)')
    for (const [name, value] of Object.entries(this.values)) put.run(name, value)
    this.dirty = false
  }

  drop(): void {
    this.values = { ...FIRST }
    const rows = this.database.sql<[], { name: CounterName; value: number }>('SELECT name, value FROM counter').all()
    for (const row of rows) this.values[row.name] = row.value
    this.dirty = false
  }
}
