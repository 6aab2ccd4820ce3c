/** Where files stand, for the person whose files they are. Names go to a terminal and never into a log. */
import { ROOT_INO } from './inodes.js'
import type { Tables } from './tables.js'

/** Deeper trees than this are shown from there on. */
const DEPTH_MAX = 1_000
const BATCH = 500

export interface NamedFile {
  readonly ino: number
  /** From the root of the drive, '/'-separated, bytes as latin1. */
  readonly path: string
}

/** Every name of each of these inodes; those without a name are left out. Looks through all names once for 500 inodes. */
export function pathsOf(t: Tables, inos: readonly number[]): NamedFile[] {
  t.database.flush()
  const found: NamedFile[] = []
  for (let at = 0; at < inos.length; at += BATCH) {
    const some = inos.slice(at, at + BATCH)
    const text = `SELECT parent, name, ino FROM dentry WHERE ino IN (${some.map(() => '?').join(', ')})`
    const rows = t.database.db.prepare<number[], { parent: number; name: Buffer; ino: number }>(text).all(...some)
    for (const { parent, name, ino } of rows) {
      found.push({ ino, path: [...folderOf(t, parent), name.toString('latin1')].join('/') })
    }
  }
  return found
}

function folderOf(t: Tables, directory: number): string[] {
  const names: string[] = []
  const text = 'SELECT name FROM dentry WHERE parent = ? AND ino = ?'
  let at = directory
  while (at !== ROOT_INO && names.length < DEPTH_MAX) {
    const parent = t.inodes.get(at)?.parent ?? ROOT_INO
    const row = t.database.sql<[number, number], { name: Buffer }>(text).get(parent, at)
    names.unshift(row?.name.toString('latin1') ?? '?')
    at = parent
  }
  return names
}
