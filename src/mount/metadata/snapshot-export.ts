/**
 * The tree at a cut, as a batch in pieces. A second, read-only connection holds the view: it is opened right after the
 * COMMIT of the cut and sees that state until it is released, whatever happens meanwhile (the write-ahead log grows as
 * long: export soon). Staged extents of the view are translated by the mappings of the epochs that stored them.
 */
import { ByteWriter } from '../../base/byte-writer.js'
import { AppError } from '../../base/errors.js'
import type { FileId } from '../../model/ids.js'
import type { Database } from '../../sqlite/driver.js'
import { openDatabase } from '../../sqlite/open.js'
import { epochRow, lastPublished, removeMappings } from './epochs.js'
import { encodeOperation } from './operation-codec.js'
import * as o from './operations.js'
import { LEDGER_KIND, LEDGER_MIGRATIONS } from './schema.js'
import type { Tables } from './tables.js'
import type { FileTime } from './types.js'

const PIECE_BYTES = 1024 * 1024
const PAGE_ROWS = 1_000

interface View {
  readonly db: Database
  pieces: Generator<Buffer> | null
}

export class SnapshotViews {
  private readonly tables: Tables
  private readonly views = new Map<number, View>()

  constructor(tables: Tables) {
    this.tables = tables
    // Views end with the process; so do the snapshots that were to be made of them.
    const { database } = tables
    database.alone(() => {
      database.sql('DELETE FROM snapshot WHERE sequence IS NULL').run()
      removeMappings(tables)
    }, false)
  }

  /** Right after the cut was committed, before anything else is. */
  open(epoch: number): void {
    const options = { migrations: LEDGER_MIGRATIONS, kind: LEDGER_KIND, readOnly: true, cacheBytes: 8 * 1024 * 1024 }
    const db = openDatabase(this.tables.database.file, options)
    db.exec('BEGIN')
    db.prepare('SELECT 1 FROM inode LIMIT 1').get()
    this.views.set(epoch, { db, pieces: null })
  }

  /** The next piece; null at the end, which also closes the view (what it names stays until recorded or released). */
  next(epoch: number): Buffer | null {
    const view = this.views.get(epoch)
    if (view === undefined) throw new AppError('no-such-epoch', `no view of epoch ${epoch} is open`)
    view.pieces ??= this.begin(view.db, epoch)
    const next = view.pieces.next()
    if (!next.done) return next.value
    this.close(epoch)
    return null
  }

  /** Gives up the snapshot of this cut. */
  release(epoch: number): void {
    this.close(epoch)
    const { database } = this.tables
    database.alone(() => {
      database.sql('DELETE FROM snapshot WHERE epoch = ? AND sequence IS NULL').run(epoch)
      removeMappings(this.tables)
    }, false)
  }

  get any(): boolean {
    return this.views.size > 0
  }

  closeAll(): void {
    for (const epoch of [...this.views.keys()]) this.close(epoch)
  }

  private close(epoch: number): void {
    const view = this.views.get(epoch)
    if (view === undefined) return
    this.views.delete(epoch)
    view.pieces?.return(undefined)
    view.db.exec('ROLLBACK')
    view.db.close()
  }

  private begin(db: Database, epoch: number): Generator<Buffer> {
    const published = lastPublished(this.tables)?.epoch ?? 0
    if (published < epoch && epochRow(this.tables, epoch).stage === 'cut') {
      throw new AppError('epoch-out-of-order', 'the epoch is exported before it is prepared')
    }
    return pieces(this.tables, db)
  }
}

function* pieces(t: Tables, db: Database): Generator<Buffer> {
  let into = new ByteWriter(PIECE_BYTES + 128 * 1024).u8(o.OPERATIONS_VERSION)
  for (const operation of operations(t, db)) {
    encodeOperation(into, operation)
    if (into.size < PIECE_BYTES) continue
    yield into.bytes()
    into = new ByteWriter(PIECE_BYTES + 128 * 1024)
  }
  yield into.bytes()
}

function* operations(t: Tables, db: Database): Generator<o.Operation> {
  yield* inodes(db)
  yield* dentries(db)
  yield* extents(t, db)
}

interface InodeRow extends Record<string, unknown> {
  ino: number
  file: Buffer
  target: Buffer | null
}

