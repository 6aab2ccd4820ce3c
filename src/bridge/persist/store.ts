/**
 * All SQL of the bridge behind one door. Every method is asynchronous, so that a database server can stand behind it
 * later; every method is one transaction. Appends to a chain are on disk when they resolve (and with them everything
 * before), the rest a moment later: receipts and placements can be had again, records cannot.
 */
import path from 'node:path'
import { AppError } from '../../base/errors.js'
import type { Database } from '../../sqlite/driver.js'
import { guarded } from '../../sqlite/failures.js'
import { lockFolder } from '../../sqlite/lock.js'
import { flushToDisk, openDatabase } from '../../sqlite/open.js'
import { AccountRows } from './account-rows.js'
import { AuditRows } from './audit-rows.js'
import { BookRows } from './book-rows.js'
import { ChainRows } from './chain-rows.js'
import { HostRows } from './host-rows.js'
import { PresenceRows } from './presence-rows.js'
import { RepairRows } from './repair-rows.js'
import { DATABASE_KIND, MIGRATIONS } from './schema.js'
import { SegmentRows } from './segment-rows.js'
import { StandingRows } from './standing-rows.js'

const CACHE_BYTES = 64 * 1024 * 1024

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
  /** Rises when the database comes back from a backup. */
  readonly incarnation: number
  /** The database came back from a backup and was not reconciled: nothing is dropped, moved or deleted. */
  readonly frozen: boolean = false
  private readonly db: Database
  private readonly unlock: () => void

  private constructor(db: Database, unlock: () => void) {
    this.db = db
    this.unlock = unlock
    this.incarnation = incarnationOf(db)
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
  static open(dir: string): Store {
    const unlock = lockFolder(path.join(dir, 'bridge.lock'))
    try {
      const db = openDatabase(path.join(dir, 'bridge.db'), {
        migrations: MIGRATIONS,
        kind: DATABASE_KIND,
        cacheBytes: CACHE_BYTES,
      })
      return new Store(db, unlock)
    } catch (error) {
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
    const found = guarded(() => loadIncarnation(this.db))
    if (found !== this.incarnation)
      throw new AppError('database-damaged', 'the database of the bridge has changed below it')
  }

  close(): void {
    this.db.close()
    this.unlock()
  }
}

function incarnationOf(db: Database): number {
  return guarded(() => {
    db.prepare("INSERT INTO facts VALUES ('incarnation', 1) ON CONFLICT DO NOTHING").run()
    return loadIncarnation(db) as number
  })
}

function loadIncarnation(db: Database): number | undefined {
  const row = db.prepare("SELECT value FROM facts WHERE name = 'incarnation'").get() as { value: number } | undefined
  return row?.value
}
