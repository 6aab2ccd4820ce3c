/** What fsck and healing ask of the ledger, on the worker thread. */
import { AppError, isCode } from '../../base/errors.js'
import { saysFull } from '../../base/system-code.js'
import { idBytes, type SegmentId } from '../../model/ids.js'
import type { CarriedOver, CarriedPins, CarryPlan } from './carried.js'
import { carryOver } from './carry-over.js'
import { carryPins } from './carry-pins.js'
import { type OldFacts, OldLedger } from './old-ledger.js'
import { pathsOf } from './paths-of.js'
import type { Tables } from './tables.js'

export interface StagedLook {
  /** Ask again behind this id; null: this was the last row. */
  readonly next: number | null
  readonly bytes: number
  /** Rows that do not open, with their plain bytes. */
  readonly spoilt: readonly { readonly stagedId: number; readonly bytes: number }[]
}

/** Bytes of a file that lie in some segments or staged rows. */
export interface FileAtRisk {
  readonly path: string
  readonly bytes: number
}

export interface FilesAtRisk {
  /** Those that lose most first, at most 1,000. */
  readonly files: readonly FileAtRisk[]
  readonly count: number
  readonly bytes: number
  /** Of the segments asked for: those that files need. */
  readonly segments: number
}

/** One look opens so much: others wait some ten milliseconds meanwhile. */
const LOOK_BYTES = 16 * 1_048_576
const LOOK_ROWS = 1_024
const FILES_TOLD = 1_000

export function lookAtStaged(t: Tables, after: number): StagedLook {
  t.database.flush()
  const text = 'SELECT id, length FROM staged WHERE id > ? ORDER BY id LIMIT ?'
  const rows = t.database.sql<[number, number], { id: number; length: number }>(text).all(after, LOOK_ROWS)
  const spoilt: { stagedId: number; bytes: number }[] = []
  let bytes = 0
  let last = after
  for (const { id, length } of rows) {
    if (bytes >= LOOK_BYTES) return { next: last, bytes, spoilt }
    bytes += length
    last = id
    try {
      t.staged.proof(id)
    } catch (error) {
      if (!isCode(error, 'database-damaged')) throw error
      spoilt.push({ stagedId: id, bytes: length })
    }
  }
  return { next: rows.length < LOOK_ROWS ? null : last, bytes, spoilt }
}

/** Files that need bytes of these segments or staged rows. Looks through all extents once. */
export function filesAtRisk(
  t: Tables,
  wanted: { readonly segments: readonly SegmentId[]; readonly staged: readonly number[] },
): FilesAtRisk {
  const { database } = t
  database.flush()
  database.db.exec('CREATE TEMP TABLE at_risk (segment INTEGER UNIQUE, staged INTEGER UNIQUE)')
  try {
    const bySegment = database.db.prepare(
      'INSERT OR IGNORE INTO temp.at_risk (segment) SELECT id FROM segment WHERE segment = ?',
    )
    const byRow = database.db.prepare('INSERT OR IGNORE INTO temp.at_risk (staged) VALUES (?)')
    for (const segment of wanted.segments) bySegment.run(idBytes(segment))
    for (const row of wanted.staged) byRow.run(row)
    const text = `SELECT ino, sum(length) AS bytes FROM extent
      WHERE segment IN (SELECT segment FROM temp.at_risk WHERE segment IS NOT NULL)
        OR staged IN (SELECT staged FROM temp.at_risk WHERE staged IS NOT NULL)
      GROUP BY ino ORDER BY bytes DESC`
    const rows = database.db.prepare<[], { ino: number; bytes: number }>(text).all()
    const bytesOf = new Map(rows.map((row) => [row.ino, row.bytes]))
    const first = rows.slice(0, FILES_TOLD).map((row) => row.ino)
    const files = pathsOf(t, first).map(({ ino, path }) => ({ path, bytes: bytesOf.get(ino) ?? 0 }))
    files.sort((a, b) => b.bytes - a.bytes)
    const bytes = rows.reduce((sum, row) => sum + row.bytes, 0)
    const needed = `SELECT count(DISTINCT segment) AS n FROM extent
      WHERE segment IN (SELECT segment FROM temp.at_risk WHERE segment IS NOT NULL)`
    const segments = database.db.prepare<[], { n: number }>(needed).get()?.n ?? 0
    return { files: files.slice(0, FILES_TOLD), count: rows.length, bytes, segments }
  } finally {
    database.db.exec('DROP TABLE temp.at_risk')
  }
}

/** null: nothing of it can be read. */
export function lookAtOld(t: Tables, file: string): OldFacts | null {
  return withOld(t, file, (old) => old.facts())
}

export function carryFrom(t: Tables, file: string, plan: CarryPlan): CarriedOver | null {
  return withOld(t, file, (old) => carryOver(t, old, plan))
}

export function carryPinsFrom(t: Tables, file: string): CarriedPins {
  return withOld(t, file, (old) => carryPins(t, old)) ?? { pins: 0, lost: null }
}

function withOld<T>(t: Tables, file: string, work: (old: OldLedger) => T): T | null {
  const old = openOld(t, file)
  if (old === null) return null
  try {
    return work(old)
  } finally {
    old.close()
  }
}

function openOld(t: Tables, file: string): OldLedger | null {
  try {
    return new OldLedger(file, t.staged.sealKey)
  } catch (error) {
    if (isCode(error, 'no-space') || saysFull(error)) throw noSpace(error)
    if (isCode(error, 'database-busy')) throw error
    // Whatever else it is that the driver says of it: it cannot be read.
    return null
  }
}

function noSpace(cause: unknown): AppError {
  return new AppError('no-space', 'the disk is full: the damaged ledger cannot be read', {
    retry: 'later',
    cause,
    hint: 'free some disk space where the state directory is, then mount again: nothing is lost',
  })
}
