/**
 * Which life of the bridge this is. Every start, every minute and every stop marks the database and a file beside it with the
 * same mark, drawn anew. A database whose marks do not include the file's is another one: put back from a copy, or new beside
 * an old key. It begins a new incarnation, higher than any before, and is frozen: nothing is forgotten, anywhere, until
 * hosts and drives have told what they know (reconcile/reconciler.ts).
 *
 * A folder that was put back whole fits itself: hosts, which keep the newest mark that they were told, find that out
 * (learn). What no mark can tell: a copy of less than a minute before a crash, put back.
 */
import type { RandomBytes } from '../../base/random.js'
import type { Database, Statement } from '../../sqlite/driver.js'
import { guarded } from '../../sqlite/failures.js'
import { flushToDisk, quickCheck, transaction } from '../../sqlite/open.js'
import { type Mark, readMarkFile, writeMarkFile } from './mark-file.js'

export interface IncarnationParts {
  dir: string
  nowMs: () => number
  random: RandomBytes
  /** The bridge's key was here before this start: a database that is new is not the first. */
  isSuccessor: boolean
}

const NONCE_BYTES = 16
/** Set in books that were put back by `shardrive bridge restore`, until they are opened. */
export const PUT_BACK_FACT = 'put_back'
/** A week of minutes: a host that was away for longer is believed. */
const MARKS_KEPT = 10_000

export class Incarnations {
  private readonly db: Database
  private readonly parts: IncarnationParts
  private readonly statements: ReturnType<typeof prepare>
  private number: number
  private isFresh = false
  private frozenAt: number | null
  private newest: Mark
  /** Of the mark that the file is known to hold; 0: none. */
  private besideTick: number

  constructor(db: Database, parts: IncarnationParts) {
    this.db = db
    this.parts = parts
    this.statements = prepare(db)
    const known = this.fact('incarnation')
    this.number = known ?? 1
    this.frozenAt = this.fact('frozen_since')
    this.isFresh = this.fact('frozen_new') === 1
    this.newest = this.loadNewest() ?? { incarnation: this.number, tick: 0, nonce: Buffer.alloc(NONCE_BYTES) }
    this.besideTick = this.fact('mark_beside') ?? 0
    const beside = readMarkFile(parts.dir)
    const isPutBack = this.fact(PUT_BACK_FACT) === 1
    if (known === null ? beside !== null || parts.isSuccessor : isPutBack || !this.isOurs(beside)) {
      quickCheck(db)
      this.isFresh = known === null
      this.raise(beside === 'damaged' ? null : beside)
    } else {
      this.turn()
    }
  }

  get current(): number {
    return this.number
  }

  /** As the database says now. */
  saved(): number | null {
    return this.fact('incarnation')
  }

  /** Since when nothing may be forgotten, Unix ms; null: the books are whole. */
  get frozenSince(): number | null {
    return this.frozenAt
  }

  /** The books began with nothing: they do not know whom to wait for. */
  get isNew(): boolean {
    return this.isFresh
  }

  get mark(): Mark {
    return this.newest
  }

  /** A new mark: what comes from now on is not in a copy that was made before. */
  turn(): void {
    this.save({ tick: this.newest.tick + 1 })
  }

  /** What a host was told by this very bridge. True when these books are older, and a new incarnation has begun. */
  learn(told: Mark): boolean {
    if (told.incarnation < this.number) return false
    const here = told.incarnation === this.number ? this.statements.markAt.get(told.tick) : undefined
    if (here?.nonce.equals(told.nonce)) return false
    const oldest = this.statements.oldest.get()?.tick ?? 0
    if (told.incarnation === this.number && told.tick < oldest) return false
    this.raise(told)
    return true
  }

  /** The books were put back, as somebody says who knows. */
  raise(known: Mark | null): void {
    const seconds = Math.floor(this.parts.nowMs() / 1_000)
    this.number = Math.max(this.number + 1, (known?.incarnation ?? 0) + 1, seconds)
    this.frozenAt = Math.floor(this.parts.nowMs())
    this.save({ tick: Math.max(this.newest.tick, known?.tick ?? 0) + 1 })
  }

  thaw(): void {
    this.frozenAt = null
    this.isFresh = false
    this.save({ tick: this.newest.tick + 1 })
  }

  /** First into the database, then beside it: a crash in between, or a full disk, leaves a file with an earlier mark. */
  private save({ tick }: { tick: number }): void {
    this.newest = { incarnation: this.number, tick, nonce: this.parts.random(NONCE_BYTES) }
    transaction(this.db, () => {
      this.statements.setFact.run('incarnation', this.number)
      this.statements.setFact.run(PUT_BACK_FACT, 0)
      this.statements.setFact.run('frozen_since', this.frozenAt)
      this.statements.setFact.run('frozen_new', this.isFresh ? 1 : 0)
      this.statements.setFact.run('mark_beside', this.besideTick)
      this.statements.addMark.run(tick, this.number, this.newest.nonce)
      this.statements.prune.run(tick - MARKS_KEPT)
    })
    flushToDisk(this.db)
    writeMarkFile(this.parts.dir, this.newest)
    this.besideTick = tick
  }

  /** One of ours, and no older than the last that is known to be there. A database from before there were marks has none. */
  private isOurs(beside: Mark | 'damaged' | null): boolean {
    if (beside === null) return this.besideTick === 0
    if (beside === 'damaged' || beside.tick < this.besideTick) return false
    return guarded(() => this.statements.markAt.get(beside.tick))?.nonce.equals(beside.nonce) ?? false
  }

  private loadNewest(): Mark | null {
    return guarded(() => this.statements.newest.get() ?? null)
  }

  private fact(name: string): number | null {
    return guarded(() => this.statements.fact.get(name)?.value ?? null)
  }
}

function prepare(db: Database) {
  return {
    fact: db.prepare('SELECT value FROM facts WHERE name = ?') as Statement<[string], { value: number | null }>,
    setFact: db.prepare('INSERT INTO facts VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value'),
    addMark: db.prepare('INSERT INTO marks (tick, incarnation, nonce) VALUES (?, ?, ?)'),
    newest: db.prepare('SELECT incarnation, tick, nonce FROM marks ORDER BY tick DESC LIMIT 1') as Statement<[], Mark>,
    markAt: db.prepare('SELECT nonce FROM marks WHERE tick = ?') as Statement<[number], { nonce: Buffer }>,
    oldest: db.prepare('SELECT tick FROM marks ORDER BY tick LIMIT 1') as Statement<[], { tick: number }>,
    prune: db.prepare('DELETE FROM marks WHERE tick <= ?'),
  }
}
