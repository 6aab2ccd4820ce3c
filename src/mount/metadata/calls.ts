/** The calls that the worker answers, by name: unpacks arguments, packs results. client.ts is the other side. */
import { AppError } from '../../base/errors.js'
import type { Head } from '../../model/chain.js'
import type { SegmentId } from '../../model/ids.js'
import type { SegmentInfo } from '../../model/segment.js'
import * as care from './care.js'
import type { CarryPlan } from './carried.js'
import * as chain from './chain.js'
import { check } from './check.js'
import { copyRange } from './copies.js'
import * as epochs from './epochs.js'
import * as facts from './facts.js'
import { inodeOf } from './inodes.js'
import type { AttributeParts, CopyParts, MakeParts, RangeParts, WriteParts } from './ledger.js'
import { materialise, prepared } from './materialise.js'
import * as mutations from './mutations.js'
import * as io from './mutations-io.js'
import {
  bufferOf,
  handOver,
  ownBytes,
  packBytes,
  packChanged,
  packInode,
  packPage,
  packPlan,
  unpackBytes,
} from './packing.js'
import * as pins from './pins.js'
import * as queries from './queries.js'
import { repair } from './repair.js'
import { directoryOf, nodeOf } from './rules.js'
import type { LedgerService } from './service.js'
import type { FileTime, PiecesFrom, SavedRecord, SnapshotMark, StagedMapping } from './types.js'

type Answer = (s: LedgerService, transfer: ArrayBuffer[], ...args: never[]) => unknown

/** What one readStaged() may hand over. */
const READ_STAGED_BYTES_MAX = 64 * 1024 * 1024

const tree: Record<string, Answer> = {
  lookup: (s, _t, parent: number, name: string) =>
    s.run('read', (t) => {
      const dentry = t.dentries.get(directoryOf(t, parent).ino, unpackBytes(name))
      return dentry === null ? null : packInode(inodeOf(nodeOf(t, dentry.ino), t.inodes.version))
    }),
  attributes: (s, _t, ino: number) => s.run('read', (t) => packInode(inodeOf(nodeOf(t, ino), t.inodes.version))),
  readLink: (s, _t, ino: number) =>
    s.run('read', (t) => {
      const { target } = nodeOf(t, ino)
      if (target === null) throw new AppError('invalid-argument', 'not a symbolic link')
      return packBytes(target)
    }),
  list: (s, transfer, ino: number, cookie: number, limit: number, withAttributes: boolean) =>
    s.run('read', (t) => packPage(queries.list(t, ino, cookie, limit, withAttributes), transfer)),
  getXattr: (s, transfer, ino: number, name: string) =>
    s.run('read', (t) => {
      const value = t.xattrs.get(nodeOf(t, ino).ino, unpackBytes(name))
      return value === null ? null : ownBytes(value, transfer)
    }),
  listXattr: (s, _t, ino: number) => s.run('read', (t) => t.xattrs.names(nodeOf(t, ino).ino).map(packBytes)),
  seek: (s, _t, ino: number, offset: number, whence: 'data' | 'hole') =>
    s.run('read', (t) => io.seek(t, ino, offset, whence)),
  stateOf: (s, _t, ino: number) => s.run('read', (t) => queries.stateOf(t, ino)),
  plan: (s, transfer, ino: number, offset: number, length: number) =>
    s.run('read', (t) => packPlan(io.plan(t, ino, offset, length), transfer)),

  make: (s, _t, parts: Omit<MakeParts, 'name' | 'target'>, name: string | null, target: string | null) =>
    s.run('change', (t) => {
      const bytes = { name: name === null ? null : unpackBytes(name), target: unpackBytes(target ?? '') }
      return packChanged(mutations.make(t, { ...parts, ...bytes }))
    }),
  link: (s, _t, ino: number, parent: number, name: string, time: FileTime) =>
    s.run('change', (t) => packChanged(mutations.link(t, ino, parent, unpackBytes(name), time))),
  unlink: (s, _t, parent: number, name: string, time: FileTime, kind: 'file' | 'directory') =>
    s.run('change', (t) => packChanged(mutations.unlink(t, parent, unpackBytes(name), time, kind))),
  rename: (s, _t, parent: number, name: string, newParent: number, newName: string, mode: RenameMode, time: FileTime) =>
    s.run('change', (t) => {
      const to = { parent: newParent, name: unpackBytes(newName) }
      return packChanged(mutations.rename(t, { parent, name: unpackBytes(name) }, to, mode, time))
    }),
  setAttributes: (s, _t, parts: AttributeParts) =>
    s.run('change', (t) => packChanged(mutations.setAttributes(t, parts))),
  setXattr: (s, _t, ino: number, name: string, value: Uint8Array, mode: 'any' | 'create' | 'replace', time: FileTime) =>
    s.run('change', (t) => packChanged(mutations.setXattr(t, ino, unpackBytes(name), bufferOf(value), mode, time))),
  removeXattr: (s, _t, ino: number, name: string, time: FileTime) =>
    s.run('change', (t) => packChanged(mutations.removeXattr(t, ino, unpackBytes(name), time))),
  write: (s, _t, parts: WriteParts) =>
    s.run('acknowledged', (t) => packChanged(io.write(t, parts, Buffer.from(parts.bytes, 0, parts.length)))),
  changeRange: (s, _t, parts: RangeParts) => s.run('change', (t) => packChanged(io.changeRange(t, parts))),
  copyRange: (s, _t, parts: CopyParts) =>
    s.run('change', (t) => {
      const { copied, ...rest } = copyRange(t, parts)
      return [copied, packChanged(rest)]
    }),
  reap: (s, _t, inos: number[]) => s.run('change', (t) => mutations.reap(t, inos)),
  reapOrphans: (s) =>
    s.run('change', (t) => {
      const orphans = t.inodes.orphans()
      mutations.reap(t, orphans)
      return orphans.length
    }),
}

