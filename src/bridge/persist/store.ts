/**
 * All SQL of the bridge behind one door. Every method is asynchronous, so that a database server can stand behind it
 * later; every method is one transaction. Appends to a chain are on disk when they resolve (and with them everything
 * before), the rest a moment later: receipts and placements can be had again, records cannot.
 */
import path from 'node:path'
import { AppError } from '../../base/errors.js'
import { type RandomBytes, systemRandom } from '../../base/random.js'
import type { Database } from '../../sqlite/driver.js'
import { guarded } from '../../sqlite/failures.js'
import { lockFolder } from '../../sqlite/lock.js'
import { flushToDisk, openDatabase } from '../../sqlite/open.js'
import { AccountRows } from './account-rows.js'
import { AuditRows } from './audit-rows.js'
import { BookRows } from './book-rows.js'
import { ChainRows } from './chain-rows.js'
import { FoundRows } from './found-rows.js'
import { HostRows } from './host-rows.js'
import { Incarnations } from './incarnations.js'
import { PresenceRows } from './presence-rows.js'
import { RepairRows } from './repair-rows.js'
import { DATABASE_FILE, DATABASE_KIND, MIGRATIONS } from './schema.js'
import { SegmentRows } from './segment-rows.js'
import { StandingRows } from './standing-rows.js'

const CACHE_BYTES = 64 * 1024 * 1024

export interface StoreOptions {
  nowMs?: () => number
  random?: RandomBytes
  /** The bridge's key was here before: a new database is not its first. */
  isSuccessor?: boolean
}

export class Store {
  readonly accounts: AccountRows
  readonly chain: ChainRows
  readonly segments: SegmentRows
  readonly hosts: HostRows
  readonly standings: StandingRows
  readonly audits: AuditRows
  readonly repairs: RepairRows
  readonly presences: PresenceRows
  readonly books: BookRows
  readonly found: FoundRows
  readonly incarnations: Incarnations
  private readonly db: Database
  private readonly unlock: () => void

  private constructor(db: Database, unlock: () => void, incarnations: Incarnations) {
    this.db = db
    this.unlock = unlock
    this.incarnations = incarnations
    this.found = new FoundRows(db)
    this.accounts = new AccountRows(db)
    this.chain = new ChainRows(db)
    this.segments = new SegmentRows(db)
    this.hosts = new HostRows(db)
    this.standings = new StandingRows(db)
    this.audits = new AuditRows(db)
    this.repairs = new RepairRows(db)
    this.presences = new PresenceRows(db)
    this.books = new BookRows(db)
  }

  /** One bridge a folder: `folder-locked` for the second. */
  static open(dir: string, options: StoreOptions = {}): Store {
    const { nowMs = Date.now, random = systemRandom, isSuccessor = false } = options
    const unlock = lockFolder(path.join(dir, 'bridge.lock'))
    let db: Database | null = null
    try {
      db = openDatabase(path.join(dir, DATABASE_FILE), {
        migrations: MIGRATIONS,
        kind: DATABASE_KIND,
        cacheBytes: CACHE_BYTES,
      })
      return new Store(db, unlock, new Incarnations(db, { dir, nowMs, random, isSuccessor }))
    } catch (error) {
      db?.close()
      unlock()
      throw error
    }
  }

  /** What was committed so far survives a loss of power: before a host is told that it may forget. */
  async flush(): Promise<void> {
    guarded(() => flushToDisk(this.db))
  }

  /** Throws when the database does not answer as it did when it was opened. */
  async answers(): Promise<void> {
    const found = this.incarnations.saved()
    if (found !== this.incarnation)
      throw new AppError('database-damaged', 'the database of the bridge has changed below it')
  }

  /** Rises when the database comes back from a backup. */
  get incarnation(): number {
    return this.incarnations.current
  }

  /** Nothing may be forgotten, here or at hosts: the books may be older than what they are about. */
  get frozen(): boolean {
    return this.incarnations.frozenSince !== null
  }

  /** A last mark, so that a copy from before is known by it; where it cannot be written, the one before does. */
  close(): void {
    try {
      this.incarnations.turn()
    } catch {
      // A full disk, or a folder that is gone: nothing else is kept for later.
    } finally {
      this.db.close()
      this.unlock()
    }
  }
}
