/** Dentries and xattrs: small rows, read and written at once inside the group. */
import type { Counters } from './counters.js'
import type { LedgerDatabase } from './database.js'
import { typeOf } from './modes.js'

export interface Dentry {
  readonly ino: number
  readonly type: number
  readonly cookie: number
}

/** Names of one directory in the order of their cookies, in four columns: what a listing has to say of them in one row of SQL. */
export interface DentryColumns {
  readonly count: number
  /** Joined by '/', which no name holds. */
  readonly names: Buffer
  /** JSON: arrays of numbers. */
  readonly inos: string
  readonly types: string
  readonly cookies: string
}

/** SQLite steps through rows four times as fast as objects are made of them. Its order is the subquery's; unpacking asserts that. */
const COLUMNS = `SELECT count(*) AS count, CAST(group_concat(name, '/') AS BLOB) AS names, json_group_array(ino) AS inos,
  json_group_array(type) AS types, json_group_array(cookie) AS cookies
  FROM (SELECT name, ino, type, cookie FROM dentry WHERE parent = ? AND cookie > ? ORDER BY cookie LIMIT ?)`

export function numbersOf(column: string): readonly number[] {
  return JSON.parse(column) as number[]
}

export class Dentries {
  private readonly database: LedgerDatabase
  private readonly counters: Counters

  constructor(database: LedgerDatabase, counters: Counters) {
    this.database = database
    this.counters = counters
  }

  get(parent: number, name: Buffer): Dentry | null {
    const text = 'SELECT ino, type, cookie FROM dentry WHERE parent = ? AND name = ?'
    return this.database.sql<[number, Buffer], Dentry>(text).get(parent, name) ?? null
  }

  /** The name must not exist. */
  add(parent: number, name: Buffer, ino: number, mode: number, cookie = this.counters.take('cookie')): void {
    const text = 'INSERT INTO dentry (parent, name, ino, type, cookie) VALUES (?, ?, ?, ?, ?)'
    this.database.sql(text).run(parent, name, ino, typeOf(mode), cookie)
  }

  remove(parent: number, name: Buffer): void {
    this.database.sql('DELETE FROM dentry WHERE parent = ? AND name = ?').run(parent, name)
  }

  point(parent: number, name: Buffer, ino: number, mode: number): void {
    const text = 'UPDATE dentry SET ino = ?, type = ? WHERE parent = ? AND name = ?'
    this.database.sql(text).run(ino, typeOf(mode), parent, name)
  }

  isEmpty(directory: number): boolean {
    return this.database.sql('SELECT 1 FROM dentry WHERE parent = ? LIMIT 1').get(directory) === undefined
  }

  /** Names behind `cookie`; null when there are none. */
  after(directory: number, cookie: number, limit: number): DentryColumns | null {
    const row = this.database.sql<[number, number, number], DentryColumns>(COLUMNS).get(directory, cookie, limit)
    return row === undefined || row.count === 0 ? null : row
  }
}

export class Xattrs {
  private readonly database: LedgerDatabase

  constructor(database: LedgerDatabase) {
    this.database = database
  }

  get(ino: number, name: Buffer): Buffer | null {
    const text = 'SELECT value FROM xattr WHERE ino = ? AND name = ?'
    return this.database.sql<[number, Buffer], { value: Buffer }>(text).get(ino, name)?.value ?? null
  }

  names(ino: number): Buffer[] {
    const text = 'SELECT name FROM xattr WHERE ino = ? ORDER BY name'
    return this.database
      .sql<[number], { name: Buffer }>(text)
      .all(ino)
      .map((row) => row.name)
  }

  /** Bytes of all names and values of an inode. */
  totalBytes(ino: number): number {
    const text = 'SELECT coalesce(sum(length(name) + length(value)), 0) AS n FROM xattr WHERE ino = ?'
    return (this.database.sql<[number], { n: number }>(text).get(ino) as { n: number }).n
  }

  put(ino: number, name: Buffer, value: Buffer): void {
    this.database.sql('INSERT OR REPLACE INTO xattr (ino, name, value) VALUES (?, ?, ?)').run(ino, name, value)
  }

  remove(ino: number, name: Buffer): void {
    this.database.sql('DELETE FROM xattr WHERE ino = ? AND name = ?').run(ino, name)
  }

  removeAll(ino: number): void {
    this.database.sql('DELETE FROM xattr WHERE ino = ?').run(ino)
  }
}