type RenameMode = 'replace' | 'no-replace' | 'exchange'

const segments: Record<string, Answer> = {
  segment: (s, _t, id: SegmentId) => s.run('read', (t) => queries.segment(t, id)),
  placement: (s, transfer, id: SegmentId) =>
    s.run('read', (t) => {
      const value = queries.placement(t, id)
      return value === null ? null : ownBytes(value, transfer)
    }),
  putPlacement: (s, _t, id: SegmentId, value: Uint8Array) =>
    s.run('read', (t) => queries.putPlacement(t, id, bufferOf(value))),
  segmentsAfter: (s, _t, row: number, limit: number) => s.run('read', (t) => queries.segmentsAfter(t, row, limit)),
  recordPendingSegments: (s, _t, ids: SegmentId[]) => s.run('epoch', (t) => queries.recordPendingSegments(t, ids)),
  pendingSegments: (s) => s.run('read', (t) => queries.pendingSegments(t)),
  forgetPendingSegments: (s, _t, ids: SegmentId[]) => s.run('epoch', (t) => queries.forgetPendingSegments(t, ids)),
  readStaged: (s, transfer, ids: number[]) =>
    s.run('read', (t) => {
      let bytes = 0
      return ids.map((id) => {
        const plain = t.staged.takeWhole(id)
        bytes += plain.length
        if (bytes > READ_STAGED_BYTES_MAX) throw new AppError('invalid-argument', 'at most 64 MiB at once')
        return handOver(plain, transfer)
      })
    }),
}

