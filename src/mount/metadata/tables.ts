/** All parts of the ledger's state, opened together on the worker thread. */
import type { RandomBytes } from '../../base/random.js'
import type { SecretBytes } from '../../crypto/secret.js'
import { Counters } from './counters.js'
import { LedgerDatabase } from './database.js'
import { Extents } from './extents.js'
import { Inodes, newRoot, ROOT_INO } from './inodes.js'
import { OperationLog } from './log.js'
import { Dentries, Xattrs } from './names.js'
import { Segments } from './segments.js'
import { StagedRows } from './staged.js'

export interface Tables {
  readonly database: LedgerDatabase
  readonly counters: Counters
  readonly inodes: Inodes
  readonly dentries: Dentries
  readonly xattrs: Xattrs
  readonly staged: StagedRows
  readonly segments: Segments
  readonly extents: Extents
  readonly log: OperationLog
  readonly random: RandomBytes
  readonly nowMs: () => number
}

export interface TablesParts {
  readonly file: string
  readonly key: SecretBytes
  readonly random: RandomBytes
  readonly nowMs: () => number
  /** Memory of rows that nobody reads any more; without it the collector finds them. */
  readonly release?: (bytes: Buffer) => void
}

export function openTables(parts: TablesParts): Tables {
  const database = new LedgerDatabase(parts.file)
  try {
    return tablesOf(database, parts)
  } catch (error) {
    database.db.close()
    throw error
  }
}

function tablesOf(database: LedgerDatabase, parts: TablesParts): Tables {
  const counters = new Counters(database)
  const inodes = new Inodes(database)
  const dentries = new Dentries(database, counters)
  const xattrs = new Xattrs(database)
  const { key, random, release = () => {} } = parts
  const staged = new StagedRows({ database, counters, key, random, release })
  const segments = new Segments(database, counters)
  const extents = new Extents(database, staged, segments)
  const log = new OperationLog(database, counters, parts.nowMs)
  // Counters last: the others take numbers while they flush, and the others' drop() must see settled counters first.
  for (const one of [inodes, staged, segments, log, counters]) database.register(one)
  if (inodes.get(ROOT_INO) === null) database.alone(() => inodes.add(newRoot()), true)
  const rest = { random, nowMs: parts.nowMs }
  return { database, counters, inodes, dentries, xattrs, staged, segments, extents, log, ...rest }
}
