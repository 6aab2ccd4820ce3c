import type { FileId, SegmentId } from '../../model/ids.js'
import type { SegmentInfo } from '../../model/segment.js'

/** Rows and results that cross the ledger's border. Plain data: they travel between threads. */

/** sec may be negative; nsec is 0..999,999,999. On disk and in operations: i64 nanoseconds, so years 1677 to 2262. */
export interface FileTime {
  readonly sec: number
  readonly nsec: number
}

export interface Inode {
  /** Of two states of one inode, the one with the lower number is older. Rises with every change of any inode. */
  readonly asOf: number
  /** Local, 1 = root, never reused. */
  readonly ino: number
  /** The same file on every device. */
  readonly file: FileId
  /** Type and permission bits, as st_mode. */
  readonly mode: number
  /** Names; a directory: 2 + subdirectories. 0: an orphan that lives until reap(). */
  readonly nlink: number
  readonly uid: number
  readonly gid: number
  readonly rdev: number
  readonly size: number
  /** Allocated space in units of 512 bytes: covered bytes of all extents, rounded up to 4 KiB once. Directories: 8. */
  readonly blocks: number
  readonly atime: FileTime
  readonly mtime: FileTime
  readonly ctime: FileTime
  readonly btime: FileTime
}

export interface DirectoryRow {
  readonly name: Buffer
  readonly ino: number
  /** Type bits (S_IFMT part). */
  readonly mode: number
  /** > 2, rising in the order of creation of the names, never reused; 1 and 2 are free for '.' and '..'. */
  readonly cookie: number
  /** With `attributes` only. */
  readonly inode: Inode | undefined
}

export interface DirectoryPage {
  readonly entries: readonly DirectoryRow[]
  /** Nothing comes behind the last entry. */
  readonly end: boolean
  readonly parent: number
}

/** What a mutation leaves: every inode that it changed, the subject first, as they are now. */
export interface Changed {
  readonly inodes: readonly Inode[]
}

export interface Copied extends Changed {
  readonly copied: number
}

/** A run of bytes of a file, in order, no gaps between two of them. */
export type Piece =
  /** Hole or reserved zeros. */
  | { readonly kind: 'zeros'; readonly length: number }
  /** Staged bytes, opened; the receiver owns the buffer. */
  | { readonly kind: 'bytes'; readonly length: number; readonly bytes: Buffer }
  | {
      readonly kind: 'segment'
      readonly length: number
      readonly segment: SegmentInfo
      /** Of the first byte in the segment's plain bytes. */
      readonly segmentOffset: number
    }

export interface Plan {
  readonly pieces: readonly Piece[]
  /** Size of the file when planned: the pieces end there or at offset + length. */
  readonly size: number
}

export type DataState = 'local' | 'stored'

export interface FileState {
  /** stored: every byte and every attribute of this inode is in a published epoch. */
  readonly state: DataState
  /** Segments that the inode's extents name, at most 1,000. */
  readonly segments: readonly SegmentId[]
}

/** Where a walk over the data of several files stands: the file's place in the list, and an offset of it. */
export interface PiecesFrom {
  readonly at: number
  readonly offset: number
}

export interface FilePieces {
  /** Of all files, in their order. */
  readonly pieces: readonly Omit<Extract<Piece, { kind: 'segment' }>, 'kind'>[]
  /** Bytes that are only here so far. */
  readonly localBytes: number
  readonly next: PiecesFrom | null
}

export interface StagedRow {
  readonly stagedId: number
  /** Plain bytes. */
  readonly length: number
}

/** A frozen prefix of everything that happened. */
export interface Cut {
  readonly epoch: number
  /** Position in the operation log; rising, never reused. */
  readonly logSequence: number
  /** Encoded size of the operations, before extents are added: what materialise() will be about. */
  readonly operationBytes: number
  /** Plain bytes of stagedRows. */
  readonly stagedBytes: number
  /** Rows whose bytes somebody sees at the cut, ascending. Each must be in the mapping given to materialise(). */
  readonly stagedRows: readonly StagedRow[]
  /** Unix ms when cut; for people. */
  readonly timeMs: number
}

/** Where a whole staged row lies in a segment. */
export interface StagedMapping {
  readonly stagedId: number
  readonly segment: SegmentId
  readonly segmentOffset: number
}

export interface Materialised {
  /** A batch (docs/format.md section 9). */
  readonly operations: Buffer
  readonly confirm: readonly SegmentId[]
  readonly retire: readonly SegmentId[]
}

export interface SavedRecord {
  readonly sequence: number
  readonly hash: Buffer
  readonly encoded: Buffer
}

/**
 * cut: materialise it (with new segments: those of an earlier attempt are never named).
 * prepared: prepared(epoch) gives the same operations again; build and sign the record.
 * recorded: record is durable and may have been sent.
 */
export interface PendingEpoch extends Cut {
  readonly stage: 'cut' | 'prepared' | 'recorded'
  readonly record: SavedRecord | null
}

export interface SnapshotMark {
  readonly epoch: number
  /** Chain sequence of the snapshot record. */
  readonly sequence: number
  /** The segments that hold the snapshot itself. */
  readonly segments: readonly SegmentId[]
}

/** Segments of published epochs, in the order of their rows. */
export interface SegmentPage {
  readonly segments: readonly { readonly row: number; readonly info: SegmentInfo }[]
  /** From the first of them on. */
  readonly left: number
}

/** How much is only local. Comes with every answer of the ledger, so reading it is free and at most one turn old. */
export interface Progress {
  /** Since the last cut. */
  readonly openBytes: number
  readonly openOperations: number
  readonly openOperationBytes: number
  /** Cut, not yet published. */
  readonly pendingEpochs: number
  readonly pendingBytes: number
  /** Unix ms of the oldest operation that is not published; null when everything is stored. */
  readonly oldestUnpublishedMs: number | null
  /** Names are files too: rows of the inode table. */
  readonly files: number
  /** Epoch of the last published state; 0 before the first. */
  readonly publishedEpoch: number
  /** Epoch of the last cut that is not published yet; null when there is none. */
  readonly newestPending: number | null
}

export interface Finding {
  readonly code: string
  readonly message: string
}
