/**
 * The ledger: the working copy of a drive's tree, its staged bytes and its operation log, seen from the main thread.
 * One worker thread owns the only writing connection; calls are answered in the order in which they were made, and
 * what a call sees is what all calls before it left (also those that nobody awaits).
 *
 * Promises
 *  - A mutation is whole or not at all; it is visible to the next call at once, on disk within 1 s (group commit), and
 *    durable when a later sync() has answered. After a crash the ledger holds a prefix of the mutations.
 *  - Every visible field is a function of operations (docs/format.md section 9): who applies the same batches has
 *    the same tree. Inode numbers and directory cookies are local.
 *  - Names, targets and xattrs are raw bytes. All buffers handed out belong to the receiver.
 *
 * Failures: AppErrors with the codes of FileSystemErrorCode for what POSIX refuses, `read-only` with the reason while
 * the drive cannot be written, `database-damaged`, and `ledger-stopped` for every call that was waiting when the
 * worker ended or that comes after close().
 */
import type { Head } from '../../model/chain.js'
import type { SegmentId } from '../../model/ids.js'
import type { SegmentInfo } from '../../model/segment.js'
import type { BatchChanges } from './batch-changes.js'
import type { LedgerRoom } from './disk-room.js'
import type {
  Changed,
  Copied,
  Cut,
  DirectoryPage,
  FilePieces,
  FileState,
  FileTime,
  Finding,
  Inode,
  Materialised,
  PendingEpoch,
  PiecesFrom,
  Plan,
  Progress,
  SavedRecord,
  SegmentPage,
  SnapshotMark,
  StagedMapping,
} from './types.js'

export interface MakeParts {
  readonly parent: number
  /** null: a file without a name (O_TMPFILE); link() may give it one. */
  readonly name: Buffer | null
  /** Type and permission bits. A setgid parent hands down its group (and its setgid bit to directories). */
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly rdev?: number
  /** Symbolic links only. */
  readonly target?: Buffer
  readonly time: FileTime
}

export interface AttributeParts {
  readonly ino: number
  /** Permission bits only. */
  readonly mode?: number
  readonly uid?: number
  readonly gid?: number
  readonly size?: number
  readonly atime?: FileTime
  readonly mtime?: FileTime
  readonly ctime?: FileTime
  /** Now: what ctime (and with size mtime) becomes when not given. */
  readonly time: FileTime
  /** With size: clear setuid, and setgid where the group may execute. A change of owner or group does so by itself. */
  readonly killSuidGid?: boolean
}

export interface WriteParts {
  readonly ino: number
  readonly offset: number
  /** Transferred: the caller's buffer is gone afterwards. Own ArrayBuffer, at most 1 MiB used from its start. */
  readonly bytes: ArrayBuffer
  readonly length: number
  readonly time: FileTime
  readonly killSuidGid: boolean
}

export interface RangeParts {
  readonly ino: number
  readonly offset: number
  readonly length: number
  /** allocate: reserve; punch: make a hole; zero: make a hole and reserve it. */
  readonly action: 'allocate' | 'punch' | 'zero'
  readonly keepSize: boolean
  readonly killSuidGid: boolean
  readonly time: FileTime
}

export interface CopyParts {
  readonly ino: number
  readonly offset: number
  readonly toIno: number
  readonly toOffset: number
  readonly length: number
  readonly killSuidGid: boolean
  readonly time: FileTime
}

/** For the vfs. */
export interface LedgerTree {
  lookup(parent: number, name: Buffer): Promise<Inode | null>
  /** `stale` when there is no such inode. */
  attributes(ino: number): Promise<Inode>
  readLink(ino: number): Promise<Buffer>
  /** Names behind `cookie` (0 = from the start), at most `limit` (1,000). */
  list(directory: number, cookie: number, limit: number, withAttributes: boolean): Promise<DirectoryPage>
  getXattr(ino: number, name: Buffer): Promise<Buffer | null>
  listXattr(ino: number): Promise<Buffer[]>
  /** First data (or hole) at or after offset; null beyond the end (and for data: after the last). */
  seek(ino: number, offset: number, whence: 'data' | 'hole'): Promise<number | null>
  stateOf(ino: number): Promise<FileState>

  /** Subject, then the parent. */
  make(parts: MakeParts): Promise<Changed>
  link(ino: number, parent: number, name: Buffer, time: FileTime): Promise<Changed>
  /** Subject as it is afterwards (nlink 0: reap it when nobody holds it any more), then the parent. */
  unlink(parent: number, name: Buffer, time: FileTime, kind: 'file' | 'directory'): Promise<Changed>
  /** The inode that moved, the parents, and the one that was replaced or exchanged. */
  rename(
    parent: number,
    name: Buffer,
    newParent: number,
    newName: Buffer,
    mode: 'replace' | 'no-replace' | 'exchange',
    time: FileTime,
  ): Promise<Changed>
  setAttributes(parts: AttributeParts): Promise<Changed>
  setXattr(
    ino: number,
    name: Buffer,
    value: Buffer,
    mode: 'any' | 'create' | 'replace',
    time: FileTime,
  ): Promise<Changed>
  removeXattr(ino: number, name: Buffer, time: FileTime): Promise<Changed>
  write(parts: WriteParts): Promise<Changed>
  changeRange(parts: RangeParts): Promise<Changed>
  /** Copies without bytes, maybe fewer than asked; the target. `not-supported`: only by reading and writing, for now. */
  copyRange(parts: CopyParts): Promise<Copied>
  /** Frees orphans; others are left alone. */
  reap(inos: readonly number[]): Promise<void>
  /** Those that a crash has left: at start, when nobody holds anything. Answers how many. */
  reapOrphans(): Promise<number>
  /** Everything called before is durable. Calls that wait together share one disk flush. */
  sync(): Promise<void>
}

