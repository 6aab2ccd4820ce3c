/**
 * The inode table, written back: nodes are changed in memory and reach SQLite at a flush, so a file that is made,
 * written and closed costs one row write, and a directory with a thousand new names one as well.
 * Whoever reads inode rows by SQL calls flush() before.
 */
import { assert } from '../../base/assert.js'
import type { FileId } from '../../model/ids.js'
import { idBytes, ROOT_FILE } from '../../model/ids.js'
import type { LedgerDatabase, WriteBack } from './database.js'
import { S_IFDIR, S_IFREG, typeOf } from './modes.js'
import type { FileTime, Inode } from './types.js'

export const ROOT_INO = 1
/** Clean nodes kept: about 400 bytes each. */
const NODES_MAX = 32_768

export interface Node {
  readonly ino: number
  readonly file: FileId
  mode: number
  nlink: number
  uid: number
  gid: number
  rdev: number
  size: number
  /** Bytes covered by extents. */
  covered: number
  atime: FileTime
  mtime: FileTime
  ctime: FileTime
  btime: FileTime
  /** Directories: where '..' leads (root: itself). Others 0. */
  parent: number
  target: Buffer | null
  /** Log position of the last operation on it. */
  changed: number
  /** Whether it has security.capability; undefined = not looked up. */
  capability: boolean | undefined
}

interface Row {
  ino: number
  file: Buffer
  mode: number
  nlink: number
  uid: number
  gid: number
  rdev: number
  size: number
  covered: number
  atime: number
  atime_ns: number
  mtime: number
  mtime_ns: number
  ctime: number
  ctime_ns: number
  btime: number
  btime_ns: number
  parent: number
  target: Buffer | null
  changed: number
}

const COLUMNS = [
  ...['ino', 'file', 'mode', 'nlink', 'uid', 'gid', 'rdev', 'size', 'covered', 'atime', 'atime_ns', 'mtime'],
  ...['mtime_ns', 'ctime', 'ctime_ns', 'btime', 'btime_ns', 'parent', 'target', 'changed'],
]
const PUT = `INSERT INTO inode (${COLUMNS.join(', ')}) VALUES (${COLUMNS.map(() => '?').join(', ')})
  ON CONFLICT (ino) DO UPDATE SET ${COLUMNS.slice(2)
    .map((one) => `${one} = excluded.${one}`)
    .join(', ')}`

export class Inodes implements WriteBack {
  private readonly database: LedgerDatabase
  /** In the order of loading. Dirty nodes are always in here. */
  private readonly nodes = new Map<number, Node>()
  private readonly byFile = new Map<FileId, number>()
  private readonly dirty = new Set<Node>()
  private readonly gone = new Set<number>()
  /** Rows of the table and nodes not yet in it. */
  private total = 0
  /** How often any node has changed, since the thread began: `asOf` of what is told now. */
  version = 0

  constructor(database: LedgerDatabase) {
    this.database = database
    this.count()
  }

  get files(): number {
    return this.total
  }

  get(ino: number): Node | null {
    const found = this.nodes.get(ino)
    if (found !== undefined) return found
    if (this.gone.has(ino)) return null
    const row = this.database.sql<[number], Row>('SELECT * FROM inode WHERE ino = ?').get(ino)
    return row === undefined ? null : this.keep(nodeOf(row))
  }

  byFileId(file: FileId): Node | null {
    const ino = this.byFile.get(file)
    if (ino !== undefined) return this.get(ino)
    const row = this.database.sql<[Buffer], Row>('SELECT * FROM inode WHERE file = ?').get(idBytes(file))
    if (row === undefined || this.gone.has(row.ino)) return null
    return this.nodes.get(row.ino) ?? this.keep(nodeOf(row))
  }

  /** Takes part in the group: call it inside a step, after the last change or before, it does not matter. */
  touch(node: Node): void {
    this.version++
    this.dirty.add(node)
  }

  add(node: Node): void {
    assert(!this.nodes.has(node.ino), 'a new inode number is not in use')
    this.keep(node)
    this.version++
    this.dirty.add(node)
    this.total++
  }

  remove(node: Node): void {
    this.version++
    this.nodes.delete(node.ino)
    this.byFile.delete(node.file)
    this.dirty.delete(node)
    this.gone.add(node.ino)
    this.total--
  }