const log: Record<string, Answer> = {
  cut: (s, _t, view: boolean) =>
    s.run('epoch', (t) => {
      const made = epochs.cut(t, view)
      if (view && made !== null) s.views.open(made.epoch)
      return made
    }),
  materialise: (s, _t, epoch: number, mapping: StagedMapping[], infos: SegmentInfo[]) =>
    s.run('epoch', (t) => materialise(t, epoch, mapping, infos.map(segmentInfo))),
  prepared: (s, _t, epoch: number) => s.run('read', (t) => prepared(t, epoch)),
  saveRecord: (s, _t, epoch: number, record: SavedRecord) =>
    s.run('epoch', (t) => epochs.saveRecord(t, epoch, savedRecord(record))),
  published: (s, _t, epoch: number, head: Head) => s.run('epoch', (t) => epochs.published(t, epoch, headOf(head))),
  pendingEpochs: (s, _t, limit: number | null) => s.run('read', (t) => epochs.pendingEpochs(t, limit ?? undefined)),
  head: (s) => s.run('read', (t) => facts.getHead(t)),
  saveHead: (s, _t, head: Head) => s.run('epoch', (t) => t.database.alone(() => facts.putHead(t, headOf(head)), true)),
  saveRecords: (s, _t, records: SavedRecord[]) => s.run('epoch', (t) => chain.saveRecords(t, records.map(savedRecord))),
  loadRecords: (s, _t, sequence: number) => s.run('read', (t) => chain.loadRecords(t, sequence)),
  applyBatch: (s, _t, operations: Uint8Array, epoch: number, head: Head) =>
    s.run('epoch', (t) => chain.applyBatch(t, bufferOf(operations), epoch, headOf(head))),
  beginImport: (s, _t, epoch: number) => s.beginImport(epoch),
  importPiece: (s, _t, piece: Uint8Array) => s.importPiece(bufferOf(piece)),
  finishImport: (s, _t, head: Head) => s.finishImport(headOf(head)),
  abortImport: (s) => s.abortImport(),
  exportPiece: (s, transfer, epoch: number) =>
    s.run('read', () => {
      const piece = s.views.next(epoch)
      return piece === null ? null : ownBytes(piece, transfer)
    }),
  releaseView: (s, _t, epoch: number) => s.run('epoch', () => s.views.release(epoch)),
  recordSnapshot: (s, _t, mark: SnapshotMark, infos: SegmentInfo[]) =>
    s.run('epoch', (t) => queries.recordSnapshot(t, mark, infos.map(segmentInfo))),
  snapshots: (s) => s.run('read', (t) => queries.snapshots(t)),
}

const rest: Record<string, Answer> = {
  getMeta: (s, transfer, key: string) =>
    s.run('read', (t) => {
      const value = facts.getMeta(t, key)
      return value === null ? null : ownBytes(value, transfer)
    }),
  putMeta: (s, _t, entries: [string, Uint8Array | null][], durable: boolean) =>
    s.run('epoch', (t) =>
      t.database.alone(() => {
        for (const [key, value] of entries) facts.putMeta(t, key, value === null ? null : bufferOf(value))
      }, durable),
    ),
  pins: (s) => s.run('read', (t) => pins.pins(t)),
  setPin: (s, _t, ino: number, isPinned: boolean) => s.run('epoch', (t) => pins.setPin(t, ino, isPinned)),
  piecesOf: (s, _t, inos: number[], from: PiecesFrom) => s.run('read', (t) => pins.piecesOf(t, inos, from)),
  room: (s) => s.room(),
  setReadOnly: (s, _t, reason: string | null) => s.setReadOnly(reason),
  check: (s) => s.run('read', (t) => check(t)),
}

const upkeep: Record<string, Answer> = {
  repair: (s) => s.run('epoch', (t) => repair(t)),
  lookAtStaged: (s, _t, after: number) => s.run('read', (t) => care.lookAtStaged(t, after)),
  filesAtRisk: (s, _t, wanted: { segments: SegmentId[]; staged: number[] }) =>
    s.run('read', (t) => care.filesAtRisk(t, wanted)),
  isBehind: (s) => s.run('read', (t) => t.database.isBehind),
  logFrames: (s) => s.run('read', (t) => t.database.logFrames().all),
  noteDamage: (s, _t, what: string) => s.noteDamage(what),
  lookAtOld: (s, _t, file: string) => s.run('read', (t) => care.lookAtOld(t, file)),
  carryPins: (s, _t, file: string) => s.run('epoch', (t) => care.carryPinsFrom(t, file)),
  carryOver: (s, _t, file: string, plan: CarryPlan) => s.run('epoch', (t) => care.carryFrom(t, file, plan)),
}

export const CALLS: Readonly<Record<string, Answer>> = { ...tree, ...segments, ...log, ...rest, ...upkeep }

/** Buffers arrive as Uint8Array: the driver and the codecs want Buffers. */
function segmentInfo(info: SegmentInfo): SegmentInfo {
  return { ...info, root: bufferOf(info.root) }
}

function savedRecord(record: SavedRecord): SavedRecord {
  return { sequence: record.sequence, hash: bufferOf(record.hash), encoded: bufferOf(record.encoded) }
}

function headOf(head: Head): Head {
  return { sequence: head.sequence, hash: bufferOf(head.hash) }
}