/** For the reader. */
export interface LedgerReading {
  /** At most 16 MiB. `stale`, or `is-a-directory`. */
  plan(ino: number, offset: number, length: number): Promise<Plan>
  segment(segment: SegmentId): Promise<SegmentInfo | null>
  /** What was put last for the segment (the caller's format), null when nothing. At most 64 KiB. */
  placement(segment: SegmentId): Promise<Buffer | null>
  putPlacement(segment: SegmentId, placement: Buffer): Promise<void>
}

/** For writer and sync. Epochs are numbered from 1 and publish strictly in order. What would not fit one chain record is cut by
 *  the ledger itself: see Progress.newestPending. */
export interface LedgerEpochs {
  /** Freezes what happened so far, or null when nothing did since the last cut. `view`: keep exportSnapshot() possible. */
  cut(options?: { view?: boolean }): Promise<Cut | null>
  /** Plain bytes of staged rows, in the order asked; at most 64 MiB together. Rows of unpublished epochs stay readable. */
  readStaged(stagedIds: readonly number[]): Promise<Buffer[]>
  /** Durable at once, before any push: so that a crash leaves no segment that nobody remembers. */
  recordPendingSegments(segments: readonly SegmentId[]): Promise<void>
  /** Recorded segments that no prepared epoch and no snapshot names: an attempt that did not come to its end. */
  pendingSegments(): Promise<SegmentId[]>
  forgetPendingSegments(segments: readonly SegmentId[]): Promise<void>
  /** cut -> prepared, durable. Every row of the cut must be mapped, every mapping's segment be in `segments`. */
  materialise(epoch: number, mapping: readonly StagedMapping[], segments: readonly SegmentInfo[]): Promise<Materialised>
  /** What materialise() answered, again. */
  prepared(epoch: number): Promise<Materialised>
  /** prepared -> recorded (or recorded again on another head), durable, before it is sent. */
  saveRecord(epoch: number, record: SavedRecord): Promise<void>
  /** The oldest pending epoch is in the chain: extents point at segments, staged rows are freed, head is saved. */
  published(epoch: number, head: Head): Promise<void>
  /** In order, the oldest `limit` (all). */
  pendingEpochs(limit?: number): Promise<PendingEpoch[]>
}

export interface LedgerChain {
  head(): Promise<Head | null>
  /** Records as sent or received, for a bridge that lost its end of the chain. */
  saveRecords(records: readonly SavedRecord[]): Promise<void>
  /** From `sequence`, in order, at most 8 MiB and at least one (none: there is nothing). */
  loadRecords(sequence: number): Promise<SavedRecord[]>
  /** Applies one published batch and saves the head, in one transaction. Hostile: `malformed`, `unsupported-version`, or
   *  `chain-mismatch` when it does not fit this tree; nothing is changed then. `local-changes`: there are operations here
   *  that are not published. */
  applyBatch(operations: Buffer, epoch: number, head: Head): Promise<BatchChanges>
  /** Only the head moved (a record without operations). */
  saveHead(head: Head): Promise<void>
  /** Builds the tree from nothing; the pieces together are one batch. `not-empty` when a tree is there already. */
  importSnapshot(operations: AsyncIterable<Buffer> | Iterable<Buffer>, epoch: number, head: Head): Promise<void>
  /** The state at a cut made with `view`, as one batch in pieces of about 1 MiB; the epoch must be prepared or published,
   *  and all before it published. Ends the view when it ends; so does releaseView(). */
  exportSnapshot(epoch: number): AsyncIterable<Buffer>
  releaseView(epoch: number): Promise<void>
  /** A snapshot is in the chain. The last two are kept; what only older ones named may be retired. */
  recordSnapshot(mark: SnapshotMark, segments: readonly SegmentInfo[]): Promise<void>
  snapshots(): Promise<SnapshotMark[]>
  /** Segments of published epochs behind a row. */
  segmentsAfter(row: number, limit: number): Promise<SegmentPage>
}

/** What this device keeps here. In no operation: pins are not part of the drive. */
export interface LedgerPins {
  /** Inodes pinned by themselves, in the order in which they were. What a file is pinned by goes with it. */
  pins(): Promise<number[]>
  /** Durable. `not-supported`: neither file nor folder; `no-space`: too many. Works on a read-only drive. */
  setPin(ino: number, isPinned: boolean): Promise<void>
  /** Where the data of these inodes lie, a step at a time; begin with { at: 0, offset: 0 }. */
  piecesOf(inos: readonly number[], from: PiecesFrom): Promise<FilePieces>
}

export interface Ledger extends LedgerTree, LedgerReading, LedgerEpochs, LedgerChain, LedgerPins {
  /** Small facts of sync and app (drive id, wraps, chain state...): opaque bytes, at most 1 MiB, durable with `durable`. */
  getMeta(key: string): Promise<Buffer | null>
  putMeta(entries: Readonly<Record<string, Buffer | null>>, durable?: boolean): Promise<void>
  progress(): Progress
  /** What the disk has for more staged bytes, when all rows that were handed over before are counted. */
  room(): Promise<LedgerRoom>
  /** null: writable. Else why not, in words for a person. The ledger itself sets it when its disk is full. */
  readOnlyReason(): string | null
  setReadOnly(reason: string | null): Promise<void>
  /** fsck: connected, counted, covered. Empty when sound. */
  check(): Promise<Finding[]>
  /** Last commit, checkpoint, write-ahead log truncated. Afterwards everything answers `ledger-stopped`. */
  close(): Promise<void>
}

export interface LedgerEvents {
  /** The reason changed (null: writable again). */
  readOnly?(reason: string | null): void
  /** The worker ended by itself; every waiting call was rejected. */
  stopped?(error: Error): void
}