  flush(): void {
    if (this.gone.size > 0) {
      const drop = this.database.sql('DELETE FROM inode WHERE ino = ?')
      for (const ino of this.gone) drop.run(ino)
      this.gone.clear()
    }
    if (this.dirty.size === 0) return
    const put = this.database.sql(PUT)
    for (const n of this.dirty) {
      put.run(
        ...[n.ino, idBytes(n.file), n.mode, n.nlink, n.uid, n.gid, n.rdev, n.size, n.covered],
        ...[n.atime.sec, n.atime.nsec, n.mtime.sec, n.mtime.nsec, n.ctime.sec, n.ctime.nsec],
        ...[n.btime.sec, n.btime.nsec, n.parent, n.target, n.changed],
      )
    }
    this.dirty.clear()
  }

  drop(): void {
    this.version++
    this.nodes.clear()
    this.byFile.clear()
    this.dirty.clear()
    this.gone.clear()
    this.count()
  }

  /** Numbers of inodes without a name, in the table and in memory. */
  orphans(): number[] {
    this.flush()
    const rows = this.database.sql<[], { ino: number }>('SELECT ino FROM inode WHERE nlink = 0').all()
    return rows.map((row) => row.ino)
  }

  private count(): void {
    this.total = (this.database.sql<[], { n: number }>('SELECT count(*) AS n FROM inode').get() as { n: number }).n
  }

  private keep(node: Node): Node {
    this.nodes.set(node.ino, node)
    this.byFile.set(node.file, node.ino)
    return node
  }

  /** Forgets the clean nodes that came first. Between calls only: a step may hold a node that it changes later. */
  trim(): void {
    for (const node of this.nodes.values()) {
      if (this.nodes.size <= NODES_MAX) return
      if (this.dirty.has(node)) continue
      this.nodes.delete(node.ino)
      this.byFile.delete(node.file)
    }
  }
}

/** The root of a tree that nothing happened to yet: the same on every device. */
export function newRoot(): Node {
  const time = { sec: 0, nsec: 0 }
  return {
    ...{ ino: ROOT_INO, file: ROOT_FILE, mode: S_IFDIR | 0o755, nlink: 2, uid: 0, gid: 0, rdev: 0, size: 0 },
    ...{ covered: 0, atime: time, mtime: time, ctime: time, btime: time, parent: ROOT_INO, target: null, changed: 0 },
    capability: undefined,
  }
}

export function isDirectory(node: Node): boolean {
  return typeOf(node.mode) === S_IFDIR
}

export function isRegular(node: Node): boolean {
  return typeOf(node.mode) === S_IFREG
}

const DIRECTORY_BYTES = 4_096
const BLOCK_BYTES = 4_096

/** As others see it. Directories have a constant size; symbolic links the length of their target. */
export function inodeOf(node: Node, asOf: number): Inode {
  const directory = isDirectory(node)
  const size = directory ? DIRECTORY_BYTES : (node.target?.length ?? node.size)
  const covered = directory ? DIRECTORY_BYTES : node.covered
  return {
    asOf,
    ino: node.ino,
    file: node.file,
    mode: node.mode,
    nlink: node.nlink,
    uid: node.uid,
    gid: node.gid,
    rdev: node.rdev,
    size,
    blocks: Math.ceil(covered / BLOCK_BYTES) * (BLOCK_BYTES / 512),
    atime: node.atime,
    mtime: node.mtime,
    ctime: node.ctime,
    btime: node.btime,
  }
}

function nodeOf(row: Row): Node {
  return {
    ...{ ino: row.ino, file: row.file.toString('hex') as FileId, mode: row.mode, nlink: row.nlink },
    ...{ uid: row.uid, gid: row.gid, rdev: row.rdev, size: row.size, covered: row.covered },
    atime: { sec: row.atime, nsec: row.atime_ns },
    mtime: { sec: row.mtime, nsec: row.mtime_ns },
    ctime: { sec: row.ctime, nsec: row.ctime_ns },
    btime: { sec: row.btime, nsec: row.btime_ns },
    ...{ parent: row.parent, target: row.target, changed: row.changed, capability: undefined },
  }
}
