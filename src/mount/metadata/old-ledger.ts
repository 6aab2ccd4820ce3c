/**
 * A ledger that was set aside because it is damaged, read as far as it can be read; nothing of it is changed. Every row is asked
 * for by itself: a page that is spoilt costs what stood on it. `null` and an early end mean: cannot be read. A full disk and a lock of
 * somebody who looks into it pass: they are thrown (`no-space`, `database-busy`), and nothing is taken for lost because of them.
 */
import { isCode } from '../../base/errors.js'
import { AT_REST_OVERHEAD, openStaged } from '../../crypto/at-rest.js'
import type { SecretBytes } from '../../crypto/secret.js'
import type { FileId } from '../../model/ids.js'
import type { Database } from '../../sqlite/driver.js'
import { sqliteFailure } from '../../sqlite/failures.js'
import { openDatabase, removeDatabase } from '../../sqlite/open.js'
import { copyWithFreshHeader } from '../../sqlite/salvage.js'
import { PAGE_BYTES } from './database.js'
import type { EpochRow } from './epochs.js'
import { decodeSome } from './operation-codec.js'
import type { Operation } from './operations.js'
import { PINS_MAX } from './pins.js'
import { LEDGER_KIND, LEDGER_MIGRATIONS } from './schema.js'
import { decodeSyncs, readSyncs, SYNCS_KEY } from './sync-count.js'

/** What tells where the chain stood when this ledger was used last. */
export interface OldFacts {
  readonly published: { readonly epoch: number; readonly logTo: number } | null
  /** Cut and not known to be published, in order. */
  readonly pending: readonly { readonly epoch: number; readonly logTo: number; readonly recordHash: Buffer | null }[]
  readonly headSequence: number | null
  /** Position of the last operation; null: cannot be read, or is not in here. */
  readonly lastPosition: number | null
  /** Staged rows, and plain bytes in them. */
  readonly stagedRows: number
  readonly stagedBytes: number
}

export interface OldPins {
  /** In the order in which they were pinned. */
  readonly files: readonly FileId[]
  /** Pins of which the file cannot be told; null: nobody knows how many. */
  readonly lost: number | null
}

type LogRow = { first: number; last: number; operations: Buffer }
/** More than any ledger has: a tree that was spoilt into a ring ends there. */
const ROWS_MAX = 50_000_000

const MAKING = {
  migrations: LEDGER_MIGRATIONS,
  kind: LEDGER_KIND,
  pageSizeBytes: PAGE_BYTES,
  incrementalVacuum: true,
} as const
/** Nobody else has it open, but for a person. */
const BUSY_TIMEOUT_MS = 1_000
const READING = {
  migrations: LEDGER_MIGRATIONS,
  kind: LEDGER_KIND,
  readOnly: true,
  busyTimeoutMs: BUSY_TIMEOUT_MS,
} as const

function openGrafted(file: string, copy: string): Database {
  try {
    copyWithFreshHeader(file, copy, MAKING)
    return openDatabase(copy, READING)
  } catch (error) {
    removeDatabase(copy)
    throw error
  }
}

export class OldLedger {
  private readonly db: Database
  private readonly file: string
  private readonly key: SecretBytes
  /** What is really read, when the first page of the file is spoilt. */
  private readonly copy: string | null

  /** `database-damaged` and other codes of openDatabase when nothing of it can be read; `no-space`, `database-busy`. */
  constructor(file: string, key: SecretBytes) {
    this.file = file
    this.key = key
    try {
      this.db = openDatabase(file, READING)
      this.copy = null
    } catch (error) {
      expectLasting(error)
      this.copy = `${file}.readable`
      this.db = openGrafted(file, this.copy)
    }
  }

  close(): void {
    this.db.close()
    if (this.copy !== null) removeDatabase(this.copy)
  }

  /** null when the table of epochs cannot be read: then nobody knows which operations are stored. */
  facts(): OldFacts | null {
    const rows = this.attempt(() => this.db.prepare<[], EpochRow>('SELECT * FROM epoch ORDER BY epoch').all())
    if (rows === null) return null
    const published = rows.filter((row) => row.stage === 'published').at(-1)
    const pending = rows.filter((row) => row.stage !== 'published')
    return {
      published: published === undefined ? null : { epoch: published.epoch, logTo: published.log_to },
      pending: pending.map((row) => ({ epoch: row.epoch, logTo: row.log_to, recordHash: this.recordHash(row) })),
      headSequence: this.headSequence(),
      lastPosition: this.isBehind() ? null : this.lastPosition(),
      ...this.staged(),
    }
  }

  /** Operations behind position `from`, in order, up to the first that is missing or cannot be read. */
  *operations(from: number): Generator<{ position: number; operation: Operation }> {
    let next = from + 1
    for (let rows = 0; rows < ROWS_MAX; rows++) {
      const row = this.logRow(next)
      if (row === null) return
      let position = row.first
      for (const operation of operationsOf(row) ?? []) {
        if (position >= next) yield { position, operation }
        position++
      }
      if (position !== row.last + 1) return
      next = position
    }
  }

  /** Plain bytes, in memory of their own. */
  stagedRow(id: number): Buffer | null {
    return this.attempt(() => {
      const text = 'SELECT length, sealed FROM staged WHERE id = ?'
      const row = this.db.prepare<[number], { length: number; sealed: Buffer }>(text).get(id)
      if (row === undefined || row.sealed.length !== row.length + AT_REST_OVERHEAD) return null
      return openStaged(this.key, id, row.sealed)
    })
  }

