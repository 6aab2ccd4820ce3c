/**
 * Copies of a range without its bytes: extents of the target name what the extents of the source name. A segment's range gets
 * an `extent` in the log (its segment was published before, so everybody knows it); a staged row of the open group of epochs is
 * named once more, and the cut stores it once. A row that a cut has frozen cannot be named any more: the cut that stores it has
 * said already whose bytes they are. There the copy ends, and when it ends before it began the caller reads and writes.
 */
import type { Run } from './extents.js'
import type { Node } from './inodes.js'
import type { CopyParts } from './ledger.js'
import { changed, perform } from './mutations.js'
import { privileges } from './mutations-io.js'
import * as o from './operations.js'
import { checkRange, refuse, regularOf } from './rules.js'
import type { Tables } from './tables.js'
import type { Copied } from './types.js'

/** What one call takes: others wait meanwhile (some 16,000 rows at worst). Callers ask again for the rest. */
const COPY_BYTES_MAX = 64 * 1024 * 1024
const COPY_RUNS_MAX = 1_024

/** Up to the end of the source. `not-supported` when the first bytes are on their way to hosts; otherwise short there. */
export function copyRange(t: Tables, parts: CopyParts): Copied {
  const source = regularOf(t, parts.ino)
  const target = regularOf(t, parts.toIno)
  const length = Math.min(parts.length, Math.max(0, source.size - parts.offset), COPY_BYTES_MAX)
  if (length === 0) return { copied: 0, ...changed(t, target) }
  checkRange(parts.toOffset, length)
  const apart = parts.toOffset >= parts.offset + length || parts.offset >= parts.toOffset + length
  if (source === target && !apart) throw refuse('invalid-argument', 'a range onto itself')
  const runs = sharable(t, t.extents.runs(source.ino, parts.offset, parts.offset + length))
  const last = runs.at(-1)
  if (last === undefined) throw refuse('not-supported', 'the bytes are on their way to hosts')
  const copied = last.offset + last.length - parts.offset
  const size = Math.max(target.size, parts.toOffset + copied)
  const operations = privileges(t, target, parts.killSuidGid, parts.time)
  for (const run of runs) operations.push(...shares(t, target, run, { ...parts, size }))
  const times = { mtime: parts.time, ctime: parts.time }
  operations.push({ kind: o.KIND.attributes, file: target.file, ...times, size: size > target.size ? size : undefined })
  perform(t, operations)
  return { copied, ...changed(t, target) }
}

function sharable(t: Tables, runs: readonly Run[]): Run[] {
  const frozen = runs.findIndex((run) => run.kind === 'staged' && t.staged.isFrozen(run.id))
  return runs.slice(0, Math.min(frozen < 0 ? runs.length : frozen, COPY_RUNS_MAX))
}

/** What makes a run of the source one of the target. */
function shares(t: Tables, target: Node, run: Run, to: CopyParts & { readonly size: number }): o.Operation[] {
  const offset = to.toOffset + (run.offset - to.offset)
  const range = { file: target.file, offset, length: run.length }
  if (run.kind === 'segment') {
    return [{ kind: o.KIND.extent, ...range, segment: run.info.segment, segmentOffset: run.source }]
  }
  if (run.kind === 'staged') {
    const { size, time } = to
    return [{ kind: o.KIND.stagedWrite, ...range, stagedId: run.id, source: run.source, size, time }]
  }
  const operations: o.Operation[] = []
  const covered = t.extents.overlapping(target.ino, offset, offset + run.length).length > 0
  if (covered) operations.push({ kind: o.KIND.hole, ...range })
  if (run.reserved) operations.push({ kind: o.KIND.allocate, ...range })
  return operations
}
