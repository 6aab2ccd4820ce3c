/** Changes of bytes: writes, reserved and punched ranges; and what a reader asks. On the worker thread. */
import { apply } from './apply.js'
import type { Run } from './extents.js'
import type { Node } from './inodes.js'
import type { RangeParts, WriteParts } from './ledger.js'
import { PERMISSIONS, withoutPrivileges } from './modes.js'
import { changed, dropCapability, perform } from './mutations.js'
import * as o from './operations.js'
import { checkRange, refuse, regularOf } from './rules.js'
import { STAGED_ROW_BYTES_MAX } from './staged.js'
import type { Tables } from './tables.js'
import type { Changed, FileTime, Piece, Plan } from './types.js'

/** What one plan() may answer: bounds the buffers in flight between the threads. */
const PLAN_BYTES_MAX = 16 * 1024 * 1024

export function write(t: Tables, parts: Omit<WriteParts, 'bytes'>, bytes: Buffer): Changed {
  const node = regularOf(t, parts.ino)
  checkRange(parts.offset, bytes.length)
  if (bytes.length === 0 || bytes.length > STAGED_ROW_BYTES_MAX) throw refuse('invalid-argument', '1 byte to 1 MiB')
  const before = privileges(t, node, parts.killSuidGid, parts.time)
  if (before.length > 0) perform(t, before)
  const size = Math.max(node.size, parts.offset + bytes.length)
  const at = { file: node.file, offset: parts.offset, length: bytes.length, size, time: parts.time }
  t.database.step(() => {
    const operation: o.StagedWrite = { kind: o.KIND.stagedWrite, ...at, stagedId: t.staged.append(bytes), source: 0 }
    apply(t, operation, t.log.append(operation), 0)
  })
  return changed(t, node)
}

/** What a change of bytes takes from a program. */
export function privileges(t: Tables, node: Node, killSuidGid: boolean, time: FileTime): o.Operation[] {
  const operations = dropCapability(t, node, time)
  const mode = withoutPrivileges(node.mode)
  if (killSuidGid && mode !== node.mode) {
    operations.push({ kind: o.KIND.attributes, file: node.file, mode: mode & PERMISSIONS, ctime: time })
  }
  return operations
}

export function changeRange(t: Tables, parts: RangeParts): Changed {
  const node = regularOf(t, parts.ino)
  checkRange(parts.offset, parts.length)
  if (parts.length === 0) throw refuse('invalid-argument', 'an empty range')
  const range = { file: node.file, offset: parts.offset, length: parts.length }
  const operations = privileges(t, node, parts.killSuidGid, parts.time)
  if (parts.action !== 'allocate') operations.push({ kind: o.KIND.hole, ...range })
  const end = parts.offset + parts.length
  const grows = parts.action !== 'punch' && !parts.keepSize && end > node.size
  const times = { mtime: parts.time, ctime: parts.time }
  operations.push({ kind: o.KIND.attributes, file: node.file, ...times, size: grows ? end : undefined })
  if (parts.action !== 'punch') operations.push({ kind: o.KIND.allocate, ...range })
  perform(t, operations)
  return changed(t, node)
}

export function plan(t: Tables, ino: number, offset: number, length: number): Plan {
  const node = regularOf(t, ino)
  // Behind the end there is nothing to read, however far: that is no refusal.
  if (offset >= node.size) return { pieces: [], size: node.size }
  checkRange(offset, 0)
  if (length > PLAN_BYTES_MAX) throw refuse('invalid-argument', 'a plan covers at most 16 MiB')
  const end = Math.min(node.size, offset + length)
  return { pieces: t.extents.runs(ino, offset, end).map((run) => pieceOf(t, run)), size: node.size }
}

function pieceOf(t: Tables, run: Run): Piece {
  const { length } = run
  if (run.kind === 'zeros') return { kind: 'zeros', length }
  if (run.kind === 'staged') return { kind: 'bytes', length, bytes: t.staged.read(run.id, run.source, length) }
  return { kind: 'segment', length, segment: run.info, segmentOffset: run.source }
}

export function seek(t: Tables, ino: number, offset: number, whence: 'data' | 'hole'): number | null {
  const node = regularOf(t, ino)
  if (offset < 0 || offset >= node.size) return null
  const found = t.extents.find(ino, offset, whence === 'data')
  if (whence === 'hole') return Math.min(found ?? node.size, node.size)
  return found !== null && found < node.size ? found : null
}