  /** As far as the table or its index can be read, of the same mind where both can. */
  pins(): OldPins {
    const [table, index] = [this.pinRows('NOT INDEXED'), this.pinRows('INDEXED BY sqlite_autoindex_pin_1')]
    const numbers = [...new Set([...table.inoOf.keys(), ...index.inoOf.keys()])].sort((a, b) => a - b)
    const inos = numbers.flatMap((number) => {
      const [one, other] = [table.inoOf.get(number), index.inoOf.get(number)]
      return one !== undefined && other !== undefined && one !== other ? [] : [(one ?? other) as number]
    })
    const fileOf = this.filesOf(inos)
    const files = inos.flatMap((ino) => fileOf.get(ino) ?? [])
    const isKnown = (table.isWhole || index.isWhole) && !this.isBehind()
    return { files, lost: isKnown ? numbers.length - files.length : null }
  }

  private pinRows(how: string): { inoOf: Map<number, number>; isWhole: boolean } {
    const inoOf = new Map<number, number>()
    const isWhole = this.attempt(() => {
      const rows = this.db.prepare<[], { number: number; ino: number }>(`SELECT number, ino FROM pin ${how}`).iterate()
      for (const { number, ino } of rows) if (inoOf.size < PINS_MAX) inoOf.set(number, ino)
      return true
    })
    return { inoOf, isWhole: isWhole === true }
  }

  /** The index of file ids knows those as well whose own page is spoilt. */
  private filesOf(inos: readonly number[]): Map<number, FileId> {
    const found = new Map<number, FileId>()
    const text = 'SELECT file FROM inode WHERE ino = ?'
    for (const ino of inos) {
      const file = this.attempt(() => this.db.prepare<[number], { file: Buffer }>(text).get(ino)?.file ?? null)
      if (file !== null) found.set(ino, file.toString('hex') as FileId)
    }
    const left = new Set(inos.filter((ino) => !found.has(ino)))
    if (left.size === 0) return found
    const all = 'SELECT file, ino FROM inode INDEXED BY sqlite_autoindex_inode_1'
    this.attempt(() => {
      for (const { file, ino } of this.db.prepare<[], { file: Buffer; ino: number }>(all).iterate()) {
        if (left.has(ino)) found.set(ino, file.toString('hex') as FileId)
      }
      return null
    })
    return found
  }

  /** The row that holds the operation at `position`. */
  private logRow(position: number): LogRow | null {
    const text = 'SELECT first, last, operations FROM op_log WHERE last >= ? ORDER BY last LIMIT 1'
    const row = this.attempt(() => this.db.prepare<[number], LogRow>(text).get(position) ?? null)
    return row !== null && row.first <= position ? row : null
  }

  private recordHash(row: EpochRow): Buffer | null {
    if (row.stage !== 'recorded' || row.record_sequence === null) return null
    const { record_sequence: sequence } = row
    const text = 'SELECT hash FROM record WHERE sequence = ?'
    return this.attempt(() => this.db.prepare<[number], { hash: Buffer }>(text).get(sequence)?.hash ?? null)
  }

  private headSequence(): number | null {
    const text = "SELECT value FROM meta WHERE key = 'ledger.head'"
    const value = this.attempt(() => this.db.prepare<[], { value: Buffer }>(text).get()?.value ?? null)
    return value === null || value.length !== 40 ? null : Number(value.readBigUInt64BE(0))
  }

  private isBehind(): boolean {
    const text = `SELECT value FROM meta WHERE key = '${SYNCS_KEY}'`
    const saved = this.attempt(() => decodeSyncs(this.db.prepare<[], { value: Buffer }>(text).get()?.value))
    return saved !== null && saved < readSyncs(this.file)
  }

  private lastPosition(): number | null {
    const counter = "SELECT value FROM counter WHERE name = 'log'"
    const next = this.attempt(() => this.db.prepare<[], { value: number }>(counter).get()?.value ?? 1)
    if (next !== null) return next - 1
    // What was cut, and what was not.
    const text = `SELECT max((SELECT coalesce(max(log_to), 0) FROM epoch), (SELECT coalesce(max(last), 0) FROM op_log)) AS last`
    return this.attempt(() => this.db.prepare<[], { last: number }>(text).get()?.last ?? null)
  }

  private staged(): { stagedRows: number; stagedBytes: number } {
    const text = 'SELECT count(*) AS stagedRows, coalesce(sum(length), 0) AS stagedBytes FROM staged'
    const sum = this.attempt(() => this.db.prepare<[], { stagedRows: number; stagedBytes: number }>(text).get() ?? null)
    return sum ?? { stagedRows: 0, stagedBytes: 0 }
  }

  /** Whatever it fails with, and does not pass, is the damage: these statements are right. */
  private attempt<T>(work: () => T): T | null {
    try {
      return work()
    } catch (error) {
      expectLasting(error)
      return null
    }
  }
}

/** Throws what is not of the file. */
function expectLasting(error: unknown): void {
  const failure = sqliteFailure(error)
  if (isCode(failure, 'no-space') || isCode(failure, 'database-busy')) throw failure
}

function operationsOf(row: LogRow): Operation[] | null {
  const found: Operation[] = []
  try {
    const used = decodeSome(row.operations, true, (operation) => void found.push(operation))
    return used === row.operations.length && found.length === row.last - row.first + 1 ? found : null
  } catch {
    return null
  }
}