function* inodes(db: Database): Generator<o.Operation> {
  const page = db.prepare<[number], InodeRow>(`SELECT * FROM inode WHERE ino > ? ORDER BY ino LIMIT ${PAGE_ROWS}`)
  const xattrs = db.prepare<[number], { name: Buffer; value: Buffer }>(
    'SELECT name, value FROM xattr WHERE ino = ? ORDER BY name',
  )
  const number = (row: InodeRow, name: string) => row[name] as number
  const time = (row: InodeRow, name: string): FileTime => ({
    sec: number(row, name),
    nsec: number(row, `${name}_ns`),
  })
  for (let rows = page.all(0); rows.length > 0; rows = page.all((rows.at(-1) as InodeRow).ino)) {
    for (const row of rows) {
      const file = row.file.toString('hex') as FileId
      const ctime = time(row, 'ctime')
      const times = { atime: time(row, 'atime'), mtime: time(row, 'mtime'), ctime, btime: time(row, 'btime') }
      const ids = { uid: number(row, 'uid'), gid: number(row, 'gid'), rdev: number(row, 'rdev') }
      const rest = { mode: number(row, 'mode'), size: number(row, 'size'), target: row.target ?? Buffer.alloc(0) }
      yield { kind: o.KIND.putInode, file, ...ids, ...rest, ...times }
      for (const { name, value } of xattrs.all(row.ino)) {
        yield { kind: o.KIND.setXattr, file, name, value, time: ctime }
      }
    }
  }
}

interface DentryRow {
  parent: number
  name: Buffer
  above: Buffer
  file: Buffer
}

function* dentries(db: Database): Generator<o.Operation> {
  const page = db.prepare<[number, Buffer], DentryRow>(
    `SELECT d.parent, d.name, p.file AS above, i.file FROM dentry d
     JOIN inode p ON p.ino = d.parent JOIN inode i ON i.ino = d.ino
     WHERE (d.parent, d.name) > (?, ?) ORDER BY d.parent, d.name LIMIT ${PAGE_ROWS}`,
  )
  let last: [number, Buffer] = [0, Buffer.alloc(0)]
  for (let rows = page.all(...last); rows.length > 0; rows = page.all(...last)) {
    for (const row of rows) {
      const parent = row.above.toString('hex') as FileId
      yield { kind: o.KIND.putDentry, parent, name: row.name, file: row.file.toString('hex') as FileId }
      last = [row.parent, row.name]
    }
  }
}

interface ExtentRow {
  ino: number
  offset: number
  length: number
  staged: number | null
  segment: number | null
  source: number
  file: Buffer
}

function* extents(t: Tables, db: Database): Generator<o.Operation> {
  const page = db.prepare<[number, number], ExtentRow>(
    `SELECT e.*, i.file FROM extent e JOIN inode i ON i.ino = e.ino
     WHERE (e.ino, e.offset) > (?, ?) ORDER BY e.ino, e.offset LIMIT ${PAGE_ROWS}`,
  )
  const named = new Set<number>()
  let last: [number, number] = [0, 0]
  for (let rows = page.all(...last); rows.length > 0; rows = page.all(...last)) {
    for (const row of rows) {
      last = [row.ino, row.offset]
      const place = { file: row.file.toString('hex') as FileId, offset: row.offset, length: row.length }
      const at = locate(t, row)
      if (at === null) {
        yield { kind: o.KIND.allocate, ...place }
        continue
      }
      const info = t.segments.info(at.segment)
      if (!named.has(at.segment)) yield { kind: o.KIND.segment, info }
      named.add(at.segment)
      yield { kind: o.KIND.extent, ...place, segment: info.segment, segmentOffset: at.source }
    }
  }
}

/** The segment of an extent of the view; null for reserved zeros. */
function locate(t: Tables, row: ExtentRow): { segment: number; source: number } | null {
  if (row.segment !== null) return { segment: row.segment, source: row.source }
  if (row.staged === null) return null
  const map = t.database
    .sql<[number], { segment: number; offset: number }>('SELECT segment, offset FROM mapping WHERE staged = ?')
    .get(row.staged)
  if (map === undefined) throw new AppError('epoch-out-of-order', 'the view holds bytes that no epoch has stored')
  return { segment: map.segment, source: map.offset + row.source }
}
