/** Pins of this device, and where the bytes of files lie, without the bytes. On the worker thread. */
import { AppError } from '../../base/errors.js'
import { isDirectory, isRegular, type Node } from './inodes.js'
import { nodeOf } from './rules.js'
import type { Tables } from './tables.js'
import type { FilePieces, PiecesFrom } from './types.js'

/** Files and folders that are pinned by themselves: each is looked at again and again. */
export const PINS_MAX = 10_000
/** Extents of one answer: some 10 ms of this thread. */
const PIECES_MAX = 4_096

/** In the order in which they were set. */
export function pins(t: Tables): number[] {
  const rows = t.database.sql<[], { ino: number }>('SELECT ino FROM pin ORDER BY number').all()
  return rows.map((row) => row.ino)
}

/** Durable when it returns. Allowed on a read-only drive: nothing of the drive changes. */
export function setPin(t: Tables, ino: number, isPinned: boolean): void {
  if (!isPinned) {
    t.database.alone(() => removePin(t, ino), true)
    return
  }
  if (!isPinnable(nodeOf(t, ino))) throw new AppError('not-supported', 'only files and folders are pinned')
  const count = t.database.sql<[], { n: number }>('SELECT count(*) AS n FROM pin').get()?.n ?? 0
  if (count >= PINS_MAX) throw new AppError('no-space', `more than ${PINS_MAX} pins: pin the folder above instead`)
  t.database.alone(() => addPins(t, [ino]), true)
}

export function isPinnable(node: Node): boolean {
  return isDirectory(node) || isRegular(node)
}

/** In a transaction of the caller's. */
export function addPins(t: Tables, inos: readonly number[]): void {
  const add = t.database.sql('INSERT OR IGNORE INTO pin (ino) VALUES (?)')
  for (const ino of inos) add.run(ino)
}

export function removePin(t: Tables, ino: number): void {
  t.database.sql('DELETE FROM pin WHERE ino = ?').run(ino)
}

/** Data of files, at most so much that it is one short step; `next`: where to go on. Files that have gone have none. */
export function piecesOf(t: Tables, inos: readonly number[], from: PiecesFrom): FilePieces {
  const pieces: FilePieces['pieces'][number][] = []
  let localBytes = 0
  let left = PIECES_MAX
  const text = `SELECT offset, length, staged, segment, source FROM extent WHERE ino = ? AND offset >= ?
    AND (staged IS NOT NULL OR segment IS NOT NULL) ORDER BY offset LIMIT ?`
  const rows = t.database.sql<[number, number, number], Row>(text)
  for (let at = from.at; at < inos.length; at++) {
    const ino = inos[at] as number
    if (left <= 0) return { pieces, localBytes, next: { at, offset: 0 } }
    const found = rows.all(ino, at === from.at ? from.offset : 0, left)
    for (const { offset, length, segment, source } of found) {
      if (segment === null) localBytes += length
      else pieces.push({ segment: t.segments.info(segment), segmentOffset: source, length })
      if (--left === 0) return { pieces, localBytes, next: { at, offset: offset + length } }
    }
  }
  return { pieces, localBytes, next: null }
}

interface Row {
  offset: number
  length: number
  segment: number | null
  source: number
}
